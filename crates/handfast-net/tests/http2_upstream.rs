//! HTTP/2 servers that refuse streams or leave: a request goes out once more when the server says that it did
//! nothing with it, and never when its body is gone or the server may have acted (RFC 9113 §8.7, RFC 9110 §9.2.2).

use handfast_net::{Hop, UpstreamProtocol, UpstreamTimeouts};
use handfast_testkit::{Forward, H2Peer, RawClient, ScriptedUpstream, TestEngine};
use std::net::SocketAddr;
use std::sync::Arc;

const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
const EMPTY_POST: &str = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello";

/// An engine that forwards to a scripted server over HTTP/2.
struct Front {
    _engine: TestEngine,
    upstream: ScriptedUpstream,
    address: SocketAddr,
}

impl Front {
    /// The script gets each connection with its number and the streams of its requests, one by one.
    fn to(script: fn(usize, &mut H2Peer, u32) -> bool) -> Self {
        let upstream = ScriptedUpstream::start(move |number, peer| {
            let Some(mut peer) = H2Peer::accept(peer) else { return };
            while let Some(stream) = peer.request() {
                if !script(number, &mut peer, stream) {
                    return;
                }
            }
        });
        let mut engine = TestEngine::start(Hop::Wire);
        let mut target = TestEngine::plain_target(upstream.address());
        target.protocol = UpstreamProtocol::Http2;
        let state = engine.state(Arc::new(Forward { target, timeouts: UpstreamTimeouts::default() }), None);
        let address = engine.listen("front", state);
        Self { _engine: engine, upstream, address }
    }

    /// The answer to a request over a connection of its own.
    fn ask(&self, request: &str) -> u16 {
        let mut client = RawClient::plain(self.address);
        client.send(request);
        client.response().status()
    }
}

/// What a server does on its first connection, a request, what the client gets, and the connections it took.
type Case = (&'static str, fn(usize, &mut H2Peer, u32) -> bool, &'static str, u16, usize);

fn refuses(number: usize, peer: &mut H2Peer, stream: u32) -> bool {
    if number == 0 { peer.reset(stream, REFUSED_STREAM) } else { peer.answer(stream) }
}

fn leaves(number: usize, peer: &mut H2Peer, stream: u32) -> bool {
    match number {
        0 => peer.go_away(0, NO_ERROR) && !peer.reads_to_end(),
        _ => peer.answer(stream),
    }
}

fn fails(number: usize, peer: &mut H2Peer, stream: u32) -> bool {
    if number == 0 { peer.reset(stream, INTERNAL_ERROR) } else { peer.answer(stream) }
}

fn always_refuses(_: usize, peer: &mut H2Peer, stream: u32) -> bool {
    peer.reset(stream, REFUSED_STREAM)
}

/// The stream may have been processed: it is not above the last one that the server names.
fn leaves_in_the_middle(number: usize, peer: &mut H2Peer, stream: u32) -> bool {
    match number {
        0 => {
            peer.go_away(stream, ENHANCE_YOUR_CALM);
            false
        }
        _ => peer.answer(stream),
    }
}

fn closes(number: usize, peer: &mut H2Peer, stream: u32) -> bool {
    number != 0 && peer.answer(stream)
}

#[test]
fn a_request_goes_out_again_only_when_the_server_did_nothing_with_it() {
    let cases: [Case; 13] = [
        ("refused", refuses, GET, 200, 2),
        ("refused, not idempotent, nothing sent but the head", refuses, EMPTY_POST, 200, 2),
        ("refused after its body", refuses, POST, 502, 1),
        ("GOAWAY below the stream", leaves, GET, 200, 2),
        ("GOAWAY below the stream, not idempotent", leaves, EMPTY_POST, 200, 2),
        ("GOAWAY after its body", leaves, POST, 502, 1),
        ("reset for another reason", fails, GET, 502, 1),
        ("reset for another reason, not idempotent", fails, EMPTY_POST, 502, 1),
        ("refused twice", always_refuses, GET, 502, 2),
        ("GOAWAY that includes the stream", leaves_in_the_middle, EMPTY_POST, 502, 1),
        ("GOAWAY that includes the stream, idempotent", leaves_in_the_middle, GET, 502, 1),
        ("closed", closes, EMPTY_POST, 502, 1),
        ("closed, idempotent, on a new connection", closes, GET, 502, 1),
    ];
    for (name, script, request, status, connections) in cases {
        let front = Front::to(script);
        assert_eq!((front.ask(request), front.upstream.connections()), (status, connections), "{name}");
    }
}

#[test]
fn a_kept_connection_that_ends_under_a_request_is_replaced_when_that_is_safe() {
    // The first request is served, the second finds the connection closing.
    let script = |number: usize, peer: &mut H2Peer, stream: u32| match (number, stream) {
        (0, 3..) => false,
        _ => peer.answer(stream),
    };
    let front = Front::to(script);
    assert_eq!((front.ask(GET), front.ask(GET)), (200, 200));
    assert_eq!(front.upstream.connections(), 2);
    let front = Front::to(script);
    assert_eq!((front.ask(GET), front.ask(EMPTY_POST)), (200, 502), "it may have been served");
    assert_eq!((front.ask(POST), front.upstream.connections()), (200, 2));
}

#[test]
fn a_server_that_leaves_in_good_order_ends_its_streams_and_gets_no_new_ones() {
    let front = Front::to(|number, peer, stream| match number {
        0 => peer.go_away(stream, NO_ERROR) && peer.answer(stream) && !peer.reads_to_end(),
        _ => peer.answer(stream),
    });
    for _ in 0..3 {
        assert_eq!(front.ask(GET), 200);
    }
    assert_eq!(front.upstream.connections(), 2);
}
