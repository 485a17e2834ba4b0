//! What an edge does with the servers of a pool: turns, probes that take one out and bring it back, upgraded
//! connections, and load balancers in front that name the client.

#[path = "support/gateway.rs"]
mod gateway;

use gateway::{Running, child, document};
use handfast_testkit::client::converse;
use handfast_testkit::{Peer, RawClient, ScriptedUpstream};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How a server answers its probes.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Fine,
    /// 503.
    Down,
    /// 200, and a body that says otherwise.
    Ill,
}

/// Servers at 127.0.0.1, 127.0.0.2 …, on one port. Each answers with the last number of its address.
struct Servers {
    moods: Arc<Mutex<Vec<Mood>>>,
    addresses: Vec<SocketAddr>,
    _upstreams: Vec<ScriptedUpstream>,
}

impl Servers {
    fn start(count: u8) -> Self {
        let moods = Arc::new(Mutex::new(vec![Mood::Fine; usize::from(count)]));
        let script = |index: usize| {
            let moods = moods.clone();
            move |_: usize, mut peer: Peer| serve(&mut peer, index, &moods)
        };
        let first = ScriptedUpstream::start(script(0));
        let port = first.address().port();
        let mut upstreams = vec![first];
        for index in 1..count {
            let address = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 1 + index), port));
            upstreams.push(ScriptedUpstream::start_at(address, script(usize::from(index))));
        }
        let addresses = upstreams.iter().map(ScriptedUpstream::address).collect();
        Self { moods, addresses, _upstreams: upstreams }
    }

    fn set(&self, index: usize, mood: Mood) {
        self.moods.lock().expect("not poisoned")[index] = mood;
    }
}

fn serve(peer: &mut Peer, index: usize, moods: &Mutex<Vec<Mood>>) {
    loop {
        let head = peer.read_head();
        let mood = moods.lock().expect("not poisoned")[index];
        let (status, body) = match (head.split(' ').nth(1), mood) {
            (None, _) => return,
            (Some("/probe"), Mood::Down) => ("503 Service Unavailable", "fine".to_owned()),
            (Some("/probe"), Mood::Ill) => ("200 OK", "ill".to_owned()),
            (Some("/probe"), Mood::Fine) => ("200 OK", "all is fine".to_owned()),
            (Some(_), _) => ("200 OK", (index + 1).to_string()),
        };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        if !peer.write(answer) {
            return;
        }
    }
}

fn with_probe(servers: &Servers) -> Value {
    let mut body = document(&servers.addresses);
    body["properties"]["probes"] = json!([ { "name": "probe", "properties": {
        "protocol": "Http", "host": "probe.test", "path": "/probe", "interval": 1, "timeout": 1,
        "unhealthyThreshold": 1, "match": { "body": "fine", "statusCodes": ["200-299"] } } } ]);
    body["properties"]["backendHttpSettingsCollection"][0]["properties"]["probe"] = child("probes", "probe");
    body
}

/// Which servers a round of requests reaches.
fn reached(client: &mut RawClient) -> BTreeSet<String> {
    (0..9).map(|_| client.get("a.test", "/").text()).collect()
}

/// Asks until exactly these servers are reached: probes run on their own clock.
fn until(client: &mut RawClient, wanted: &[&str], when: &str) {
    let wanted: BTreeSet<String> = wanted.iter().map(|&server| server.to_owned()).collect();
    let deadline = Instant::now() + Duration::from_secs(20);
    while reached(client) != wanted {
        assert!(Instant::now() < deadline, "{when}: {wanted:?} and no others are reached");
        std::thread::yield_now();
    }
}

#[test]
fn requests_take_turns_over_all_servers() {
    let servers = Servers::start(3);
    let (edge, _) = Running::start(0, |_, _| document(&servers.addresses));
    let mut client = RawClient::plain(edge.addresses[0]);
    let turns: Vec<String> = (0..9).map(|_| client.get("a.test", "/").text()).collect();
    let mut counts = [0; 3];
    for turn in &turns {
        counts[turn.parse::<usize>().expect("a number") - 1] += 1;
    }
    assert_eq!(counts, [3, 3, 3], "{turns:?}");
}

#[test]
fn a_server_whose_probe_fails_by_status_or_body_gets_no_request_until_it_recovers() {
    let servers = Servers::start(3);
    let (edge, _) = Running::start(0, |_, _| with_probe(&servers));
    assert_eq!(edge.plan.probers().len(), 1);
    for prober in edge.plan.probers() {
        edge.engine.engine.spawn(0, move |core| prober.start(&core));
    }
    let mut client = RawClient::plain(edge.addresses[0]);
    until(&mut client, &["1", "2", "3"], "all are fine");
    servers.set(1, Mood::Down);
    until(&mut client, &["1", "3"], "the second is down by status");
    servers.set(0, Mood::Ill);
    until(&mut client, &["3"], "the first is ill by body");
    servers.set(1, Mood::Fine);
    until(&mut client, &["2", "3"], "the second recovers");
    servers.set(0, Mood::Fine);
    until(&mut client, &["1", "2", "3"], "all are fine again");
}

#[test]
fn without_a_healthy_server_the_answer_is_502() {
    let servers = Servers::start(2);
    let (edge, _) = Running::start(0, |_, _| with_probe(&servers));
    servers.set(0, Mood::Down);
    servers.set(1, Mood::Down);
    for prober in edge.plan.probers() {
        edge.engine.engine.spawn(0, move |core| prober.start(&core));
    }
    let mut client = RawClient::plain(edge.addresses[0]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while client.get("a.test", "/").status() != 502 {
        assert!(Instant::now() < deadline, "the pool has no healthy server");
        std::thread::yield_now();
    }
    servers.set(0, Mood::Fine);
    while client.get("a.test", "/").status() != 200 {
        assert!(Instant::now() < deadline, "the first server recovers");
        std::thread::yield_now();
    }
}

#[test]
fn a_websocket_goes_through_the_edge_in_both_directions() {
    let upstream = ScriptedUpstream::start(|_, mut peer| {
        let head = peer.read_head();
        assert!(head.contains("X-Original-Host: a.test") && head.contains("X-Forwarded-For: "), "{head}");
        peer.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello",
        );
        while let Some(byte) = peer.read_bytes(1) {
            if !peer.write(byte) {
                return;
            }
        }
    });
    let (edge, _) = Running::start(0, |_, _| document(&[upstream.address()]));
    let mut client = RawClient::plain(edge.addresses[0]);
    client
        .send("GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nahead");
    let answer = client.response();
    assert_eq!((answer.status(), answer.field("upgrade")), (101, Some("websocket")));
    assert_eq!(client.read_bytes(10), b"helloahead");
    client.send("more");
    assert_eq!(client.read_bytes(4), b"more");
    client.finish_sending();
    assert!(client.is_closed());
}

#[test]
fn a_trusted_load_balancer_names_the_client_in_both_versions_of_its_header() {
    let (edge, _echo) = Running::start(1, |_, backends| {
        let mut body = document(backends);
        body["tags"] = json!({ "handfast:httpListeners:web:trustedProxies": "127.0.0.0/8" });
        body
    });
    let get = "GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: close\r\n\r\n";
    let text = format!("PROXY TCP4 192.0.2.7 198.51.100.2 56324 80\r\n{get}");
    let mut binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24".to_vec();
    binary.extend("2001:db8::7".parse::<std::net::Ipv6Addr>().expect("an address").octets());
    binary.extend("2001:db8::2".parse::<std::net::Ipv6Addr>().expect("an address").octets());
    binary.extend([0xdc, 0x04, 0, 80]);
    binary.extend_from_slice(get.as_bytes());
    for (bytes, client) in [(text.as_bytes(), "192.0.2.7:56324"), (&binary, "2001:db8::7")] {
        let answer = String::from_utf8_lossy(&converse(edge.addresses[0], bytes)).into_owned();
        let forwarded = answer.lines().find(|line| line.starts_with("X-Forwarded-For: "));
        let forwarded = forwarded.unwrap_or_else(|| panic!("{client}: {answer}"));
        assert!(forwarded.starts_with("X-Forwarded-For: 203.0.113.9, "), "{forwarded}");
        assert!(forwarded.contains(client), "{forwarded}");
    }
    assert_eq!(converse(edge.addresses[0], get.as_bytes()), b"", "the header is mandatory");
}
