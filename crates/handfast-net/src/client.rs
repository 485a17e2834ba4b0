//! Sending a request to the next hop: over a kept-alive or new connection, over HTTP/2, or, when the target
//! is a listener of this process and fusion is on, by calling it.

mod connect;
mod exchange;
mod fused;
mod http2;
mod pool;
mod relayed;
mod response_body;
mod tunnel;
mod upload;

pub(crate) use fused::FusedCache;
pub(crate) use http2::Http2Pool;
pub(crate) use pool::IdlePool;
pub use tunnel::Tunnel;
pub(crate) use upload::Upload;

use crate::address::Address;
use crate::body::Body;
use crate::exchange::{Hop, Response};
use crate::h1::{BodyFailure, ResponseFailure};
use crate::server::Core;
use crate::tls::{ClientTls, Identity};
use handfast_core::message::RequestHead;
use handfast_telemetry::Metric;
use rustls::pki_types::ServerName;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The protocol spoken to an upstream server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2, by ALPN with TLS and by prior knowledge without.
    Http2,
}

/// Where a request goes and how the connection is made.
#[derive(Clone)]
pub struct Target {
    /// The address to connect to.
    pub address: Address,
    /// TLS towards the server; `None` is plain text.
    pub tls: Option<Arc<ClientTls>>,
    /// The name that is asked for and checked with TLS.
    pub server_name: Option<ServerName<'static>>,
    /// The protocol.
    pub protocol: UpstreamProtocol,
    /// The address that our side has in the virtual network; what the listener there sees as its peer.
    pub source: Option<IpAddr>,
    /// Only requests with the same number share a connection: the id of a client's connection, for servers that
    /// authenticate connections instead of requests (NTLM). `None` shares with everybody.
    pub dedicated: Option<u64>,
    /// The address is a proxy's, and this is what it has to connect to.
    pub tunnel: Option<Arc<Tunnel>>,
}

/// What two requests must have in common to share a connection.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PoolKey {
    address: Address,
    tls: Option<Identity>,
    server_name: Option<ServerName<'static>>,
    source: Option<IpAddr>,
    dedicated: Option<u64>,
    tunnel: Option<Arc<Tunnel>>,
    fingerprint: u64,
}

impl Target {
    pub(crate) fn key(&self) -> PoolKey {
        PoolKey {
            address: self.address.clone(),
            tls: self.tls.as_ref().map(|tls| *tls.identity()),
            server_name: self.server_name.clone(),
            source: self.source,
            dedicated: self.dedicated,
            tunnel: self.tunnel.clone(),
            fingerprint: self.fingerprint(),
        }
    }

    /// A number that targets with equal keys share, and seldom others.
    fn fingerprint(&self) -> u64 {
        let mut hash = DefaultHasher::new();
        self.address.hash(&mut hash);
        self.tls.as_ref().map(|tls| tls.identity()).hash(&mut hash);
        self.server_name.hash(&mut hash);
        self.source.hash(&mut hash);
        self.dedicated.hash(&mut hash);
        self.tunnel.hash(&mut hash);
        hash.finish()
    }
}

impl PoolKey {
    /// Whether a connection with this key may carry a request to that target.
    fn fits(&self, target: &Target) -> bool {
        self.address == target.address
            && self.tls.as_ref() == target.tls.as_ref().map(|tls| tls.identity())
            && self.server_name == target.server_name
            && self.source == target.source
            && self.dedicated == target.dedicated
            && self.tunnel == target.tunnel
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

/// How long each phase may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    /// TCP connect and TLS handshake together.
    pub connect: Duration,
    /// From the request being sent to the response head.
    pub response: Duration,
    /// Between two reads of the response body.
    pub body_idle: Duration,
}

impl Default for UpstreamTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            response: Duration::from_secs(20),
            body_idle: Duration::from_secs(20),
        }
    }
}

/// A request on its way out.
pub struct UpstreamRequest {
    /// The head; `Host` in its fields is what the server sees.
    pub head: RequestHead,
    /// The body.
    pub body: Body,
    /// Whether a protocol upgrade is asked for.
    pub upgrade: bool,
    /// Time limits.
    pub timeouts: UpstreamTimeouts,
}

/// Why an upstream gave no response.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamFailure {
    /// No connection.
    #[error("could not connect to {address}: {reason}")]
    Connect {
        /// The address.
        address: Address,
        /// The operating system's words.
        reason: String,
    },
    /// No connection in time.
    #[error("connecting to {0} timed out")]
    ConnectTimeout(Address),
    /// The handshake failed: one side refused the other's certificate, name or protocol.
    #[error("TLS with {address} failed: {reason}")]
    Tls {
        /// The address.
        address: Address,
        /// The failing dimension.
        reason: String,
    },
    /// The server closed before it answered.
    #[error("the server closed the connection before it answered")]
    Closed,
    /// The answer is no HTTP.
    #[error(transparent)]
    Response(#[from] ResponseFailure),
    /// The server answered 101 to a request that asked for no upgrade, or sent too many interim responses.
    #[error("the server sent an interim response that was not asked for")]
    Interim,
    /// No response head in time.
    #[error("the server did not answer in time")]
    Timeout,
    /// The client's body failed while it was being sent on.
    #[error("the request body failed: {0}")]
    RequestBody(BodyFailure),
}

impl UpstreamFailure {
    /// Whether it is a timeout (504 at an edge) rather than a broken exchange (502).
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::ConnectTimeout(_) | Self::Timeout)
    }

    /// Whether no byte of the request can have reached the server.
    pub fn is_before_sending(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::ConnectTimeout(_) | Self::Tls { .. })
    }
}

/// A failed exchange, with the request when it may be sent again (to another server).
pub struct UpstreamError {
    /// What went wrong.
    pub failure: UpstreamFailure,
    /// The request, unless part of its body is gone.
    pub request: Option<Box<UpstreamRequest>>,
}

impl UpstreamError {
    fn new(failure: UpstreamFailure, request: Option<UpstreamRequest>) -> Self {
        Self { failure, request: request.map(Box::new) }
    }
}

impl Core {
    /// Sends a request to a target and returns the response with its body still to be read.
    pub async fn send(&self, target: &Target, request: UpstreamRequest) -> Result<Response, UpstreamError> {
        let fabric = self.shared().fabric.load();
        // A listener of this process is no proxy.
        let local = fabric.get(&target.address).filter(|_| target.tunnel.is_none()).cloned();
        drop(fabric);
        let result = match (local, self.hop()) {
            (Some(listener), Hop::Fused) => self.send_fused(&listener, target, request).await,
            (local, _) if target.protocol == UpstreamProtocol::Http2 => {
                self.send_http2(target, local, request).await
            }
            (local, _) => self.send_http1(target, local, request).await,
        };
        if result.is_err() {
            self.metrics().count(Metric::UpstreamFailures);
        }
        result
    }
}
