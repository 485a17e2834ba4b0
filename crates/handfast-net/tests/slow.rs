//! Slow and silent peers: each is given up in its time, and others are not affected.

use handfast_core::Clock;
use handfast_net::tls::ClientAuth;
use handfast_net::{Hop, Limits};
use handfast_testkit::{Echo, RawClient, TestEngine, TestPki};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn quick() -> Limits {
    let short = Duration::from_millis(400);
    Limits {
        handshake_timeout: short,
        head_timeout: short,
        body_idle_timeout: short,
        body_rate_grace: short,
        body_rate_min: 10_000_000,
        ..Limits::default()
    }
}

fn listen(engine: &mut TestEngine) -> SocketAddr {
    let mut state = engine.state(Arc::new(Echo::default()), None);
    state.limits = Arc::new(quick());
    engine.listen("plain", state)
}

/// Sends a byte every 20 ms until the server has closed; what it said. The pace is what is tested.
fn drip(address: SocketAddr, start: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("open");
    stream.write_all(start).expect("open");
    let begun = Instant::now();
    stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a socket");
    let (mut answer, mut buffer) = (Vec::new(), [0u8; 4096]);
    loop {
        assert!(begun.elapsed() < Duration::from_secs(10), "the server gives up");
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                let _ = stream.write_all(b"x");
            }
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_head_that_drips_is_answered_408_in_the_head_timeout() {
    let mut engine = TestEngine::start(Hop::Wire);
    let address = listen(&mut engine);
    let answer = drip(address, b"GET / HTTP/1.1\r\nHost: a.test\r\nX: ");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[test]
fn a_body_of_declared_length_that_drips_is_given_up() {
    let mut engine = TestEngine::start(Hop::Wire);
    let address = listen(&mut engine);
    let answer = drip(address, b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("timed out"), "{answer}");
}

#[test]
fn a_client_that_never_reads_is_given_up() {
    let mut engine = TestEngine::start(Hop::Wire);
    let address = listen(&mut engine);
    let mut stream = TcpStream::connect(address).expect("open");
    stream.write_all(b"GET /bytes/30000000 HTTP/1.1\r\nHost: a.test\r\n\r\n").expect("open");
    await_connections(&engine, |open| open == 1);
    await_connections(&engine, |open| open == 0);
}

#[test]
fn idle_handshakes_are_closed_and_others_are_served_meanwhile() {
    let mut engine = TestEngine::start(Hop::Wire);
    let pki = TestPki::new(engine.clock.now());
    let host = engine.host("tls", pki.server("a.localhost"), ClientAuth::None, true);
    let mut state = engine.state(Arc::new(Echo::default()), Some(host));
    state.limits = Arc::new(quick());
    let address = engine.listen("tls", state);
    let idle: Vec<TcpStream> =
        (0..300).map(|_| TcpStream::connect(address).expect("the listener is open")).collect();
    let mut client = RawClient::tls(address, "a.localhost", pki.ca().root(), None);
    assert_eq!(client.get("a.localhost", "/").status(), 200);
    drop(client);
    for mut stream in idle {
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
        assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)), "closed without a word");
    }
    await_connections(&engine, |open| open == 0);
}

fn await_connections(engine: &TestEngine, reached: impl Fn(usize) -> bool) {
    let begun = Instant::now();
    while !reached(engine.engine.connections()) {
        assert!(begun.elapsed() < Duration::from_secs(10), "{} are open", engine.engine.connections());
        std::thread::yield_now();
    }
}
