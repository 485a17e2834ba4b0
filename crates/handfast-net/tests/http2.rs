//! HTTP/2 from hostile and from ordinary clients: malformed requests end their stream, floods end the
//! connection with ENHANCE_YOUR_CALM, and nothing of either reaches a role.

use handfast_core::Clock;
use handfast_net::tls::{ClientAuth, ClientTls, ClientTlsSpec};
use handfast_net::{
    Address, Hop, Limits, Response, ServerName, Service, Target, UpstreamProtocol, UpstreamTimeouts,
};
use handfast_testkit::h2::{Frame, flag, header_block, kind};
use handfast_testkit::{Forward, H2Client, Recorder, ScriptedUpstream, TestEngine, TestPki};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const ENHANCE_YOUR_CALM: u32 = 11;
const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "https"), (":authority", "front.localhost"), (":path", "/")];

struct Front {
    engine: TestEngine,
    pki: TestPki,
    address: SocketAddr,
    recorder: Arc<Recorder>,
}

impl Front {
    fn start() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let recorder = Arc::new(Recorder::default());
        let mut engine = TestEngine::start(Hop::Wire);
        let pki = TestPki::new(engine.clock.now());
        let address = listen(&mut engine, &pki, "front", recorder.clone(), limits);
        Self { engine, pki, address, recorder }
    }

    fn client(&self) -> H2Client {
        H2Client::connect(self.address, "front.localhost", self.pki.ca().root())
    }
}

fn listen(
    engine: &mut TestEngine,
    pki: &TestPki,
    name: &str,
    service: Arc<dyn Service>,
    limits: Limits,
) -> SocketAddr {
    let host = engine.host(name, pki.server(&format!("{name}.localhost")), ClientAuth::None, true);
    let mut state = engine.state(service, Some(host));
    state.limits = Arc::new(limits);
    engine.listen(name, state)
}

/// The frame that ends the stream or the connection.
fn verdict(client: &mut H2Client) -> Frame {
    client.read_one_of(&[kind::RST_STREAM, kind::GOAWAY, kind::HEADERS]).expect("an answer")
}

fn without(name: &str) -> Vec<(&str, &str)> {
    GET.into_iter().filter(|field| field.0 != name).collect()
}

fn and<'a>(fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&GET[..], fields].concat()
}

#[test]
fn malformed_requests_end_their_stream_and_reach_no_role() {
    let front = Front::start();
    let mut pseudo_late = without(":path");
    pseudo_late.extend([("a", "b"), (":path", "/")]);
    let cases = [
        ("upper-case name", and(&[("Upper", "x")])),
        ("line end in a value", and(&[("a", "b\r\nc: d")])),
        ("NUL in a value", and(&[("a", "b\0")])),
        ("colon in a name", and(&[("a:b", "c")])),
        ("space in a name", and(&[("a b", "c")])),
        ("connection", and(&[("connection", "keep-alive")])),
        ("transfer-encoding", and(&[("transfer-encoding", "chunked")])),
        ("keep-alive", and(&[("keep-alive", "x")])),
        ("te other than trailers", and(&[("te", "gzip")])),
        ("two paths", and(&[(":path", "/b")])),
        ("unknown pseudo-header", and(&[(":unknown", "x")])),
        ("pseudo-header after a field", pseudo_late),
        ("no path", without(":path")),
        ("no method", without(":method")),
        ("authority and host differ", and(&[("host", "other.localhost")])),
        ("host twice", and(&[("host", "front.localhost"), ("host", "front.localhost")])),
        ("asterisk with GET", [&without(":path")[..], &[(":path", "*")]].concat()),
        ("path without slash", [&without(":path")[..], &[(":path", "a")]].concat()),
        ("length without body", and(&[("content-length", "5")])),
        ("length that is none", and(&[("content-length", "+5")])),
    ];
    for (name, fields) in cases {
        let mut client = front.client();
        client.request(1, true, &fields);
        let end = verdict(&mut client);
        assert!(matches!(end.kind, kind::RST_STREAM | kind::GOAWAY), "{name}: {end:?}");
        assert_eq!(end.error(), PROTOCOL_ERROR, "{name}");
        assert_eq!(front.recorder.take(), [""; 0], "{name}");
    }
    let mut client = front.client();
    client.request(1, true, &and(&[("te", "trailers"), ("cookie", "a=b"), ("cookie", "c=d")]));
    assert_eq!(verdict(&mut client).kind, kind::HEADERS);
    assert_eq!(front.recorder.take(), ["GET /"]);
}

#[test]
fn bodies_that_differ_from_their_length_end_their_stream() {
    let front = Front::start();
    for (length, body) in [("3", "hello"), ("9", "hello")] {
        let mut client = front.client();
        let mut fields = and(&[("content-length", length)]);
        fields[0] = (":method", "POST");
        client.request(1, false, &fields);
        client.frame(kind::DATA, flag::END_STREAM, 1, body.as_bytes());
        let end = client.read_one_of(&[kind::RST_STREAM, kind::GOAWAY]).expect("an end");
        assert_eq!(end.error(), PROTOCOL_ERROR, "{length}");
        assert_eq!(front.recorder.take(), [""; 0]);
    }
}

/// Repeats bytes until the server closes; its last word.
fn flood(front: &Front, name: &str, mut next: impl FnMut(&mut H2Client, u32) -> bool) -> u32 {
    let mut client = front.client();
    client.request(1, false, &GET);
    for round in 0..3000 {
        if !next(&mut client, round) {
            break;
        }
    }
    let end = client.read_one_of(&[kind::GOAWAY]);
    let end = end.unwrap_or_else(|| panic!("{name}: closed without GOAWAY"));
    assert!(front.recorder.take().is_empty(), "{name}");
    end.error()
}

#[test]
fn floods_of_frames_that_carry_nothing_are_answered_with_enhance_your_calm() {
    let front = Front::start();
    let ping = |client: &mut H2Client, _| client.frame(kind::PING, 0, 0, &[0; 8]);
    assert_eq!(flood(&front, "PING", ping), ENHANCE_YOUR_CALM);
    let settings = |client: &mut H2Client, _| client.frame(kind::SETTINGS, 0, 0, &[]);
    assert_eq!(flood(&front, "SETTINGS", settings), ENHANCE_YOUR_CALM);
    let priority = |client: &mut H2Client, _| client.frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0, 1]);
    assert_eq!(flood(&front, "PRIORITY", priority), ENHANCE_YOUR_CALM);
    let unknown = |client: &mut H2Client, _| client.frame(99, 0, 0, &[0; 4]);
    assert_eq!(flood(&front, "unknown", unknown), ENHANCE_YOUR_CALM);
    let update = |client: &mut H2Client, _| client.frame(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]);
    assert_eq!(flood(&front, "WINDOW_UPDATE", update), ENHANCE_YOUR_CALM);
    let empty = |client: &mut H2Client, _| client.frame(kind::DATA, 0, 1, &[]);
    assert_eq!(flood(&front, "empty DATA", empty), ENHANCE_YOUR_CALM);
    // An endless head: the h2 crate counts CONTINUATION frames.
    let continuation = |client: &mut H2Client, round| match round {
        0 => client.frame(kind::HEADERS, flag::END_STREAM, 3, &header_block(&GET)),
        _ => client.frame(kind::CONTINUATION, 0, 3, &header_block(&[("a", "b")])),
    };
    assert_eq!(flood(&front, "CONTINUATION", continuation), ENHANCE_YOUR_CALM);
    let reset = |client: &mut H2Client, round: u32| {
        let stream = 3 + 2 * round;
        client.request(stream, true, &GET) && client.frame(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8])
    };
    let mut client = front.client();
    for round in 0..1000 {
        if !reset(&mut client, round) {
            break;
        }
    }
    let end = client.read_one_of(&[kind::GOAWAY]).expect("a GOAWAY");
    assert_eq!(end.error(), ENHANCE_YOUR_CALM, "rapid reset");
    // Streams that the server must reset: each with a window of nothing (made-you-reset).
    let mut client = front.client();
    for round in 0..1100 {
        let stream = 1 + 2 * round;
        if !client.request(stream, false, &GET)
            || !client.frame(kind::WINDOW_UPDATE, 0, stream, &[0, 0, 0, 0])
        {
            break;
        }
    }
    let end = client.read_one_of(&[kind::GOAWAY]).expect("a GOAWAY");
    assert!([ENHANCE_YOUR_CALM, PROTOCOL_ERROR].contains(&end.error()), "made you reset: {}", end.error());
}

#[test]
fn window_overflow_and_header_bombs_end_what_they_belong_to() {
    let front = Front::start();
    let mut client = front.client();
    let most = (u32::MAX >> 1).to_be_bytes();
    client.frame(kind::WINDOW_UPDATE, 0, 0, &most);
    client.frame(kind::WINDOW_UPDATE, 0, 0, &most);
    assert_eq!(client.read_one_of(&[kind::GOAWAY]).expect("a GOAWAY").error(), FLOW_CONTROL_ERROR);

    // One indexed field of 4000 bytes, named 1000 times: 4 MB of header list in a few bytes.
    let mut client = front.client();
    let mut block = header_block(&GET);
    let value = "v".repeat(3900);
    let mut indexed = header_block(&[("x", &value)]);
    indexed[0] = 0x40;
    block.extend(indexed);
    block.extend([0xbe; 1000]);
    client.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &block);
    let end = verdict(&mut client);
    // 431 in a HEADERS frame, or the end; never the role.
    assert!(matches!(end.kind, kind::HEADERS | kind::GOAWAY | kind::RST_STREAM), "{end:?}");
    assert_eq!(front.recorder.take(), [""; 0]);
}

#[test]
fn trace_and_connect_are_405_and_extended_connect_is_not_offered() {
    let front = Front::start();
    let mut client = front.client();
    let mut fields = GET.to_vec();
    fields[0] = (":method", "TRACE");
    client.request(1, true, &fields);
    let settings = client.read_one_of(&[kind::SETTINGS]).expect("settings");
    let identifiers: Vec<&[u8]> = settings.payload.chunks(6).map(|setting| &setting[..2]).collect();
    assert!(!identifiers.contains(&&[0u8, 8][..]), "SETTINGS_ENABLE_CONNECT_PROTOCOL");
    assert_eq!(verdict(&mut client).kind, kind::HEADERS);
    assert_eq!(front.recorder.take(), [""; 0]);
}

#[test]
fn a_connection_ends_in_good_order_after_its_last_request_when_idle_and_when_draining() {
    let limits = Limits { h2_requests_max: 3, ..Limits::default() };
    let front = Front::with(limits);
    let mut client = front.client();
    for stream in [1, 3, 5] {
        client.request(stream, true, &GET);
    }
    let ends: Vec<Frame> =
        std::iter::from_fn(|| client.read_one_of(&[kind::GOAWAY, kind::HEADERS])).collect();
    assert_eq!(ends.iter().filter(|frame| frame.kind == kind::HEADERS).count(), 3);
    assert!(ends.iter().any(|frame| frame.kind == kind::GOAWAY && frame.error() == 0), "{ends:?}");
    assert_eq!(front.recorder.take().len(), 3);

    let limits = Limits { h2_idle_timeout: Duration::from_millis(200), ..Limits::default() };
    let idle = Front::with(limits);
    assert_eq!(idle.client().read_one_of(&[kind::GOAWAY]).expect("a GOAWAY").error(), 0);

    let mut front = Front::start();
    let mut client = front.client();
    client.request(1, true, &GET);
    assert_eq!(verdict(&mut client).kind, kind::HEADERS);
    assert!(front.engine.engine.drain(Duration::from_secs(5)), "an idle connection does not hold up");
    assert_eq!(client.read_one_of(&[kind::GOAWAY]).expect("a GOAWAY").error(), 0);
}

/// h2 → engine → h2 → engine.
#[test]
fn streams_flow_both_ways_at_once_through_two_http2_hops() {
    let mut engine = TestEngine::start(Hop::Wire);
    let pki = TestPki::new(engine.clock.now());
    let back = listen(&mut engine, &pki, "back", Arc::new(Mirror), Limits::default());
    let spec = ClientTlsSpec {
        trust: pki.trust(),
        check_chain: true,
        check_name: true,
        credential: None,
        http2: true,
    };
    let clock: Arc<dyn Clock> = engine.clock.clone();
    let target = Target {
        address: Address::Real(back),
        tls: Some(ClientTls::build("back", spec, &clock).expect("a usable configuration")),
        server_name: Some(ServerName::try_from("back.localhost").expect("a name")),
        protocol: UpstreamProtocol::Http2,
        source: None,
        dedicated: None,
        tunnel: None,
    };
    let forward = Arc::new(Forward { target, timeouts: UpstreamTimeouts::default() });
    let front = listen(&mut engine, &pki, "front", forward, Limits::default());
    let mut client = H2Client::connect(front, "front.localhost", pki.ca().root());
    let mut fields = GET.to_vec();
    fields[0] = (":method", "POST");
    fields.push(("te", "trailers"));
    client.request(1, false, &fields);
    client.frame(kind::DATA, 0, 1, b"one");
    assert_eq!(verdict(&mut client).kind, kind::HEADERS);
    assert_eq!(client.read_one_of(&[kind::DATA]).expect("data").payload, b"one");
    client.frame(kind::DATA, 0, 1, b"two");
    assert_eq!(client.read_one_of(&[kind::DATA]).expect("data").payload, b"two");
    // Trailers of the request come back as trailers of the answer.
    let block = header_block(&[("grpc-status", "0")]);
    client.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &block);
    let end = client.read_one_of(&[kind::HEADERS]).expect("trailers");
    assert_eq!(end.flags & flag::END_STREAM, flag::END_STREAM);
}

/// Sends the request's body back while it arrives.
struct Mirror;

impl Service for Mirror {
    fn call(
        self: Arc<Self>,
        _: handfast_net::Core,
        request: handfast_net::Request,
    ) -> handfast_net::LocalFuture<Response> {
        Box::pin(async move { Response { body: request.body, ..Response::full(200, "", "") } })
    }

    fn refuse(
        &self,
        core: &handfast_net::Core,
        connection: &std::rc::Rc<handfast_net::ConnectionInfo>,
        refusal: handfast_net::Refusal,
    ) -> Response {
        Recorder::default().refuse(core, connection, refusal)
    }

    fn fail(&self, c: &handfast_net::ConnectionInfo, status: u16) -> Response {
        Recorder::default().fail(c, status)
    }
}

/// An HTTP/2 listener that forwards to a scripted server over HTTP/1.1.
fn forwarding(upstream: &ScriptedUpstream) -> (TestEngine, H2Client) {
    let mut engine = TestEngine::start(Hop::Wire);
    let pki = TestPki::new(engine.clock.now());
    let target = TestEngine::plain_target(upstream.address());
    let forward = Arc::new(Forward { target, timeouts: UpstreamTimeouts::default() });
    let front = listen(&mut engine, &pki, "front", forward, Limits::default());
    let client = H2Client::connect(front, "front.localhost", pki.ca().root());
    (engine, client)
}

#[test]
fn a_reset_stream_ends_its_request_upstream() {
    let (told, heard) = mpsc::channel();
    let told = Mutex::new(told);
    let upstream = ScriptedUpstream::start(move |_, mut peer| {
        peer.read_head();
        told.lock().expect("lock").send("arrived").expect("the test waits");
        peer.reads_to_end();
        told.lock().expect("lock").send("left").expect("the test waits");
    });
    let (_engine, mut client) = forwarding(&upstream);
    client.request(1, true, &GET);
    assert_eq!(heard.recv_timeout(Duration::from_secs(10)), Ok("arrived"));
    client.frame(kind::RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    assert_eq!(heard.recv_timeout(Duration::from_secs(10)), Ok("left"));
}

#[test]
fn a_body_that_breaks_off_upstream_resets_the_stream() {
    let upstream = ScriptedUpstream::start(|_, mut peer| {
        peer.read_head();
        peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    });
    let (_engine, mut client) = forwarding(&upstream);
    client.request(1, true, &GET);
    // The reset may overtake what was queued before it; never is the stream ended in good order.
    let end = client.read_one_of(&[kind::RST_STREAM]).expect("a reset");
    assert_eq!(end.stream, 1);
}
