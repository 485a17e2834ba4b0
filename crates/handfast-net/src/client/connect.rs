//! New connections: a socket, or an in-memory pipe to a listener of this process, then TLS.

use super::{PoolKey, Target, UpstreamFailure, UpstreamProtocol};
use crate::address::Address;
use crate::exchange::Hop;
use crate::io::{Io, Raw};
use crate::listener::Listener;
use crate::server::{Core, Origin, serve};
use handfast_telemetry::Metric;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Bytes that an in-memory pipe holds in each direction.
const PIPE_BYTES: usize = 64 * 1024;

impl Core {
    /// Opens a connection within a time limit.
    pub(super) async fn connect(
        &self,
        target: &Target,
        local: Option<Arc<Listener>>,
        limit: Duration,
    ) -> Result<Io, UpstreamFailure> {
        self.metrics().count(Metric::UpstreamConnects);
        match tokio::time::timeout(limit, self.connect_unbounded(target, local)).await {
            Ok(result) => result,
            Err(_) => Err(UpstreamFailure::ConnectTimeout(target.address.clone())),
        }
    }

    async fn connect_unbounded(
        &self,
        target: &Target,
        local: Option<Arc<Listener>>,
    ) -> Result<Io, UpstreamFailure> {
        let refused = |reason: &dyn std::fmt::Display| UpstreamFailure::Connect {
            address: target.address.clone(),
            reason: reason.to_string(),
        };
        let mut raw = match (local, &target.address) {
            (Some(listener), address) => {
                self.connect_local(listener, address, target.source).map_err(|e| refused(&e))?
            }
            (None, Address::Real(address)) => {
                let stream = TcpStream::connect(address).await.map_err(|e| refused(&e))?;
                stream.set_nodelay(true).map_err(|e| refused(&e))?;
                Raw::tcp(stream)
            }
            (None, Address::Virtual { .. }) => {
                return Err(refused(&"nothing listens on that virtual address"));
            }
        };
        if let Some(tunnel) = &target.tunnel {
            tunnel.open(&mut raw).await.map_err(|reason| refused(&reason))?;
        }
        let Some(tls) = &target.tls else { return Ok(Io::Plain(raw)) };
        let Some(name) = target.server_name.clone() else {
            return Err(refused(&"the target has TLS but no server name"));
        };
        let connector = TlsConnector::from(tls.config());
        let stream = connector
            .connect(name.clone(), raw)
            .await
            .map_err(|error| tls_failure(&target.address, &error))?;
        let failed = |reason: String| UpstreamFailure::Tls { address: target.address.clone(), reason };
        tls.check_resumed(stream.get_ref().1, &name, self.clock().now())
            .map_err(|refusal| failed(refusal.to_string()))?;
        let io = Io::Client(Box::new(stream));
        if io.is_http2() && target.protocol == UpstreamProtocol::Http1 {
            return Err(failed("the server chose HTTP/2, which the target does not use".to_owned()));
        }
        Ok(io)
    }

    /// A pipe whose other end is served as a connection of that listener, under its source filter.
    fn connect_local(
        &self,
        listener: Arc<Listener>,
        address: &Address,
        source: Option<IpAddr>,
    ) -> io::Result<Raw> {
        let source = virtual_source(source);
        if !listener.state().filter.allows(source.ip()) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let local = SocketAddr::new(address.ip(), address.port());
        let origin = Origin { peer: source, local, hop: Hop::Wire, guard: None };
        self.spawn(serve(self.clone(), listener, Raw::memory(theirs), origin));
        Ok(Raw::memory(ours))
    }
}

/// The address that a listener of this process sees as its peer. It has no port.
pub(super) fn virtual_source(source: Option<IpAddr>) -> SocketAddr {
    SocketAddr::new(source.unwrap_or(Ipv4Addr::LOCALHOST.into()), 0)
}

pub(super) fn tls_failure(address: &Address, error: &io::Error) -> UpstreamFailure {
    let reason = match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other))) => {
            other.0.to_string()
        }
        Some(rustls::Error::AlertReceived(alert)) => format!("the server sent the alert {alert:?}"),
        Some(other) => other.to_string(),
        None => error.to_string(),
    };
    UpstreamFailure::Tls { address: address.clone(), reason }
}

/// The TLS error inside an IO error. With TLS 1.3 a server refuses our certificate only after the handshake
/// has ended on our side, so it arrives with the first read.
pub(super) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

impl PoolKey {
    pub(super) fn address(&self) -> &Address {
        &self.address
    }
}
