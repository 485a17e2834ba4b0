//! Accepting connections on one core: one loop per listener, until the listener is removed or the process
//! drains.

use super::connection::{Origin, serve};
use super::{Core, Pressure, Shared};
use crate::exchange::Hop;
use crate::io::Raw;
use crate::listener::Listener;
use futures_util::FutureExt;
use handfast_telemetry::Metric;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// How long accepting pauses when the process is out of file descriptors.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Connections taken from a queue that is being closed; the bound holds when they arrive without end.
const LAST_ACCEPTS_MAX: usize = 4096;

/// One listener on one core.
pub(crate) struct AcceptLoop {
    pub(crate) core: Core,
    pub(crate) listener: Arc<Listener>,
    pub(crate) socket: TcpListener,
    pub(crate) stop: oneshot::Receiver<()>,
}

impl AcceptLoop {
    /// Accepts until stopped.
    pub(crate) async fn run(mut self) {
        let mut changes = self.core.shared().changes.subscribe();
        if self.core.is_draining() {
            return;
        }
        loop {
            tokio::select! {
                biased;
                _ = &mut self.stop => break,
                _ = changes.wait_for(|()| self.core.is_draining()) => break,
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, peer)) => self.accepted(stream, peer),
                    // A connection that failed before it was accepted is none of ours; being out of
                    // descriptors is, and spinning would make it worse.
                    Err(error) if is_connection_error(&error) => {}
                    Err(_) => tokio::time::sleep(EXHAUSTED_PAUSE).await,
                },
            }
        }
        // Clients that the kernel has connected already would see a reset.
        for _ in 0..LAST_ACCEPTS_MAX {
            match self.socket.accept().now_or_never() {
                Some(Ok((stream, peer))) => self.accepted(stream, peer),
                Some(Err(_)) | None => return,
            }
        }
    }

    fn accepted(&self, stream: TcpStream, peer: std::net::SocketAddr) {
        let metrics = self.core.metrics();
        let state = self.listener.state();
        let direct = state.trusted_proxies.is_empty();
        if direct && !state.filter.allows(peer.ip()) {
            metrics.count(Metric::ConnectionsRefused);
            reset(stream);
            return;
        }
        // Behind a load balancer the source is known only after the PROXY header.
        let source = direct.then_some(peer.ip());
        let Some(guard) = ConnectionGuard::enter(self.core.shared(), source) else {
            metrics.count(Metric::ConnectionsRefused);
            reset(stream);
            return;
        };
        metrics.count(Metric::ConnectionsAccepted);
        let local = stream.local_addr().unwrap_or(peer);
        // Failure means that the peer is gone already, which the first read reports.
        let _ = stream.set_nodelay(true);
        let origin = Origin { peer, local, hop: Hop::Wire, guard: Some(guard) };
        self.core.spawn(serve(self.core.clone(), self.listener.clone(), Raw::tcp(stream), origin));
    }
}

/// Closes with a reset, so that a refused peer learns nothing and no TIME_WAIT is kept for it.
fn reset(stream: TcpStream) {
    let _ = stream.set_zero_linger();
}

fn is_connection_error(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Counts one client connection for as long as it lives.
pub(crate) struct ConnectionGuard {
    shared: Arc<Shared>,
    source: Option<IpAddr>,
}

impl ConnectionGuard {
    /// `None` when the process or the source is at its limit.
    pub(crate) fn enter(shared: &Arc<Shared>, source: Option<IpAddr>) -> Option<Self> {
        let before = shared.connections.fetch_add(1, Ordering::Relaxed);
        let mut guard = Self { shared: shared.clone(), source: None };
        let room = before < shared.limits.connections_max && shared.pressure() == Pressure::None;
        let within = room && source.is_none_or(|ip| guard.attribute(ip));
        within.then_some(guard)
    }

    /// Counts the connection for a source as well; false when that one is at its limit.
    pub(crate) fn attribute(&mut self, source: IpAddr) -> bool {
        let within = self.shared.sources.enter(source, &self.shared.limits, Instant::now());
        if within {
            self.source = Some(source);
        }
        within
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.shared.connections.fetch_sub(1, Ordering::Relaxed);
        if let Some(source) = self.source {
            self.shared.sources.leave(source);
        }
    }
}
