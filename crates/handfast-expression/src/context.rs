//! The request context as expressions see it. The host implements [`ContextView`]; nothing is read before
//! an expression asks for it.

use crate::fault::Need;
use crate::value::Value;
use handfast_pki::Certificate;
use handfast_pki::path::Trust;
use std::sync::Arc;

/// An object of the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of `context`'s members")]
pub enum Part {
    Root,
    Api,
    ServiceUrl,
    Backend,
    Deployment,
    Gateway,
    LastError,
    Operation,
    Product,
    Request,
    RequestUrl,
    OriginalUrl,
    Response,
    Subscription,
    User,
    Workspace,
}

impl Part {
    /// The interface that expressions know the part by.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Root => "IProxyRequestContext",
            Self::Api => "IApi",
            Self::ServiceUrl | Self::RequestUrl | Self::OriginalUrl => "IUrl",
            Self::Backend => "IBackend",
            Self::Deployment => "IDeployment",
            Self::Gateway => "IGateway",
            Self::LastError => "ProxyError",
            Self::Operation => "IOperation",
            Self::Product => "IProduct",
            Self::Request => "IRequest",
            Self::Response => "IResponse",
            Self::Subscription => "ISubscription",
            Self::User => "IUser",
            Self::Workspace => "IWorkspace",
        }
    }

    /// The part that a member of a part leads to.
    pub(crate) fn child(self, name: &str) -> Option<Self> {
        Some(match (self, name) {
            (Self::Root, "Api") => Self::Api,
            (Self::Root, "Backend") => Self::Backend,
            (Self::Root, "Deployment") => Self::Deployment,
            (Self::Root, "LastError") => Self::LastError,
            (Self::Root, "Operation") => Self::Operation,
            (Self::Root, "Product") => Self::Product,
            (Self::Root, "Request") => Self::Request,
            (Self::Root, "Response") => Self::Response,
            (Self::Root, "Subscription") => Self::Subscription,
            (Self::Root, "User") => Self::User,
            (Self::Root, "Workspace") => Self::Workspace,
            (Self::Api, "ServiceUrl") => Self::ServiceUrl,
            (Self::Deployment, "Gateway") => Self::Gateway,
            (Self::Request, "Url") => Self::RequestUrl,
            (Self::Request, "OriginalUrl") => Self::OriginalUrl,
            _ => return None,
        })
    }
}

/// A dictionary of the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// `context.Variables`: any value; keys are case-sensitive.
    Variables,
    /// Headers of the request: `string[]` per name, one entry per line.
    RequestHeaders,
    /// Headers of the response.
    ResponseHeaders,
    /// Query parameters of the URL as it will be sent: `string[]` per name.
    Query,
    /// Query parameters of the URL as it was received.
    OriginalQuery,
    /// Query parameters of the API's service URL.
    ServiceQuery,
    /// `context.Request.MatchedParameters`: `string` per name.
    MatchedParameters,
    /// `context.Deployment.Certificates`.
    Certificates,
}

/// Whose body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The request's.
    Request,
    /// The response's.
    Response,
}

/// A body as a value: of the messages in progress, or kept in a variable.
#[derive(Clone, Debug)]
pub enum Body {
    /// Read through the host.
    Live(Side),
    /// Bytes that are already here.
    Stored(std::sync::Arc<[u8]>),
}

/// What the host knows of a body.
#[derive(Clone, Debug)]
pub enum BodyState {
    /// It is not read yet: the evaluation stops with [`Need`] and is resumed when it is.
    Unread,
    /// It was consumed earlier.
    Consumed,
    /// It cannot be read; the exception's message.
    Failed(String),
    /// All of it.
    Bytes(std::sync::Arc<[u8]>),
}

impl Side {
    pub(crate) fn need(self) -> Need {
        match self {
            Self::Request => Need::RequestBody,
            Self::Response => Need::ResponseBody,
        }
    }
}

/// What is known of the revocation of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// Its issuer says that it is good.
    Good,
    /// It has been revoked.
    Revoked,
    /// Nobody could be asked; it does not count as good.
    Unknown,
}

/// The host's side of `context`.
pub trait ContextView {
    /// Whether the part exists; those that do not read as `null`.
    fn present(&self, part: Part) -> bool;

    /// A plain field of a part, such as `Method` of the request; `Value::Null` when it has none.
    fn field(&self, part: Part, name: &str) -> Value;

    /// An entry of a dictionary.
    fn lookup(&self, lookup: Lookup, key: &str) -> Option<Value>;

    /// An entry whose value is one text only, as that text, when it costs less than [`ContextView::lookup`].
    fn single(&self, _lookup: Lookup, _key: &str) -> Option<Value> {
        None
    }

    /// All entries of a dictionary, in order.
    fn entries(&self, lookup: Lookup) -> Vec<(String, Value)>;

    /// Whether the message has a body at all.
    fn has_body(&self, side: Side) -> bool;

    /// The body; `preserve` is false when the reader takes it away.
    fn body(&mut self, side: Side, preserve: bool) -> BodyState;

    /// What a certificate's chain must end in; without it no certificate is trusted.
    fn trust(&self) -> Option<Arc<Trust>> {
        None
    }

    /// Whether a certificate of the path, leaf first, has been revoked.
    fn revocation(&mut self, path: &[Certificate]) -> Revocation {
        let _ = path;
        Revocation::Unknown
    }

    /// Writes to the trace.
    fn trace(&mut self, source: &str, data: &str);

    /// Now, in ticks of 100 ns since 0001-01-01T00:00:00Z.
    fn now_ticks(&self) -> i64;

    /// Fills the bytes with randomness fit for keys.
    fn random(&mut self, bytes: &mut [u8]);
}
