//! A hop that is a call. The listener's source filter, both certificates, names and protocols are checked as
//! on a wire; the outcome is cached per core until a certificate or either configuration changes.

use super::connect::virtual_source;
use super::{Target, UpstreamError, UpstreamFailure, UpstreamRequest};
use crate::body::Body;
use crate::deadline::Deadline;
use crate::exchange::{ConnectionInfo, Hop, Request, Response};
use crate::h1::Refusal;
use crate::h1::request_rules::is_authority;
use crate::listener::{Listener, ListenerState};
use crate::server::Core;
use crate::tls::{ClientChain, ClientTls, Identity, Negotiated, TlsInfo, TlsTable, fuse};
use handfast_core::UnixTime;
use handfast_core::message::{RequestHead, ResponseHead, Scheme, Version};
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

/// Outcomes remembered per core.
const OUTCOMES_MAX: usize = 4_096;

/// Fused handshakes that succeeded, and the connection that each stands for.
#[derive(Default)]
pub(crate) struct FusedCache {
    outcomes: HashMap<FusedKey, Outcome>,
}

#[derive(PartialEq, Eq, Hash)]
struct FusedKey {
    listener: usize,
    local: SocketAddr,
    client: Option<Identity>,
    server_name: Option<ServerName<'static>>,
    source: Option<IpAddr>,
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
        if connection.tls.is_none() && state.tls.is_some() {
            return Ok(received(state.service.refuse(&connection, Refusal::PlainOnTls)));
        }
        if let Err(refusal) = arrive(&mut head, &body, &connection) {
            return Ok(received(state.service.refuse(&connection, refusal)));
        }
        self.metrics().count(Metric::Requests);
        let request = Request { head, body, connection: connection.clone(), upgrade };
        let mut future = state.service.clone().call(self.clone(), request);
        let mut deadline = Deadline::default();
        deadline.set(timeouts.response);
        let answer =
            poll_fn(|cx| match std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
                Ok(Poll::Ready(response)) => Poll::Ready(Some(response)),
                Ok(Poll::Pending) => deadline.poll_expired(cx).map(|()| None),
                Err(_) => {
                    self.metrics().count(Metric::RequestPanics);
                    Poll::Ready(Some(state.service.fail(&connection, 500)))
                }
            })
            .await;
        match answer {
            Some(response) => Ok(received(response)),
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
            listener: Arc::as_ptr(listener) as usize,
            local,
            client: target.tls.as_ref().map(|tls| *tls.identity()),
            server_name: target.server_name.clone(),
            source: target.source,
        };
        let now = self.clock().now();
        if let Some(outcome) = self.fused().borrow().outcomes.get(&key)
            && outcome.valid_until >= now
            && outcome.is_current(state)
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
    /// Whether the listener still serves the host that was judged.
    fn is_current(&self, state: &ListenerState) -> bool {
        match (&self.host, &state.tls) {
            (None, _) => true,
            (Some(identity), Some(table)) => table.hosts().iter().any(|host| host.identity() == identity),
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
    }
}

/// What writing and reading the head on a wire would have done to it.
fn arrive(head: &mut RequestHead, body: &Body, connection: &ConnectionInfo) -> Result<(), Refusal> {
    let host = head.fields.get_str("host").unwrap_or_default();
    if !is_authority(host) {
        return Err(Refusal::Host);
    }
    head.authority.clear();
    head.authority.push_str(host);
    head.scheme = connection.scheme;
    head.version = Version::Http11;
    head.fields.remove(b"content-length");
    if let Some(length) = body.remaining().filter(|&length| length > 0) {
        let _ = head.fields.append(b"content-length", length.to_string().as_bytes());
    }
    Ok(())
}

/// What writing and reading the response head on a wire would have done to it.
fn received(mut response: Response) -> Response {
    let ResponseHead { status, version, fields, .. } = &mut response.head;
    *version = Version::Http11;
    let bodiless = *status < 200 || *status == 204 || *status == 304;
    if let Some(length) =
        response.body.remaining().filter(|_| !bodiless && !fields.contains(b"content-length"))
    {
        let _ = fields.append(b"content-length", length.to_string().as_bytes());
    }
    response.close = false;
    response
}
