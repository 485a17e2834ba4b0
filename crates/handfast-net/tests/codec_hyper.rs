//! The corpus of good and hostile requests: our server does what the rule of each entry demands, and where
//! hyper does something else, the entry says so and why. Bodies and what follows them are compared too.

use bytes::Bytes;
use handfast_net::Hop;
use handfast_testkit::client::{converse, statuses};
use handfast_testkit::corpus::{Entry, load};
use handfast_testkit::{Recorder, TestEngine};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SECOND: &[u8] = b"GET /second HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

fn corpus() -> Vec<Entry> {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/requests"))
}

fn with_second(entry: &Entry) -> Vec<u8> {
    [&entry.bytes, SECOND].concat()
}

/// What must be served: the entry's request and the one behind it, or nothing at all.
fn demanded(entry: &Entry) -> Vec<String> {
    match entry.fact("serves") {
        "" => Vec::new(),
        first => vec![first.to_owned(), "GET /second".to_owned()],
    }
}

#[test]
fn every_entry_is_served_or_refused_as_its_rule_demands() {
    let mut engine = TestEngine::start(Hop::Wire);
    let recorder = Arc::new(Recorder::default());
    let state = engine.state(recorder.clone(), None);
    let address = engine.listen("plain", state);
    for entry in corpus() {
        let answer = converse(address, &with_second(&entry));
        assert_eq!(recorder.take(), demanded(&entry), "{}: {}", entry.name, entry.fact("rule"));
        let expected: u16 = match entry.fact("status") {
            "body" => 400,
            status => status.parse().expect("a status"),
        };
        let answered = statuses(&answer);
        assert_eq!(answered.first(), Some(&expected), "{}: {}", entry.name, entry.fact("rule"));
        let count = if expected == 200 { 2 } else { 1 };
        assert_eq!(answered.len(), count, "{}: nothing after a refused request is answered", entry.name);
    }
}

#[test]
fn hyper_serves_the_same_but_for_the_entries_that_say_why_not() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut wrong = Vec::new();
    for entry in corpus() {
        let served = runtime.block_on(serve_with_hyper(with_second(&entry)));
        let ours = demanded(&entry);
        let verdict = match (served == ours, served.is_empty()) {
            (true, _) => "same",
            (false, true) => "refuses",
            (false, false) => "accepts",
        };
        if verdict != entry.fact("hyper") {
            wrong.push(format!("{}: hyper {verdict} {served:?}", entry.name));
        }
        assert_eq!(
            entry.fact("hyper") == "same",
            entry.fact("hyper-why").is_empty(),
            "{}: a difference has a reason",
            entry.name
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What hyper's server hands to its service, over an in-memory stream.
async fn serve_with_hyper(bytes: Vec<u8>) -> Vec<String> {
    let served = Arc::new(Mutex::new(Vec::new()));
    let (mut ours, theirs) = tokio::io::duplex(1 << 20);
    let record = served.clone();
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let record = record.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let target = head.uri.path_and_query().map_or("", |target| target.as_str());
            let seen = format!("{} {target} {}", head.method, String::from_utf8_lossy(&body));
            record.lock().expect("not poisoned").push(seen.trim_end().to_owned());
            Ok::<_, hyper::Error>(hyper::Response::new(Full::new(Bytes::from_static(b"seen"))))
        }
    });
    let serving = tokio::spawn(
        hyper::server::conn::http1::Builder::new()
            .half_close(true)
            .serve_connection(TokioIo::new(theirs), service),
    );
    ours.write_all(&bytes).await.expect("room for the message");
    // A message that hyper takes for incomplete ends here and does not wait for more.
    ours.shutdown().await.expect("an open stream");
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(5), ours.read_to_end(&mut answer)).await;
    closed.expect("hyper answers or closes").expect("readable");
    drop(ours);
    let _ = serving.await.expect("no panic");
    let served = served.lock().expect("not poisoned");
    served.clone()
}
