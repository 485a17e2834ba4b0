//! Every case of `cases/chain` through the whole chain, once over wire hops and once fused: equal answers,
//! equal headers, equal log records but for times, ports, ids and the field `hop`.

#[path = "support/world.rs"]
mod world;

use serde_json::{Map, Value};
use world::{Example, Services, Up, certificate, free_port, repository};

/// One block of a case file.
#[derive(Debug, Default)]
struct Case {
    title: String,
    client: String,
    key: String,
    headers: Vec<String>,
    method: String,
    target: String,
    body: Option<String>,
    status: String,
    has: Vec<String>,
    not: Vec<String>,
    reached: Option<usize>,
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(repository().join("cases/chain/shop.case")).expect("the case file");
    let lines = |block: &str| -> String {
        block.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
    };
    text.split("\n\n")
        .map(lines)
        .filter(|block| !block.trim().is_empty())
        .map(|block| parse(&block))
        .collect()
}

fn parse(block: &str) -> Case {
    let mut lines = block.lines();
    let mut case = Case { title: lines.next().expect("a title").to_owned(), ..Case::default() };
    let who = lines.next().expect("a client");
    for word in who.split("  ") {
        match word.split_once(' ').expect("a pair") {
            ("client", name) => case.client = name.to_owned(),
            ("key", key) => case.key = key.to_owned(),
            ("header", header) => case.headers.push(header.to_owned()),
            other => panic!("{other:?} in {:?}", case.title),
        }
    }
    let mut request = lines.next().expect("a request").splitn(3, ' ');
    case.method = request.next().expect("a method").to_owned();
    case.target = request.next().expect("a target").to_owned();
    case.body = request.next().map(str::to_owned);
    for line in lines {
        match line.split_once(' ').expect("a pair") {
            ("status", status) => case.status = status.to_owned(),
            ("has", text) => case.has.push(text.to_owned()),
            ("not", text) => case.not.push(text.to_owned()),
            ("reached", count) => case.reached = Some(count.parse().expect("a number")),
            other => panic!("{other:?} in {:?}", case.title),
        }
    }
    case
}

/// The answers of all cases, and the log.
fn run(hop: &str, port: u16, cases: &[Case]) -> (Vec<String>, Vec<Map<String, Value>>) {
    let (example, services) = (Example::copy(), Services::start());
    let log = example.path().join("requests.log");
    let log_path = log.to_str().expect("a path").to_owned();
    let up = Up::start_on(port, &example, &services, &["--no-watch", "--hop", hop, "--log", &log_path]);
    let key = example.parameter("subscriptionKey");
    let answers = cases.iter().map(|case| ask(&up, &services, &key, case, hop)).collect();
    assert!(up.stop("TERM").success(), "it ends in good order");
    let text = std::fs::read_to_string(log).expect("the log");
    (answers, text.lines().map(|line| comparable(serde_json::from_str(line).expect("JSON"))).collect())
}

fn ask(up: &Up, services: &Services, key: &str, case: &Case, hop: &str) -> String {
    let before = services.echo.seen();
    let url = up.url(&case.target);
    let mut arguments = vec!["--http1.1", "--request", &case.method, &url];
    let header = match case.key.as_str() {
        "right" => Some(format!("Ocp-Apim-Subscription-Key: {key}")),
        "wrong" => Some("Ocp-Apim-Subscription-Key: 00000000000000000000000000000000".to_owned()),
        _ => None,
    };
    let token = std::fs::read_to_string(certificate("partner.jwt")).expect("the partner's token");
    let headers: Vec<String> = header
        .into_iter()
        .chain(case.headers.iter().map(|one| one.replace("{partner.jwt}", &token)))
        .collect();
    for header in &headers {
        arguments.extend(["--header", header]);
    }
    if let Some(body) = &case.body {
        arguments.extend(["--data-binary", body, "--header", "Content-Type: application/json"]);
    }
    let answer = up.curl(&case.client, &arguments);
    let shown = format!("{} ({hop}):\n{answer}", case.title);
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {}", case.status)),
        "status {} is expected: {shown}",
        case.status
    );
    for text in &case.has {
        assert!(answer.to_lowercase().contains(&text.to_lowercase()), "{text:?} is expected: {shown}");
    }
    for text in &case.not {
        assert!(!answer.to_lowercase().contains(&text.to_lowercase()), "{text:?} is not expected: {shown}");
    }
    if let Some(reached) = case.reached {
        assert_eq!(services.echo.seen() - before, reached, "requests that arrived: {shown}");
    }
    answer
}

/// A log record without what must differ.
fn comparable(mut record: Map<String, Value>) -> Map<String, Value> {
    const DIFFER: &[&str] =
        &["timeStamp", "clientPort", "transactionId", "connection", "hop", "requestId", "correlationId"];
    record.retain(|name, _| {
        let lower = name.to_ascii_lowercase();
        !DIFFER.contains(&name.as_str())
            && !lower.contains("time")
            && !lower.contains("microseconds")
            && !lower.contains("duration")
            && !lower.contains("elapsed")
            && !lower.contains("latency")
    });
    for value in record.values_mut() {
        if let Value::Object(inner) = value {
            *inner = comparable(std::mem::take(inner));
        }
    }
    record
}

/// Parts of an answer that name what is made anew for each request or run.
fn without_ids(answer: &str) -> String {
    let differs = |line: &&str| {
        let line = line.to_ascii_lowercase();
        !["x-appgw-trace-id:", "x-original-host:", "x-forwarded-for:", "x-forwarded-port:", "host:"]
            .iter()
            .any(|start| line.starts_with(start))
    };
    answer.lines().filter(differs).map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_case_is_answered_alike_over_wire_and_fused_hops() {
    let cases = cases();
    assert!(cases.len() >= 16, "the case file is read");
    let port = free_port();
    let (wire, wire_log) = run("wire", port, &cases);
    let (fused, fused_log) = run("fused", port, &cases);
    for ((case, wire), fused) in cases.iter().zip(&wire).zip(&fused) {
        // Content-Length follows from the lines that are left out: ports have four or five digits.
        let comparable = |answer: &str| -> String {
            without_ids(answer)
                .lines()
                .filter(|line| !line.to_lowercase().starts_with("content-length"))
                .collect()
        };
        assert_eq!(comparable(wire), comparable(fused), "{}", case.title);
    }
    let (wire, fused) = (requests(&wire_log), requests(&fused_log));
    for (wire, fused) in wire.iter().zip(&fused) {
        assert_eq!(wire, fused);
    }
    assert_eq!(wire.len(), fused.len());
}

/// The records of the cases, in order of their text. Probes run on their own clock and are left out.
fn requests(log: &[Map<String, Value>]) -> Vec<String> {
    let mut lines: Vec<String> = log.iter().map(|record| Value::Object(record.clone()).to_string()).collect();
    lines.retain(|line| !line.contains("status-0123456789abcdef") && !line.contains("HealthProbeLog"));
    lines.sort();
    assert!(lines.len() > 20, "both roles have written their records");
    lines
}
