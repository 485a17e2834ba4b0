//! What operators do while requests run: load balancers in front, limits per source, listeners that come, go
//! and change, sockets handed over, and the end of the process.

use handfast_core::Clock;
use handfast_net::tls::ClientAuth;
use handfast_net::{
    Address, GlobalLimits, Hop, ListenSource, ListenerPlan, ListenerState, SourceFilter, UpstreamTimeouts,
};
use handfast_testkit::client::{converse, statuses};
use handfast_testkit::{Echo, Forward, RawClient, Recorder, ScriptedUpstream, TestEngine, TestPki};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

fn plan(name: &str, address: SocketAddr, source: ListenSource, state: ListenerState) -> ListenerPlan {
    ListenerPlan {
        name: name.to_owned(),
        address: Address::Real(address),
        aliases: Vec::new(),
        source,
        state,
    }
}

fn free_port() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|probe| probe.local_addr()).expect("a free port")
}

#[test]
fn trusted_load_balancers_name_the_client_and_nobody_else_does() {
    let mut engine = TestEngine::start(Hop::Wire);
    let mut state = engine.state(Arc::new(Echo::default()), None);
    state.trusted_proxies = Arc::new(["127.0.0.0/8".parse().expect("a network")]);
    state.filter = SourceFilter::new(vec![("192.0.2.66/32".parse().expect("a network"), false)], true);
    let address = engine.listen("proxied", state.clone());
    let text = |source: &str| format!("PROXY TCP4 {source} 198.51.100.2 56324 443\r\n{GET}");
    let answer = converse(address, text("192.0.2.1").as_bytes());
    assert!(String::from_utf8_lossy(&answer).contains("client-ip 192.0.2.1\n"));
    assert_eq!(converse(address, text("192.0.2.66").as_bytes()), b"", "the filter sees the client");
    assert_eq!(converse(address, GET.as_bytes()), b"", "the header is mandatory");
    let mut binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    binary.extend([192, 0, 2, 7, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb]);
    binary.extend_from_slice(GET.as_bytes());
    let answer = converse(address, &binary);
    assert!(String::from_utf8_lossy(&answer).contains("client-ip 192.0.2.7\n"));

    state.trusted_proxies = Arc::new(["192.0.2.0/24".parse().expect("a network")]);
    let untrusted = engine.listen("untrusted", state);
    assert_eq!(converse(untrusted, text("192.0.2.1").as_bytes()), b"");
}

#[test]
fn sources_are_bounded_and_behind_a_load_balancer_it_is_the_clients_that_are() {
    let limits = GlobalLimits { connections_per_source_max: 2, ..GlobalLimits::default() };
    let mut engine = TestEngine::start_with(Hop::Wire, limits);
    let mut state = engine.state(Arc::new(Echo::default()), None);
    let direct = engine.listen("direct", state.clone());
    let mut kept: Vec<RawClient> = (0..2).map(|_| RawClient::plain(direct)).collect();
    kept.iter_mut().for_each(|client| assert_eq!(client.get("a.test", "/").status(), 200));
    assert_eq!(converse(direct, GET.as_bytes()), b"");
    drop(kept);
    state.trusted_proxies = Arc::new(["127.0.0.0/8".parse().expect("a network")]);
    let proxied = engine.listen("proxied", state);
    let connect = |source: u8| {
        let mut client = RawClient::plain(proxied);
        client.send(format!("PROXY TCP4 192.0.2.{source} 198.51.100.2 5 443\r\n"));
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        client
    };
    let mut many: Vec<RawClient> = (0..6).map(|n| connect(n / 2)).collect();
    many.iter_mut().for_each(|client| assert_eq!(client.response().status(), 200));
    assert!(connect(0).is_closed(), "a third connection of one client");
}

#[test]
fn refused_sources_are_reset() {
    let mut engine = TestEngine::start(Hop::Wire);
    let mut state = engine.state(Arc::new(Echo::default()), None);
    state.filter = SourceFilter::new(Vec::new(), false);
    let address = engine.listen("closed", state);
    assert!(RawClient::plain(address).ends_with_reset());
}

#[test]
fn listeners_change_under_load_without_a_failed_request() {
    let mut engine = TestEngine::start(Hop::Wire);
    let recorder = Arc::new(Recorder::default());
    let (kept, other) = (free_port(), free_port());
    let state = |engine: &TestEngine| engine.state(recorder.clone(), None);
    let errors = engine.engine.apply(vec![plan("kept", kept, ListenSource::Bind(kept), state(&engine))]);
    assert!(errors.is_empty());
    let (served, count) = mpsc::sync_channel(0);
    let load = std::thread::spawn(move || {
        loop {
            assert_eq!(statuses(&converse(kept, GET.as_bytes())), [200]);
            if served.send(()).is_err() {
                return;
            }
        }
    });
    for round in 0..50 {
        let mut plans = vec![plan("kept", kept, ListenSource::Bind(kept), state(&engine))];
        // Another name for it in the process does not make it another listener.
        plans[0].aliases = vec![Address::Virtual {
            network: "net".into(),
            ip: Ipv4Addr::new(10, 0, 0, round).into(),
            port: 443,
        }];
        if round % 2 == 0 {
            plans.push(plan("other", other, ListenSource::Bind(other), state(&engine)));
        }
        assert!(engine.engine.apply(plans).is_empty());
        count.recv_timeout(Duration::from_secs(10)).expect("requests are served");
    }
    drop(count);
    load.join().expect("no request failed");
}

#[test]
fn inherited_sockets_serve_what_was_queued_before() {
    let mut engine = TestEngine::start(Hop::Wire);
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = socket.local_addr().expect("bound");
    let mut early = RawClient::plain(address);
    early.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let state = engine.state(Arc::new(Echo::default()), None);
    let plans = vec![plan("inherited", address, ListenSource::Inherit(vec![socket]), state)];
    assert!(engine.engine.apply(plans).is_empty());
    assert_eq!(early.response().status(), 200);
    assert_eq!(engine.engine.bound(&Address::Real(address)), Some(address));
}

#[test]
fn draining_ends_idle_connections_and_lets_requests_end() {
    let (arrived, got) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let (arrived, may_go) = (std::sync::Mutex::new(arrived), std::sync::Mutex::new(may_go));
    let upstream = ScriptedUpstream::start(move |_, mut peer| {
        peer.read_head();
        arrived.lock().expect("lock").send(()).expect("the test waits");
        may_go.lock().expect("lock").recv().expect("the test sends");
        peer.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let mut engine = TestEngine::start(Hop::Wire);
    let target = TestEngine::plain_target(upstream.address());
    let state = engine.state(Arc::new(Forward { target, timeouts: UpstreamTimeouts::default() }), None);
    let front = engine.listen("front", state);
    let echo = engine.state(Arc::new(Echo::default()), None);
    let other = engine.listen("other", echo);
    let mut idle = RawClient::plain(other);
    assert_eq!(idle.get("a.test", "/").status(), 200);
    let mut busy = RawClient::plain(front);
    busy.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    got.recv_timeout(Duration::from_secs(10)).expect("the request is upstream");
    assert!(!engine.engine.drain(Duration::ZERO), "a request is in flight");
    assert!(idle.is_closed());
    go.send(()).expect("the server waits");
    let answer = busy.response();
    assert_eq!((answer.text().as_str(), answer.field("connection")), ("ok", Some("close")));
    assert!(busy.is_closed());
    assert!(engine.engine.drain(Duration::from_secs(10)));
}

#[test]
fn curl_and_h2load_are_served_over_both_versions() {
    let mut engine = TestEngine::start(Hop::Wire);
    let pki = TestPki::new(engine.clock.now());
    let host = engine.host("front", pki.server("front.localhost"), ClientAuth::None, true);
    let state = engine.state(Arc::new(Echo::default()), Some(host));
    let address = engine.listen("front", state);
    for (flag, version) in [("--http1.1", "HTTP/1.1"), ("--http2", "HTTP/2.0")] {
        let output = Command::new("curl")
            .args(["-sk", flag, "--max-time", "20", "-d", "hello", "--resolve"])
            .arg(format!("front.localhost:{}:127.0.0.1", address.port()))
            .arg(format!("https://front.localhost:{}/a?b=c", address.port()))
            .output()
            .expect("curl is installed");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            text.starts_with(&format!("POST /a?b=c {version}\n")) && text.ends_with("\n\nhello"),
            "{text}"
        );
    }
    let output = Command::new("h2load")
        .args(["-n", "2000", "-c", "8", "-m", "20"])
        .arg(format!("https://127.0.0.1:{}/bytes/1024", address.port()))
        .output()
        .expect("h2load is installed (package nghttp2-client)");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("2000 succeeded, 0 failed, 0 errored"), "{text}");
}
