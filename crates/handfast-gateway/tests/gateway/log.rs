//! The line that each request leaves.

use crate::client_certificates::{POLICY, trusting};
use crate::world::{HOST, World};
use handfast_net::{Address, Engine, EngineConfig, GlobalLimits, Hop, ListenSource, ListenerPlan};
use handfast_telemetry::{LogSink, Metrics};
use handfast_testkit::RawClient;
use serde_json::{Value, json};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Serves the front door on an engine that logs, runs a client, and gives back the lines.
fn logged(world: &World, client: impl FnOnce(SocketAddr)) -> Vec<Value> {
    let (lines, metrics) = (Lines::default(), Arc::new(Metrics::default()));
    let (sink, writer) = LogSink::start(Box::new(lines.clone()), metrics.clone()).expect("a thread");
    let config = EngineConfig {
        cores: 1,
        limits: GlobalLimits::default(),
        hop: Hop::Wire,
        clock: world.env.clock.clone(),
        metrics,
        log: Some(sink.clone()),
    };
    let mut engine = Engine::start(config).expect("threads");
    let front = TcpListener::bind("127.0.0.1:0").and_then(|one| one.local_addr()).expect("a free port");
    let errors = engine.apply(vec![ListenerPlan {
        name: "front-door".to_owned(),
        address: Address::Real(front),
        aliases: Vec::new(),
        source: ListenSource::Bind(front),
        state: world.plan.frontends()[0].state.clone(),
    }]);
    assert!(errors.is_empty(), "{errors:?}");
    client(front);
    drop(engine);
    sink.flush();
    drop(sink);
    writer.join().expect("the writer ends");
    let text = String::from_utf8(lines.0.lock().expect("not poisoned").clone()).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_line_names_api_subscription_backend_and_the_reason_of_an_error() {
    let mut world = World::new(Hop::Wire);
    let (url, _) = world.upstream("svc.localhost", false);
    world.api("a", json!({ "serviceUrl": url }), &["GET /x"]);
    world.put(
        "subscriptions/partner",
        json!({ "properties": { "scope": "/apis", "displayName": "p", "state": "active", "primaryKey": "secret-key" } }),
    );
    let body = trusting(&world.pki);
    world.put("", body);
    world.policy("apis/a", &format!("<policies><inbound>{POLICY}<base /></inbound></policies>"));
    world.compile();
    let (edge, other) = (world.pki.client("edge"), world.pki.client("other"));
    let root = world.pki.ca().root();
    let lines = logged(&world, |front| {
        let target = "/a/x?subscription-key=secret-key";
        let mut client = RawClient::tls(front, HOST, root, Some(&edge));
        assert_eq!(client.get(HOST, target).status(), 200);
        assert_eq!(client.get(HOST, "/a/x").status(), 401);
        assert_eq!(RawClient::tls(front, HOST, root, Some(&other)).get(HOST, target).status(), 401);
        assert_eq!(RawClient::tls(front, HOST, root, None).get(HOST, target).status(), 401);
        assert_eq!(RawClient::tls(front, HOST, root, None).get("unknown.test", "/").status(), 404);
    });
    assert_eq!(lines.len(), 5);
    let first = &lines[0];
    for (name, value) in [
        ("category", json!("GatewayLogs")),
        ("callerIpAddress", json!("127.0.0.1")),
        ("isRequestSuccess", json!(true)),
    ] {
        assert_eq!(first[name], value, "{name}");
    }
    for (name, value) in [
        ("method", json!("GET")),
        ("url", json!(format!("https://{HOST}/a/x"))),
        ("responseCode", json!(200)),
        ("backendResponseCode", json!(200)),
        ("apiId", json!("a")),
        ("operationId", json!("op0")),
        ("apimSubscriptionId", json!("partner")),
        ("clientIp", json!("127.0.0.1")),
        ("clientTlsVersion", json!("TLSv1.3")),
        ("clientCertThumbprint", json!(edge.leaf().thumbprint())),
        ("hop", json!("wire")),
    ] {
        assert_eq!(first["properties"][name], value, "{name}");
    }
    for name in ["requestSize", "responseSize", "backendTime", "clientTime"] {
        assert!(first["properties"][name].is_u64(), "{name}: {first}");
    }
    assert!(first["durationMs"].is_u64(), "{first}");
    assert!(!lines.iter().any(|line| line.to_string().contains("secret-key")));
    let reasons: Vec<&str> =
        lines[1..].iter().map(|line| line["properties"]["lastErrorReason"].as_str().unwrap_or("-")).collect();
    assert_eq!(
        reasons,
        ["SubscriptionKeyNotFound", "ClientCertificateIdentityNotMatched", "ClientCertificateNotFound", "-"]
    );
    assert_eq!(lines[2]["properties"]["lastErrorSource"], "validate-client-certificate");
    assert_eq!(
        (&lines[2]["properties"]["lastErrorScope"], &lines[2]["properties"]["lastErrorSection"]),
        (&json!("api"), &json!("inbound"))
    );
    assert_eq!(lines[1]["correlationId"].as_str().map(str::len), Some(36));
}
