//! One request and its response, as roles see them. Nothing here assumes TCP or a protocol version.

use crate::body::Body;
use crate::delivery::{BodyMeter, Delivery};
use crate::h1::Refusal;
use crate::server::Core;
use crate::tls::TlsInfo;
use crate::upgrade::Upgrade;
use bytes::Bytes;
use handfast_core::message::{RequestHead, ResponseHead, Scheme};
use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

/// How the previous hop reached this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hop {
    /// Over a socket or an in-memory pipe, through TLS and a codec.
    Wire,
    /// By a call in process, with the same checks.
    Fused,
}

impl Hop {
    /// The word in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::Fused => "fused",
        }
    }
}

/// What is known about the connection that a request came in on. Shared by all its requests.
pub struct ConnectionInfo {
    /// A number unique within the process.
    pub id: u64,
    /// The kernel's peer, or the virtual source of an in-process connection.
    pub peer: SocketAddr,
    /// The client, decided once: the PROXY header's source on listeners that trust it, else `peer`.
    pub client: SocketAddr,
    /// The address that the client connected to.
    pub local: SocketAddr,
    /// Whether TLS is spoken.
    pub scheme: Scheme,
    /// The handshake's outcome, with TLS.
    pub tls: Option<TlsInfo>,
    /// How the connection was made.
    pub hop: Hop,
    /// What a role remembers for the connection, a client-certificate verdict for instance. It holds what
    /// it depends on and is judged again when that has changed.
    pub memo: RefCell<Option<Rc<dyn Any>>>,
}

impl ConnectionInfo {
    /// The address that filters, rate keys, logs and policies use.
    pub fn client_ip(&self) -> IpAddr {
        self.client.ip()
    }
}

/// A request on its way to a role.
pub struct Request {
    /// Method, target, fields.
    pub head: RequestHead,
    /// The body.
    pub body: Body,
    /// The connection it came in on.
    pub connection: Rc<ConnectionInfo>,
    /// Whether the client asked for a protocol upgrade (RFC 9110 §7.8) and the transport can do one.
    pub upgrade: bool,
    /// Counts the body's bytes.
    pub body_meter: BodyMeter,
}

/// A role's answer.
#[derive(Default)]
pub struct Response {
    /// Status and fields.
    pub head: ResponseHead,
    /// The body.
    pub body: Body,
    /// The upstream side of an accepted upgrade; the head is then 101.
    pub upgrade: Option<Upgrade>,
    /// Whether the client's connection is closed afterwards.
    pub close: bool,
    /// What is done when it is delivered.
    pub delivery: Delivery,
}

impl Response {
    /// An answer with a body in memory. A content type that is not a field value is left out.
    pub fn full(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let mut head = ResponseHead::new(status);
        if !content_type.is_empty() {
            let _ = head.fields.append(b"Content-Type", content_type.as_bytes());
        }
        Self { head, body: Body::from(body.into()), ..Self::default() }
    }

    /// The same answer, after which the client's connection is closed.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.close = true;
        self
    }
}

/// A future that stays on its core.
pub type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// What answers the requests of a listener: a role, or a test.
pub trait Service: Send + Sync + 'static {
    /// Answers one request. It never fails: errors are responses.
    fn call(self: Arc<Self>, core: Core, request: Request) -> LocalFuture<Response>;

    /// The answer to a request that the codec refused. The connection is closed afterwards.
    fn refuse(&self, core: &Core, connection: &Rc<ConnectionInfo>, refusal: Refusal) -> Response;

    /// The answer when a global limit is reached (503) or a request panicked (500).
    fn fail(&self, connection: &ConnectionInfo, status: u16) -> Response;
}
