//! `validate-client-certificate` on the connection's certificate, and when it is asked for.

use crate::world::{HOST, World};
use handfast_net::Hop;
use handfast_pki::Credential;
use handfast_testkit::TestPki;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn trusting(pki: &TestPki) -> Value {
    use base64::Engine;
    let root = base64::engine::general_purpose::STANDARD.encode(pki.ca().root().der());
    json!({ "location": "local", "properties": { "certificates": [{ "storeName": "Root", "encodedCertificate": root }] } })
}

fn world(policy: &str) -> World {
    let mut world = World::new(Hop::Wire);
    let (url, _) = world.upstream("svc.localhost", false);
    world.api("a", json!({ "serviceUrl": url, "subscriptionRequired": false }), &["GET /x"]);
    let body = trusting(&world.pki);
    world.put("", body);
    world.policy(
        "",
        &format!("<policies><inbound>{policy}</inbound><backend><forward-request /></backend><outbound /><on-error /></policies>"),
    );
    world
}

pub(crate) const POLICY: &str = "<validate-client-certificate><identities><identity common-name=\"edge\" /></identities></validate-client-certificate>";

fn ask(world: &World, credential: Option<&Credential>) -> (u16, String) {
    let response = world.client(credential).get(HOST, "/a/x");
    (response.status(), response.text())
}

fn refused(message: &str) -> (u16, String) {
    (401, format!("{{ \"statusCode\": 401, \"message\": \"{message}\" }}"))
}

#[test]
fn each_defect_is_refused_and_a_good_certificate_passes() {
    let mut world = world(POLICY);
    world.serve();
    let foreign = TestPki::new(world.env.clock.now());
    let edge = world.pki.client("edge");
    assert_eq!(ask(&world, Some(&edge)).0, 200);
    assert_eq!(ask(&world, None), refused("Client certificate missing"));
    let invalid = refused("Invalid client certificate");
    for (case, credential) in
        [("another name", world.pki.client("other")), ("another authority", foreign.client("edge"))]
    {
        assert_eq!(ask(&world, Some(&credential)), invalid, "{case}");
    }
}

#[test]
fn a_certificate_that_expires_is_refused_on_its_open_connection() {
    let mut world = world(POLICY);
    world.serve();
    let short: Arc<Credential> = world.pki.client_for("edge", Duration::from_secs(600));
    let mut client = world.client(Some(&short));
    assert_eq!(client.get(HOST, "/a/x").status(), 200);
    world.engine.clock.advance(Duration::from_secs(700));
    assert_eq!(client.get(HOST, "/a/x").status(), 401);
}

#[test]
fn a_change_of_trust_is_seen_on_open_connections() {
    let mut world = world(POLICY);
    world.serve();
    let edge = world.pki.client("edge");
    let front = world.front.expect("open");
    let mut client = world.client(Some(&edge));
    assert_eq!(client.get(HOST, "/a/x").status(), 200);
    let foreign = TestPki::new(world.env.clock.now());
    world.put("", trusting(&foreign));
    world.compile();
    world.republish(front);
    assert_eq!(client.get(HOST, "/a/x").status(), 401);
}

#[test]
fn no_certificate_is_asked_for_unless_a_policy_or_the_host_wants_one() {
    let mut world = world("<base />".replace("<base />", "").as_str());
    world.serve();
    let text = ask(&world, None).1;
    assert!(text.starts_with("GET /x"), "{text}");
    let hosts = |world: &World| {
        let state = &world.plan.frontends()[0].state;
        state
            .tls
            .as_ref()
            .expect("TLS")
            .hosts()
            .iter()
            .map(|host| host.asks_for_certificate())
            .collect::<Vec<_>>()
    };
    assert_eq!(hosts(&world), [false]);
    world.policy(
        "apis/a/operations/op0",
        "<policies><inbound><validate-client-certificate /><base /></inbound></policies>",
    );
    world.compile();
    assert_eq!(hosts(&world), [true]);
}

#[test]
fn the_consumption_tier_demands_a_certificate_when_it_is_enabled() {
    let mut world = world("");
    for (sku, status) in [("Consumption", 403), ("Developer", 200)] {
        let properties = json!({ "enableClientCertificate": true });
        world.put(
            "",
            json!({ "location": "local", "sku": { "name": sku, "capacity": 0 }, "properties": properties }),
        );
        world.serve();
        assert_eq!(ask(&world, None).0, status, "{sku}");
        assert_eq!(ask(&world, Some(&world.pki.client("any"))).0, 200, "{sku}");
    }
}

#[test]
fn an_expression_on_the_client_certificate_makes_the_host_ask_for_one() {
    let mut world = world(
        "<set-header name=\"X-Client\"><value>@(context.Request.Certificate == null ? \"none\" : context.Request.Certificate.Thumbprint + \" \" + context.Request.Certificate.VerifyNoRevocation())</value></set-header>",
    );
    world.serve();
    let edge = world.pki.client("edge");
    let thumbprint = edge.leaf().thumbprint();
    let (status, text) = ask(&world, Some(&edge));
    assert_eq!(status, 200, "{text}");
    assert!(text.contains(&format!("X-Client: {thumbprint} True")), "{text}");
    assert!(ask(&world, None).1.contains("X-Client: none"));
    let foreign = TestPki::new(world.env.clock.now()).client("foreign");
    let (status, text) = ask(&world, Some(&foreign));
    assert!(status == 200 && text.contains(" False"), "{status} {text}");
}
