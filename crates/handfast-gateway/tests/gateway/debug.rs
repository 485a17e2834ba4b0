//! Traced requests: by debug token and by subscription, and what is not traced.

use crate::world::{SERVICE, World};
use handfast_core::Clock;
use handfast_gateway::debug_credentials;
use handfast_model::ResourceId;
use handfast_net::Hop;
use handfast_testkit::RawResponse;
use serde_json::{Value, json};
use std::time::Duration;

const TOKEN: &str = "Apim-Debug-Authorization";
const POLICY: &str = r#"<policies>
  <inbound><base /><set-header name="X-Path"><value>@(context.Request.Url.Path)</value></set-header></inbound>
  <outbound><base />
    <set-header name="X-Echo"><value>@(context.Request.Headers.GetValueOrDefault("Authorization", "none"))</value></set-header>
    <set-header name="X-Tracing"><value>@(context.Tracing ? "yes" : "no")</value></set-header>
  </outbound>
</policies>"#;

/// APIs `a` and `b`; `a` has a policy and wants a key.
fn world() -> World {
    let mut world = World::new(Hop::Wire);
    let (url, _) = world.upstream("svc.localhost", false);
    world.api("a", json!({ "serviceUrl": url, "subscriptionRequired": true }), &["GET /x", "POST /x"]);
    world.api("b", json!({ "serviceUrl": url, "subscriptionRequired": false }), &["GET /x"]);
    world.policy("apis/a", POLICY);
    for (name, further) in [
        ("tracing", json!({ "allowTracing": true })),
        ("silent", json!({ "allowTracing": false })),
        ("admin", json!({ "allowTracing": true, "ownerId": "/users/1" })),
        ("member", json!({ "allowTracing": true, "ownerId": "/users/ada" })),
        ("developer", json!({ "allowTracing": true, "ownerId": "/users/bob" })),
    ] {
        let mut properties = json!({ "displayName": name, "scope": "/apis/a", "state": "active",
            "primaryKey": format!("{name}-key-1"), "secondaryKey": format!("{name}-key-2") });
        for (member, value) in further.as_object().expect("members") {
            properties[member] = value.clone();
        }
        world.put(&format!("subscriptions/{name}"), json!({ "properties": properties }));
    }
    for user in ["ada", "bob"] {
        let name = json!({ "email": format!("{user}@x.test"), "firstName": user, "lastName": "X" });
        world.put(&format!("users/{user}"), json!({ "properties": name }));
    }
    world.put("groups/administrators", json!({ "properties": { "displayName": "Administrators" } }));
    world.put("groups/administrators/users/ada", json!({}));
    world.serve();
    world
}

fn token(world: &World, api: &str, life: &str) -> String {
    let service = ResourceId::parse(SERVICE).expect("an id");
    let body = json!({ "apiId": format!("{SERVICE}/apis/{api}"), "purposes": ["tracing"],
        "credentialsExpireAfter": life });
    let now = world.engine.clock.now();
    let token = debug_credentials(&world.env.debug_key, &world.graph, &service, &body, now);
    token.expect("a token").expose().clone()
}

fn send(world: &World, target: &str, token: &str, key: &str) -> RawResponse {
    let lines = [format!("{TOKEN}: {token}"), format!("Ocp-Apim-Subscription-Key: {key}")];
    let lines = [lines[0].as_str(), lines[1].as_str(), "Authorization: Bearer top-secret"];
    world.send("GET", target, &lines)
}

fn json_of(response: &RawResponse) -> Value {
    assert_eq!(response.status(), 200, "{}", response.text());
    serde_json::from_slice(&response.body).expect("JSON")
}

#[test]
fn a_debug_token_makes_the_gateway_keep_a_trace_of_its_api() {
    let world = world();
    let token = token(&world, "a", "PT1H");
    let response = send(&world, "/a/x?q=1", &token, "silent-key-1");
    assert_eq!((response.status(), response.field("x-tracing")), (200, Some("yes")));
    assert!(response.field("ocp-apim-trace-location").is_none());
    let id = response.field("apim-trace-id").expect("an id").to_owned();
    let service = ResourceId::parse(SERVICE).expect("an id");
    let now_ms = world.engine.clock.now_ms();
    let document = world.plan.trace(&service, &id, now_ms).expect("a trace");
    let trace: Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!(trace["traceId"], id.as_str());
    let entries = |section: &str| trace["traceEntries"][section].as_array().expect("entries").clone();
    let sources = |section| entries(section).iter().map(|one| one["source"].clone()).collect::<Vec<_>>();
    assert_eq!(sources("inbound")[..2], [json!("api-inspector"), json!("api-inspector")]);
    assert!(sources("inbound").contains(&json!("set-header")));
    assert!(sources("backend").contains(&json!("forward-request")));
    assert_eq!(sources("outbound").last(), Some(&json!("transfer-response")));
    let request = &entries("inbound")[0]["data"]["request"];
    assert_eq!(request["method"], "GET");
    assert!(request["url"].as_str().is_some_and(|url| url.ends_with("/a/x?q=1")));
    let configuration = &entries("inbound")[1]["data"]["configuration"];
    assert_eq!(
        (&configuration["api"]["from"], &configuration["api"]["to"]["scheme"]),
        (&json!("/a"), &json!("https"))
    );
    assert_eq!(configuration["operation"], json!({ "method": "GET", "uriTemplate": "/x" }));
    assert!(world.plan.trace(&service, "other", now_ms).is_none());
    let after = now_ms + 24 * 3_600_000;
    assert!(world.plan.trace(&service, &id, after).is_none(), "a day is the end");
}

#[test]
fn a_trace_holds_neither_key_nor_token_nor_authorization_and_the_backend_sees_no_question() {
    let world = world();
    let token = token(&world, "a", "PT1H");
    let response = send(&world, "/a/x", &token, "silent-key-1");
    assert_eq!(response.field("x-echo"), Some("Bearer top-secret"), "the request itself is as it was");
    let echoed = response.text().to_lowercase();
    assert!(!echoed.contains("apim-debug") && echoed.contains("x-path"), "{echoed}");
    let service = ResourceId::parse(SERVICE).expect("an id");
    let id = response.field("apim-trace-id").expect("an id");
    let document = world.plan.trace(&service, id, world.engine.clock.now_ms()).expect("a trace");
    for secret in ["top-secret", "silent-key-1", "aid=a"] {
        assert!(!document.contains(secret), "{secret} in {document}");
    }
    let document: Value = serde_json::from_str(&document).expect("JSON");
    let set = document["traceEntries"]["outbound"].to_string();
    assert!(set.contains("Bearer (token)"), "{set}");
}

#[test]
fn a_token_that_is_over_or_of_another_api_is_told_and_the_request_served() {
    let world = world();
    let (own, other) = (token(&world, "a", "PT1M"), token(&world, "b", "PT1H"));
    let response = send(&world, "/a/x", &other, "silent-key-1");
    assert_eq!((response.status(), response.field("x-tracing")), (200, Some("no")));
    let told = response.field("apim-debug-authorization-wrongapi").expect("told");
    assert!(told.contains("'b'") && told.contains("'a'"), "{told}");
    world.engine.clock.advance(Duration::from_secs(60));
    let response = send(&world, "/a/x", &own, "silent-key-1");
    assert_eq!((response.status(), response.field("x-tracing")), (200, Some("no")));
    assert!(response.field("apim-debug-authorization-expired").is_some());
    assert!(response.field("apim-trace-id").is_none());
    for forged in ["aid=a&p=tracing&e=9999999999&s=AAAA", "", "x"] {
        let response = send(&world, "/a/x", forged, "silent-key-1");
        assert_eq!((response.status(), response.field("x-tracing")), (200, Some("no")), "{forged}");
        assert!(!response.text().to_lowercase().contains("apim-debug"), "{forged}");
    }
}

#[test]
fn a_refused_request_is_traced_to_its_refusal() {
    let world = world();
    let token = token(&world, "a", "PT1H");
    let response = send(&world, "/a/x", &token, "wrong");
    assert_eq!(response.status(), 401);
    let id = response.field("apim-trace-id").expect("an id");
    let service = ResourceId::parse(SERVICE).expect("an id");
    let document = world.plan.trace(&service, id, world.engine.clock.now_ms()).expect("a trace");
    let trace: Value = serde_json::from_str(&document).expect("JSON");
    let last =
        trace["traceEntries"]["on-error"].as_array().and_then(|all| all.last()).cloned().expect("an entry");
    assert_eq!(last["data"]["response"]["status"]["code"], 401, "{trace}");
}

#[test]
fn the_older_header_works_with_subscriptions_that_allow_tracing() {
    let world = world();
    for (key, value, traced) in [
        ("tracing-key-1", "true", true),
        ("admin-key-2", "True", true),
        ("member-key-1", "true", true),
        ("developer-key-1", "true", false),
        ("silent-key-1", "true", false),
        ("tracing-key-1", "false", false),
    ] {
        let lines = [format!("Ocp-Apim-Trace: {value}"), format!("Ocp-Apim-Subscription-Key: {key}")];
        let response = world.send("GET", "/a/x", &[lines[0].as_str(), lines[1].as_str()]);
        assert_eq!((response.status(), response.field("apim-trace-id")), (200, None), "{key}");
        let location = response.field("ocp-apim-trace-location").map(str::to_owned);
        assert_eq!(location.is_some(), traced, "{key} {value}");
        let Some(location) = location else { continue };
        let target = location.splitn(4, '/').nth(3).expect("a path");
        let trace = json_of(&world.get(&format!("/{target}")));
        assert!(trace["traceEntries"]["inbound"].is_array());
        for wrong in [
            target.split('?').next().expect("a path").to_owned(),
            format!("{target}A"),
            target.replace("ticket=", "ticket=A"),
        ] {
            assert_eq!(world.get(&format!("/{wrong}")).status(), 404, "{wrong}");
        }
    }
    let response = world.send("GET", "/b/x", &["Ocp-Apim-Trace: true"]);
    assert!(response.field("ocp-apim-trace-location").is_none(), "without a key nothing allows it");
}

#[test]
fn a_debug_token_opens_the_traces_of_its_api_on_the_gateway() {
    let world = world();
    let (own, other) = (token(&world, "a", "PT1H"), token(&world, "b", "PT1H"));
    let response = send(&world, "/a/x", &own, "silent-key-1");
    let id = response.field("apim-trace-id").expect("an id").to_owned();
    let path = format!("/internal-trace-0123456789abcdef/{id}");
    let fetch = |token: &str| world.send("GET", &path, &[&format!("{TOKEN}: {token}")]);
    assert_eq!(json_of(&fetch(&own))["traceId"], id.as_str());
    assert_eq!((fetch(&other).status(), world.get(&path).status()), (404, 404));
}
