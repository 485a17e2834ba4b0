//! The corpus against nginx: as a peer whose verdicts are recorded in the entries, behind our engine, and in
//! front of it. In every chain the last server sees what the rule demands and nothing else.

use handfast_net::{Hop, UpstreamTimeouts};
use handfast_testkit::client::converse;
use handfast_testkit::corpus::{Entry, load};
use handfast_testkit::{Forward, Recorder, TestEngine};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const NGINX: &str = "/usr/sbin/nginx";
const SECOND: &[u8] = b"GET /second HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

/// nginx as a proxy to one address, in a directory of its own.
struct Nginx {
    process: Child,
    address: SocketAddr,
    _prefix: tempfile::TempDir,
}

impl Nginx {
    fn before(upstream: SocketAddr) -> Self {
        let prefix = tempfile::tempdir().expect("a directory");
        let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = probe.local_addr().expect("bound");
        drop(probe);
        let config = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr crit;\n\
             events {{ worker_connections 256; }}\n\
             http {{ access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f;\n\
             uwsgi_temp_path u; scgi_temp_path s;\n\
             server {{ listen {address}; location / {{ proxy_pass http://{upstream};\n\
             proxy_http_version 1.1; proxy_set_header Host $host; }} }} }}\n"
        );
        std::fs::write(prefix.path().join("nginx.conf"), config).expect("a file");
        let process = Command::new(NGINX)
            .args(["-e", "stderr", "-c", "nginx.conf", "-p"])
            .arg(prefix.path())
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx is installed (package nginx-light)");
        let nginx = Self { process, address, _prefix: prefix };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "nginx listens");
            std::thread::yield_now();
        }
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }
}

fn corpus() -> Vec<Entry> {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/requests"))
}

fn demanded(entry: &Entry) -> Vec<String> {
    match entry.fact("serves") {
        "" => Vec::new(),
        first => vec![first.to_owned(), "GET /second".to_owned()],
    }
}

fn recorder(engine: &mut TestEngine) -> (Arc<Recorder>, SocketAddr) {
    let recorder = Arc::new(Recorder::default());
    let state = engine.state(recorder.clone(), None);
    let address = engine.listen("recorder", state);
    (recorder, address)
}

#[test]
fn nginx_serves_the_same_but_for_the_entries_that_say_why_not() {
    let mut engine = TestEngine::start(Hop::Wire);
    let (recorder, address) = recorder(&mut engine);
    let nginx = Nginx::before(address);
    let mut wrong = Vec::new();
    for entry in corpus() {
        converse(nginx.address, &[&entry.bytes, SECOND].concat());
        let served = recorder.take();
        let verdict = match (served == demanded(&entry), served.is_empty()) {
            (true, _) => "same",
            (false, true) => "refuses",
            (false, false) => "accepts",
        };
        if verdict != entry.fact("nginx") {
            wrong.push(format!("{}: nginx {verdict} {served:?}", entry.name));
        }
        let reasoned = entry.fact("nginx-why").is_empty();
        assert_eq!(entry.fact("nginx") == "same", reasoned, "{}: a difference has a reason", entry.name);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn before_nginx_our_engine_lets_through_what_the_rule_demands_and_nothing_else() {
    let mut engine = TestEngine::start(Hop::Wire);
    let (recorder, address) = recorder(&mut engine);
    let nginx = Nginx::before(address);
    let target = TestEngine::plain_target(nginx.address);
    let state = engine.state(Arc::new(Forward { target, timeouts: UpstreamTimeouts::default() }), None);
    let front = engine.listen("front", state);
    for entry in corpus() {
        converse(front, &[&entry.bytes, SECOND].concat());
        let served = recorder.take();
        // What nginx refuses itself never comes out at the other end.
        let refused_there = entry.fact("nginx") == "refuses";
        if refused_there {
            assert!(!served.contains(&entry.fact("serves").to_owned()), "{}: {served:?}", entry.name);
        } else {
            let demanded: Vec<String> = demanded(&entry).iter().map(|seen| normalised(seen)).collect();
            let served: Vec<String> = served.iter().map(|seen| normalised(seen)).collect();
            assert_eq!(served, demanded, "{}: {}", entry.name, entry.fact("rule"));
        }
    }
}

/// A target as nginx compares it.
fn normalised(seen: &str) -> String {
    seen.replace("/a/../", "/")
}

#[test]
fn behind_nginx_our_engine_sees_what_nginx_forwards() {
    let mut engine = TestEngine::start(Hop::Wire);
    let (recorder, address) = recorder(&mut engine);
    let target = TestEngine::plain_target(address);
    let state = engine.state(Arc::new(Forward { target, timeouts: UpstreamTimeouts::default() }), None);
    let middle = engine.listen("middle", state);
    let nginx = Nginx::before(middle);
    for entry in corpus() {
        converse(nginx.address, &[&entry.bytes, SECOND].concat());
        let served = recorder.take();
        match entry.fact("nginx") {
            "same" => assert_eq!(served, demanded(&entry), "{}", entry.name),
            "refuses" => assert!(!served.contains(&entry.fact("serves").to_owned()), "{}", entry.name),
            // Whatever nginx made of it, it is one request and the one behind it.
            _ => assert!(served.len() <= 2, "{}: {served:?}", entry.name),
        }
    }
}
