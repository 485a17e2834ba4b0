//! Policies of all scopes on the wire: order, errors, named values, fragments, bodies, limits.

use crate::world::{HOST, World, request};
use handfast_model::Command;
use handfast_net::Hop;
use serde_json::json;
use std::sync::Arc;

/// A service with an open API `a` (`GET /x`, `POST /x`, `GET /{id}`) in front of an echo.
fn world() -> (World, Arc<handfast_testkit::Echo>) {
    let mut world = World::new(Hop::Wire);
    let (url, echo) = world.upstream("svc.localhost", false);
    world.api(
        "a",
        json!({ "serviceUrl": url, "subscriptionRequired": false }),
        &["GET /x", "POST /x", "GET /items/{id}", "GET /status/{code}"],
    );
    (world, echo)
}

/// A document with one section filled and `<base />` in the others.
fn document(section: &str, policies: &str) -> String {
    let sections = ["inbound", "backend", "outbound", "on-error"].map(|name| {
        let inner = if name == section { policies } else { "<base />" };
        format!("<{name}>{inner}</{name}>")
    });
    format!("<policies>{}</policies>", sections.concat())
}

fn mark(value: &str) -> String {
    format!("<set-header name=\"X-Order\" exists-action=\"append\"><value>{value}</value></set-header>")
}

fn global(section: &str, policies: &str) -> String {
    let of =
        |name: &str, default: &str| if name == section { policies.to_owned() } else { default.to_owned() };
    format!(
        "<policies><inbound>{}</inbound><backend>{}</backend><outbound>{}</outbound><on-error>{}</on-error></policies>",
        of("inbound", ""),
        of("backend", "<forward-request />"),
        of("outbound", ""),
        of("on-error", "")
    )
}

#[test]
fn base_decides_the_order_of_scopes() {
    let (mut world, _) = world();
    world.policy("", &global("inbound", &mark("g")));
    world.policy("apis/a", &document("inbound", &format!("<base />{}", mark("a1"))));
    world.policy(
        "apis/a/operations/op0",
        &document("inbound", &format!("{}<base />{}", mark("o1"), mark("o2"))),
    );
    world.put("products/p", json!({ "properties": { "displayName": "p", "subscriptionRequired": false } }));
    world.put("products/p/apis/a", json!({}));
    world.policy("products/p", &document("inbound", &format!("{}<base />", mark("p1"))));
    world.serve();
    let order = |target: &str| {
        let text = world.get(target).text();
        text.lines().filter_map(|line| line.strip_prefix("X-Order: ")).collect::<Vec<_>>().join(",")
    };
    assert_eq!(order("/a/x"), "o1,p1,g,a1,o2");
    assert_eq!(order("/a/items/1"), "p1,g,a1");
}

#[test]
fn on_error_of_the_known_scopes_sees_the_prepared_answer() {
    let (mut world, echo) = world();
    let stamp = |value: &str| {
        format!("<set-header name=\"X-Error\" exists-action=\"append\"><value>{value}</value></set-header>")
    };
    world.policy("", &global("on-error", &stamp("global")));
    world.policy("apis/a", &document("on-error", &format!("<base />{}", stamp("api"))));
    world.policy("apis/a/operations/op0", &document("inbound", "<check-header name=\"X-Must\" failed-check-httpcode=\"403\" failed-check-error-message=\"no way\" ignore-case=\"true\"><value>v</value></check-header><base />"));
    world.serve();
    let stamps = |response: &handfast_testkit::RawResponse| {
        let lines =
            response.head.lines().filter_map(|line| line.strip_prefix("X-Error: ").map(str::to_owned));
        lines.collect::<Vec<_>>().join(",")
    };
    let refused = world.get("/a/x");
    assert_eq!((refused.status(), stamps(&refused).as_str()), (403, "global,api"));
    assert_eq!(refused.text(), "{ \"statusCode\": 403, \"message\": \"no way\" }");
    let unmatched = world.get("/a/nothing/there");
    assert_eq!((unmatched.status(), stamps(&unmatched).as_str()), (404, "global"));
    assert_eq!(echo.seen(), 0);
    assert_eq!(world.send("GET", "/a/x", &["X-Must: V"]).status(), 200);
}

#[test]
fn named_values_and_fragments_are_put_in_and_follow_their_changes() {
    let (mut world, _) = world();
    world.put("namedValues/n1", json!({ "properties": { "displayName": "plain-name", "value": "one" } }));
    world.put(
        "namedValues/n2",
        json!({ "properties": { "displayName": "secret-name", "value": "two", "secret": true } }),
    );
    world.put("namedValues/n3", json!({ "properties": { "displayName": "vault-name", "keyVault": { "secretIdentifier": "https://v.test/secrets/s" } } }));
    world.material.insert_vault(
        "https://v.test/secrets/s",
        "1",
        handfast_core::Secret::new(b"three".to_vec()),
    );
    world.put(
        "policyFragments/f",
        json!({ "properties": { "format": "rawxml", "value":
            "<fragment><set-header name=\"X-Values\"><value>{{plain-name}} {{secret-name}} {{vault-name}}</value></set-header></fragment>" } }),
    );
    world.policy("apis/a", &document("inbound", "<base /><include-fragment fragment-id=\"f\" />"));
    world.serve();
    assert!(world.get("/a/x").text().contains("X-Values: one two three"));
    world.put(
        "namedValues/n2",
        json!({ "properties": { "displayName": "secret-name", "value": "2", "secret": true } }),
    );
    world.serve();
    assert!(world.get("/a/x").text().contains("X-Values: one 2 three"));
}

#[test]
fn a_broken_document_is_reported_and_keeps_its_last_good_version() {
    let (mut world, echo) = world();
    world.policy(
        "apis/a",
        &document("inbound", "<base /><set-header name=\"X-V\"><value>1</value></set-header>"),
    );
    world.serve();
    world.policy("apis/a", "<policies>\n  <inbound><set-heade name=\"x\" /></inbound></policies>");
    world.compile();
    let errors: Vec<_> = world.diagnostics.iter().filter(|one| one.is_error()).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0].place.as_ref().map(ToString::to_string).as_deref(), Some("2:4"));
    assert!(errors[0].resource.as_deref().is_some_and(|id| id.ends_with("/apis/a/policies/policy")));
    world.open();
    assert!(world.get("/a/x").text().contains("X-V: 1"));
    // Without a last good version, what the document would protect is not served.
    world.plan = handfast_gateway::GatewayPlan::default();
    world.compile();
    world.open();
    let seen = echo.seen();
    assert_eq!(world.get("/a/x").status(), 404);
    assert_eq!(echo.seen(), seen);
}

#[test]
fn only_services_that_a_change_touches_are_compiled_again() {
    let (mut world, _) = world();
    world.serve();
    let other = crate::world::SERVICE.replace("contoso", "other");
    let changes =
        world.put(&other, json!({ "location": "local", "sku": { "name": "Developer", "capacity": 1 } }));
    world.policy("apis/a", "<broken");
    let (plan, diagnostics) =
        handfast_gateway::compile(Some(&world.plan), &world.graph, &changes, &world.material, &world.env);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let names: Vec<String> = plan.names().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [HOST, "other.gateway.localhost"]);
    let id = other.parse().expect("an id");
    let changes = world.apply(Command::Delete { id });
    let (plan, _) =
        handfast_gateway::compile(Some(&plan), &world.graph, &changes, &world.material, &world.env);
    assert_eq!(plan.names().len(), 1);
}

#[test]
fn responses_and_requests_are_rewritten() {
    let (mut world, echo) = world();
    world.policy(
        "apis/a/operations/op2",
        &document("inbound", "<base /><rewrite-uri template=\"/other/{id}?k=v\" copy-unmatched-params=\"true\" /><set-method>PUT</set-method><set-body>new body</set-body>"),
    );
    world.policy("apis/a/operations/op0", &document("inbound", "<return-response><set-status code=\"418\" reason=\"Teapot\" /><set-header name=\"X-R\"><value>r</value></set-header><set-body>short</set-body></return-response>"));
    world.policy(
        "apis/a/operations/op1",
        &document("outbound", "<base /><find-and-replace from=\"hello\" to=\"goodbye\" />"),
    );
    world.serve();
    let text = world.get("/a/items/7?z=1").text();
    assert!(text.starts_with("PUT /other/7?k=v&z=1 "), "{text}");
    assert!(text.ends_with("\n\nnew body"), "{text}");
    let returned = world.get("/a/x");
    assert!(returned.head.starts_with("HTTP/1.1 418 Teapot\r\n"), "{}", returned.head);
    assert_eq!((returned.field("x-r"), returned.field("content-length")), (Some("r"), Some("5")));
    assert_eq!(returned.text(), "short");
    let mut client = world.client(None);
    client.send(format!("POST /a/x HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 5\r\n\r\nhello"));
    let replaced = client.response();
    assert!(replaced.text().ends_with("\n\ngoodbye"), "{}", replaced.text());
    assert_eq!(client.get(HOST, "/a/items/1").status(), 200, "the connection goes on");
    assert_eq!(echo.seen(), 3);
}

#[test]
fn preflights_are_answered_by_cors_and_other_options_are_not_found() {
    let (mut world, echo) = world();
    world.policy("apis/a", &document("inbound", "<cors><allowed-origins><origin>https://app.test</origin></allowed-origins><allowed-methods><method>POST</method></allowed-methods></cors><base />"));
    world.serve();
    let ask = |origin: &str| {
        world.send("OPTIONS", "/a/x", &[&format!("Origin: {origin}"), "Access-Control-Request-Method: POST"])
    };
    let allowed = ask("https://app.test");
    assert_eq!(
        (allowed.status(), allowed.field("access-control-allow-origin")),
        (200, Some("https://app.test"))
    );
    assert_eq!(ask("https://evil.test").field("access-control-allow-origin"), None);
    assert_eq!(world.send("OPTIONS", "/a/x", &[]).status(), 404);
    assert_eq!(
        world
            .send("OPTIONS", "/b/x", &["Origin: https://app.test", "Access-Control-Request-Method: POST"])
            .status(),
        404
    );
    assert_eq!(echo.seen(), 0);
}

#[test]
fn rate_limits_survive_a_recompile_and_waits_end() {
    let (mut world, _) = world();
    world.policy(
        "apis/a",
        &document(
            "inbound",
            "<rate-limit-by-key calls=\"2\" renewal-period=\"60\" counter-key=\"k\" /><base />",
        ),
    );
    world.serve();
    assert_eq!([0; 2].map(|_| world.get("/a/x").status()), [200, 200]);
    world.serve();
    let refused = world.get("/a/x");
    assert_eq!((refused.status(), refused.field("retry-after")), (429, Some("60")));
    world.engine.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(world.get("/a/x").status(), 200);
}

#[test]
fn a_policy_can_ask_another_service_first() {
    let (mut world, echo) = world();
    let (other, asked) = world.upstream("other.localhost", true);
    world.certificate("own", &world.pki.client("policy").clone());
    world.policy(
        "apis/a/operations/op0",
        &document("inbound", &format!(
            "<base /><send-request mode=\"new\" response-variable-name=\"r\" timeout=\"10\"><set-url>{other}/ask?q=1</set-url><set-method>GET</set-method><authentication-certificate certificate-id=\"own\" /></send-request><return-response response-variable-name=\"r\" />"
        )),
    );
    world.policy(
        "apis/a/operations/op1",
        &document("inbound", "<base /><send-request mode=\"new\" response-variable-name=\"r\" timeout=\"10\" ignore-error=\"false\"><set-url>https://127.0.0.1:1/</set-url></send-request>"),
    );
    world.serve();
    let text = world.get("/a/x").text();
    assert!(text.starts_with("GET /ask?q=1 ") && text.contains("client CN=policy"), "{text}");
    assert_eq!(world.send("POST", "/a/x", &["Content-Length: 0"]).status(), 500);
    assert_eq!((asked.seen(), echo.seen()), (1, 0));
}

#[test]
fn a_large_body_streams_both_ways() {
    let (mut world, _) = world();
    world.serve();
    let mut client = world.client(None);
    let body = "b".repeat(3 << 20);
    client.send(request("POST", "/a/x", &[&format!("Content-Length: {}", body.len())]));
    client.send(&body);
    let response = client.response();
    assert_eq!(response.status(), 200);
    assert!(response.body.len() > body.len());
    assert!(response.body.ends_with(&body.as_bytes()[..1000]));
}
