//! Hosts, APIs and operations over the wire, and the answers when nothing matches.

use crate::world::{HOST, World};
use handfast_net::Hop;
use handfast_testkit::RawClient;
use serde_json::json;

fn open_api(world: &mut World, name: &str, url: &str, further: serde_json::Value, operations: &[&str]) {
    let mut properties = json!({ "serviceUrl": url, "subscriptionRequired": false });
    for (member, value) in further.as_object().expect("members") {
        properties[member] = value.clone();
    }
    world.api(name, properties, operations);
}

#[test]
fn requests_reach_the_url_below_the_api_path_as_they_came() {
    let mut world = World::new(Hop::Wire);
    let (url, _) = world.upstream("svc.localhost", false);
    open_api(
        &mut world,
        "shop",
        &format!("{url}/base/"),
        json!({ "path": "Shop/v" }),
        &["GET /", "GET /items/{id}", "GET /files/*", "POST /items", "GET /search?q={q}"],
    );
    world.serve();
    for (method, target, sent) in [
        ("GET", "/shop/v", Some("GET /base/ ")),
        ("GET", "/Shop/V/", Some("GET /base/ ")),
        ("GET", "/shop/v/items/a%20b?z=%31", Some("GET /base/items/a%20b?z=%31 ")),
        ("GET", "/shop/v/files/a/b/", Some("GET /base/files/a/b/ ")),
        ("POST", "/shop/v/items", Some("POST /base/items ")),
        ("GET", "/shop/v/search?q=1&r=2", Some("GET /base/search?q=1&r=2 ")),
        ("GET", "/shop/v/x/../items/7", Some("GET /base/items/7 ")),
        ("GET", "/shop/v/%2e%2e/v/items/7", Some("GET /base/items/7 ")),
        ("GET", "/shop/v/items", None),
        ("GET", "/shop/v/search", None),
        ("PUT", "/shop/v/items", None),
        ("GET", "/shop", None),
        ("GET", "/", None),
    ] {
        let response = world.send(method, target, &[]);
        match sent {
            Some(sent) => assert!(response.text().starts_with(sent), "{target}: {}", response.text()),
            None => {
                assert!(
                    response.head.starts_with("HTTP/1.1 404 Resource Not Found\r\n"),
                    "{target}: {}",
                    response.head
                );
                assert_eq!(response.field("content-length"), Some("54"), "{target}");
                assert_eq!(response.text(), "{ \"statusCode\": 404, \"message\": \"Resource not found\" }");
            }
        }
    }
}

#[test]
fn an_unknown_host_is_not_found_and_probes_are_answered_on_every_host() {
    let mut world = World::new(Hop::Wire);
    let front = world.serve();
    let mut client = world.client(None);
    let response = client.get("elsewhere.localhost", "/status-0123456789abcdef");
    assert_eq!(response.status(), 404);
    assert_eq!(response.text(), "{ \"statusCode\": 404, \"message\": \"Resource not found\" }");
    for path in ["/status-0123456789abcdef", "/internal-status-0123456789abcdef?x"] {
        assert_eq!(client.get(&HOST.to_uppercase(), path).status(), 200, "{path}");
    }
    assert_eq!(client.get(HOST, "/status").status(), 404);
    let port = format!("{HOST}:{}", front.port());
    assert_eq!(client.get(&port, "/status-0123456789abcdef").status(), 200);
}

#[test]
fn a_host_with_other_certificate_demands_than_the_connection_is_misdirected() {
    let mut world = World::new(Hop::Wire);
    world.put(
        "",
        json!({ "location": "local", "properties": { "hostnameConfigurations": [
            { "type": "Proxy", "hostName": "MTLS.localhost", "negotiateClientCertificate": true } ] } }),
    );
    let front = world.serve();
    assert_eq!(world.client(None).get("mtls.localhost", "/").status(), 421);
    let mut client = RawClient::tls(front, "mtls.localhost", world.pki.ca().root(), None);
    assert_eq!(client.get("mtls.localhost", "/").status(), 404);
    assert_eq!(client.get(HOST, "/").status(), 421);
}

#[test]
fn what_cannot_be_served_is_refused_with_its_place_and_takes_nothing_else_along() {
    let mut world = World::new(Hop::Wire);
    let (url, _) = world.upstream("svc.localhost", false);
    open_api(&mut world, "good", &url, json!({}), &["GET /x"]);
    open_api(&mut world, "graph", &url, json!({ "type": "graphql" }), &[]);
    open_api(&mut world, "twin", &url, json!({ "path": "GOOD" }), &["GET /x"]);
    open_api(&mut world, "url", "ftp://x", json!({}), &[]);
    open_api(&mut world, "template", &url, json!({}), &["GET /{a"]);
    open_api(&mut world, "twice", &url, json!({}), &["GET /{a}", "GET /{b}"]);
    world.put("backends/b", json!({ "properties": { "url": "nonsense", "protocol": "http" } }));
    world.put(
        "backends/p",
        json!({ "properties": { "type": "Pool", "pool": { "services": [{ "id": "/backends/none" }] } } }),
    );
    world.put("certificates/c", json!({ "properties": { "data": "AAAA", "password": "x" } }));
    world.put(
        "subscriptions/s",
        json!({ "properties": { "displayName": "s", "scope": "/products/none", "state": "active" } }),
    );
    world.compile();
    let mut found: Vec<String> = world
        .diagnostics
        .iter()
        .filter(|one| one.is_error())
        .map(|one| {
            let resource = one.resource.as_deref().unwrap_or_default();
            let below = resource.split("/service/contoso/").nth(1).unwrap_or_default();
            let place = one.place.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{} {below} {place}", one.code)
        })
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "ApiTypeNotSupported apis/graph properties.type",
            "InvalidCertificate certificates/c properties",
            "ValidationError apis/template/operations/op0 properties.urlTemplate",
            "ValidationError apis/twice/operations/op1 properties.urlTemplate",
            "ValidationError apis/twin properties.path",
            "ValidationError apis/url properties.serviceUrl",
            "ValidationError backends/b properties.url",
            "ValidationError backends/p properties.pool.services[0].id",
            "ValidationError subscriptions/s properties.scope",
        ]
    );
    world.open();
    assert_eq!(world.get("/good/x").status(), 200);
    assert_eq!(world.get("/url/x").status(), 404);
}
