//! Limits on heads and bodies, at the limit and just beyond it, through a forwarding listener over the wire
//! and fused: the status that was promised, a closed connection, and nothing at the other end.

use handfast_net::{Address, GlobalLimits, Hop, Limits, UpstreamTimeouts};
use handfast_testkit::client::{converse, statuses};
use handfast_testkit::{Echo, Forward, RawClient, Recorder, TestEngine};
use std::net::SocketAddr;
use std::sync::Arc;

struct Chain {
    _engine: TestEngine,
    recorder: Arc<Recorder>,
    front: SocketAddr,
}

fn chain(hop: Hop, back_limits: Limits) -> Chain {
    let mut engine = TestEngine::start(hop);
    let recorder = Arc::new(Recorder::default());
    let mut state = engine.state(recorder.clone(), None);
    state.limits = Arc::new(back_limits);
    let back = engine.listen("back", state);
    let mut target = TestEngine::plain_target(back);
    target.address = Address::Real(back);
    let state = engine.state(Arc::new(Forward { target, timeouts: UpstreamTimeouts::default() }), None);
    let front = engine.listen("front", state);
    Chain { _engine: engine, recorder, front }
}

fn request(target: &str, fields: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n{fields}Connection: close\r\n\r\n").into_bytes()
}

#[test]
fn heads_are_bounded_in_lines_and_bytes() {
    let lines = |count: usize| "X: y\r\n".repeat(count);
    let cases = [
        ("100 lines", request("/", &lines(98)), 200),
        ("101 lines", request("/", &lines(99)), 400),
        ("a cookie of 30 KiB", request("/", &format!("Cookie: {}\r\n", "c".repeat(30 * 1024))), 200),
        ("a cookie of 33 KiB", request("/", &format!("Cookie: {}\r\n", "c".repeat(33 * 1024))), 400),
        ("a target of 30 KiB", request(&format!("/{}", "t".repeat(30 * 1024)), ""), 200),
        ("a target of 33 KiB", request(&format!("/{}", "t".repeat(33 * 1024)), ""), 414),
    ];
    for hop in [Hop::Wire, Hop::Fused] {
        let chain = chain(hop, Limits::default());
        for (name, bytes, status) in &cases {
            assert_eq!(statuses(&converse(chain.front, bytes)), [*status], "{hop:?} {name}");
            assert_eq!(chain.recorder.take().len(), usize::from(*status == 200), "{hop:?} {name}");
        }
    }
}

#[test]
fn the_second_hops_own_limits_hold_for_a_fused_hop_as_on_a_wire() {
    let limits = Limits {
        body_bytes_max: 10,
        head_bytes_max: 300,
        target_bytes_max: 100,
        fields_max: 10,
        ..Limits::default()
    };
    let post = |body: &str| {
        let length = body.len();
        format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    };
    let chunked =
        b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n";
    let cases = [
        ("a body at the limit", post("0123456789")),
        ("a body beyond it", post("0123456789a")),
        ("a chunked body beyond it", chunked.to_vec()),
        ("a long target", request(&format!("/{}", "t".repeat(120)), "")),
        ("a long head", request("/", &format!("X: {}\r\n", "y".repeat(300)))),
        ("many lines", request("/", &"X: y\r\n".repeat(12))),
        ("HEAD", b"HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n".to_vec()),
        ("an empty POST", post("")),
    ];
    let (wire, fused) = (chain(Hop::Wire, limits.clone()), chain(Hop::Fused, limits));
    for (name, bytes) in cases {
        let answer = |chain: &Chain| {
            let mut client = RawClient::plain(chain.front);
            client.send(&bytes);
            let head = client.response_head();
            (head, chain.recorder.take())
        };
        assert_eq!(answer(&wire), answer(&fused), "{name}");
    }
}

#[test]
fn memory_near_its_limit_refuses_connections_and_then_requests() {
    let limits = GlobalLimits { memory_bytes_max: 1000, ..GlobalLimits::default() };
    let mut engine = TestEngine::start_with(Hop::Fused, limits);
    let state = engine.state(Arc::new(Echo::default()), None);
    let address = engine.listen("echo", state);
    let mut open = RawClient::plain(address);
    assert_eq!(open.get("a.localhost", "/").status(), 200);
    engine.engine.report_memory(950);
    assert!(RawClient::plain(address).is_closed(), "a new connection is refused");
    assert_eq!(open.get("a.localhost", "/").status(), 200, "an open one goes on");
    engine.engine.report_memory(990);
    let shed = open.get("a.localhost", "/");
    assert_eq!((shed.status(), shed.field("retry-after")), (503, Some("1")));
    engine.engine.report_memory(100);
    assert_eq!(RawClient::plain(address).get("a.localhost", "/").status(), 200);
}
