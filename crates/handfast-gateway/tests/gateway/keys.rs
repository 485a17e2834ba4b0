//! Subscription keys: the matrix of specification 3.6, names, states, and the exact answers.

use crate::world::{HOST, World};
use handfast_net::Hop;
use serde_json::json;

const HEADER: &str = "Ocp-Apim-Subscription-Key";

/// A service with an API `a` in front of an echo, and an API `other`.
fn world(api_requires: bool) -> World {
    let mut world = World::new(Hop::Wire);
    let (url, _) = world.upstream("svc.localhost", false);
    world.api("a", json!({ "serviceUrl": url, "subscriptionRequired": api_requires }), &["GET /x"]);
    world.api("other", json!({ "serviceUrl": url }), &["GET /x"]);
    world
}

fn product(world: &mut World, name: &str, requires: bool, apis: &[&str]) {
    let properties = json!({ "displayName": name, "subscriptionRequired": requires, "state": "published" });
    world.put(&format!("products/{name}"), json!({ "properties": properties }));
    for api in apis {
        world.put(&format!("products/{name}/apis/{api}"), json!({}));
    }
}

fn subscription(world: &mut World, name: &str, scope: &str, further: serde_json::Value) {
    let mut properties = json!({ "displayName": name, "scope": scope, "state": "active",
        "primaryKey": format!("{name}-1"), "secondaryKey": format!("{name}-2") });
    for (member, value) in further.as_object().expect("members") {
        properties[member] = value.clone();
    }
    world.put(&format!("subscriptions/{name}"), json!({ "properties": properties }));
}

#[test]
fn who_needs_a_key_depends_on_api_and_products() {
    for (product_requires, api_requires, without) in
        [(true, true, 401), (true, false, 200), (false, true, 200), (false, false, 200)]
    {
        let mut world = world(api_requires);
        product(&mut world, "p", product_requires, &["a"]);
        subscription(&mut world, "key", "/products/p", json!({}));
        world.serve();
        let case = format!("product requires: {product_requires}, API requires: {api_requires}");
        assert_eq!(world.get("/a/x").status(), without, "{case}");
        assert_eq!(world.send("GET", "/a/x", &[&format!("{HEADER}: key-1")]).status(), 200, "{case}");
        assert_eq!(world.send("GET", "/a/x", &[&format!("{HEADER}: wrong")]).status(), 401, "{case}");
    }
}

#[test]
fn a_key_opens_what_its_scope_covers() {
    let mut world = world(true);
    product(&mut world, "p", true, &["a"]);
    product(&mut world, "q", true, &["other"]);
    for (name, scope) in [
        ("all", "/apis".to_owned()),
        ("master", format!("{}/", crate::world::SERVICE)),
        ("own", "/apis/a".to_owned()),
        ("full", format!("{}/apis/A", crate::world::SERVICE)),
        ("foreign", "/apis/other".to_owned()),
        ("in", "/products/p".to_owned()),
        ("out", "/products/q".to_owned()),
    ] {
        subscription(&mut world, name, &scope, json!({}));
    }
    subscription(&mut world, "suspended", "/apis", json!({ "state": "suspended" }));
    subscription(&mut world, "past", "/apis", json!({ "expirationDate": "2020-01-01T00:00:00Z" }));
    subscription(&mut world, "future", "/apis", json!({ "startDate": "2100-01-01T00:00:00+01:00" }));
    subscription(
        &mut world,
        "dated",
        "/apis",
        json!({ "startDate": "2020-01-01T00:00:00Z", "endDate": "2100-01-01T00:00:00.5Z" }),
    );
    world.serve();
    for (key, status) in [
        ("all-1", 200),
        ("all-2", 200),
        ("ALL-1", 401),
        ("master-1", 200),
        ("own-1", 200),
        ("full-2", 200),
        ("foreign-1", 401),
        ("in-1", 200),
        ("out-1", 401),
        ("suspended-1", 401),
        ("past-1", 401),
        ("future-1", 401),
        ("dated-1", 200),
    ] {
        assert_eq!(world.send("GET", "/a/x", &[&format!("{HEADER}: {key}")]).status(), status, "{key}");
    }
}

#[test]
fn the_header_goes_before_the_query_and_names_can_be_changed() {
    let mut world = world(true);
    let names = json!({ "path": "n", "protocols": ["https"], "subscriptionKeyParameterNames": { "header": "X-Key", "query": "k" } });
    let (url, _) = world.upstream("named.localhost", false);
    let mut properties = names;
    properties["serviceUrl"] = url.into();
    world.api("n", properties, &["GET /x"]);
    subscription(&mut world, "key", "/apis", json!({}));
    world.serve();
    for (target, headers, status) in [
        ("/a/x?subscription-key=key-1", vec![], 200),
        ("/a/x?subscription-key=key%2D1", vec![], 200),
        ("/a/x?subscription-key=", vec![], 401),
        ("/a/x?subscription-key=key-1", vec!["Ocp-Apim-Subscription-Key: wrong"], 401),
        ("/a/x?subscription-key=wrong", vec!["ocp-apim-subscription-key: key-1"], 200),
        ("/a/x?subscription-key=key-1", vec!["Ocp-Apim-Subscription-Key:"], 200),
        ("/n/x", vec!["X-Key: key-2"], 200),
        ("/n/x?k=key-2", vec![], 200),
        ("/n/x?subscription-key=key-1", vec!["Ocp-Apim-Subscription-Key: key-1"], 401),
    ] {
        assert_eq!(world.send("GET", target, &headers).status(), status, "{target} {headers:?}");
    }
    let refused = world.get("/n/x");
    assert!(refused.field("www-authenticate").is_some_and(|value| value.contains("name=\"X-Key\"")));
}

#[test]
fn refusals_have_the_recorded_bytes() {
    let mut world = world(true);
    world.serve();
    let missing = world.get("/a/x");
    assert!(missing.head.starts_with("HTTP/1.1 401 Access Denied\r\n"), "{}", missing.head);
    assert_eq!(missing.field("content-length"), Some("152"));
    assert_eq!(missing.field("content-type"), Some("application/json"));
    let challenge =
        format!("AzureApiManagementKey realm=\"https://{HOST}/a\",name=\"{HEADER}\",type=\"header\"");
    assert_eq!(missing.field("www-authenticate"), Some(challenge.as_str()));
    assert_eq!(
        missing.text(),
        "{ \"statusCode\": 401, \"message\": \"Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API.\" }"
    );
    let invalid = world.send("GET", "/a/x", &[&format!("{HEADER}: nope")]);
    assert!(invalid.head.starts_with("HTTP/1.1 401 Access Denied\r\n"), "{}", invalid.head);
    assert_eq!(invalid.field("content-length"), Some("143"));
    assert_eq!(
        invalid.text(),
        "{ \"statusCode\": 401, \"message\": \"Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription.\" }"
    );
}

#[test]
fn the_policy_of_a_product_runs_only_in_its_context() {
    let mut world = world(false);
    product(&mut world, "p", true, &["a"]);
    world.policy(
        "products/p",
        "<policies><inbound><base /><set-header name=\"X-Product\"><value>p</value></set-header></inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>",
    );
    subscription(&mut world, "key", "/products/p", json!({}));
    subscription(&mut world, "all", "/apis", json!({}));
    world.serve();
    for (headers, runs) in [
        (vec![], false),
        (vec!["Ocp-Apim-Subscription-Key: key-1"], true),
        (vec!["Ocp-Apim-Subscription-Key: all-1"], false),
    ] {
        let text = world.send("GET", "/a/x", &headers).text();
        assert_eq!(text.contains("X-Product: p"), runs, "{headers:?}: {text}");
    }
}

#[test]
fn the_built_in_subscription_opens_every_api() {
    let mut world = World::new(Hop::Wire);
    let (url, _) = world.upstream("svc.localhost", false);
    for name in ["a", "b"] {
        world.api(name, json!({ "serviceUrl": url }), &["GET /x"]);
    }
    world.serve();
    let id = handfast_model::ResourceId::parse(&format!("{}/subscriptions/master", crate::world::SERVICE));
    let master = world.graph.get(&id.expect("an id")).expect("it is there").clone();
    for member in ["primaryKey", "secondaryKey"] {
        let key = world.material.secret_at(&master, &format!("/properties/{member}")).expect("a key");
        let header = format!("Ocp-Apim-Subscription-Key: {}", String::from_utf8_lossy(key.expose()));
        for target in ["/a/x", "/b/x"] {
            assert_eq!(world.send("GET", target, &[&header]).status(), 200, "{member} {target}");
        }
    }
}
