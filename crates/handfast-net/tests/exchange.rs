//! One hop between a client and a scripted upstream: what happens when either side does not keep to the
//! ordinary course of a request and its response.

use handfast_net::{Hop, Limits, UpstreamTimeouts};
use handfast_testkit::client::{converse, statuses};
use handfast_testkit::{Forward, Peer, RawClient, Recorder, ScriptedUpstream, TestEngine};
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// An engine that forwards everything to a scripted server.
struct Front {
    engine: TestEngine,
    upstream: ScriptedUpstream,
    address: SocketAddr,
}

impl Front {
    fn to(script: impl Fn(usize, Peer) + Send + Sync + 'static) -> Self {
        Self::with(Limits::default(), UpstreamTimeouts::default(), script)
    }

    fn with(
        limits: Limits,
        timeouts: UpstreamTimeouts,
        script: impl Fn(usize, Peer) + Send + Sync + 'static,
    ) -> Self {
        let upstream = ScriptedUpstream::start(script);
        let mut engine = TestEngine::start(Hop::Wire);
        let target = TestEngine::plain_target(upstream.address());
        let mut state = engine.state(Arc::new(Forward { target, timeouts }), None);
        state.limits = Arc::new(limits);
        let address = engine.listen("front", state);
        Self { engine, upstream, address }
    }

    fn client(&self) -> RawClient {
        RawClient::plain(self.address)
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A script that answers every request of a connection with these bytes.
fn answering(bytes: &'static str) -> impl Fn(usize, Peer) + Send + Sync {
    move |_, mut peer| while !peer.read_head().is_empty() && peer.write(bytes) {}
}

#[test]
fn an_upstream_connection_is_reused_and_a_stale_one_is_replaced() {
    let front = Front::to(|number, mut peer| {
        // The first connection closes after two requests, without a word.
        for _ in 0..if number == 0 { 2 } else { 100 } {
            if peer.read_head().is_empty() || !peer.write(OK) {
                return;
            }
        }
    });
    let mut client = front.client();
    for _ in 0..5 {
        assert_eq!(client.get("a.test", "/").status(), 200);
    }
    assert_eq!(front.upstream.connections(), 2);
}

#[test]
fn a_connection_with_a_questionable_response_is_not_used_again() {
    let responses = [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokEXTRA",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ];
    for response in responses {
        let front = Front::to(answering(response));
        let mut client = front.client();
        for _ in 0..3 {
            assert_eq!(client.get("a.test", "/").text(), "ok", "{response:?}");
        }
        assert_eq!(front.upstream.connections(), 3, "{response:?}");
    }
}

#[test]
fn responses_without_a_trustworthy_head_are_answered_502() {
    let many = "HTTP/1.1 100 Continue\r\n\r\n".repeat(11);
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "A: b\r\n".repeat(8000));
    let cases: Vec<(&str, String)> = vec![
        ("101 that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n".into()),
        ("eleven interim responses", many),
        ("a head without end", endless),
        ("nothing", String::new()),
        ("no HTTP", "SSH-2.0-x\r\n\r\n".into()),
        ("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".into()),
        ("an unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab".into()),
        ("bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n".into()),
    ];
    for (name, response) in cases {
        let front = Front::to(move |_, mut peer| {
            peer.read_head();
            peer.write(&response);
        });
        assert_eq!(front.client().get("a.test", "/").status(), 502, "{name}");
    }
}

#[test]
fn interim_responses_are_passed_over() {
    let front = Front::to(answering(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
    ));
    assert_eq!(front.client().get("a.test", "/").status(), 201);
}

#[test]
fn heads_without_body_leave_the_connection_in_step() {
    let front = Front::to(|_, mut peer| {
        loop {
            let head = peer.read_head();
            let answer = match head.split(' ').nth(1) {
                Some("/204") => "HTTP/1.1 204 No Content\r\n\r\n",
                Some("/304") => "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n",
                Some("/head") => "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n",
                Some("/chunked") => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                Some(_) => OK,
                None => return,
            };
            if !peer.write(answer) {
                return;
            }
        }
    });
    let mut client = front.client();
    assert_eq!(client.get("a.test", "/204").field("content-length"), None);
    assert_eq!(client.get("a.test", "/304").field("content-length"), Some("77"));
    assert_eq!(client.head("a.test", "/head").field("content-length"), Some("77"));
    let unknown = client.head("a.test", "/chunked");
    assert_eq!((unknown.status(), unknown.field("content-length")), (200, None), "a length is not made up");
    assert_eq!(client.get("a.test", "/").text(), "ok");
    assert_eq!(front.upstream.connections(), 1);
}

#[test]
fn a_body_that_ends_with_the_connection_arrives_whole() {
    let front = Front::to(|_, mut peer| {
        peer.read_head();
        peer.write(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(100_000)));
    });
    assert_eq!(front.client().get("a.test", "/").body.len(), 100_000);
    let old = converse(front.address, b"GET / HTTP/1.0\r\nHost: a.test\r\n\r\n");
    assert!(old.ends_with(&[b'x'; 100]) && !old.windows(8).any(|part| part == b"chunked\r"));
}

#[test]
fn a_body_that_breaks_off_breaks_the_clients_connection_too() {
    let halves = [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
    ];
    for half in halves {
        let front = Front::to(move |_, mut peer| {
            peer.read_head();
            peer.write(half);
        });
        let mut client = front.client();
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        assert!(client.try_response().is_none(), "{half:?}");
        // To HTTP/1.0 the end of the connection is the end of the body: there it must be a reset.
        let mut old = front.client();
        old.send("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n");
        if half.contains("chunked") {
            assert!(old.ends_with_reset(), "{half:?}");
        }
    }
}

#[test]
fn an_answer_before_the_end_of_the_upload_reaches_the_client() {
    let front = Front::to(|_, mut peer| {
        peer.read_head();
        peer.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
        peer.reads_to_end();
    });
    let mut client = front.client();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n\r\nbegin");
    let answer = client.response();
    assert_eq!((answer.status(), answer.text().as_str()), (413, "big"));
    assert!(client.is_closed());
    assert_eq!(front.client().get("a.test", "/").status(), 413);
    assert_eq!(front.upstream.connections(), 2, "the connection with the unfinished upload was given up");
}

#[test]
fn a_large_upload_to_a_server_that_does_not_read_still_gets_its_answer() {
    let front = Front::to(|_, mut peer| {
        peer.read_head();
        peer.write("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        peer.reads_to_end();
    });
    let body = vec![b'x'; 8 << 20];
    let head = format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n", body.len());
    assert_eq!(front.client().send_while_reading([head.as_bytes(), &body].concat()).status(), 503);
}

#[test]
fn continue_is_sent_when_the_body_is_wanted_and_not_otherwise() {
    let front = Front::to(|_, mut peer| {
        let head = peer.read_head();
        if head.starts_with("POST /wanted") {
            assert_eq!(peer.read_bytes(5), Some(b"hello".to_vec()));
        }
        peer.write(OK);
        peer.reads_to_end();
    });
    let mut client = front.client();
    client.send("POST /wanted HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.response().status(), 100);
    client.send("hello");
    assert_eq!(client.response().status(), 200);

    // A role that answers without reading: no 100, and the connection cannot go on.
    let mut engine = TestEngine::start(Hop::Wire);
    let target = TestEngine::plain_target(SocketAddr::from(([127, 0, 0, 1], 1)));
    let forward = Forward { target, timeouts: UpstreamTimeouts::default() };
    let state = engine.state(Arc::new(forward), None);
    let closed = engine.listen("closed", state);
    let mut client = RawClient::plain(closed);
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    let answer = client.response();
    assert_eq!((answer.status(), answer.field("connection")), (502, Some("close")));
    assert!(client.is_closed());
}

#[test]
fn unread_bodies_are_read_away_within_a_bound() {
    let front = Front::to(answering(OK));
    drop(front.upstream);
    let mut engine = TestEngine::start(Hop::Wire);
    let target = TestEngine::plain_target(SocketAddr::from(([127, 0, 0, 1], 1)));
    let forward = Forward { target, timeouts: UpstreamTimeouts::default() };
    let state = engine.state(Arc::new(forward), None);
    let address = engine.listen("closed", state);
    let small = format!(
        "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000\r\n\r\n{}GET /2 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n",
        "x".repeat(1000)
    );
    assert_eq!(statuses(&converse(address, small.as_bytes())), [502, 502]);
    let large = format!(
        "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 200000\r\n\r\n{}GET /2 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n",
        "x".repeat(200_000)
    );
    assert_eq!(statuses(&converse(address, large.as_bytes())), [502]);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let mut engine = TestEngine::start(Hop::Wire);
    let recorder = Arc::new(Recorder::default());
    let state = engine.state(recorder.clone(), None);
    let address = engine.listen("plain", state);
    let mut requests: String =
        (0..50).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: a.test\r\n\r\n")).collect();
    requests += "GET /last HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
    assert_eq!(statuses(&converse(address, requests.as_bytes())).len(), 51);
    let seen = recorder.take();
    assert_eq!((seen.len(), seen[7].as_str(), seen[50].as_str()), (51, "GET /7", "GET /last"));
}

#[test]
fn http_10_is_closed_unless_it_asks_to_be_kept() {
    let front = Front::to(answering(OK));
    assert_eq!(statuses(&converse(front.address, b"GET / HTTP/1.0\r\nHost: a.test\r\n\r\n")), [200]);
    let mut client = front.client();
    for _ in 0..2 {
        client.send("GET / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n");
        let answer = client.response();
        assert_eq!(answer.field("connection"), Some("keep-alive"));
    }
}

#[test]
fn a_client_that_leaves_ends_its_request_upstream() {
    let (told, left) = mpsc::channel();
    let (arrived, got) = mpsc::channel();
    let (told, arrived) = (std::sync::Mutex::new(told), std::sync::Mutex::new(arrived));
    let front = Front::to(move |_, mut peer| {
        peer.read_head();
        peer.read_bytes(5);
        arrived.lock().expect("lock").send(()).expect("the test waits");
        peer.reads_to_end();
        told.lock().expect("lock").send(()).expect("the test waits");
    });
    let mut client = front.client();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello");
    got.recv_timeout(Duration::from_secs(10)).expect("the request arrives");
    drop(client);
    left.recv_timeout(Duration::from_secs(10)).expect("the upstream connection ends with the client's");
    assert!(front.engine.engine.connections() <= 1);
}

#[test]
fn time_limits_fire_where_they_should_and_only_there() {
    let timeouts = UpstreamTimeouts {
        response: Duration::from_millis(300),
        body_idle: Duration::from_millis(300),
        ..UpstreamTimeouts::default()
    };
    let silent = Front::with(Limits::default(), timeouts, |_, mut peer| {
        peer.read_head();
        peer.reads_to_end();
    });
    assert_eq!(silent.client().get("a.test", "/").status(), 504);

    let stuck = Front::with(Limits::default(), timeouts, |_, mut peer| {
        peer.read_head();
        peer.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        peer.reads_to_end();
    });
    let mut client = stuck.client();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert!(client.try_response().is_none(), "a body that stands still breaks");

    // Bytes keep coming, each within the limit, and all of them together beyond it: nothing fires.
    let ticks = Front::with(Limits::default(), timeouts, |_, mut peer| {
        peer.read_head();
        peer.write("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n");
        for _ in 0..8 {
            pause(Duration::from_millis(100));
            peer.write("x");
        }
    });
    assert_eq!(ticks.client().get("a.test", "/").text(), "xxxxxxxx");

    // A slow upload is not the server's delay.
    let upload = Front::with(Limits::default(), timeouts, |_, mut peer| {
        peer.read_head();
        peer.read_bytes(6);
        peer.write(OK);
        peer.reads_to_end();
    });
    let mut client = upload.client();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 6\r\n\r\n");
    for _ in 0..6 {
        pause(Duration::from_millis(100));
        client.send("x");
    }
    assert_eq!(client.response().status(), 200);
}

/// Time itself is what is tested here; nothing is synchronised by it.
fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[test]
fn a_websocket_is_relayed_with_the_bytes_sent_ahead_and_closed_when_idle() {
    let limits = Limits { tunnel_idle_timeout: Duration::from_millis(300), ..Limits::default() };
    let front = Front::with(limits, UpstreamTimeouts::default(), |_, mut peer| {
        let head = peer.read_head().to_ascii_lowercase();
        assert!(head.contains("connection: upgrade") && head.contains("upgrade: websocket"), "{head}");
        peer.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello",
        );
        while let Some(byte) = peer.read_bytes(1) {
            if !peer.write(byte) {
                return;
            }
        }
    });
    let mut client = front.client();
    client
        .send("GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nahead");
    let answer = client.response();
    assert_eq!((answer.status(), answer.field("upgrade")), (101, Some("websocket")));
    assert_eq!(client.read_bytes(10), b"helloahead");
    client.send("more");
    assert_eq!(client.read_bytes(4), b"more");
    assert!(client.is_closed(), "after the idle time");
}
