//! Compares outcomes with expectations, line by line. An expected head names the header lines it is about;
//! others may be there too, unless `!Name` says that they must not.

use super::host::split;
use super::{Block, Exchange, Expectation, Mismatch, Outcome};
use crate::context::{Body, Context, ProxySelection};
use crate::machine::io::{BackendVersion, ForwardRequest, SendRequest};
use crate::trace::Detail;
use crate::view::message::response_of;
use bytes::Bytes;
use handfast_core::message::Fields;
use handfast_core::{Diagnostic, Place};
use handfast_expression::Value;

/// How a case writes a body without bytes.
const EMPTY_BODY: &str = "(empty body)";

/// A request as it went to the backend.
pub(super) struct Forwarded {
    first_line: String,
    fields: Fields,
    /// `@name value` lines about the exchange.
    options: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Forwarded {
    pub(super) fn new(forward: &ForwardRequest, context: &Context, received: &Bytes) -> Self {
        let backend = &forward.backend;
        let target = context.request.target.as_str();
        let url = match (&backend.backend_id, &backend.base_url) {
            (Some(id), _) => format!("backend:{id}{target}"),
            (None, Some(base)) => format!("{}{target}", base.trim_end_matches('/')),
            (None, None) => target.to_owned(),
        };
        let options = &forward.options;
        let certificate = backend.certificate.as_ref().map_or("none".to_owned(), |one| one.to_string());
        let version = match options.http_version {
            BackendVersion::Http1 => "1",
            BackendVersion::Http2 => "2",
            BackendVersion::Http2Or1 => "2or1",
        };
        Self {
            first_line: format!("{} {url}", context.request.method),
            fields: context.request.fields.clone(),
            options: vec![
                ("certificate", certificate),
                ("proxy", backend.proxy.as_ref().map_or_else(|| "none".to_owned(), proxy_text)),
                ("timeout-ms", options.timeout.as_millis().to_string()),
                ("http-version", version.to_owned()),
                ("follow-redirects", options.follow_redirects.to_string()),
                ("buffer-request-body", options.buffer_request_body.to_string()),
                ("buffer-response", options.buffer_response.to_string()),
                ("keeps-host", backend.keeps_host.to_string()),
            ],
            body: match &context.request_body {
                Body::Replace(bytes) => bytes.clone(),
                Body::Keep => received.clone(),
            },
        }
    }
}

/// The proxy, and the credentials that it gets.
fn proxy_text(proxy: &ProxySelection) -> String {
    let credentials = proxy.authorization.as_ref().map(|value| format!(" {}", value.expose()));
    format!("{}{}", proxy.url, credentials.unwrap_or_default())
}

/// A request of the document's own, every header line of it.
pub(super) fn sent_text(request: &SendRequest) -> String {
    let backend = request.backend_id.as_ref().map_or(String::new(), |id| format!("backend:{id}"));
    let mut text =
        format!("{} {backend}{}\n@timeout-ms {}\n", request.method, request.url, request.timeout.as_millis());
    if let Some(certificate) = &request.certificate {
        text.push_str(&format!("@certificate {certificate}\n"));
    }
    if let Some(proxy) = &request.proxy {
        text.push_str(&format!("@proxy {}\n", proxy_text(proxy)));
    }
    for (name, value) in request.fields.iter() {
        text.push_str(&format!("{}: {}\n", String::from_utf8_lossy(name), String::from_utf8_lossy(value)));
    }
    if let Body::Replace(body) = &request.body {
        text.push_str(&String::from_utf8_lossy(body));
    }
    text
}

/// Compares everything that is expected of one request.
pub(super) fn exchange(exchange: &Exchange, outcome: &Outcome) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    let mut forwards = outcome.forwards.iter();
    let mut sends = outcome.sends.iter();
    let mut expects_forwards = false;
    for (expectation, block) in &exchange.expectations {
        let found = match expectation {
            Expectation::Forward => {
                expects_forwards = true;
                forwards.next().map_or_else(
                    || mismatch(block, "forwarded request", lines(block), vec!["(not forwarded)".to_owned()]),
                    |forward| compare_forward(block, forward),
                )
            }
            Expectation::NoForward => {
                let first_lines = outcome.forwards.iter().map(|forward| forward.first_line.clone()).collect();
                mismatch(block, "forwarded requests", Vec::new(), first_lines)
            }
            Expectation::Response => compare_response(block, outcome),
            Expectation::Sent => {
                let first =
                    if sends.len() == 0 { Some("(not sent)".to_owned()) } else { sends.next().cloned() };
                mismatch(
                    block,
                    "sent request",
                    lines(block),
                    first.iter().flat_map(|text| text.lines()).map(str::to_owned).collect(),
                )
            }
            Expectation::Trace => mismatch(block, "trace", lines(block), trace(&outcome.context)),
            Expectation::Variables => mismatch(block, "variables", lines(block), variables(&outcome.context)),
            Expectation::LastError => {
                mismatch(block, "last error", lines(block), last_error(&outcome.context))
            }
            Expectation::Metrics => mismatch(block, "metrics", lines(block), outcome.metrics.clone()),
            Expectation::Logged => mismatch(block, "logged events", lines(block), outcome.logged.clone()),
            Expectation::Waits => {
                let waits = outcome.waits.iter().map(|wait| format!("{} s", wait.as_secs_f64())).collect();
                mismatch(block, "waits", lines(block), waits)
            }
        };
        mismatches.extend(found);
    }
    if expects_forwards && forwards.len() > 0 {
        mismatches.push(Mismatch {
            line: exchange.line,
            what: "more requests were forwarded than expected".to_owned(),
            expected: Vec::new(),
            actual: forwards.map(|forward| forward.first_line.clone()).collect(),
        });
    }
    mismatches
}

/// Compares what compiling said. Without an expectation nothing may be wrong.
pub(super) fn diagnostics(expected: Option<&Block>, actual: &[Diagnostic]) -> Vec<Mismatch> {
    let block = expected.cloned().unwrap_or_default();
    let with_help = block.text.lines().any(|line| line.trim_start().starts_with("help: "));
    let mut found = Vec::new();
    for diagnostic in actual {
        let (file, at) = match &diagnostic.place {
            Some(Place::Text { file, line, column }) => (file.as_str(), format!(" {line}:{column}")),
            _ => ("", String::new()),
        };
        let file = if file.is_empty() { String::new() } else { format!(" ({file})") };
        let severity = diagnostic.severity.as_str();
        found.push(format!("{severity} {}{at}{file} {}", diagnostic.code, diagnostic.message));
        if let (true, Some(help)) = (with_help, &diagnostic.help) {
            found.push(format!("  help: {help}"));
        }
    }
    mismatch(&block, "diagnostics", lines(&block), found).into_iter().collect()
}

fn compare_forward(block: &Block, forward: &Forwarded) -> Option<Mismatch> {
    let (head, body) = split(&block.text);
    let expected: Vec<String> = head.lines().map(str::to_owned).collect();
    let mut actual = vec![forward.first_line.clone()];
    for line in expected.iter().skip(1).filter(|line| line.starts_with('@')) {
        let name = line.get(1..).unwrap_or_default().split(' ').next().unwrap_or_default();
        let value = forward.options.iter().find(|(known, _)| *known == name);
        actual.push(format!("@{name} {}", value.map_or("(unknown)", |(_, value)| value)));
    }
    actual.extend(header_lines(&expected, &forward.fields));
    let (options, headers): (Vec<String>, Vec<String>) =
        expected.into_iter().skip(1).partition(|line| line.starts_with('@'));
    let mut sorted = vec![head.lines().next().unwrap_or_default().to_owned()];
    sorted.extend(options);
    sorted.extend(headers);
    with_body(block, "forwarded request", (sorted, body), (actual, &forward.body))
}

fn compare_response(block: &Block, outcome: &Outcome) -> Option<Mismatch> {
    let (head, body) = split(&block.text);
    let expected: Vec<String> = head.lines().map(str::to_owned).collect();
    let status = format!("{} {}", outcome.response.status, outcome.response.reason);
    let mut actual = vec![status.trim_end().to_owned()];
    actual.extend(header_lines(&expected, &outcome.response.fields));
    with_body(block, "response", (expected, body), (actual, &outcome.body))
}

/// The actual lines of the headers that the expected lines are about, in the same order.
fn header_lines(expected: &[String], fields: &Fields) -> Vec<String> {
    let mut seen: Vec<&str> = Vec::new();
    let mut out = Vec::new();
    for line in expected.iter().skip(1).filter(|line| !line.starts_with('@')) {
        let (name, absent) = match line.strip_prefix('!') {
            Some(name) => (name.trim(), true),
            None => (line.split(':').next().unwrap_or_default().trim(), false),
        };
        if seen.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            continue;
        }
        seen.push(name);
        let before = out.len();
        for value in fields.get_all(name.as_bytes()) {
            out.push(format!("{name}: {}", String::from_utf8_lossy(value)).trim_end().to_owned());
        }
        if out.len() == before && absent {
            out.push(format!("!{name}"));
        }
    }
    out
}

fn with_body(
    block: &Block,
    what: &str,
    (mut expected, body): (Vec<String>, Option<&str>),
    (mut actual, actual_body): (Vec<String>, &[u8]),
) -> Option<Mismatch> {
    if let Some(body) = body {
        expected.push(String::new());
        expected.extend(body.lines().map(str::to_owned));
        actual.push(String::new());
        let text = String::from_utf8_lossy(actual_body);
        let text = if text.is_empty() { EMPTY_BODY } else { text.trim_end_matches('\n') };
        actual.extend(text.lines().map(str::to_owned));
    }
    mismatch(block, what, expected, actual)
}

fn mismatch(block: &Block, what: &str, expected: Vec<String>, actual: Vec<String>) -> Option<Mismatch> {
    if expected == actual {
        return None;
    }
    Some(Mismatch { line: block.line, what: what.to_owned(), expected, actual })
}

fn lines(block: &Block) -> Vec<String> {
    block.text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn trace(context: &Context) -> Vec<String> {
    let line = |record: &crate::TraceRecord| {
        let scope = record.scope.map_or("-", crate::Scope::as_str);
        let text = |(name, detail): &(&str, Detail)| match detail {
            Detail::Text(text) => Some(format!("{name}: {text}")),
            Detail::Request { .. } | Detail::Response { .. } => None,
        };
        let details: Vec<String> = record.details.iter().filter_map(text).collect();
        let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join("; ")) };
        format!("{} {scope} {}: {}{details}", record.section.as_str(), record.path, record.message)
    };
    context.records.iter().map(line).collect()
}

/// Variables and the last error, as their sections write them.
pub(super) fn state(context: &Context) -> (Vec<String>, Vec<String>) {
    (variables(context), context.last_error.as_ref().map(|_| last_error(context)).unwrap_or_default())
}

fn variables(context: &Context) -> Vec<String> {
    let line = |(name, value): (&str, &Value)| match response_of(value) {
        Some(response) => format!("{name} = response {}", response.head.status),
        None if value.is_null() => format!("{name} = (null)"),
        None => format!("{name} = {}", value.to_text()).trim_end().to_owned(),
    };
    let text: Vec<String> = context.variables.iter().map(line).collect();
    text.iter().flat_map(|text| text.lines()).map(|line| line.trim_end().to_owned()).collect()
}

fn last_error(context: &Context) -> Vec<String> {
    let Some(error) = &context.last_error else { return vec!["(none)".to_owned()] };
    let mut out = vec![format!("Source: {}", error.source), format!("Reason: {}", error.reason)];
    let message = format!("Message: {}", error.message);
    out.extend(message.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned));
    out.extend(error.scope.map(|scope| format!("Scope: {}", scope.as_str())));
    out.extend(error.section.map(|section| format!("Section: {}", section.as_str())));
    out.extend(error.path.as_ref().map(|path| format!("Path: {path}")));
    out.extend(error.policy_id.as_ref().map(|id| format!("PolicyId: {id}")));
    out
}
