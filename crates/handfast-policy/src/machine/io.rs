//! What the machine asks of its host and what the host answers. Every output but [`Output::Done`] waits
//! for exactly one input.

use crate::context::{BackendTarget, Body, CertificateSelection, ProxySelection, Response};
use crate::failure::Failure;
use crate::tokens::{FoundKeys, KeysUnavailable};
use crate::usage::StreamWork;
use bytes::Bytes;
use handfast_core::message::{Fields, Method, ResponseHead};
use handfast_core::{Secret, UnixTime};
use handfast_expression::Value;
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What the machine needs next.
#[derive(Debug)]
pub enum Output {
    /// Send the context's request; answer with [`Input::Response`] or [`Input::ForwardFailed`].
    Forward(Box<ForwardRequest>),
    /// Send a request of the document's own, not following redirects; answer with [`Input::Sent`], at once
    /// when it is detached.
    Send(Box<SendRequest>),
    /// Read a whole body; answer with [`Input::Body`] or [`Input::BodyFailed`].
    ReadBody {
        /// Which body.
        side: Side,
        /// The most bytes to take.
        bytes_max: usize,
        /// In which form.
        form: BodyForm,
    },
    /// Count a call; answer with [`Input::Counted`].
    Count(CountRequest),
    /// Take one of `max` permits of a key without waiting; answer with [`Input::Permit`].
    Acquire {
        /// The key, shared by all policies that name it.
        key: Arc<str>,
        /// How many may be held at a time.
        max: u32,
    },
    /// Look something up in the service's cache; answer with [`Input::Cached`].
    CacheGet {
        /// The key.
        key: String,
    },
    /// Keep something; answer with [`Input::Stored`]. A cache that cannot does nothing.
    CacheSet {
        /// The key.
        key: String,
        /// What to keep.
        entry: Cached,
        /// For how long.
        life: Duration,
    },
    /// Forget something; answer with [`Input::Stored`].
    CacheRemove {
        /// The key.
        key: String,
    },
    /// Look up the response of the nearest prompt; answer with [`Input::Cached`].
    CacheNearest {
        /// Only prompts of this partition are compared.
        partition: String,
        /// The prompt.
        vector: Arc<[f32]>,
        /// One minus the cosine of the angle between two prompts, at most.
        distance_max: f32,
    },
    /// Keep the response of a prompt; answer with [`Input::Stored`].
    CacheNear {
        /// Where it is looked for.
        partition: String,
        /// The prompt.
        vector: Arc<[f32]>,
        /// What to keep.
        entry: Cached,
        /// For how long.
        life: Duration,
    },
    /// What was used of a quota; answer with [`Input::Used`].
    QuotaUsed(QuotaPeriod),
    /// Find the keys behind metadata documents of token issuers; answer with [`Input::Keys`].
    Keys {
        /// Addresses of OpenID metadata.
        urls: Vec<Arc<str>>,
        /// Not those that are known: a token names a key that is not among them.
        newer: bool,
    },
    /// Take over an event for a hub; answer with [`Input::Stored`] at once.
    Log(Box<HubEvent>),
    /// Count and note all of these; answer with [`Input::Stored`].
    Settle(Vec<Settlement>),
    /// Settle when the response's body, which stays as it is, has gone by; answer with [`Input::Stored`] at once.
    Meter(Box<StreamWork>),
    /// A token of an identity of the service; answer with [`Input::Token`].
    Token {
        /// The application that it is for: its id URI or GUID.
        resource: String,
        /// A user-assigned identity; without it the service's own.
        client_id: Option<String>,
    },
    /// The access token of a connection of the credential manager; answer with [`Input::Authorization`].
    Authorization(Box<ConnectionRequest>),
    /// Wait; answer with [`Input::Slept`].
    Sleep(Duration),
    /// Do all of `begin` beside one another and beside what is under way already, give up what is in `cancel`, and
    /// answer with [`Input::Branch`] as soon as one of them has come to its end. Another output gives up what is
    /// left of them.
    AwaitAny {
        /// What is new, with the number that its answer carries.
        begin: Vec<(u32, Output)>,
        /// Numbers of what nobody waits for any more.
        cancel: Vec<u32>,
    },
    /// A policy has used its slice of the core: let other requests run, then answer with
    /// [`Input::Resumed`].
    Yield,
    /// The context's response is final.
    Done(Verdict),
}

/// The host's answers, and the three ways to begin.
#[derive(Debug)]
pub enum Input {
    /// Begin: run the sections.
    Start,
    /// Begin with a CORS preflight that no operation takes.
    Preflight,
    /// Begin with a refusal of the host, such as a missing subscription key.
    Reject(Box<Failure>),
    /// The backend's response head.
    Response(ResponseHead),
    /// The exchange failed.
    ForwardFailed(ForwardFailure),
    /// The whole response to [`Output::Send`]; ignored when it was detached.
    Sent(Result<Response, ForwardFailure>),
    /// The body that was asked for.
    Body(Bytes),
    /// The body could not be read.
    BodyFailed(ReadFailure),
    /// The outcome of a count.
    Counted(Counted),
    /// What the cache has, and how long it will have it.
    Cached(Option<(Cached, Duration)>),
    /// It is done.
    Stored,
    /// What was used of a quota.
    Used(QuotaUsage),
    /// The token, without `Bearer`.
    Token(Result<Secret<String>, TokenFailure>),
    /// The access token of a connection.
    Authorization(Result<Secret<String>, TokenFailure>),
    /// The permit, or none when all are taken.
    Permit(Option<Permit>),
    /// The keys that were asked for, all of them or none.
    Keys(Result<FoundKeys, KeysUnavailable>),
    /// The time is over.
    Slept,
    /// The others have had their turn.
    Resumed,
    /// The answer to one of [`Output::AwaitAny`].
    Branch(u32, Box<Input>),
}

impl Input {
    /// The failure of whoever asked for something else.
    pub(crate) fn out_of_turn(&self) -> Failure {
        let message = format!("the host answered with '{}' out of turn", self.name());
        Failure::internal("UnexpectedAnswer", message)
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Preflight => "preflight",
            Self::Reject(_) => "reject",
            Self::Response(_) => "response",
            Self::ForwardFailed(_) => "forward failed",
            Self::Sent(_) => "sent",
            Self::Body(_) => "body",
            Self::BodyFailed(_) => "body failed",
            Self::Counted(_) => "counted",
            Self::Cached(_) => "cached",
            Self::Stored => "stored",
            Self::Used(_) => "used",
            Self::Token(_) => "token",
            Self::Authorization(_) => "authorization",
            Self::Permit(_) => "permit",
            Self::Keys(_) => "keys",
            Self::Slept => "slept",
            Self::Resumed => "resumed",
            Self::Branch(..) => "branch",
        }
    }
}

/// The form in which a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// With its content coding; the message stays as it is.
    AsReceived,
    /// Without content coding, to be edited; the message loses the header lines about it.
    Decoded,
}

/// Request or response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The request.
    Request,
    /// The response.
    Response,
}

/// One exchange with the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardRequest {
    /// Where it goes and with which certificate.
    pub backend: BackendTarget,
    /// How it goes.
    pub options: Arc<ForwardOptions>,
}

/// A request that a policy makes itself.
#[derive(Clone, Debug, Default)]
pub struct SendRequest {
    /// Absolute URL; with a backend what goes behind its URL.
    pub url: String,
    /// A backend entity, whose credentials and TLS settings hold for the request.
    pub backend_id: Option<Arc<str>>,
    /// The method.
    pub method: Method,
    /// The header section; without `Host` the URL's host goes out.
    pub fields: Fields,
    /// The body; [`Body::Keep`] is the current request's.
    pub body: Body,
    /// The client certificate to present.
    pub certificate: Option<CertificateSelection>,
    /// The HTTP proxy to go through.
    pub proxy: Option<ProxySelection>,
    /// The time until the response's head.
    pub timeout: Duration,
    /// Nobody waits for the outcome; it must not be cancelled when the request ends.
    pub detached: bool,
}

impl SendRequest {
    /// A GET request without header lines that somebody waits for, for five seconds.
    pub fn get(url: &str, body: Bytes) -> Self {
        Self {
            url: url.to_owned(),
            backend_id: None,
            method: Method::Get,
            fields: Fields::new(),
            body: Body::Replace(body),
            certificate: None,
            proxy: None,
            timeout: Duration::from_secs(5),
            detached: false,
        }
    }
}

/// The attributes of `forward-request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardOptions {
    /// The time until the response's head.
    pub timeout: Duration,
    /// The protocol towards the backend.
    pub http_version: BackendVersion,
    /// Follow redirects of the backend.
    pub follow_redirects: bool,
    /// Keep the request's body so that it can be sent again.
    pub buffer_request_body: bool,
    /// What the document says about relaying in pieces of up to 8 KiB. Hosts relay as it comes, which is both.
    pub buffer_response: bool,
    /// Treat statuses 400 to 599 as errors.
    pub fail_on_error_status_code: bool,
}

/// Values of `http-version`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackendVersion {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 only.
    Http2,
    /// HTTP/2 when the backend offers it.
    Http2Or1,
}

/// Why an exchange failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardFailure {
    /// No response head in time.
    Timeout,
    /// No connection, or it broke; with the transport's words.
    Connection(String),
    /// The client went away.
    Client,
    /// The request's body is larger than what is kept of one.
    BodyTooLarge,
    /// The answer is settled by the host, such as 503 of an open circuit.
    Unavailable(String),
}

/// A connection of the credential manager, and who asks for its token.
#[derive(Debug)]
pub struct ConnectionRequest {
    /// Its provider's resource name.
    pub provider: String,
    /// Its own.
    pub authorization: String,
    /// A token of the caller, not verified yet; without it the service's own identity asks.
    pub caller: Option<Secret<String>>,
}

/// An event of `log-to-eventhub`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubEvent {
    /// The logger's id.
    pub logger: Arc<str>,
    /// The partition that it goes to.
    pub partition_id: Option<Arc<str>>,
    /// What the hub chooses the partition by.
    pub partition_key: Option<String>,
    /// The event.
    pub text: String,
}

/// Something to be counted that nobody waits for.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement {
    /// Calls in a window.
    Count(CountRequest),
    /// Use of a quota.
    Quota(QuotaPeriod, QuotaUsage),
    /// A sample of a metric.
    Emit(MetricSample),
}

/// A sample of a metric that a document makes up.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricSample {
    /// The namespace.
    pub namespace: String,
    /// The metric's name.
    pub name: String,
    /// The sample.
    pub value: f64,
    /// Names and values; an empty value is one that the request does not have.
    pub dimensions: Vec<(String, String)>,
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFailure {
    /// What happened, for people; nothing secret.
    pub message: String,
}

/// Why a body could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadFailure {
    /// It is larger than the policy or the host takes.
    TooLarge,
    /// The peer or the content coding, with the reason.
    Unreadable(String),
}

impl ReadFailure {
    /// The failure of the policy that asked: a client whose body is too large is told so.
    pub(crate) fn failure(self, side: Side) -> Failure {
        match (self, side) {
            (Self::TooLarge, Side::Request) => {
                let text = "The request body is larger than what is accepted.";
                Failure::denied(413, "RequestBodyTooLarge", text, "Content Too Large")
            }
            (Self::TooLarge, Side::Response) => Failure::internal(
                "BodyNotAvailable",
                "the response body is larger than what a policy can read",
            ),
            (Self::Unreadable(text), _) => Failure::internal("BodyNotAvailable", text),
        }
    }
}

/// A call to be counted in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountRequest {
    /// The counter.
    pub key: String,
    /// Calls allowed in a window.
    pub limit: u32,
    /// The window.
    pub period: Duration,
    /// By how much this call counts.
    pub amount: u32,
    /// Whether the call is still to be judged.
    pub when: CountWhen,
}

/// When a call is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountWhen {
    /// At the policy's place: a call that would go over the limit is refused and does not count.
    Now,
    /// When it is over: it counts, whatever the limit says.
    AfterResponse,
}

/// The outcome of a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Whether the call is within the limit.
    pub allowed: bool,
    /// Calls left after this one.
    pub remaining: u32,
    /// Until the window allows a call again; meaningful when refused.
    pub retry_after: Duration,
}

/// Something in a cache. It shares nothing with a request that could change it.
#[derive(Clone, Debug)]
pub struct Cached {
    /// What it is.
    pub content: CachedContent,
    /// Bytes that it holds on to, roughly.
    pub bytes: usize,
}

/// What a cache keeps.
#[derive(Clone, Debug)]
pub enum CachedContent {
    /// A value of `cache-store-value`.
    Value(Value),
    /// A response of `cache-store`.
    Response(Arc<Response>),
}

/// A quota's counter, in one of its periods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaPeriod {
    /// The counter.
    pub key: String,
    /// When some period began, seconds since 1970; periods follow one another.
    pub anchor: UnixTime,
    /// Its length; zero never ends.
    pub length: Duration,
}

/// What was used of a quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaUsage {
    /// Calls.
    pub calls: u64,
    /// Bytes of requests and responses.
    pub bytes: u64,
}

/// A held permit; dropping it frees the place.
pub struct Permit(#[allow(dead_code, reason = "held for its drop")] Box<dyn Any + Send>);

impl Permit {
    /// Wraps the host's guard.
    pub fn new(guard: impl Any + Send) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All sections ran to their end.
    Completed,
    /// A policy gave the final response.
    Answered,
    /// An error was handled.
    Failed,
}
