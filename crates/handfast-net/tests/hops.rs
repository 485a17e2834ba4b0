//! Requests through one and two hops, each case over the wire and fused, with equal answers.

use handfast_net::tls::ClientAuth;
use handfast_net::{Address, Hop, UpstreamTimeouts};
use handfast_testkit::{Echo, Forward, RawClient, RawResponse, TestEngine, TestPki};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Client → front (TLS) → back (TLS, asks for a certificate) → echo.
struct Chain {
    engine: TestEngine,
    pki: TestPki,
    echo: Arc<Echo>,
    front: SocketAddr,
}

fn inner() -> Address {
    Address::Virtual { network: "net".into(), ip: "10.0.1.4".parse().expect("ip"), port: 443 }
}

impl Chain {
    fn start(hop: Hop, name: &str, ask: impl FnOnce(&TestPki) -> ClientAuth) -> Self {
        let mut engine = TestEngine::start(hop);
        let pki = TestPki::new(handfast_core::Clock::now(&*engine.clock));
        let echo = Arc::new(Echo::default());
        let back = engine.host("back", pki.server("back.localhost"), ask(&pki), false);
        let state = engine.state(echo.clone(), Some(back));
        engine.listen_in_memory("back", inner(), state);
        let credential = pki.client_for("front", Duration::from_secs(3600));
        let target = engine.tls_target(inner(), name, pki.trust(), Some(credential));
        let forward = Arc::new(Forward { target, timeouts: UpstreamTimeouts::default() });
        let host = engine.host("front", pki.server("front.localhost"), ClientAuth::None, true);
        let state = engine.state(forward, Some(host));
        let front = engine.listen("front", state);
        Self { engine, pki, echo, front }
    }

    fn client(&self) -> RawClient {
        RawClient::tls(self.front, "front.localhost", self.pki.ca().root(), None)
    }
}

/// Runs a case both ways and expects equal heads and bodies.
fn both(
    ask: fn(&TestPki) -> ClientAuth,
    name: &str,
    case: fn(&Chain) -> Vec<RawResponse>,
) -> Vec<RawResponse> {
    let wire = case(&Chain::start(Hop::Wire, name, ask));
    let fused = case(&Chain::start(Hop::Fused, name, ask));
    assert_eq!(wire.len(), fused.len());
    for (wire, fused) in wire.iter().zip(&fused) {
        assert_eq!((&wire.head, wire.text()), (&fused.head, fused.text()));
    }
    wire
}

fn asked(_: &TestPki) -> ClientAuth {
    ClientAuth::Request { hints: Vec::new() }
}

fn required(pki: &TestPki) -> ClientAuth {
    ClientAuth::Require { trust: pki.trust() }
}

#[test]
fn a_request_reaches_the_back_with_the_fronts_certificate() {
    let answers = both(asked, "back.localhost", |chain| {
        let mut client = chain.client();
        let get = client.get("front.localhost", "/a?b=c");
        client.send("POST /p HTTP/1.1\r\nHost: front.localhost\r\nContent-Length: 5\r\n\r\nhello");
        let post = client.response();
        client.send("PUT /p HTTP/1.1\r\nHost: front.localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        let chunked = client.response();
        let large = client.get("front.localhost", "/bytes/200000");
        assert_eq!(large.body.len(), 200_000);
        vec![get, post, chunked, large]
    });
    let text = answers[0].text();
    assert!(text.starts_with("GET /a?b=c HTTP/1.1\n"), "{text}");
    assert!(text.contains("\ntls TLSv1.3 TLS_AES_256_GCM_SHA384 Some(\"back.localhost\")\n"), "{text}");
    assert!(text.contains("client CN=front"), "{text}");
    assert!(answers[1].text().ends_with("\n\nhello"));
    assert!(answers[2].text().ends_with("\n\nhello"));
}

#[test]
fn a_wrong_server_name_is_refused_alike() {
    let answers = both(asked, "other.localhost", |chain| {
        let answer = chain.client().get("front.localhost", "/");
        assert_eq!(chain.echo.seen(), 0);
        vec![answer]
    });
    assert_eq!(answers[0].status(), 502);
    assert!(
        answers[0].text().contains("name:") && answers[0].text().contains("back.localhost"),
        "{}",
        answers[0].text()
    );
}

#[test]
fn a_certificate_that_expires_on_a_kept_alive_connection_is_noticed_on_the_next_handshake() {
    for hop in [Hop::Wire, Hop::Fused] {
        let chain = Chain::start(hop, "back.localhost", required);
        assert_eq!(chain.client().get("front.localhost", "/").status(), 200, "{hop:?}");
        chain.engine.clock.advance(Duration::from_secs(100 * 24 * 3600));
        // A wire connection that was made before lives on, as TLS has it; a new one is refused.
        let mut fresh = Chain::start(hop, "back.localhost", required);
        fresh.engine.clock.advance(Duration::from_secs(2 * 3600));
        let answer = RawClient::tls(fresh.front, "front.localhost", fresh.pki.ca().root(), None)
            .get("front.localhost", "/");
        assert_eq!(answer.status(), 502, "{hop:?}: {}", answer.text());
        assert!(answer.text().contains("TLS"), "{hop:?}: {}", answer.text());
        fresh.engine.engine.drain(Duration::from_secs(1));
    }
}

#[test]
fn a_panic_ends_its_request_only() {
    let answers = both(asked, "back.localhost", |chain| {
        let mut client = chain.client();
        let panicked = client.get("front.localhost", "/panic");
        let after = client.get("front.localhost", "/status/201");
        vec![panicked, after]
    });
    assert_eq!((answers[0].status(), answers[1].status()), (500, 201));
}

#[test]
fn a_virtual_address_without_listener_cannot_be_reached() {
    let mut engine = TestEngine::start(Hop::Wire);
    let pki = TestPki::new(handfast_core::Clock::now(&*engine.clock));
    let target = engine.tls_target(inner(), "back.localhost", pki.trust(), None);
    let state = engine.state(Arc::new(Forward { target, timeouts: UpstreamTimeouts::default() }), None);
    let front = engine.listen("front", state);
    let answer = RawClient::plain(front).get("x.localhost", "/");
    assert_eq!(answer.status(), 502);
    assert!(answer.text().contains("nothing listens"), "{}", answer.text());
}
