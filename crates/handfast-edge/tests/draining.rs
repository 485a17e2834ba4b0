//! Servers that leave their pool (edge specification §1.12): what they serve may go on for the drain time and is
//! then cut off, new requests go elsewhere, and affinity still leads to them meanwhile.

#[path = "support/gateway.rs"]
mod gateway;

use gateway::{Running, document};
use handfast_testkit::RawClient;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// A server that answers `GET /slow` with half of a body and the other half when it is told to, `/mute` never, an
/// upgrade with a word, and anything else whole.
struct Server {
    address: SocketAddr,
    seen: Arc<AtomicUsize>,
    finished: Arc<(Mutex<bool>, Condvar)>,
}

impl Server {
    fn start(address: &str, port: u16) -> Self {
        let listener = TcpListener::bind((address, port)).expect("a free address");
        let address = listener.local_addr().expect("bound");
        let seen = Arc::new(AtomicUsize::new(0));
        let finished = Arc::new((Mutex::new(false), Condvar::new()));
        let (count, end) = (seen.clone(), finished.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (count, end) = (count.clone(), end.clone());
                std::thread::spawn(move || serve(stream, &count, &end));
            }
        });
        Self { address, seen, finished }
    }

    /// Sends the second halves.
    fn finish(&self) {
        *self.finished.0.lock().expect("not poisoned") = true;
        self.finished.1.notify_all();
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, count: &AtomicUsize, (finished, told): &(Mutex<bool>, Condvar)) {
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        received.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&received).into_owned();
        if !text.contains("\r\n\r\n") {
            continue;
        }
        received.clear();
        if text.starts_with("GET /slow") || text.starts_with("GET /socket") || text.starts_with("GET /mute") {
            let answer = match text.as_str() {
                text if text.starts_with("GET /slow") => "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ",
                text if text.starts_with("GET /mute") => "",
                _ => {
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello"
                }
            };
            let _ = stream.write_all(answer.as_bytes());
            if text.starts_with("GET /slow") {
                let _told = told.wait_while(finished.lock().expect("not poisoned"), |finished| !*finished);
                let _ = stream.write_all(b"whole");
            }
            // Until the other side closes.
            let _ = stream.read_to_end(&mut received);
            return;
        }
        // Probes ask for "/".
        if !text.starts_with("GET / ") {
            count.fetch_add(1, Ordering::SeqCst);
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
}

/// A document over servers of one port, with affinity and a drain time of `seconds`.
fn with_servers(servers: &[&Server], seconds: u32) -> Value {
    let addresses: Vec<SocketAddr> = servers.iter().map(|server| server.address).collect();
    let mut body = document(&addresses);
    let settings = &mut body["properties"]["backendHttpSettingsCollection"][0]["properties"];
    settings["connectionDraining"] = json!({ "enabled": true, "drainTimeoutInSec": seconds });
    settings["cookieBasedAffinity"] = "Enabled".into();
    settings["requestTimeout"] = 120.into();
    body
}

fn two_servers() -> (Server, Server) {
    let first = Server::start("127.0.0.21", 0);
    let second = Server::start("127.0.0.22", first.address.port());
    (first, second)
}

#[test]
fn what_a_removed_server_still_serves_is_cut_off_after_its_drain_time() {
    let (old, new) = two_servers();
    let (mut edge, _) = Running::start(0, |_, _| with_servers(&[&old], 1));
    let front = edge.addresses[0];
    let [mut slow, mut mute, mut socket] =
        [RawClient::plain(front), RawClient::plain(front), RawClient::plain(front)];
    slow.send("GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert!(slow.response_head().starts_with("HTTP/1.1 200"));
    assert_eq!(slow.read_bytes(5), b"half ");
    mute.send("GET /mute HTTP/1.1\r\nHost: a.test\r\n\r\n");
    socket.send("GET /socket HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert!(socket.response_head().starts_with("HTTP/1.1 101"));
    assert_eq!(socket.read_bytes(5), b"hello");
    let started = Instant::now();
    edge.change(with_servers(&[&new], 1));
    assert_eq!(RawClient::plain(front).get("a.test", "/x").status(), 200);
    assert_eq!((old.seen(), new.seen()), (0, 1));
    slow.ends_with_reset();
    socket.ends_with_reset();
    assert_eq!(mute.response().status(), 502);
    assert!(started.elapsed() >= Duration::from_millis(990), "cut off after {:?}", started.elapsed());
    assert_eq!(RawClient::plain(front).get("a.test", "/x").status(), 200);
}

#[test]
fn affinity_reaches_a_leaving_server_and_one_that_comes_back_is_not_cut_off() {
    let (old, new) = two_servers();
    let (mut edge, _) = Running::start(0, |_, _| with_servers(&[&old], 1));
    let front = edge.addresses[0];
    let cookie = RawClient::plain(front).get("a.test", "/x");
    let cookie =
        cookie.field("set-cookie").and_then(|line| line.split(';').next()).expect("a cookie").to_owned();
    let ask = |path: &str| {
        let mut client = RawClient::plain(front);
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a.test\r\nCookie: {cookie}\r\n\r\n"));
        client
    };
    edge.change(with_servers(&[&new], 1));
    let answer = ask("/x").response();
    assert_eq!((answer.status(), answer.field("set-cookie")), (200, None));
    assert_eq!((old.seen(), new.seen()), (2, 0));
    let mut slow = ask("/slow");
    assert_eq!(slow.response_head().split("\r\n").next(), Some("HTTP/1.1 200 OK"));
    slow.ends_with_reset();
    let answer = ask("/x").response();
    assert!(answer.field("set-cookie").is_some(), "the time is over: another server, another cookie");
    assert_eq!((old.seen(), new.seen()), (2, 1));

    // Back in the pool before its time is over, it goes on; the other server, removed later, is cut off.
    edge.change(with_servers(&[&old], 1));
    let mut slow = ask("/slow");
    assert!(slow.response_head().starts_with("HTTP/1.1 200"));
    edge.change(with_servers(&[&new], 1));
    let mut other = RawClient::plain(front);
    other.send("GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert!(other.response_head().starts_with("HTTP/1.1 200"));
    edge.change(with_servers(&[&old], 1));
    other.ends_with_reset();
    old.finish();
    assert_eq!(slow.read_bytes(10), b"half whole");
}
