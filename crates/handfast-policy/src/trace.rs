//! Trace records: what each step of a request did, for people, and the document that tools fetch
//! (specification 7.2). Collected only while [`crate::Context::trace`] is on; the elapsed time is the host's.
//!
//! Values of named values appear in a trace, secret ones too: who may see it is for the host to decide. What the host
//! has told [`Context::hide`] appears nowhere.

use crate::context::Context;
use crate::section::{Scope, Section};
use crate::view::described_url;
use handfast_core::UnixTime;
use handfast_core::message::{Fields, ResponseHead};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceRecord {
    /// The policy's element name or the built-in step.
    pub source: &'static str,
    /// The section that ran.
    pub section: Section,
    /// The scope of the document that the policy stands in.
    pub scope: Option<Scope>,
    /// The position in its section, `choose[2]/when[1]/set-header`.
    pub path: Arc<str>,
    /// Time since receipt of the request.
    pub elapsed: Duration,
    /// What happened.
    pub message: Cow<'static, str>,
    /// What it happened with, by name.
    pub details: Vec<(&'static str, Detail)>,
}

/// Something that a step worked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A text, such as an expression or its value.
    Text(String),
    /// A request as it leaves.
    Request {
        /// The method.
        method: String,
        /// Where it goes, as far as policies have said it.
        url: String,
        /// The header lines.
        headers: Vec<(String, String)>,
    },
    /// The head of a response.
    Response {
        /// The status code.
        status: u16,
        /// The reason phrase.
        reason: String,
        /// The header lines.
        headers: Vec<(String, String)>,
    },
}

impl Detail {
    /// A text.
    pub(crate) fn text(text: impl AsRef<str>) -> Self {
        Self::Text(text.as_ref().to_owned())
    }

    /// Everything that it says, apart from names.
    pub(crate) fn texts_mut(&mut self) -> Vec<&mut String> {
        match self {
            Self::Text(text) => vec![text],
            Self::Request { url, headers, .. } => {
                headers.iter_mut().map(|(_, value)| value).chain([url]).collect()
            }
            Self::Response { headers, .. } => headers.iter_mut().map(|(_, value)| value).collect(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Request { method, url, headers } => {
                json!({ "method": method, "url": url, "headers": headers_json(headers) })
            }
            Self::Response { status, reason, headers } => {
                json!({ "status": { "code": status, "reason": reason }, "headers": headers_json(headers) })
            }
        }
    }
}

/// Header lines as text, in order.
pub(crate) fn header_lines(fields: &Fields) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    fields.iter().map(|(name, value)| (text(name), text(value))).collect()
}

fn headers_json(headers: &[(String, String)]) -> Value {
    headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

/// The trace of a request as a JSON document: its id and the entries of each section that has some. `sent` is the
/// response as it goes to the client, when the host knows it.
pub fn trace_document(context: &Context, sent: Option<&ResponseHead>) -> String {
    let mut sections = Map::new();
    for section in Section::ALL {
        let mut entries = Vec::new();
        if section == Section::Inbound {
            entries.extend(received(context));
        }
        let records = context.records.iter().filter(|record| record.section == section);
        entries.extend(records.map(|record| entry(context, record)));
        if section == last_section(context) {
            entries.extend(sent.map(|head| transfer(context, head)));
        }
        if !entries.is_empty() {
            sections.insert(section.as_str().to_owned(), Value::Array(entries));
        }
    }
    json!({ "traceId": context.request_id, "traceEntries": sections }).to_string()
}

/// What came in and what it was matched to: the first entries.
fn received(context: &Context) -> Vec<Value> {
    let shown = |text: &str| context.without_hidden(Cow::Borrowed(text)).into_owned();
    let headers = context.received_headers.as_deref().unwrap_or_default().iter();
    let headers: Vec<_> = headers.map(|(name, value)| (name.clone(), shown(value))).collect();
    let method = context.original_method.as_ref().map_or("", |method| method.as_str());
    let request = json!({
        "method": method,
        "url": shown(&context.original_url),
        "headers": headers_json(&headers),
    });
    let api = context.api.as_ref().map(|api| {
        json!({
            "from": format!("/{}", api.path),
            "to": api.service_url.as_deref().and_then(described_url),
            "version": api.version,
            "revision": api.revision,
        })
    });
    let operation = context.operation.as_ref();
    let operation = operation.map(|one| json!({ "method": one.method, "uriTemplate": one.url_template }));
    let or_dash = |value: Option<Value>| value.unwrap_or_else(|| Value::from("-"));
    let user = context.user.as_ref().map(|user| {
        let groups: Vec<&str> = user.groups.iter().map(|group| group.name.as_str()).collect();
        json!({ "id": user.id, "groups": groups })
    });
    let product = context.product.as_ref().map(|product| json!({ "id": product.id }));
    let configuration = json!({
        "api": api,
        "operation": operation,
        "user": or_dash(user),
        "product": or_dash(product),
    });
    [json!({ "request": request }), json!({ "configuration": configuration })]
        .map(|data| envelope(context, "api-inspector", Duration::ZERO, data))
        .to_vec()
}

/// The section that the request ended in, as far as it can be told.
fn last_section(context: &Context) -> Section {
    if context.last_error.is_some() { Section::OnError } else { Section::Outbound }
}

/// The last entry: what the client is sent.
fn transfer(context: &Context, head: &ResponseHead) -> Value {
    let hidden = |(name, value): (String, String)| {
        let value = context.without_hidden(Cow::Owned(value)).into_owned();
        (name, value)
    };
    let headers: Vec<_> = header_lines(&head.fields).into_iter().map(hidden).collect();
    let response = json!({
        "status": { "code": head.status, "reason": &*head.reason },
        "headers": headers_json(&headers),
    });
    let data = json!({ "message": "Response is being sent to the caller.", "response": response });
    envelope(context, "transfer-response", context.elapsed, data)
}

fn entry(context: &Context, record: &TraceRecord) -> Value {
    let mut data = Map::new();
    data.insert("message".to_owned(), Value::from(&*record.message));
    for (name, detail) in &record.details {
        data.insert((*name).to_owned(), detail.json());
    }
    if let Some(scope) = record.scope {
        data.insert("scope".to_owned(), Value::from(scope.as_str()));
    }
    data.insert("path".to_owned(), Value::from(&*record.path));
    envelope(context, record.source, record.elapsed, Value::Object(data))
}

fn envelope(context: &Context, source: &str, elapsed: Duration, data: Value) -> Value {
    json!({
        "source": source,
        "timestamp": timestamp(context, elapsed),
        "elapsed": time_span(elapsed),
        "data": data,
    })
}

/// RFC 3339 in UTC with seven decimals.
fn timestamp(context: &Context, elapsed: Duration) -> String {
    let nanos = u64::from(context.received_nanos) + u64::from(elapsed.subsec_nanos());
    let seconds = elapsed.as_secs() + nanos / 1_000_000_000;
    let time = context.received.plus(Duration::from_secs(seconds));
    let (year, month, day, hour, minute, second) = UnixTime::civil(time);
    let ticks = nanos % 1_000_000_000 / 100;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ticks:07}Z")
}

/// .NET's form of a time span below a day: `hh:mm:ss.fffffff`.
fn time_span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:07}", seconds % 60, span.subsec_nanos() / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_has_the_envelope_that_tools_read() {
        let record = TraceRecord {
            source: "set-header",
            section: Section::Outbound,
            scope: Some(Scope::Api),
            path: "choose/when/set-header".into(),
            elapsed: Duration::new(1, 21_647_400),
            message: "done".into(),
            details: vec![("value", Detail::text("v"))],
        };
        let context = Context {
            request_id: "id".to_owned(),
            received: UnixTime(1_767_225_599),
            received_nanos: 999_999_900,
            records: vec![record],
            ..Context::default()
        };
        let document: Value = serde_json::from_str(&trace_document(&context, None)).expect("JSON");
        assert_eq!(document["traceId"], "id");
        assert_eq!(document["traceEntries"]["inbound"][0]["source"], "api-inspector");
        assert!(document["traceEntries"]["backend"].is_null());
        assert_eq!(
            document["traceEntries"]["outbound"][0],
            json!({
                "source": "set-header",
                "timestamp": "2026-01-01T00:00:01.0216473Z",
                "elapsed": "00:00:01.0216474",
                "data": { "message": "done", "value": "v", "scope": "api", "path": "choose/when/set-header" },
            })
        );
    }
}
