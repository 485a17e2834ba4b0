//! System calls per keep-alive request through one hop with mutual TLS on both sides: recv and send towards
//! the client and towards the server, four of them, however the kernel names them.

use handfast_core::Clock;
use handfast_net::Hop;
use handfast_net::tls::ClientAuth;
use handfast_testkit::{Echo, RawClient, TestEngine, TestPki};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const REQUESTS: u64 = 2000;

#[test]
fn a_request_costs_four_socket_calls() {
    let mut engine = TestEngine::start(Hop::Wire);
    let pki = TestPki::new(engine.clock.now());
    let demand = ClientAuth::Require { trust: pki.trust() };
    let host = engine.host("back", pki.server("back.localhost"), demand, false);
    let state = engine.state(Arc::new(Echo::default()), Some(host));
    let server = engine.listen("back", state);
    let directory = tempfile::tempdir().expect("a directory");
    let (ca, counts) = (directory.path().join("ca.pem"), directory.path().join("counts"));
    std::fs::write(&ca, pki.ca().to_pem().expose()).expect("a file");
    let program = std::env::current_exe().expect("a path");
    let hop =
        program.parent().and_then(|deps| deps.parent()).expect("a target directory").join("examples/hop");
    let listen = free_port();
    let mut traced = Command::new("strace")
        .args(["-f", "-c", "-o"])
        .arg(&counts)
        .arg(hop)
        .arg(&ca)
        .args([listen.to_string(), server.to_string()])
        .stdin(Stdio::piped())
        .spawn()
        .expect("strace is installed");
    await_listener(listen);
    let credential = pki.client("client");
    let mut client = RawClient::tls(listen, "front.localhost", pki.ca().root(), Some(&credential));
    for _ in 0..REQUESTS {
        assert_eq!(client.get("front.localhost", "/bytes/1024").body.len(), 1024);
    }
    drop(traced.stdin.take());
    assert!(traced.wait().expect("it ends").success());
    let counts = std::fs::read_to_string(&counts).expect("strace's summary");
    let calls = |names: &[&str]| names.iter().map(|name| count(&counts, name)).sum::<u64>();
    let sockets = calls(&["recvfrom", "sendto", "readv", "writev", "read", "write", "recvmsg", "sendmsg"]);
    let per_request = sockets as f64 / REQUESTS as f64;
    let waits = calls(&["epoll_wait", "epoll_pwait"]) as f64 / REQUESTS as f64;
    let all = calls(&["total"]) as f64 / REQUESTS as f64;
    report(&format!("socket calls {per_request:.2}, epoll_wait {waits:.2}, all {all:.2} per request\n"));
    assert!(per_request <= 4.5, "{per_request} socket calls per request\n{counts}");
}

/// Calls of that name in strace's table: time, seconds, microseconds, calls, (errors,) name.
fn count(table: &str, name: &str) -> u64 {
    let row = table.lines().find(|line| line.split_whitespace().next_back() == Some(name));
    row.and_then(|row| row.split_whitespace().nth(3)?.parse().ok()).unwrap_or(0)
}

fn free_port() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|probe| probe.local_addr()).expect("a free port")
}

fn await_listener(address: SocketAddr) {
    let start = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(start.elapsed() < Duration::from_secs(20), "the hop listens");
        std::thread::yield_now();
    }
}

/// Shown by `cargo test -- --nocapture`.
fn report(text: &str) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(text.as_bytes());
}
