//! The state of one request as policies read and edit it (specification 2.1).

use crate::certificate::ClientCertificate;
use crate::failure::LastError;
use crate::section::{Scope, Section};
use crate::trace::TraceRecord;
use bytes::Bytes;
use handfast_core::message::{Fields, RequestHead, ResponseHead};
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
    /// The URL as received, absolute.
    pub original_url: String,
    /// The address of the peer.
    pub client_ip: Option<IpAddr>,
    /// The client certificate of the connection.
    pub certificate: Option<Arc<ClientCertificate>>,
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
    /// Whether records are kept.
    pub trace: bool,
    /// The records so far.
    pub records: Vec<TraceRecord>,
    /// Time since receipt, kept up to date by the host for traces.
    pub elapsed: Duration,
    pub(crate) recorded_fields: Fields,
    /// `Vary` gets `Origin`, beside what the response has there.
    pub(crate) vary_by_origin: bool,
    pub(crate) pending_status: Option<(u16, Cow<'static, str>)>,
    pub(crate) request_body_sent: bool,
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

/// Where `forward-request` goes. Empty means the API's own service URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackendTarget {
    /// An absolute `http` or `https` URL whose path comes before the request's.
    pub base_url: Option<Arc<str>>,
    /// A backend or pool by id; it goes before `base_url`.
    pub backend_id: Option<Arc<str>>,
    /// The client certificate for the connection.
    pub certificate: Option<CertificateSelection>,
    /// Send the request's own `Host`, because a policy set it, instead of the backend's.
    pub keeps_host: bool,
}

/// Which client certificate to present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateSelection {
    /// By SHA-1 thumbprint, hex.
    Thumbprint(Arc<str>),
    /// By resource name.
    Id(Arc<str>),
}

/// The API of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiIdentity {
    /// Resource name.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Path below the gateway, without slashes around it.
    pub path: String,
    /// Revision number.
    pub revision: String,
    /// Version identifier.
    pub version: Option<String>,
}

/// The operation of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationIdentity {
    /// Resource name.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Method of the operation.
    pub method: String,
    /// URL template of the operation.
    pub url_template: String,
    /// Example responses, for `mock-response`.
    pub examples: Vec<Example>,
}

/// An example response of an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    /// Status code.
    pub status: u16,
    /// Media type of the representation.
    pub content_type: String,
    /// The example itself.
    pub body: Bytes,
}

/// The product of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductIdentity {
    /// Resource name.
    pub id: String,
    /// Display name.
    pub name: String,
}

/// The subscription of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionIdentity {
    /// Resource name.
    pub id: String,
    /// Display name.
    pub name: String,
}

/// `context.Variables`: name to value, case-sensitive, in order of first writing.
#[derive(Clone, Default)]
pub struct Variables(Vec<(Arc<str>, Variable)>);

/// The value of a variable.
#[derive(Clone)]
pub enum Variable {
    /// A string.
    Text(Arc<str>),
    /// An integer.
    Integer(i64),
    /// A response of `send-request`.
    Response(Arc<Response>),
    /// Nothing, under a name that exists.
    Null,
}

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
    pub fn get(&self, name: &str) -> Option<&Variable> {
        self.0.iter().find(|(known, _)| &**known == name).map(|(_, value)| value)
    }

    /// Writes a value.
    pub fn set(&mut self, name: &Arc<str>, value: Variable) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((Arc::clone(name), value)),
        }
    }

    /// All variables in order of first writing.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Variable)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
}

impl Context {
    /// Adds a record when tracing is on; the message is built only then.
    pub(crate) fn record<M: Into<Cow<'static, str>>>(
        &mut self,
        source: &'static str,
        at: (Section, Option<Scope>, &Arc<str>),
        message: impl FnOnce() -> M,
    ) {
        if self.trace && self.records.len() < RECORDS_MAX {
            self.records.push(TraceRecord {
                source,
                section: at.0,
                scope: at.1,
                path: Arc::clone(at.2),
                elapsed: self.elapsed,
                message: message().into(),
            });
        }
    }

    /// Keeps a header line for whatever response results.
    pub(crate) fn record_field(&mut self, name: &str, value: &str) {
        let _ = self.recorded_fields.set(name.as_bytes(), value.as_bytes());
    }
}

/// The most trace records of one request.
const RECORDS_MAX: usize = 10_000;
