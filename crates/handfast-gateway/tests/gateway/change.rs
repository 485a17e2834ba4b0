//! Changes compile what they touch, and the outcome is that of a full compile.

use crate::world::{SERVICE, World};
use handfast_core::Diagnostic;
use handfast_gateway::{GatewayPlan, Work, compile};
use handfast_model::{ChangeSet, Command, ResourceId};
use handfast_net::Hop;
use serde_json::json;
use std::io::Write;

fn document(value: &str) -> String {
    format!(
        "<policies><inbound><base /><set-header name=\"X-V\"><value>{value}</value></set-header></inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>"
    )
}

/// Applies a change to the plan of a world, and checks its diagnostics against those of a full compile.
fn follow(world: &mut World, changes: &ChangeSet) {
    let run =
        |changes: &ChangeSet| compile(Some(&world.plan), &world.graph, changes, &world.material, &world.env);
    let texts = |found: &[Diagnostic]| {
        let mut texts: Vec<String> = found.iter().map(ToString::to_string).collect();
        texts.sort();
        texts
    };
    let (full, expected) = run(&ChangeSet::everything(&world.graph));
    let (plan, found) = run(changes);
    assert_eq!(texts(&found), texts(&expected));
    assert_eq!(plan.names(), full.names());
    (world.plan, world.diagnostics) = (plan, found);
}

#[test]
fn each_change_is_seen_and_errors_stay_reported_until_they_are_mended() {
    let mut world = World::new(Hop::Wire);
    let (url, _) = world.upstream("svc.localhost", false);
    for name in ["a", "b"] {
        world.api(name, json!({ "serviceUrl": url, "subscriptionRequired": false }), &["GET /x"]);
    }
    world.put("namedValues/n", json!({ "properties": { "displayName": "n", "value": "1" } }));
    world.policy("apis/a", &document("{{n}}"));
    world.serve();
    let sees = |world: &World, api: &str, text: &str| {
        let answer = world.get(&format!("/{api}/x")).text();
        assert!(answer.contains(text), "{api} should see {text:?}: {answer}");
    };
    sees(&world, "a", "X-V: 1\n");
    // A named value reaches the documents that name it.
    let changes = world.put("namedValues/n", json!({ "properties": { "displayName": "n", "value": "2" } }));
    follow(&mut world, &changes);
    // An error in one API does not go away when another changes.
    let changes = world.put("apis/b", json!({ "properties": { "path": "b", "type": "soap" } }));
    follow(&mut world, &changes);
    assert_eq!(world.errors().len(), 1);
    let changes = world.put("namedValues/m", json!({ "properties": { "displayName": "m", "value": "3" } }));
    follow(&mut world, &changes);
    assert_eq!(world.errors().len(), 1);
    world.policy("apis/a", "<policies><inbound><nonsense /></inbound></policies>");
    let changes = ChangeSet::everything(&world.graph);
    follow(&mut world, &changes);
    assert_eq!(world.errors().len(), 2);
    let changes = world.put("namedValues/m", json!({ "properties": { "displayName": "m", "value": "4" } }));
    follow(&mut world, &changes);
    assert_eq!(world.errors().len(), 2);
    world.open();
    sees(&world, "a", "X-V: 2\n");
    assert_eq!(world.get("/b/x").status(), 200, "the last good version serves");
}

#[test]
fn a_change_among_many_apis_keeps_what_it_does_not_touch() {
    let mut world = World::new(Hop::Wire);
    for index in 0..200 {
        let name = format!("api{index}");
        world.api(&name, json!({ "subscriptionRequired": false }), &["GET /x", "POST /{id}"]);
        world.policy(&format!("apis/{name}"), &document("v"));
    }
    world.compile();
    assert!(world.errors().is_empty(), "{:?}", world.errors());
    assert_eq!((world.plan.work().documents, world.plan.work().apis), (200, 200));
    let changes = world.put(
        "apis/api7/operations/op0",
        json!({ "properties": { "displayName": "y", "method": "GET", "urlTemplate": "/y" } }),
    );
    follow(&mut world, &changes);
    let anew = Work { documents: 0, apis: 1, entries: 1, certificates: 0 };
    assert_eq!(world.plan.work(), anew);
    world.open();
    // Without a backend URL a match ends in a 500.
    for (target, status) in [("/api7/y", 500), ("/api7/x", 404), ("/api8/x", 500), ("/api199/x", 500)] {
        assert_eq!(world.get(target).status(), status, "{target}");
    }
    assert_eq!(GatewayPlan::default().names(), []);
}

/// Prints how long a change takes; what it asserts is how much was done.
#[test]
fn the_work_of_a_change_does_not_grow_with_the_number_of_apis() {
    let mut world = World::new(Hop::Wire);
    let mut commands = Vec::new();
    let mut put = |path: String, properties: serde_json::Value| {
        let id = ResourceId::parse(&format!("{SERVICE}/{path}")).expect("an id");
        let body = json!({ "properties": properties });
        commands.push(Command::Put { id, api_version: "2024-05-01".into(), body });
    };
    for index in 0..10_000 {
        put(format!("apis/a{index}"), json!({ "path": format!("a{index}"), "subscriptionRequired": false }));
        let operation = json!({ "displayName": "x", "method": "GET", "urlTemplate": "/x" });
        put(format!("apis/a{index}/operations/x"), operation);
        let policy = json!({ "format": "rawxml", "value": document("v") });
        put(format!("apis/a{index}/policies/policy"), policy);
        let subscription = json!({ "displayName": "s", "scope": format!("/apis/a{index}") });
        put(
            format!("subscriptions/s{index}"),
            json!({ "primaryKey": format!("k{index}"), "secondaryKey": format!("l{index}"), "scope": subscription["scope"], "displayName": "s" }),
        );
    }
    put("products/p".to_owned(), json!({ "displayName": "p" }));
    put("namedValues/n".to_owned(), json!({ "displayName": "n", "value": "1" }));
    world.apply(Command::Batch(commands));
    let credential = world.pki.client("one");
    world.certificate("one", &credential);
    world.compile();
    assert!(world.errors().is_empty(), "{:?}", world.errors());
    let policy = |text: &str| json!({ "properties": { "format": "rawxml", "value": text } });
    let none = Work::default();
    let one_api = Work { apis: 1, entries: 1, ..none };
    for (path, body, anew) in [
        (
            "apis/a7/operations/x",
            json!({ "properties": { "displayName": "y", "method": "GET", "urlTemplate": "/y" } }),
            one_api,
        ),
        ("apis/a7/policies/policy", policy(&document("w")), Work { documents: 1, ..one_api }),
        (
            "subscriptions/s7",
            json!({ "properties": { "displayName": "s", "scope": "/apis", "primaryKey": "k7", "secondaryKey": "l7" } }),
            none,
        ),
        ("products/p/apis/a7", json!({}), Work { entries: 1, ..none }),
        ("products/p/policies/policy", policy(&document("p")), Work { documents: 1, entries: 1, ..none }),
        ("namedValues/n", json!({ "properties": { "displayName": "n", "value": "2" } }), none),
    ] {
        let changes = world.put(path, body);
        let began = std::time::Instant::now();
        let (plan, found) = compile(Some(&world.plan), &world.graph, &changes, &world.material, &world.env);
        let compiled = began.elapsed();
        world.plan = plan;
        let times = (compiled.as_millis(), began.elapsed().as_millis());
        writeln!(std::io::stderr(), "{path}: {} ms, with the old plan dropped {} ms", times.0, times.1)
            .expect("stderr");
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(world.plan.work(), anew, "{path}");
    }
}
