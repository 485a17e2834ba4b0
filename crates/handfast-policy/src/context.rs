//! The state of one request as policies read and edit it (specification 2.1).

mod backend;
mod identities;

pub use backend::{BackendTarget, CertificateSelection, PfxBody, ProxySelection};
pub use identities::{
    ApiIdentity, DeploymentIdentity, Example, GroupIdentity, OperationIdentity, ProductIdentity,
    SubscriptionIdentity, UserIdentity,
};

use crate::certificate::ClientCertificate;
use crate::failure::LastError;
use crate::machine::io::{SendRequest, Side};
use crate::section::{Scope, Section};
use crate::trace::{Detail, TraceRecord};
use bytes::Bytes;
use handfast_core::message::{Fields, Method, RequestHead, ResponseHead};
use handfast_core::{Secret, UnixTime};
use handfast_expression::Value;
use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Everything a request carries through the sections. The host fills the public fields before the first
/// step and reads `request`, `request_body` and `backend` when it is asked to forward.
#[derive(Default)]
pub struct Context {
    /// The request as it will be forwarded. Its target is relative to the backend's base URL: the host
    /// takes the API's path off before the first step.
    pub request: RequestHead,
    /// What to do with the request's body.
    pub request_body: Body,
    /// Whether the client sent a body.
    pub request_has_body: bool,
    /// The method as received.
    pub original_method: Option<Method>,
    /// The URL as received, absolute.
    pub original_url: String,
    /// The address of the peer.
    pub client_ip: Option<IpAddr>,
    /// The client certificate of the connection.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// The base URL that the last request to a backend went to, when an entity was chosen.
    pub forwarded_to: Option<Arc<str>>,
    /// Values of the operation's URL template, percent-decoded.
    pub matched_parameters: Vec<(String, String)>,
    /// Names of the query parameters that are part of the operation's URL template.
    pub template_query_names: Vec<String>,
    /// What `set-variable` and others stored.
    pub variables: Variables,
    /// The response: none until forwarded, answered or failed.
    pub response: Option<Response>,
    /// The error being handled.
    pub last_error: Option<LastError>,
    /// Where the request goes.
    pub backend: BackendTarget,
    /// The matched API.
    pub api: Option<Arc<ApiIdentity>>,
    /// The matched operation.
    pub operation: Option<Arc<OperationIdentity>>,
    /// The product, in product context.
    pub product: Option<Arc<ProductIdentity>>,
    /// The subscription whose key was sent.
    pub subscription: Option<Arc<SubscriptionIdentity>>,
    /// A GUID; the `activityId` of error bodies.
    pub request_id: String,
    /// Whether records are kept; `context.Tracing`.
    pub trace: bool,
    /// The records so far.
    pub records: Vec<TraceRecord>,
    /// Bytes of text in them.
    pub(crate) records_bytes: usize,
    /// The header as received, kept when tracing.
    pub received_headers: Option<Vec<(String, String)>>,
    /// Time since receipt, kept up to date by the host for traces.
    pub elapsed: Duration,
    /// When the request was received.
    pub received: UnixTime,
    /// The part of a second that belongs to it.
    pub received_nanos: u32,
    /// Randomness for expressions; without it they get a sequence that follows from the request id.
    pub entropy: Option<Box<dyn Entropy>>,
    /// Owner of the subscription.
    pub user: Option<Arc<UserIdentity>>,
    /// The service itself.
    pub deployment: Option<Arc<DeploymentIdentity>>,
    /// The subscription key that was sent.
    pub subscription_key: Option<Secret<String>>,
    /// Where `cache-store` keeps the response, once `cache-lookup` has missed it.
    pub(crate) cache_key: Option<CacheKey>,
    /// Where the semantic caches keep the response.
    pub(crate) near: Option<Near>,
    /// What a content safety check still has to ask, last first.
    pub(crate) checks: Vec<SendRequest>,
    /// Quotas that this request has counted for already.
    pub(crate) counted_quotas: Vec<String>,
    /// How many counters of the policy that runs have passed.
    pub(crate) turn: usize,
    /// The tokens of the prompt by estimate, once a policy asked.
    pub(crate) prompt_estimate: Option<u32>,
    /// Texts that no trace record shows.
    pub(crate) hidden: Vec<Secret<String>>,
    /// A policy's own request while its token is being acquired.
    pub(crate) held: Option<Box<SendRequest>>,
    pub(crate) recorded_fields: Fields,
    /// `Vary` gets `Origin`, beside what the response has there.
    pub(crate) vary_by_origin: bool,
    pub(crate) pending_status: Option<(u16, Cow<'static, str>)>,
    pub(crate) request_body_sent: bool,
    /// An expression reads the request's body after it was forwarded.
    pub(crate) keeps_request_body: bool,
    /// Received bodies that were read; they are still the host's to send.
    pub(crate) request_bytes: Option<Arc<[u8]>>,
    pub(crate) response_bytes: Option<Arc<[u8]>>,
    pub(crate) sequence: Sequence,
    /// Bodies that an expression has taken away.
    pub(crate) request_consumed: bool,
    pub(crate) response_consumed: bool,
}

/// Where an answer that is found by likeness is kept.
#[derive(Clone, Debug)]
pub(crate) struct Near {
    pub(crate) partition: String,
    /// Empty until the embeddings backend has answered.
    pub(crate) vector: Arc<[f32]>,
    pub(crate) distance_max: f32,
}

/// What `cache-lookup` decided for the response.
#[derive(Clone, Debug)]
pub(crate) struct CacheKey {
    pub(crate) key: String,
    /// What clients are told about keeping it.
    pub(crate) downstream: Option<(&'static str, bool)>,
}

/// Where a host's randomness comes from.
pub trait Entropy: Send {
    /// Fills the bytes with randomness fit for keys.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// Numbers that follow from a request id, for hosts without randomness (SplitMix64).
#[derive(Default)]
pub(crate) struct Sequence(Option<u64>);

impl Sequence {
    pub(crate) fn fill(&mut self, seed: &str, bytes: &mut [u8]) {
        let seed = || seed.bytes().fold(0, |sum: u64, byte| sum.rotate_left(7) ^ u64::from(byte));
        let state = self.0.get_or_insert_with(seed);
        for chunk in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            for (byte, new) in chunk.iter_mut().zip((mixed ^ (mixed >> 31)).to_le_bytes()) {
                *byte = new;
            }
        }
    }
}

/// A message body as the machine leaves it.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Body {
    /// The received body goes on as it is; for a response that came from nowhere, no body.
    #[default]
    Keep,
    /// These bytes instead; the host writes their length.
    Replace(Bytes),
}

/// A response under way.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// Status and header.
    pub head: ResponseHead,
    /// The body.
    pub body: Body,
}

/// `context.Variables`: name to value, case-sensitive, in order of first writing.
#[derive(Clone, Default)]
pub struct Variables(Vec<(Arc<str>, Value)>);

impl fmt::Debug for Context {
    /// Identity and progress only: URLs, values and bodies may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("request_id", &self.request_id)
            .field("request", &self.request)
            .field("response", &self.response)
            .field("variables", &self.variables)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Body {
    /// The length only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => f.write_str("Keep"),
            Self::Replace(bytes) => write!(f, "Replace({} bytes)", bytes.len()),
        }
    }
}

impl fmt::Debug for Variables {
    /// Names only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Variables {
    /// The value under a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| &**known == name).map(|(_, value)| value)
    }

    /// Writes a value.
    pub fn set(&mut self, name: &Arc<str>, value: Value) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((Arc::clone(name), value)),
        }
    }

    /// Takes a value away.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| &**known != name);
    }

    /// All variables in order of first writing.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
}

impl Context {
    /// Fills the bytes with randomness.
    pub(crate) fn random(&mut self, bytes: &mut [u8]) {
        match &mut self.entropy {
            Some(entropy) => entropy.fill(bytes),
            None => self.sequence.fill(&self.request_id, bytes),
        }
    }

    /// Keeps a body that was read for an expression.
    pub(crate) fn keep_body(&mut self, side: Side, bytes: &[u8]) {
        let bytes = Some(Arc::from(bytes));
        match side {
            Side::Request => self.request_bytes = bytes,
            Side::Response => self.response_bytes = bytes,
        }
    }

    /// Gives the request another body.
    pub(crate) fn set_request_body(&mut self, bytes: Bytes) {
        self.request_body = Body::Replace(bytes);
        self.request_consumed = false;
    }

    /// The body of a message; a response may not be there yet.
    pub(crate) fn body(&self, side: Side) -> Option<&Body> {
        match side {
            Side::Request => Some(&self.request_body),
            Side::Response => self.response.as_ref().map(|response| &response.body),
        }
    }

    /// Replaces the body of a message.
    pub(crate) fn set_body(&mut self, side: Side, bytes: Bytes) {
        match side {
            Side::Request => self.set_request_body(bytes),
            Side::Response => self.set_response_body(bytes),
        }
    }

    /// The header section of a message.
    pub(crate) fn fields(&self, side: Side) -> Option<&Fields> {
        match side {
            Side::Request => Some(&self.request.fields),
            Side::Response => self.response.as_ref().map(|response| &response.head.fields),
        }
    }

    /// The header section of a message, to be edited.
    pub(crate) fn fields_mut(&mut self, side: Side) -> Option<&mut Fields> {
        match side {
            Side::Request => Some(&mut self.request.fields),
            Side::Response => self.response.as_mut().map(|response| &mut response.head.fields),
        }
    }

    /// Gives the response another body.
    pub(crate) fn set_response_body(&mut self, bytes: Bytes) {
        self.response.get_or_insert_with(Response::default).body = Body::Replace(bytes);
        self.response_consumed = false;
    }

    /// Another response takes the place of what was there.
    pub(crate) fn set_response(&mut self, response: Response) {
        self.response = Some(response);
        self.response_bytes = None;
        self.response_consumed = false;
    }

    /// Adds a record when tracing is on; the message is built only then.
    pub(crate) fn record<M: Into<Cow<'static, str>>>(
        &mut self,
        source: &'static str,
        at: (Section, Option<Scope>, &Arc<str>),
        message: impl FnOnce() -> M,
    ) {
        self.record_with(source, at, || (message(), Vec::new()));
    }

    /// The same with what it happened with.
    pub(crate) fn record_with<M: Into<Cow<'static, str>>>(
        &mut self,
        source: &'static str,
        at: (Section, Option<Scope>, &Arc<str>),
        fill: impl FnOnce() -> (M, Vec<(&'static str, Detail)>),
    ) {
        if self.trace && self.records.len() < RECORDS_MAX && self.records_bytes < RECORDS_BYTES_MAX {
            let (message, mut details) = fill();
            let mut message = self.without_hidden(message.into());
            if message.len() > RECORD_TEXT_BYTES_MAX {
                shorten(message.to_mut());
            }
            self.records_bytes += message.len() + RECORD_BYTES;
            for text in details.iter_mut().flat_map(|(_, detail)| detail.texts_mut()) {
                if let Cow::Owned(without) = self.without_hidden(Cow::Borrowed(text)) {
                    *text = without;
                }
                shorten(text);
                self.records_bytes += text.len();
            }
            self.records.push(TraceRecord {
                source,
                section: at.0,
                scope: at.1,
                path: Arc::clone(at.2),
                elapsed: self.elapsed,
                message,
                details,
            });
        }
    }

    /// Keeps a text out of the trace from now on.
    pub fn hide(&mut self, secret: Secret<String>) {
        let known = self.hidden.iter().any(|known| known.expose() == secret.expose());
        if self.trace && !known && !secret.expose().is_empty() {
            self.hidden.push(secret);
        }
    }

    /// A text as a trace shows it.
    pub(crate) fn without_hidden<'t>(&self, message: Cow<'t, str>) -> Cow<'t, str> {
        self.hidden.iter().fold(message, |message, secret| match message.contains(secret.expose().as_str()) {
            true => message.replace(secret.expose().as_str(), "(token)").into(),
            false => message,
        })
    }

    /// Keeps a header line for whatever response results.
    pub(crate) fn record_field(&mut self, name: &str, value: &str) {
        let _ = self.recorded_fields.set(name.as_bytes(), value.as_bytes());
    }
}

/// The most trace records of one request.
const RECORDS_MAX: usize = 10_000;
/// Bytes of text in all of them: the record that passes it is the last.
const RECORDS_BYTES_MAX: usize = 512 << 10;
/// What a record costs beside its texts.
const RECORD_BYTES: usize = 128;
/// Bytes of one text in a record.
const RECORD_TEXT_BYTES_MAX: usize = 32 << 10;

/// Cuts a text that is too long for a record and says so.
fn shorten(text: &mut String) {
    if text.len() > RECORD_TEXT_BYTES_MAX {
        let bytes = text.len();
        let end = (0..=RECORD_TEXT_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push_str(&format!("… ({bytes} bytes)"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_trace_keeps_is_bounded() {
        let mut context = Context { trace: true, ..Context::default() };
        let long = "é".repeat(RECORD_TEXT_BYTES_MAX);
        for _ in 0..1000 {
            context.record("trace", (Section::Inbound, None, &"trace".into()), || long.clone());
        }
        assert_eq!(context.records.len(), 1 + RECORDS_BYTES_MAX / (RECORD_TEXT_BYTES_MAX + RECORD_BYTES));
        assert!(context.records[0].message.ends_with("é… (65536 bytes)"));
    }
}
