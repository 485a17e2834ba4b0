//! Upgraded connections through two hops, over wire and fused: bytes both ways at once, each direction ended by
//! itself, and the end after too long a silence.

use handfast_core::Clock;
use handfast_net::tls::ClientAuth;
use handfast_net::{Address, Hop, Limits, UpstreamTimeouts};
use handfast_testkit::{Forward, Peer, RawClient, ScriptedUpstream, TestEngine, TestPki};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

const ASK: &str = "GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a2V5\r\n\r\n";
const AGREE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: b2s=\r\n\r\n";

/// Client → front (TLS) → back (TLS, with a client certificate) → scripted server.
struct Chain {
    _engine: TestEngine,
    pki: TestPki,
    front: SocketAddr,
    _upstream: ScriptedUpstream,
}

impl Chain {
    fn start(hop: Hop, limits: Limits, script: impl Fn(usize, Peer) + Send + Sync + 'static) -> Self {
        let upstream = ScriptedUpstream::start(script);
        let mut engine = TestEngine::start(hop);
        let pki = TestPki::new(engine.clock.now());
        let timeouts = UpstreamTimeouts::default();
        let limits = Arc::new(limits);
        let inner =
            Address::Virtual { network: "net".into(), ip: "10.0.1.4".parse().expect("ip"), port: 443 };

        let back = engine.host(
            "back",
            pki.server("back.localhost"),
            ClientAuth::Require { trust: pki.trust() },
            false,
        );
        let forward = Forward { target: TestEngine::plain_target(upstream.address()), timeouts };
        let mut state = engine.state(Arc::new(forward), Some(back));
        state.limits = limits.clone();
        engine.listen_in_memory("back", inner.clone(), state);

        let target = engine.tls_target(inner, "back.localhost", pki.trust(), Some(pki.client("front")));
        let host = engine.host("front", pki.server("front.localhost"), ClientAuth::None, true);
        let mut state = engine.state(Arc::new(Forward { target, timeouts }), Some(host));
        state.limits = limits;
        let front = engine.listen("front", state);
        Self { _engine: engine, pki, front, _upstream: upstream }
    }

    /// A client whose upgrade was accepted.
    fn upgraded(&self) -> RawClient {
        let mut client = RawClient::tls(self.front, "front.localhost", self.pki.ca().root(), None);
        client.send(ASK);
        let answer = client.response();
        assert_eq!((answer.status(), answer.field("upgrade")), (101, Some("websocket")), "{}", answer.head);
        assert_eq!(answer.field("sec-websocket-accept"), Some("b2s="));
        client
    }
}

const HOPS: [Hop; 2] = [Hop::Wire, Hop::Fused];

#[test]
fn bytes_flow_both_ways_at_once() {
    for hop in HOPS {
        let chain = Chain::start(hop, Limits::default(), |_, mut peer| {
            let head = peer.read_head();
            assert!(head.contains("Sec-WebSocket-Key: a2V5"), "{head}");
            peer.write(AGREE);
            while let Some(piece) = peer.read_bytes(1000) {
                if !peer.write(piece) {
                    return;
                }
            }
        });
        let mut client = chain.upgraded();
        for round in 0..200u32 {
            let piece = vec![round as u8; 1000];
            client.send(&piece);
            assert_eq!(client.read_bytes(1000), piece, "{hop:?} {round}");
        }
        // Much in one direction before anything is read of the other.
        let large: Vec<u8> = (0..200_000u32).map(|at| at as u8).collect();
        client.send(&large);
        assert_eq!(client.read_bytes(large.len()), large, "{hop:?}");
    }
}

#[test]
fn a_side_that_ends_leaves_the_other_direction_open() {
    for hop in HOPS {
        let (told, heard) = mpsc::channel();
        let told = Mutex::new(told);
        let chain = Chain::start(hop, Limits::default(), move |_, mut peer| {
            peer.read_head();
            peer.write(AGREE);
            let rest = peer.read_to_end();
            told.lock().expect("not poisoned").send(rest).expect("the test waits");
            peer.write("after the client's end");
        });
        let mut client = chain.upgraded();
        client.send("last words");
        client.finish_sending();
        let rest = heard.recv_timeout(Duration::from_secs(10));
        assert_eq!(rest.as_deref(), Ok(&b"last words"[..]), "{hop:?}");
        assert_eq!(client.read_bytes(22), b"after the client's end", "{hop:?}");
        assert!(client.is_closed(), "{hop:?}");

        let (told, heard) = mpsc::channel();
        let told = Mutex::new(told);
        let chain = Chain::start(hop, Limits::default(), move |_, mut peer| {
            peer.read_head();
            peer.write(AGREE);
            peer.write("goodbye");
            peer.finish_sending();
            told.lock().expect("not poisoned").send(peer.read_to_end()).expect("the test waits");
        });
        let mut client = chain.upgraded();
        assert_eq!(client.read_bytes(7), b"goodbye", "{hop:?}");
        assert!(client.is_closed(), "the server's end arrives: {hop:?}");
        client.send("still here");
        client.finish_sending();
        let rest = heard.recv_timeout(Duration::from_secs(10));
        assert_eq!(rest.as_deref(), Ok(&b"still here"[..]), "{hop:?}");
    }
}

#[test]
fn a_tunnel_without_bytes_ends_and_one_with_bytes_does_not() {
    for hop in HOPS {
        let limits = Limits { tunnel_idle_timeout: Duration::from_millis(400), ..Limits::default() };
        let (told, heard) = mpsc::channel();
        let told = Mutex::new(told);
        let chain = Chain::start(hop, limits, move |_, mut peer| {
            peer.read_head();
            peer.write(AGREE);
            while let Some(byte) = peer.read_bytes(1) {
                peer.write(byte);
            }
            told.lock().expect("not poisoned").send(()).expect("the test waits");
        });
        let mut client = chain.upgraded();
        for _ in 0..8 {
            // Time itself is what is tested: together this is twice the limit.
            std::thread::sleep(Duration::from_millis(100));
            client.send("x");
            assert_eq!(client.read_bytes(1), b"x", "{hop:?}");
        }
        assert!(client.is_closed(), "{hop:?}");
        heard.recv_timeout(Duration::from_secs(10)).expect("the server's connection ends too");
    }
}

#[test]
fn a_refused_upgrade_is_an_ordinary_answer() {
    for hop in HOPS {
        let chain = Chain::start(hop, Limits::default(), |_, mut peer| {
            while !peer.read_head().is_empty() {
                peer.write("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno");
            }
        });
        let mut client = RawClient::tls(chain.front, "front.localhost", chain.pki.ca().root(), None);
        for _ in 0..2 {
            client.send(ASK);
            let answer = client.response();
            assert_eq!((answer.status(), answer.text().as_str()), (426, "no"), "{hop:?}");
        }
    }
}
