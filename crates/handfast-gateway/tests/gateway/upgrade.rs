//! Protocol upgrades go through to the backend and back.

use crate::world::{HOST, World};
use handfast_net::Hop;
use serde_json::json;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

/// What goes through the tunnel and comes back.
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npong";

/// A server that accepts one upgrade and then sends back what it gets.
fn upgrading() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).expect("a head");
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).to_lowercase();
            assert!(
                head.contains("upgrade: websocket\r\n") && head.contains("connection: upgrade\r\n"),
                "{head}"
            );
            stream
                .write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-From: backend\r\n\r\n")
                .expect("sent");
            let mut bytes = [0; ANSWER.len()];
            stream.read_exact(&mut bytes).expect("bytes");
            stream.write_all(&bytes).expect("sent");
        }
    });
    address
}

#[test]
fn an_upgrade_becomes_a_tunnel() {
    let mut world = World::new(Hop::Wire);
    let address = upgrading();
    let open = json!({ "subscriptionRequired": false, "serviceUrl": format!("http://{address}") });
    world.api("plain", open, &["GET /chat"]);
    let socket = json!({ "type": "websocket", "protocols": ["wss"], "subscriptionRequired": false,
        "serviceUrl": format!("ws://{address}/base") });
    world.api("socket", socket, &[]);
    world.serve();
    for target in ["/plain/chat", "/socket", "/socket/any/path"] {
        let mut client = world.client(None);
        client.send(format!(
            "GET {target} HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        ));
        let response = client.response();
        assert_eq!((response.status(), response.field("x-from")), (101, Some("backend")), "{target}");
        // The tunnel carries anything; an HTTP response is what this client can read.
        client.send(ANSWER);
        assert_eq!(client.response().text(), "pong", "{target}");
    }
    assert_eq!(world.get("/socket").status(), 404, "without an upgrade there is no operation");
}
