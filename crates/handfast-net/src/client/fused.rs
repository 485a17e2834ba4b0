//! A hop that is a call. The listener's source filter, both certificates, names and protocols are checked as
//! on a wire; the outcome is cached per core until a certificate or either configuration changes.

use super::connect::virtual_source;
use super::relayed::{Relayed, Transfer};
use super::{Target, UpstreamError, UpstreamFailure, UpstreamProtocol, UpstreamRequest, UpstreamTimeouts};
use crate::body::Body;
use crate::deadline::Deadline;
use crate::delivery::BodyMeter;
use crate::exchange::{ConnectionInfo, Hop, Request, Response};
use crate::h1::{Refusal, conform_request, conform_response};
use crate::limits::Limits;
use crate::listener::{Listener, ListenerState};
use crate::server::Core;
use crate::tls::{ClientChain, ClientTls, Identity, Negotiated, Selection, TlsInfo, TlsTable, fuse};
use handfast_core::UnixTime;
use handfast_core::message::{Method, Scheme, Version};
use handfast_telemetry::Metric;
use rustls::pki_types::ServerName;
use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// Outcomes remembered per core.
const OUTCOMES_MAX: usize = 4_096;

/// Fused handshakes that succeeded, and the connection that each stands for.
#[derive(Default)]
pub(crate) struct FusedCache {
    outcomes: HashMap<FusedKey, Outcome>,
}

#[derive(PartialEq, Eq, Hash)]
struct FusedKey {
    listener: u64,
    local: SocketAddr,
    client: Option<Identity>,
    server_name: Option<ServerName<'static>>,
    source: Option<IpAddr>,
    dedicated: Option<u64>,
}

struct Outcome {
    connection: Rc<ConnectionInfo>,
    host: Option<Identity>,
    valid_until: UnixTime,
}

impl Core {
    pub(super) async fn send_fused(
        &self,
        listener: &Arc<Listener>,
        target: &Target,
        request: UpstreamRequest,
    ) -> Result<Response, UpstreamError> {
        let state = listener.state().clone();
        let connection = match self.fused_connection(listener, &state, target) {
            Ok(connection) => connection,
            Err(failure) => return Err(UpstreamError::new(failure, Some(request))),
        };
        self.metrics().count(Metric::FusedHops);
        let UpstreamRequest { mut head, body, upgrade, timeouts } = request;
        let is_head = head.method == Method::Head;
        let version = version(&connection, target);
        if connection.tls.is_none() && state.tls.is_some() {
            return received(
                state.service.refuse(self, &connection, Refusal::PlainOnTls),
                is_head,
                version,
                &timeouts,
            );
        }
        let upgrade = match conform_request(&mut head, body.remaining(), upgrade, &state.limits) {
            Ok(upgrade) => upgrade,
            Err(refusal) => {
                return received(
                    state.service.refuse(self, &connection, refusal),
                    is_head,
                    version,
                    &timeouts,
                );
            }
        };
        (head.scheme, head.version) = (connection.scheme, version);
        self.metrics().count(Metric::Requests);
        let body_meter = if body.is_empty() { BodyMeter::default() } else { BodyMeter::new() };
        let (body, transfer) = Relayed::request(body, state.limits.body_bytes_max, &body_meter);
        let request = Request { head, body, connection: connection.clone(), upgrade, body_meter };
        let mut future = state.service.clone().call(self.clone(), request);
        let mut deadline = Deadline::default();
        deadline.set(timeouts.response);
        let answer = poll_fn(|cx| {
            match std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
                Ok(Poll::Ready(response)) => return Poll::Ready(Some(response)),
                Ok(Poll::Pending) => {}
                Err(_) => {
                    self.metrics().count(Metric::RequestPanics);
                    return Poll::Ready(Some(state.service.fail(&connection, 500)));
                }
            }
            // As on a wire, waiting for the sender of the body does not count.
            match transfer.as_ref().map(|transfer| transfer.look(cx)) {
                Some(Transfer::Starved) => {
                    deadline.clear();
                    return Poll::Pending;
                }
                Some(Transfer::Moved) => deadline.set(timeouts.response),
                Some(Transfer::Resting) | None => deadline.start(timeouts.response),
            }
            deadline.poll_expired(cx).map(|()| None)
        });
        match answer.await {
            Some(response) => received(response, is_head, version, &timeouts),
            None => Err(UpstreamError::new(UpstreamFailure::Timeout, None)),
        }
    }

    /// The connection that this target stands for, judged now or remembered.
    fn fused_connection(
        &self,
        listener: &Arc<Listener>,
        state: &ListenerState,
        target: &Target,
    ) -> Result<Rc<ConnectionInfo>, UpstreamFailure> {
        let source = virtual_source(target.source);
        if !state.filter.allows(source.ip()) {
            let reason = std::io::Error::from(std::io::ErrorKind::ConnectionRefused).to_string();
            return Err(UpstreamFailure::Connect { address: target.address.clone(), reason });
        }
        let local = SocketAddr::new(target.address.ip(), target.address.port());
        let key = FusedKey {
            listener: listener.id(),
            local,
            client: target.tls.as_ref().map(|tls| *tls.identity()),
            server_name: target.server_name.clone(),
            source: target.source,
            dedicated: target.dedicated,
        };
        let now = self.clock().now();
        if let Some(outcome) = self.fused().borrow().outcomes.get(&key)
            && outcome.valid_until >= now
            && outcome.is_current(state, target)
        {
            return Ok(outcome.connection.clone());
        }
        let outcome = self.judge_fused(state, target, source, now)?;
        let connection = outcome.connection.clone();
        let mut cache = self.fused().borrow_mut();
        if cache.outcomes.len() >= OUTCOMES_MAX {
            cache.outcomes.clear();
        }
        cache.outcomes.insert(key, outcome);
        Ok(connection)
    }

    fn judge_fused(
        &self,
        state: &ListenerState,
        target: &Target,
        source: SocketAddr,
        now: UnixTime,
    ) -> Result<Outcome, UpstreamFailure> {
        let failed = |reason: String| UpstreamFailure::Tls { address: target.address.clone(), reason };
        let (tls, host, valid_until) = match (&target.tls, &state.tls) {
            (None, _) => (None, None, UnixTime(i64::MAX)),
            (Some(_), None) => return Err(failed("the server does not speak TLS".to_owned())),
            (Some(client), Some(table)) => {
                let Some(name) = &target.server_name else {
                    return Err(failed("the target has TLS but no server name".to_owned()));
                };
                let negotiated = negotiate(client, name, table, now).map_err(failed)?;
                let (host, valid_until) = (*negotiated.host.identity(), negotiated.valid_until);
                (Some(tls_info(client, name, negotiated)), Some(host), valid_until)
            }
        };
        let connection = Rc::new(ConnectionInfo {
            id: self.next_connection_id(),
            peer: source,
            client: source,
            local: SocketAddr::new(target.address.ip(), target.address.port()),
            scheme: if tls.is_some() { Scheme::Https } else { Scheme::Http },
            tls,
            hop: Hop::Fused,
            memo: RefCell::new(None),
        });
        Ok(Outcome { connection, host, valid_until })
    }
}

impl Outcome {
    /// Whether the listener would still serve this name with the host that was judged.
    fn is_current(&self, state: &ListenerState, target: &Target) -> bool {
        let name = target.server_name.as_ref().and_then(|name| match name {
            ServerName::DnsName(dns) => Some(dns.as_ref()),
            _ => None,
        });
        match (&self.host, &state.tls) {
            (None, _) => true,
            (Some(identity), Some(table)) => {
                matches!(table.select(name), Selection::Host(host) if host.identity() == identity)
            }
            (Some(_), None) => false,
        }
    }
}

fn negotiate(
    client: &ClientTls,
    name: &ServerName<'_>,
    table: &TlsTable,
    now: UnixTime,
) -> Result<Negotiated, String> {
    fuse(client, name, table, now).map_err(|refusal| refusal.to_string())
}

fn tls_info(client: &ClientTls, name: &ServerName<'_>, negotiated: Negotiated) -> TlsInfo {
    let chain = match &client.spec().credential {
        Some(credential) if negotiated.showed_certificate => credential.chain_pki_types(),
        _ => Vec::new(),
    };
    let server_name = match name {
        ServerName::DnsName(dns) => Some(Rc::from(dns.as_ref())),
        _ => None,
    };
    TlsInfo {
        protocol: negotiated.protocol,
        cipher: negotiated.cipher,
        http2: negotiated.http2,
        server_name,
        host: negotiated.host,
        client_chain: Rc::new(ClientChain::new(chain)),
        client_ciphers: client.offered_ciphers().into(),
        round_trip: Duration::ZERO,
    }
}

/// The protocol version that would be spoken on a wire.
fn version(connection: &ConnectionInfo, target: &Target) -> Version {
    let negotiated = connection.tls.as_ref().is_some_and(|tls| tls.http2);
    match target.protocol {
        UpstreamProtocol::Http2 if negotiated => Version::Http2,
        UpstreamProtocol::Http1 | UpstreamProtocol::Http2 => Version::Http11,
    }
}

/// What writing and reading the response on a wire would have done to it.
fn received(
    mut response: Response,
    is_head: bool,
    version: Version,
    timeouts: &UpstreamTimeouts,
) -> Result<Response, UpstreamError> {
    let limits = Limits::default();
    conform_response(&mut response.head, response.body.remaining(), is_head, &limits)
        .map_err(|failure| UpstreamError::new(failure.into(), None))?;
    response.head.version = version;
    let delivery = std::mem::take(&mut response.delivery);
    response.body = match response.head.status {
        // The tunnel's own bytes are counted where it ends.
        101 => {
            response.delivery = delivery;
            Body::Empty
        }
        _ if is_head => Relayed::response(Body::Empty, timeouts.body_idle, delivery),
        102..=199 | 100 | 204 | 304 => Relayed::response(Body::Empty, timeouts.body_idle, delivery),
        _ => Relayed::response(response.body, timeouts.body_idle, delivery),
    };
    response.close = false;
    Ok(response)
}
