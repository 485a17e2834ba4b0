//! `log-to-eventhub` against a double of a hub's REST endpoint, over TLS.

use crate::identity::Double;
use crate::world::{SERVICE, World};
use handfast_core::Secret;
use handfast_gateway::IdentityEndpoint;
use handfast_model::ResourceId;
use handfast_net::tls::ClientAuth;
use handfast_net::{ConnectionInfo, Core, Hop, LocalFuture, Refusal, Request, Response, Service};
use handfast_telemetry::Metric;
use serde_json::{Value, json};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Answers with a status and passes on what came: target, content type, authorization, broker properties, body.
pub(crate) struct Hub {
    pub(crate) status: u16,
    pub(crate) seen: Sender<[String; 5]>,
}

impl Service for Hub {
    fn call(self: Arc<Self>, _: Core, request: Request) -> LocalFuture<Response> {
        Box::pin(async move {
            let Request { head, mut body, .. } = request;
            let bytes = body.collect(1 << 20).await.expect("a body");
            let field = |name| head.fields.get_str(name).unwrap_or_default().to_owned();
            let [kind, authorization] = ["content-type", "authorization"].map(field);
            let body = String::from_utf8_lossy(&bytes).into_owned();
            let target = format!("{} {}", head.method, head.target.as_str());
            let seen = [target, kind, authorization, field("brokerproperties"), body];
            self.seen.send(seen).expect("the test waits");
            Response::full(self.status, "text/plain", "")
        })
    }

    fn refuse(&self, _: &Core, _: &Rc<ConnectionInfo>, refusal: Refusal) -> Response {
        Response::full(refusal.status(), "text/plain", refusal.to_string()).closing()
    }

    fn fail(&self, _: &ConnectionInfo, status: u16) -> Response {
        Response::full(status, "text/plain", "failed")
    }
}

/// An open API `a` whose outbound section logs to a hub that answers with a status.
fn world(status: u16) -> (World, Receiver<[String; 5]>) {
    let by_key = |port: u16| {
        let connection = format!(
            "Endpoint=sb://hub.localhost:{port}/;SharedAccessKeyName=send;SharedAccessKey=the-secret-key"
        );
        json!({ "name": "audit", "connectionString": connection })
    };
    world_with(status, None, by_key)
}

/// The same with the credentials of a logger whose hub listens on a port.
fn world_with(
    status: u16,
    identity: Option<IdentityEndpoint>,
    credentials: impl FnOnce(u16) -> Value,
) -> (World, Receiver<[String; 5]>) {
    let mut world = World::new(Hop::Wire);
    world.env.identity = identity.map(Arc::new);
    let (url, _) = world.upstream("svc.localhost", false);
    let (seen, received) = channel();
    let tls = world.engine.host("hub.localhost", world.pki.server("hub.localhost"), ClientAuth::None, false);
    let state = world.engine.state(Arc::new(Hub { status, seen }), Some(tls));
    let address = world.engine.listen("hub", state);
    let properties = json!({ "loggerType": "azureEventHub", "credentials": credentials(address.port()) });
    world.put("loggers/audit-log", json!({ "properties": properties }));
    world.api("a", json!({ "serviceUrl": url, "subscriptionRequired": false }), &["GET /{x}"]);
    let log = "<log-to-eventhub logger-id=\"Audit-Log\" partition-key=\"@(context.Request.MatchedParameters[&quot;x&quot;])\">@(context.Request.Method + \" \\\"\" + context.Response.StatusCode)</log-to-eventhub>";
    let text = format!(
        "<policies><inbound><base /></inbound><backend><base /></backend><outbound><base />{log}</outbound></policies>"
    );
    world.policy("apis/a", &text);
    world.serve();
    (world, received)
}

#[test]
fn an_event_reaches_its_hub_signed_and_off_the_request_path() {
    let (world, received) = world(201);
    for path in ["/a/one", "/a/two"] {
        assert_eq!(world.get(path).status(), 200);
        let [target, kind, authorization, broker, body] =
            received.recv_timeout(Duration::from_secs(20)).expect("the hub gets it");
        assert_eq!(target, "POST /audit/messages?api-version=2014-01&timeout=10");
        assert_eq!(kind, "application/vnd.microsoft.servicebus.json");
        assert!(authorization.starts_with("SharedAccessSignature sr=https%3A%2F%2Fhub.localhost%3A"));
        assert!(authorization.contains("&sig=") && authorization.ends_with("&skn=send"), "{authorization}");
        assert_eq!(broker, format!("{{\"PartitionKey\":\"{}\"}}", path.trim_start_matches("/a/")));
        assert_eq!(body, "[{\"Body\":\"GET \\\"200\"}]");
    }
    let service = ResourceId::parse(SERVICE).expect("an id");
    let text: String =
        world.graph.children(&service, "loggers").map(|one| format!("{:?}", one.document)).collect();
    assert!(!text.contains("the-secret-key"), "{text}");
    assert!(!world.engine.into_log().join("\n").contains("the-secret-key"));
}

#[test]
fn a_hub_may_be_opened_by_an_identity() {
    let (double, endpoint) = Double::start();
    let url = format!("http://{}/msi/token", endpoint.address());
    let identity = IdentityEndpoint::app_service(url, Secret::new("h".to_owned()));
    let (world, received) = world_with(201, Some(identity), |port| {
        let endpoint = format!("sb://hub.localhost:{port}/");
        json!({ "name": "audit", "endpointAddress": endpoint, "identityClientId": "systemAssigned" })
    });
    double.grants("hub-token", &world, 3600);
    assert_eq!(world.get("/a/one").status(), 200);
    let [target, _, authorization, ..] =
        received.recv_timeout(Duration::from_secs(20)).expect("the hub gets it");
    assert_eq!(target, "POST /audit/messages?api-version=2014-01&timeout=10");
    assert_eq!(authorization, "Bearer hub-token");
    let line =
        "GET /msi/token?api-version=2019-08-01&resource=https%3A%2F%2Feventhubs.azure.net HTTP/1.1\r\n";
    assert!(double.asked()[0].starts_with(line));
}

#[test]
fn a_hub_that_refuses_costs_no_request_and_what_it_does_not_take_is_counted() {
    let (world, received) = world(401);
    assert_eq!(world.get("/a/one").status(), 200);
    for _ in 0..2 {
        received.recv_timeout(Duration::from_secs(20)).expect("two attempts");
    }
    // The next event begins only when the one before is given up.
    assert_eq!(world.get("/a/two").status(), 200);
    received.recv_timeout(Duration::from_secs(20)).expect("the next event");
    assert!(world.engine.metrics.get(Metric::HubEventsDropped) >= 1);
}

#[test]
fn a_document_that_names_no_event_hub_is_refused() {
    let mut world = World::new(Hop::Wire);
    world.put("loggers/insights", json!({ "properties": { "loggerType": "applicationInsights" } }));
    world.api(
        "a",
        json!({ "serviceUrl": "http://svc.localhost", "subscriptionRequired": false }),
        &["GET /x"],
    );
    let log = "<log-to-eventhub logger-id=\"insights\">x</log-to-eventhub>";
    world.policy("apis/a", &format!("<policies><inbound>{log}</inbound></policies>"));
    world.compile();
    let errors = world.errors();
    assert!(errors.iter().any(|error| error.ends_with("Logger not found")), "{errors:?}");
}
