//! Heap allocations per keep-alive request through one plain hop. Client and server of this test allocate
//! nothing themselves, so what is counted is the engine's and the forwarding role's.

use handfast_net::{Hop, UpstreamTimeouts};
use handfast_testkit::{Forward, TestEngine};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const REQUESTS: usize = 2000;
const REQUEST: &[u8] = b"GET /a/b?c=d HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\nUser-Agent: test\r\nX-A: b\r\nX-C: d\r\nX-E: f\r\n\r\n";
const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-A: b\r\nX-C: d\r\nContent-Length: 10\r\n\r\n0123456789";
/// Measured, and a fifth more.
const ALLOCATIONS_MAX: f64 = 4.8;

#[test]
fn a_request_allocates_little() {
    let server = answering_server();
    let mut engine = TestEngine::start(Hop::Wire);
    let target = TestEngine::plain_target(server);
    let state = engine.state(Arc::new(Forward { target, timeouts: UpstreamTimeouts::default() }), None);
    let front = engine.listen("front", state);
    let mut client = TcpStream::connect(front).expect("open");
    client.set_nodelay(true).expect("a socket");
    let mut buffer = [0u8; 4096];
    for _ in 0..50 {
        exchange(&mut client, &mut buffer);
    }
    let region = Region::new(ALLOCATOR);
    for _ in 0..REQUESTS {
        exchange(&mut client, &mut buffer);
    }
    let change = region.change();
    let count = (change.allocations + change.reallocations) as f64 / REQUESTS as f64;
    let bytes = change.bytes_allocated as f64 / REQUESTS as f64;
    let _ =
        std::io::stderr().write_fmt(format_args!("{count:.2} allocations, {bytes:.0} bytes per request\n"));
    assert!(count <= ALLOCATIONS_MAX, "{count} allocations per request");
}

fn exchange(client: &mut TcpStream, buffer: &mut [u8]) {
    client.write_all(REQUEST).expect("open");
    let mut filled = 0;
    while !buffer[..filled].ends_with(b"0123456789") {
        let count = client.read(&mut buffer[filled..]).expect("an answer");
        assert!(count > 0, "the connection stays open");
        filled += count;
    }
}

fn answering_server() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().expect("a connection");
        peer.set_nodelay(true).expect("a socket");
        let mut buffer = [0u8; 4096];
        // Requests come whole and one at a time.
        while peer.read(&mut buffer).is_ok_and(|count| count > 0) {
            peer.write_all(RESPONSE).expect("open");
        }
    });
    address
}
