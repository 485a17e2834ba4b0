//! Backends: certificates, credentials, pools, circuit breakers, failures.

use crate::world::{PASSWORD, World, base64_pfx};
use handfast_net::Hop;
use handfast_testkit::TestPki;
use serde_json::{Value, json};

fn document(inbound: &str, forward: &str) -> String {
    format!(
        "<policies><inbound>{inbound}</inbound><backend>{forward}</backend><outbound /><on-error /></policies>"
    )
}

fn api(world: &mut World, name: &str, url: &str, policy: &str) {
    world.api(name, json!({ "serviceUrl": url, "subscriptionRequired": false }), &["GET /*"]);
    world.policy(&format!("apis/{name}"), policy);
}

fn backend(world: &mut World, name: &str, mut properties: Value, url: &str) {
    properties["url"] = url.into();
    properties["protocol"] = "http".into();
    world.put(&format!("backends/{name}"), json!({ "properties": properties }));
}

const FORWARD: &str = "<forward-request timeout=\"10\" />";

fn assert_internal(response: &handfast_testkit::RawResponse, case: &str) {
    assert_eq!(response.status(), 500, "{case}: {}", response.text());
    assert!(response.head.starts_with("HTTP/1.1 500 Internal Server Error\r\n"), "{case}: {}", response.head);
    let text = response.text();
    let start = "{ \"statusCode\": 500, \"message\": \"Internal server error\", \"activityId\": \"";
    let id = text.strip_prefix(start).and_then(|rest| rest.strip_suffix("\" }")).expect(case);
    let shape: String = id.chars().map(|c| if c.is_ascii_hexdigit() { 'x' } else { c }).collect();
    assert_eq!(shape, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "{case}");
}

#[test]
fn a_client_certificate_comes_from_the_backend_or_the_policy() {
    for hop in [Hop::Wire, Hop::Fused] {
        let mut world = World::new(hop);
        let (url, _) = world.upstream("svc.localhost", true);
        let (one, two) = (world.pki.client("one"), world.pki.client("two"));
        world.certificate("one", &one);
        world.certificate("two", &two);
        backend(
            &mut world,
            "by-id",
            json!({ "credentials": { "certificateIds": ["/certificates/one"] } }),
            &url,
        );
        backend(
            &mut world,
            "by-print",
            json!({ "credentials": { "certificate": [two.leaf().thumbprint()] } }),
            &url,
        );
        let use_backend = |id: &str| format!("<set-backend-service backend-id=\"{id}\" />");
        let use_print = format!("<authentication-certificate thumbprint=\"{}\" />", one.leaf().thumbprint());
        let brought = |password: &str| {
            let file = base64_pfx(&two);
            format!(
                "<authentication-certificate body=\"@(Convert.FromBase64String(&quot;{file}&quot;))\" password=\"{password}\" />"
            )
        };
        for (name, inbound) in [
            ("f", brought(PASSWORD)),
            ("g", brought("wrong")),
            ("a", use_backend("by-id")),
            ("b", use_backend("by-print")),
            ("c", format!("{}<authentication-certificate certificate-id=\"two\" />", use_backend("by-id"))),
            ("d", use_print),
            ("e", format!("<set-backend-service base-url=\"{url}/e\" />")),
        ] {
            api(&mut world, name, &url, &document(&inbound, FORWARD));
        }
        world.serve();
        for (name, subject) in [("a", "one"), ("b", "two"), ("c", "two"), ("d", "one"), ("f", "two")] {
            let text = world.get(&format!("/{name}/x")).text();
            assert!(text.contains(&format!("client CN={subject}\n")), "{hop:?} {name}: {text}");
        }
        assert_internal(&world.get("/e/x"), "no certificate where one is demanded");
        assert_internal(&world.get("/g/x"), "a file that the password does not open");
    }
}

#[test]
fn credentials_of_a_backend_go_with_the_request() {
    let mut world = World::new(Hop::Wire);
    let (url, _) = world.upstream("svc.localhost", false);
    backend(
        &mut world,
        "b",
        json!({ "credentials": { "authorization": { "scheme": "Basic", "parameter": "dTpw" },
            "header": { "X-Two": ["1", "2"], "X-Replaced": ["new"] }, "query": { "code": ["a%20b"] } } }),
        &url,
    );
    api(&mut world, "a", &url, &document("<set-backend-service backend-id=\"B\" />", FORWARD));
    world.serve();
    let text = world
        .send("GET", "/a/x?q=1", &["X-Replaced: old", "Proxy-Authorization: p", "X-Forwarded-For: 9.9.9.9"])
        .text();
    for line in [
        "GET /x?q=1&code=a%20b HTTP/1.1",
        "Authorization: Basic dTpw",
        "X-Two: 1",
        "X-Two: 2",
        "X-Replaced: new",
        "X-Forwarded-For: 9.9.9.9, 127.0.0.1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    let host = url.strip_prefix("https://").expect("an URL");
    assert!(text.contains(&format!("Host: {host}\n")), "{text}");
    assert!(!text.contains("old") && !text.contains("Proxy-"), "{text}");
}

#[test]
fn a_policy_may_keep_the_host() {
    let mut world = World::new(Hop::Wire);
    let (url, _) = world.upstream("svc.localhost", false);
    api(
        &mut world,
        "a",
        &url,
        &document("<set-header name=\"Host\"><value>front.test</value></set-header>", FORWARD),
    );
    world.serve();
    assert!(world.get("/a/x").text().contains("Host: front.test\n"));
}

#[test]
fn what_fails_between_gateway_and_backend_is_a_500_with_an_id() {
    let mut world = World::new(Hop::Wire);
    let (url, echo) = world.upstream("svc.localhost", false);
    let foreign = TestPki::new(world.env.clock.now());
    let state = {
        let host = world.engine.host(
            "foreign",
            foreign.server("foreign.localhost"),
            handfast_net::tls::ClientAuth::None,
            false,
        );
        world.engine.state(echo.clone(), Some(host))
    };
    let port = world.engine.listen("foreign", state).port();
    let wrong_name = url.replace("svc.localhost", "wrong.localhost");
    let foreign_url = format!("https://foreign.localhost:{port}");
    backend(&mut world, "unnamed", json!({ "tls": { "validateCertificateName": false } }), &wrong_name);
    backend(&mut world, "unchecked", json!({ "tls": { "validateCertificateChain": false } }), &foreign_url);
    for (name, target) in [
        ("closed", "https://127.0.0.1:1"),
        ("unresolved", "https://nowhere.invalid"),
        ("name", &wrong_name),
        ("chain", &foreign_url),
    ] {
        api(&mut world, name, target, &document("", FORWARD));
    }
    for name in ["unnamed", "unchecked"] {
        api(
            &mut world,
            name,
            &url,
            &document(&format!("<set-backend-service backend-id=\"{name}\" />"), FORWARD),
        );
    }
    world.api("none", json!({ "subscriptionRequired": false }), &["GET /*"]);
    world.serve();
    for name in ["closed", "unresolved", "name", "chain", "none"] {
        assert_internal(&world.get(&format!("/{name}/x")), name);
    }
    assert_eq!(echo.seen(), 0);
    for name in ["unnamed", "unchecked"] {
        assert_eq!(world.get(&format!("/{name}/x")).status(), 200, "{name}");
    }
}

#[test]
fn a_pool_uses_its_first_priority_by_weight_and_leaves_it_when_circuits_open() {
    let mut world = World::new(Hop::Wire);
    let (url, _) = world.upstream("svc.localhost", false);
    let breaker = json!({ "rules": [{ "name": "r", "tripDuration": "PT10S", "failureCondition": { "count": 1, "interval": "PT1M",
        "statusCodeRanges": [{ "min": 500, "max": 599 }] } }] });
    for name in ["one", "two", "spare"] {
        let header = json!({ "header": { "X-Member": [name] } });
        backend(&mut world, name, json!({ "credentials": header, "circuitBreaker": breaker.clone() }), &url);
    }
    world.put(
        "backends/pool",
        json!({ "properties": { "type": "Pool", "pool": { "services": [
            { "id": "/backends/one", "priority": 1, "weight": 3 },
            { "id": "/backends/two", "priority": 1, "weight": 1 },
            { "id": "/backends/spare", "priority": 2 } ] } } }),
    );
    api(&mut world, "a", &url, &document("<set-backend-service backend-id=\"pool\" />", FORWARD));
    world.serve();
    let member = |target: &str| {
        let response = world.get(target);
        let text = response.text();
        let member = text.lines().find_map(|line| line.strip_prefix("X-Member: ")).unwrap_or("-").to_owned();
        (response.status(), member)
    };
    let mut members: Vec<String> = (0..4).map(|_| member("/a/x").1).collect();
    members.sort();
    assert_eq!(members, ["one", "one", "one", "two"]);
    let mut failed: Vec<String> = (0..3).map(|_| member("/a/status/503").1).collect();
    failed.sort();
    assert_eq!(failed, ["one", "spare", "two"]);
    let refused = world.get("/a/x");
    assert_eq!(
        (refused.status(), refused.text().as_str()),
        (503, "{ \"statusCode\": 503, \"message\": \"Service unavailable\" }")
    );
    world.engine.clock.advance(std::time::Duration::from_secs(10));
    assert_eq!(member("/a/x").0, 200);
}

#[test]
fn the_gateway_may_call_itself_but_not_without_end() {
    for hop in [Hop::Wire, Hop::Fused] {
        let mut world = World::new(hop);
        let (url, echo) = world.upstream("svc.localhost", false);
        let own = format!("https://{}", crate::world::HOST);
        api(&mut world, "inner", &url, &document("", FORWARD));
        api(&mut world, "outer", &format!("{own}/inner"), &document("", FORWARD));
        api(&mut world, "loop", &format!("{own}/loop"), &document("", FORWARD));
        world.serve();
        assert_eq!(world.get("/outer/x").status(), 200, "{hop:?}");
        assert_eq!(echo.seen(), 1);
        assert_internal(&world.get("/loop/x"), "a loop");
    }
}

#[test]
fn a_body_above_the_limit_is_told_and_what_is_left_of_it_is_never_sent() {
    let mut world = World::new(Hop::Wire);
    let (url, echo) = world.upstream("svc.localhost", false);
    let open = json!({ "serviceUrl": url, "subscriptionRequired": false });
    let edit = "<find-and-replace from=\"x\" to=\"y\" />";
    let again = "<retry condition=\"true\" count=\"2\" interval=\"0\"><forward-request buffer-request-body=\"true\" /></retry>";
    for (name, policy, bytes) in [
        ("read", document(edit, "<forward-request />"), (8 << 20) + 1),
        ("kept", document("", again), (16 << 20) + 1),
    ] {
        world.api(name, open.clone(), &["POST /x"]);
        world.policy(&format!("apis/{name}"), &policy);
        world.serve();
        let head = format!(
            "POST /{name}/x HTTP/1.1\r\nHost: {}\r\nContent-Length: {bytes}\r\n\r\n",
            crate::world::HOST
        );
        let mut message = head.into_bytes();
        message.resize(message.len() + bytes, b'x');
        let answer = world.client(None).send_while_reading(message);
        assert_eq!(answer.status(), 413, "{name}: {}", answer.text());
        assert_eq!(answer.text(), "{ \"statusCode\": 413, \"message\": \"Content Too Large\" }", "{name}");
        assert_eq!(echo.seen(), 0, "{name}");
    }
}

#[test]
fn every_line_of_forwarded_for_reaches_the_backend() {
    let mut world = World::new(Hop::Wire);
    let (url, _) = world.upstream("svc.localhost", false);
    api(&mut world, "a", &url, &document("", "<forward-request />"));
    world.serve();
    let answer = world.send("GET", "/a/x", &["X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2"]);
    assert!(answer.text().contains("192.0.2.1, 192.0.2.2, 127.0.0.1"), "{}", answer.text());
}

#[test]
fn the_backend_chooses_between_the_versions_that_are_offered() {
    let mut world = World::new(Hop::Wire);
    let (url, _) = world.upstream("svc.localhost", false);
    api(&mut world, "a", &url, &document("", "<forward-request http-version=\"2or1\" />"));
    world.serve();
    for _ in 0..2 {
        let answer = world.get("/a/x");
        assert_eq!(answer.status(), 200, "a backend of HTTP/1.1 only: {}", answer.text());
    }
}
