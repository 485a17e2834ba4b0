//! The corpus of good and hostile responses: a client of ours gets what the rule of each entry demands, the next
//! request gets its own answer and nothing that was left over, and where hyper's client does something else,
//! the entry says so and why.

use bytes::Bytes;
use handfast_net::{Hop, UpstreamTimeouts};
use handfast_testkit::corpus::{Entry, load};
use handfast_testkit::{Forward, RawClient, ScriptedUpstream, TestEngine};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const SECOND: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond";

fn corpus() -> Vec<Entry> {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/responses"))
}

fn method(entry: &Entry) -> &str {
    match entry.fact("method") {
        "" => "GET",
        method => method,
    }
}

/// What the rule demands: the answer, and whether the connection carries the next request.
fn demanded(entry: &Entry) -> (String, String) {
    (entry.fact("answer").to_owned(), entry.fact("connection").to_owned())
}

#[test]
fn every_response_is_relayed_or_refused_as_its_rule_demands() {
    let wrong: Vec<String> = corpus()
        .iter()
        .map(|entry| (entry, relay(entry)))
        .filter(|(entry, got)| *got != demanded(entry))
        .map(|(entry, got)| format!("{}: {got:?}; {}", entry.name, entry.fact("rule")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a client behind our engine sees of an entry, and on which connection its next request went.
fn relay(entry: &Entry) -> (String, String) {
    let carried_by = Arc::new(Mutex::new(None));
    let (bytes, closes, carrier) = (entry.bytes.clone(), entry.fact("closes") == "yes", carried_by.clone());
    let upstream = ScriptedUpstream::start(move |number, mut peer| {
        if number == 0 {
            peer.read_head();
            if !peer.write(&bytes) || closes {
                return;
            }
        }
        while peer.read_head().starts_with("GET /second ") {
            *carrier.lock().expect("not poisoned") = Some(number);
            if !peer.write(SECOND) {
                return;
            }
        }
    });
    let mut engine = TestEngine::start(Hop::Wire);
    let target = TestEngine::plain_target(upstream.address());
    let state = engine.state(Arc::new(Forward { target, timeouts: UpstreamTimeouts::default() }), None);
    let front = engine.listen("front", state);
    let mut client = RawClient::plain(front);
    client.send(format!("{} /first HTTP/1.1\r\nHost: a.test\r\n\r\n", method(entry)));
    let answer = match client.try_response_to(method(entry)) {
        None => "broken".to_owned(),
        Some(answer) if answer.status() == 502 => "502".to_owned(),
        Some(answer) => format!("{} {}", answer.status(), answer.text()).trim_end().to_owned(),
    };
    let second = RawClient::plain(front).get("a.test", "/second");
    assert_eq!(second.text(), "second", "{}: the next request gets its own answer", entry.name);
    let carrier = match *carried_by.lock().expect("not poisoned") {
        Some(0) => "kept",
        Some(_) => "new",
        None => "none",
    };
    (answer, carrier.to_owned())
}

#[test]
fn hyper_reads_the_same_but_for_the_entries_that_say_why_not() {
    // In memory, and on a clock that runs only when nothing else can.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let mut wrong = Vec::new();
    for entry in corpus() {
        let got = runtime.block_on(read_with_hyper(&entry));
        let ours = demanded(&entry);
        let fails = |answer: &str| matches!(answer, "502" | "broken");
        let verdict = match (got == ours, fails(&ours.0), fails(&got.0)) {
            (true, ..) => "same",
            (false, true, false) => "accepts",
            (false, false, true) => "refuses",
            (false, ..) => "differs",
        };
        if verdict != entry.fact("hyper") {
            wrong.push(format!("{}: hyper {verdict} {got:?}", entry.name));
        }
        if (verdict == "same") != entry.fact("hyper-why").is_empty() {
            wrong.push(format!("{}: a difference has a reason, and nothing else has", entry.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What hyper's client makes of an entry, and whether its connection carries the next request.
async fn read_with_hyper(entry: &Entry) -> (String, String) {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let serving = tokio::spawn(serve(theirs, entry.bytes.clone(), entry.fact("closes") == "yes"));
    let (mut sender, connection) = handshake(TokioIo::new(ours)).await.expect("a connection");
    let driving = tokio::spawn(connection);
    let answer = ask(&mut sender, method(entry), "/first").await;
    let kept = match sender.ready().await {
        Ok(()) => ask(&mut sender, "GET", "/second").await == "200 second",
        Err(_) => false,
    };
    driving.abort();
    serving.abort();
    (answer, if kept { "kept" } else { "new" }.to_owned())
}

async fn ask(sender: &mut SendRequest<Empty<Bytes>>, method: &str, path: &str) -> String {
    let request = hyper::Request::builder().method(method).uri(path).header("host", "a.test");
    let request = request.body(Empty::new()).expect("a request");
    // An entry that hyper takes for incomplete never ends.
    let patience = Duration::from_secs(60);
    let Ok(Ok(response)) = tokio::time::timeout(patience, sender.send_request(request)).await else {
        return "502".to_owned();
    };
    let (head, body) = response.into_parts();
    match tokio::time::timeout(patience, body.collect()).await {
        Ok(Ok(_)) if head.status.as_u16() == 101 => "502".to_owned(),
        Ok(Ok(body)) => {
            let body = body.to_bytes();
            format!("{} {}", head.status.as_u16(), String::from_utf8_lossy(&body)).trim_end().to_owned()
        }
        _ => "broken".to_owned(),
    }
}

/// Answers the first request with the entry, and others with [`SECOND`].
async fn serve(mut stream: DuplexStream, entry: Vec<u8>, closes: bool) {
    let mut answer = entry.as_slice();
    while read_head(&mut stream).await && stream.write_all(answer).await.is_ok() && !closes {
        answer = SECOND.as_bytes();
    }
}

async fn read_head(stream: &mut DuplexStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return false,
        }
    }
    true
}
