//! Requests whose steps are recorded (specification 7.1): who may ask for it, with what, and where the record can be
//! fetched.
//!
//! Two ways: `Apim-Debug-Authorization` with a token of `listDebugCredentials`, answered by `Apim-Trace-Id`; and the
//! older `Ocp-Apim-Trace: true` with the key of a subscription that allows tracing, answered by
//! `Ocp-Apim-Trace-Location`. A location is a path of the gateway itself, because there is no storage account; its
//! ticket opens that one trace. Without permission a request is served as if it had not asked. Both headers end here:
//! neither policies nor backends see them (unverified).
//!
//! A request that does not ask costs one look over its header names. The subscription key, `Authorization` and the
//! debug token stand in no trace; values of named values do, as with the real service.

mod store;
mod token;

pub(crate) use store::Traces;
pub use token::{DebugError, DebugKey, debug_credentials};

use crate::answers;
use crate::keys::Subscription;
use crate::plan::ApiService;
use crate::router::{decode, query_value};
use handfast_core::message::{Fields, RequestHead};
use handfast_core::{Secret, UnixTime};
use handfast_net::Response;
use handfast_policy::{Context, trace_document};
use token::Verdict;

const TOKEN: &str = "Apim-Debug-Authorization";
const LEGACY: &str = "Ocp-Apim-Trace";
/// Where a trace can be fetched, before its id.
const PATH: &str = "/internal-trace-0123456789abcdef/";

/// What a request asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    token: Option<String>,
    legacy: bool,
}

/// What it gets.
#[derive(Debug, Default)]
pub(crate) struct Debugging {
    by_token: bool,
    by_subscription: bool,
    /// Why the token opens nothing: name and value of a response header.
    refused: Option<(&'static str, String)>,
}

/// A request whose API is known, as far as tracing asks about it.
pub(crate) struct Asking<'a> {
    pub(crate) service: &'a ApiService,
    pub(crate) subscription: Option<&'a Subscription>,
    pub(crate) now: UnixTime,
}

impl Asked {
    /// Takes the question out of a header; none is the usual case.
    pub(crate) fn take(fields: &mut Fields) -> Option<Self> {
        if !fields.iter().any(|(name, _)| is_one(name)) {
            return None;
        }
        let asked = Self {
            token: fields.get_str(TOKEN).map(|token| token.trim().to_owned()),
            legacy: fields.get_str(LEGACY).is_some_and(|value| value.trim().eq_ignore_ascii_case("true")),
        };
        fields.retain(|name, _| !is_one(name));
        Some(asked)
    }

    /// Judges the question, and begins to record when something allows it.
    pub(crate) fn judge(self, asking: &Asking<'_>, head: &RequestHead, context: &mut Context) -> Debugging {
        let Self { token, legacy } = self;
        let mut debugging = Debugging::default();
        let Some(api) = context.api.clone() else { return debugging };
        let service = asking.service;
        if let Some(token) = &token {
            match service.debug_key.judge(token, &service.id, &api.id, asking.now) {
                Verdict::Granted => debugging.by_token = true,
                Verdict::Expired(ends) => {
                    debugging.refused = Some(("Apim-Debug-Authorization-Expired", expired(ends)));
                }
                Verdict::OtherApi(other) => {
                    debugging.refused =
                        Some(("Apim-Debug-Authorization-WrongAPI", wrong_api(&other, &api.id)));
                }
                Verdict::Unknown => {}
            }
        }
        debugging.by_subscription = legacy && asking.subscription.is_some_and(Subscription::may_trace);
        if debugging.is_on() {
            context.trace = true;
            hide_credentials(head, context);
        }
        debugging
    }
}

impl Debugging {
    fn is_on(&self) -> bool {
        self.by_token || self.by_subscription
    }

    /// Keeps the trace and tells the client where it is.
    pub(crate) fn finish(
        self,
        service: &ApiService,
        context: &Context,
        response: &mut Response,
        now_ms: u64,
    ) {
        let id = context.request_id.as_str();
        if self.is_on() {
            let api = context.api.as_ref().map_or("", |api| api.id.as_str());
            let document = trace_document(context, Some(&response.head));
            service.shared.traces.keep(service.id.key(), id, (api, document), now_ms);
        }
        let fields = &mut response.head.fields;
        // Each value was made here or is an API's name: none is refused.
        if self.by_token {
            let _ = fields.set(b"Apim-Trace-Id", id.as_bytes());
        }
        if self.by_subscription {
            let origin = context.original_url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
            let location = format!("{origin}{PATH}{id}?ticket={}", service.debug_key.ticket(&service.id, id));
            let _ = fields.set(b"Ocp-Apim-Trace-Location", location.as_bytes());
        }
        if let Some((name, value)) = self.refused {
            let _ = fields.set(name.as_bytes(), value.as_bytes());
        }
    }
}

/// The answer to a request for a trace; `None` when it is for something else.
///
/// A trace is opened by the ticket of its location, or by a debug token of its API.
pub(crate) fn fetched(service: &ApiService, head: &RequestHead, now_ms: u64) -> Option<Response> {
    let id = head.target.path().strip_prefix(PATH)?;
    let ticket = head.target.query().and_then(|query| query_value(query, "ticket")).map(decode);
    let opened = || {
        let trace = service.shared.traces.find(service.id.key(), id, now_ms)?;
        if ticket.is_some_and(|ticket| service.debug_key.opens(&ticket, &service.id, id)) {
            return Some(trace);
        }
        let now = UnixTime(i64::try_from(now_ms / 1000).unwrap_or(i64::MAX));
        let token = head.fields.get_str(TOKEN)?;
        let verdict = service.debug_key.judge(token, &service.id, &trace.api, now);
        (verdict == Verdict::Granted).then_some(trace)
    };
    Some(match opened() {
        Some(trace) => {
            let mut response = Response::full(200, "application/json", trace.document.to_string());
            let _ = response.head.fields.set(b"Cache-Control", b"no-store");
            response
        }
        None => answers::not_found(),
    })
}

fn is_one(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(TOKEN.as_bytes()) || name.eq_ignore_ascii_case(LEGACY.as_bytes())
}

/// Wording unverified.
fn expired(ends: UnixTime) -> String {
    format!("The debug token has expired at {ends}.")
}

/// Wording unverified.
fn wrong_api(of_token: &str, asked: &str) -> String {
    format!("The debug token is for the API '{of_token}', the request is for the API '{asked}'.")
}

/// Credentials of the client stand in no trace, however a policy comes by them.
fn hide_credentials(head: &RequestHead, context: &mut Context) {
    let mut hidden: Vec<String> = Vec::new();
    for name in ["Authorization", "Proxy-Authorization"] {
        for value in head.fields.get_all(name.as_bytes()) {
            let value = String::from_utf8_lossy(value);
            let credential =
                value.trim().split_once(' ').map_or(&*value, |(_, credential)| credential.trim());
            hidden.push(credential.to_owned());
        }
    }
    if let Some(key) = context.subscription_key.as_ref().map(|key| key.expose().clone()) {
        // In a query it may stand otherwise than it reads.
        let query = head.target.query().unwrap_or_default();
        let values = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value);
        hidden.extend(values.filter(|value| *decode(value) == key).map(str::to_owned));
        hidden.push(key);
    }
    for text in hidden {
        context.hide(Secret::new(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::new();
        for (name, value) in lines {
            fields.append(name.as_bytes(), value.as_bytes()).expect("a field");
        }
        fields
    }

    #[test]
    fn the_question_ends_at_the_gateway() {
        let mut asking = fields(&[("apim-debug-authorization", "t"), ("X", "y"), ("OCP-APIM-TRACE", "True")]);
        let asked = Asked::take(&mut asking);
        assert_eq!(asked, Some(Asked { token: Some("t".to_owned()), legacy: true }));
        assert_eq!(asking.len(), 1);
        assert_eq!(Asked::take(&mut asking), None);
        let mut other = fields(&[("Ocp-Apim-Trace", "1")]);
        assert_eq!(Asked::take(&mut other), Some(Asked::default()));
    }

    #[test]
    fn credentials_are_hidden_wherever_they_stand() {
        let mut head =
            RequestHead { fields: fields(&[("Authorization", "Bearer abc.def")]), ..RequestHead::default() };
        head.target.assign("/x?subscription-key=k%2D1&a=b");
        let shown = |text: &str| {
            let mut context = Context::default();
            (context.original_url, context.trace) = (text.to_owned(), true);
            context.subscription_key = Some(Secret::new("k-1".to_owned()));
            hide_credentials(&head, &mut context);
            trace_document(&context, None)
        };
        for text in ["/x?subscription-key=k%2D1", "k-1", "abc.def"] {
            assert!(!shown(text).contains(text), "{text}");
        }
    }
}
