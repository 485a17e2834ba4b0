//! Versions and revisions over the wire.

use crate::world::World;
use handfast_net::Hop;
use serde_json::json;

#[test]
fn versions_of_one_path_go_to_their_own_services() {
    let mut world = World::new(Hop::Wire);
    let (url, _) = world.upstream("svc.localhost", false);
    world.put(
        "apiVersionSets/seg",
        json!({ "properties": { "displayName": "s", "versioningScheme": "Segment" } }),
    );
    world.put(
        "apiVersionSets/head",
        json!({ "properties": { "displayName": "h", "versioningScheme": "Header", "versionHeaderName": "Api-Version" } }),
    );
    for (name, path, version, set) in [
        ("s0", "s", "", "/apiVersionSets/seg"),
        ("s1", "s", "v1", "/apiVersionSets/seg"),
        ("h1", "h", "2024", "/apiVersionSets/head"),
    ] {
        world.api(
            name,
            json!({ "path": path, "apiVersion": version, "apiVersionSetId": set, "subscriptionRequired": false,
                "serviceUrl": format!("{url}/{name}") }),
            &["GET /x"],
        );
    }
    world.serve();
    for (target, header, sent) in [
        ("/s/x", "A: b", Some("/s0/x")),
        ("/s/V1/x", "A: b", Some("/s1/x")),
        ("/h/x", "api-version: 2024", Some("/h1/x")),
        ("/h/x", "api-version: 2023", None),
        ("/h/x", "A: b", None),
    ] {
        let response = world.send("GET", target, &[header]);
        match sent {
            Some(sent) => {
                assert!(response.text().starts_with(&format!("GET {sent} ")), "{}", response.text())
            }
            None => assert_eq!(response.status(), 404, "{target} {header}"),
        }
    }
}

#[test]
fn a_revision_is_tried_by_its_suffix_and_made_current_by_a_release() {
    let mut world = World::new(Hop::Wire);
    let (url, _) = world.upstream("svc.localhost", false);
    for (name, sent) in [("a", "one"), ("a;rev=2", "two")] {
        let path = format!("apis/{name}");
        world.put(
            &path,
            json!({ "properties": { "path": "a", "displayName": "a", "protocols": ["https"], "subscriptionRequired": false,
                "serviceUrl": format!("{url}/{sent}") } }),
        );
        let operation = json!({ "displayName": "x", "method": "GET", "urlTemplate": "/x" });
        world.put(&format!("{path}/operations/x"), json!({ "properties": operation }));
    }
    world.serve();
    let sent =
        |world: &World, target: &str| world.get(target).text().lines().next().unwrap_or_default().to_owned();
    assert_eq!(sent(&world, "/a/x"), "GET /one/x HTTP/1.1");
    assert_eq!(sent(&world, "/a;rev=2/x"), "GET /two/x HTTP/1.1");
    assert_eq!(world.get("/a;rev=3/x").status(), 404);
    world.put("apis/a/releases/r", json!({ "properties": { "apiId": "/apis/a;rev=2" } }));
    world.serve();
    assert_eq!(sent(&world, "/a/x"), "GET /two/x HTTP/1.1");
    assert_eq!(sent(&world, "/a;rev=1/x"), "GET /one/x HTTP/1.1");
}
