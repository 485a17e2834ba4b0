//! `proxy`: tunnels to `https` targets, the absolute form for `http` ones, and what a proxy refuses.

use crate::world::World;
use handfast_net::Hop;
use handfast_testkit::ScriptedUpstream;
use serde_json::json;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// A forward proxy on loopback, with the heads that it got.
struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = heads.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = seen.clone();
                std::thread::spawn(move || serve(stream, &seen));
            }
        });
        Self { address, heads }
    }

    fn heads(&self) -> Vec<String> {
        std::mem::take(&mut *self.heads.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One connection: a tunnel to a port of this machine, or requests that are answered here.
fn serve(mut client: TcpStream, seen: &Mutex<Vec<String>>) {
    loop {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            match client.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(head.clone());
        let Some(authority) = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()) else {
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nby proxy");
            continue;
        };
        let port: u16 = authority.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the server listens");
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").expect("the client waits");
        let (mut from_client, mut to_server) =
            (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
        std::thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
        let _ = std::io::copy(&mut server, &mut client);
        return;
    }
}

/// An open API `a` with these inbound policies, and why a request failed in `X-Why`.
fn world(service_url: impl FnOnce(&mut World) -> String, policies: &str) -> World {
    let mut world = World::new(Hop::Wire);
    let url = service_url(&mut world);
    world.api("a", json!({ "serviceUrl": url, "subscriptionRequired": false }), &["GET /{x}"]);
    let text = format!(
        "<policies><inbound><base />{policies}</inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /><set-header name=\"X-Why\"><value>@(context.LastError.Message)</value></set-header></on-error></policies>"
    );
    world.policy("apis/a", &text);
    world.serve();
    world
}

#[test]
fn a_tunnel_leads_to_a_tls_backend_and_is_kept_for_the_next_request() {
    let proxy = Proxy::start();
    let policy = format!("<proxy url=\"http://{}\" username=\"user\" password=\"pass\" />", proxy.address);
    let mut own = World::new(Hop::Wire);
    let (url, echo) = own.upstream("svc.localhost", false);
    own.api("a", json!({ "serviceUrl": url, "subscriptionRequired": false }), &["GET /{x}"]);
    own.policy("apis/a", &format!("<policies><inbound><base />{policy}</inbound></policies>"));
    own.serve();
    for path in ["/a/one", "/a/two"] {
        let text = own.get(path).text();
        assert!(!text.to_ascii_lowercase().contains("proxy-authorization"), "{text}");
    }
    assert_eq!(echo.seen(), 2);
    let authority = url.trim_start_matches("https://");
    let expected = format!(
        "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n"
    );
    let heads = proxy.heads();
    assert!(!heads.is_empty() && heads.iter().all(|head| *head == expected), "{heads:?}");
}

#[test]
fn a_plain_backend_is_asked_for_in_the_absolute_form() {
    let proxy = Proxy::start();
    let policy = format!("<proxy url=\"http://{}/\" username=\"user\" password=\"pass\" />", proxy.address);
    let world = world(|_| "http://nowhere.test:81/base".to_owned(), &policy);
    assert_eq!(world.get("/a/x?y=1").text(), "by proxy");
    let heads = proxy.heads();
    let head = heads.first().expect("a request");
    assert!(head.starts_with("GET http://nowhere.test:81/base/x?y=1 HTTP/1.1\r\n"), "{head}");
    let lower = head.to_ascii_lowercase();
    assert!(lower.contains("\r\nhost: nowhere.test:81\r\n"), "{head}");
    assert!(head.contains("\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n"), "{head}");
}

#[test]
fn a_proxy_that_wants_ntlm_is_named_whether_it_tunnels_or_not() {
    let ntlm = ScriptedUpstream::start(|_, mut peer| {
        peer.read_head();
        peer.write("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n");
    });
    for scheme in ["http", "https"] {
        let policy = format!("<proxy url=\"http://{}\" />", ntlm.address());
        let world = world(|_| format!("{scheme}://nowhere.test"), &policy);
        let response = world.get("/a/x");
        let why = response.field("x-why").unwrap_or_default().to_owned();
        assert_eq!(response.status(), 500);
        assert!(why.ends_with("the proxy wants NTLM (407); only Basic is spoken"), "{why}");
    }
}

#[test]
fn a_request_of_the_documents_own_has_a_proxy_of_its_own() {
    let proxy = Proxy::start();
    let send = format!(
        "<send-request response-variable-name=\"r\"><set-url>http://nowhere.test/q</set-url><proxy url=\"http://{}\" /></send-request>\
         <return-response><set-body>@(((IResponse)context.Variables[\"r\"]).Body.As<string>())</set-body></return-response>",
        proxy.address
    );
    let world = world(|_| "http://svc.localhost".to_owned(), &send);
    assert_eq!(world.get("/a/x").text(), "by proxy");
    let heads = proxy.heads();
    assert!(heads.iter().all(|head| head.starts_with("GET http://nowhere.test/q HTTP/1.1\r\n")), "{heads:?}");
}
