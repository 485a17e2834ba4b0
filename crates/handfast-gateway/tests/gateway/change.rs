//! Changes compile what they touch, and the outcome is that of a full compile.

use crate::world::World;
use handfast_core::Diagnostic;
use handfast_gateway::{GatewayPlan, compile};
use handfast_model::ChangeSet;
use handfast_net::Hop;
use serde_json::json;

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
    let changes = world.put(
        "apis/api7/operations/op0",
        json!({ "properties": { "displayName": "y", "method": "GET", "urlTemplate": "/y" } }),
    );
    follow(&mut world, &changes);
    world.open();
    // Without a backend URL a match ends in a 500.
    for (target, status) in [("/api7/y", 500), ("/api7/x", 404), ("/api8/x", 500), ("/api199/x", 500)] {
        assert_eq!(world.get(target).status(), status, "{target}");
    }
    assert_eq!(GatewayPlan::default().names(), []);
}
