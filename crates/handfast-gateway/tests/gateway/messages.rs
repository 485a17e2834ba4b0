//! Messages that policies send: to the Dapr sidecar and to Service Bus, each a local double.

use crate::eventhub::Hub;
use crate::identity::Double;
use crate::world::World;
use handfast_core::Secret;
use handfast_gateway::IdentityEndpoint;
use handfast_net::Hop;
use handfast_net::tls::ClientAuth;
use handfast_testkit::ScriptedUpstream;
use serde_json::json;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A sidecar that answers 200 with the request's target, and what it was sent: head and body.
fn sidecar() -> (ScriptedUpstream, Receiver<(String, String)>) {
    let (seen, received) = channel();
    let seen = Mutex::new(seen);
    let upstream = ScriptedUpstream::start(move |_, mut peer| {
        loop {
            let head = peer.read_head();
            if head.is_empty() {
                return;
            }
            let lower = head.to_ascii_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let body = peer.read_bytes(length.unwrap_or(0)).unwrap_or_default();
            let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let body = String::from_utf8_lossy(&body).into_owned();
            let _ = seen.lock().unwrap_or_else(PoisonError::into_inner).send((head, body));
            peer.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}", target.len()));
        }
    });
    (upstream, received)
}

fn world(prepare: impl FnOnce(&mut World), inbound: &str) -> World {
    let mut world = World::new(Hop::Wire);
    prepare(&mut world);
    let properties = json!({ "serviceUrl": "http://svc.localhost", "subscriptionRequired": false });
    world.api("a", properties, &["GET /{x}"]);
    let text = format!("<policies><inbound>{inbound}</inbound><backend><base /></backend></policies>");
    world.policy("apis/a", &text);
    world.serve();
    world
}

const WAIT: Duration = Duration::from_secs(20);
const DONE: &str = "<return-response><set-body>done</set-body></return-response>";

#[test]
fn the_sidecar_gets_what_is_published_and_what_is_bound() {
    let (upstream, received) = sidecar();
    let url = format!("http://{}", upstream.address());
    let policies = format!(
        "<publish-to-dapr topic=\"bus/orders\" response-variable-name=\"r\">{{\"id\":7}}</publish-to-dapr>\
         <invoke-dapr-binding name=\"queue\" operation=\"create\"><data>@(((IResponse)context.Variables[\"r\"]).Body.As<string>())</data></invoke-dapr-binding>{DONE}"
    );
    let world = world(|world| world.env.dapr = Some(url.into()), &policies);
    assert_eq!(world.get("/a/x").text(), "done");
    let (head, body) = received.recv_timeout(WAIT).expect("a message");
    assert!(head.starts_with("POST /v1.0/publish/bus/orders HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Type: application/json\r\n"), "{head}");
    assert_eq!(body, "{\"id\":7}");
    let (head, body) = received.recv_timeout(WAIT).expect("a call");
    assert!(head.starts_with("POST /v1.0/bindings/queue HTTP/1.1\r\n"), "{head}");
    assert_eq!(body, "{\"data\":\"/v1.0/publish/bus/orders\",\"operation\":\"create\"}");
}

#[test]
fn a_request_is_forwarded_to_a_method_of_an_application() {
    let (upstream, _received) = sidecar();
    let url = format!("http://{}", upstream.address());
    let policy = "<set-backend-service backend-id=\"dapr\" dapr-app-id=\"echo\" dapr-method=\"say\" />";
    let world = world(|world| world.env.dapr = Some(url.into()), policy);
    assert_eq!(world.get("/a/x?y=1").text(), "/v1.0/invoke/echo/method/say?y=1");
}

#[test]
fn a_message_reaches_the_broker_with_a_token_of_the_identity() {
    let (double, endpoint) = Double::start();
    let url = format!("http://{}/msi/token", endpoint.address());
    let (seen, received) = channel();
    let mut namespace = String::new();
    let mut world = World::new(Hop::Wire);
    world.env.identity = Some(Arc::new(IdentityEndpoint::app_service(url, Secret::new("h".to_owned()))));
    let tls = world.engine.host("bus.localhost", world.pki.server("bus.localhost"), ClientAuth::None, false);
    let state = world.engine.state(Arc::new(Hub { status: 201, seen }), Some(tls));
    let address = world.engine.listen("bus", state);
    namespace.push_str(&format!("bus.localhost:{}", address.port()));
    let properties = json!({ "serviceUrl": "http://svc.localhost", "subscriptionRequired": false });
    world.api("a", properties, &["GET /{x}"]);
    let send = format!(
        "<send-service-bus-message queue-name=\"orders\" namespace=\"{namespace}\"><message-properties><message-property name=\"MessageId\">7</message-property></message-properties><payload>@(context.Request.Url.Path)</payload></send-service-bus-message>{DONE}"
    );
    world.policy("apis/a", &format!("<policies><inbound>{send}</inbound></policies>"));
    world.serve();
    double.grants("bus-token", &world, 3600);
    assert_eq!(world.get("/a/x").text(), "done");
    let [target, kind, authorization, broker, body] = received.recv_timeout(WAIT).expect("a message");
    assert_eq!(target, "POST /orders/messages");
    assert_eq!((kind.as_str(), authorization.as_str()), ("text/plain", "Bearer bus-token"));
    assert_eq!((broker.as_str(), body.as_str()), ("{\"MessageId\":\"7\"}", "/x"));
    let line =
        "GET /msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fservicebus.azure.net HTTP/1.1\r\n";
    assert!(double.asked()[0].starts_with(line));
}

#[test]
fn the_cross_domain_file_is_answered_whether_an_api_has_its_path_or_not() {
    let mut world = World::new(Hop::Wire);
    let file = "<cross-domain-policy><allow-access-from domain=\"*.test\" /></cross-domain-policy>";
    world.policy(
        "",
        &format!("<policies><inbound><cross-domain>{file}</cross-domain></inbound><backend><forward-request /></backend></policies>"),
    );
    world.serve();
    let response = world.get("/crossdomain.xml");
    assert_eq!((response.status(), response.text().as_str()), (200, file));
    assert_eq!(response.field("content-type"), Some("text/x-cross-domain-policy"));
    assert_eq!(world.get("/other.xml").status(), 404);
}
