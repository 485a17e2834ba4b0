//! A connection from its first byte to its protocol: PROXY header, source filter, TLS, HTTP version.

use super::accept::ConnectionGuard;
use super::{Core, h1, h2};
use crate::exchange::{ConnectionInfo, Hop};
use crate::h1::Refusal;
use crate::io::{self, Io, Raw};
use crate::listener::{Listener, ListenerState};
use crate::proxy_protocol::{self, Header};
use crate::tls::{ClientChain, Selection, TlsHost, TlsInfo, TlsTable, cipher_name, protocol_name};
use bytes::BytesMut;
use handfast_core::UnixTime;
use handfast_core::message::Scheme;
use handfast_telemetry::Metric;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

/// Where a connection comes from.
pub(crate) struct Origin {
    /// The kernel's peer, or a virtual source.
    pub(crate) peer: SocketAddr,
    /// The address that it connected to.
    pub(crate) local: SocketAddr,
    /// How it was made.
    pub(crate) hop: Hop,
    /// Its place in the process-wide count; in-process connections have none.
    pub(crate) guard: Option<ConnectionGuard>,
}

/// Serves one connection to its end.
pub(crate) async fn serve(core: Core, listener: Arc<Listener>, mut raw: Raw, mut origin: Origin) {
    let state = listener.state().clone();
    let limits = state.limits.clone();
    let Ok(Some(client)) = timeout(limits.handshake_timeout, identify(&state, &mut raw, &origin)).await
    else {
        core.metrics().count(Metric::ConnectionsRefused);
        return;
    };
    let attributed = client == origin.peer || state.trusted_proxies.is_empty();
    if !attributed && origin.guard.as_mut().is_some_and(|guard| !guard.attribute(client.ip())) {
        core.metrics().count(Metric::ConnectionsRefused);
        return;
    }
    let (io, tls) = match &state.tls {
        None => (Io::Plain(raw), None),
        Some(table) => {
            match timeout(limits.handshake_timeout, handshake(table, raw, core.clock().now())).await {
                Ok(Ok((io, info))) => (io, Some(info)),
                Ok(Err(HandshakeFailure::PlainHttp(raw))) => {
                    return refuse_plain(&core, &state, raw, &origin, client).await;
                }
                Ok(Err(HandshakeFailure::Failed)) | Err(_) => {
                    core.metrics().count(Metric::HandshakesFailed);
                    return;
                }
            }
        }
    };
    let http2 = tls.as_ref().is_some_and(|tls| tls.http2);
    let info = connection_info(&core, &origin, client, tls);
    drop(state);
    if http2 {
        h2::serve(core, listener, io, info).await;
    } else {
        h1::serve(core, listener, io, info).await;
    }
    drop(origin.guard);
}

fn connection_info(
    core: &Core,
    origin: &Origin,
    client: SocketAddr,
    tls: Option<TlsInfo>,
) -> Rc<ConnectionInfo> {
    Rc::new(ConnectionInfo {
        id: core.next_connection_id(),
        peer: origin.peer,
        client,
        local: origin.local,
        scheme: if tls.is_some() { Scheme::Https } else { Scheme::Http },
        tls,
        hop: origin.hop,
        memo: RefCell::new(None),
    })
}

/// The client's address: the peer, or what a trusted proxy says. `None` closes the connection.
async fn identify(state: &ListenerState, raw: &mut Raw, origin: &Origin) -> Option<SocketAddr> {
    if state.trusted_proxies.is_empty() || origin.hop == Hop::Fused {
        return Some(origin.peer);
    }
    let peer = origin.peer.ip().to_canonical();
    if !state.trusted_proxies.iter().any(|network| network.contains(&peer)) {
        return None;
    }
    let mut received = BytesMut::with_capacity(proxy_protocol::HEADER_BYTES_MAX);
    loop {
        match proxy_protocol::parse(&received) {
            Ok(Some((header, length))) => {
                raw.unread(&received[length..]);
                let client = match header {
                    Header::Proxied { source, .. } => source,
                    Header::Local => origin.peer,
                };
                return state.filter.allows(client.ip()).then_some(client);
            }
            Ok(None) => {
                let count = raw.read_buf(&mut received).await.ok()?;
                if count == 0 {
                    return None;
                }
            }
            Err(_) => return None,
        }
    }
}

enum HandshakeFailure {
    PlainHttp(Raw),
    Failed,
}

impl From<std::io::Error> for HandshakeFailure {
    fn from(_: std::io::Error) -> Self {
        Self::Failed
    }
}

async fn handshake(table: &TlsTable, mut raw: Raw, now: UnixTime) -> Result<(Io, TlsInfo), HandshakeFailure> {
    let mut first = BytesMut::with_capacity(2048);
    if raw.read_buf(&mut first).await? == 0 {
        return Err(HandshakeFailure::Failed);
    }
    raw.unread(&first);
    if first.first().is_some_and(u8::is_ascii_uppercase) {
        return Err(HandshakeFailure::PlainHttp(raw));
    }
    let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), raw).await?;
    let server_name: Option<Rc<str>> = start.client_hello().server_name().map(Rc::from);
    let offered = start.client_hello().cipher_suites().iter().map(|&suite| u16::from(suite)).collect();
    let answered = Instant::now();
    let host = match table.select(server_name.as_deref()) {
        Selection::Host(host) => host.clone(),
        Selection::Unrecognised => return Err(unrecognised_name(start).await),
    };
    let stream = match start.into_stream(host.config()).into_fallible().await {
        Ok(stream) => stream,
        // rustls has written its alert; with TLS 1.3 the client may have sent a request already, and closing
        // on top of that would reset the connection before the alert is read.
        Err((_, raw)) => return Err(close_raw(raw).await),
    };
    let hello = Hello { server_name, offered, answered };
    let info = tls_info(stream.get_ref().1, hello, host);
    // A resumed session brings back a chain that was judged when the session was made.
    if resumed(stream.get_ref().1) && !info.host.still_admits(&info.client_chain, now) {
        return Err(HandshakeFailure::Failed);
    }
    Ok((Io::Server(Box::new(stream)), info))
}

fn resumed(connection: &rustls::ServerConnection) -> bool {
    connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
}

/// What is kept of a ClientHello.
struct Hello {
    server_name: Option<Rc<str>>,
    offered: Rc<[u16]>,
    answered: Instant,
}

fn tls_info(connection: &rustls::ServerConnection, hello: Hello, host: Arc<TlsHost>) -> TlsInfo {
    let chain = connection.peer_certificates().unwrap_or_default();
    TlsInfo {
        protocol: connection.protocol_version().map_or("", protocol_name),
        cipher: connection.negotiated_cipher_suite().map_or("", |suite| cipher_name(suite.suite())),
        http2: connection.alpn_protocol() == Some(b"h2"),
        server_name: hello.server_name,
        host,
        client_chain: Rc::new(ClientChain::new(chain.iter().map(|der| der.clone().into_owned()).collect())),
        client_ciphers: hello.offered,
        round_trip: hello.answered.elapsed(),
    }
}

/// A fatal `unrecognized_name` alert (RFC 6066 §3) in a plaintext record (RFC 8446 §5.1, §6).
async fn unrecognised_name(start: StartHandshake<Raw>) -> HandshakeFailure {
    const ALERT: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];
    let mut raw = start.io;
    let _ = raw.write_all(&ALERT).await;
    close_raw(raw).await
}

/// Closes a stream whose handshake failed so that the peer can read why.
async fn close_raw(raw: Raw) -> HandshakeFailure {
    io::close(&Rc::new(RefCell::new(Io::Plain(raw))), true).await;
    HandshakeFailure::Failed
}

/// Tells a client that spoke HTTP to a TLS listener what went wrong.
async fn refuse_plain(core: &Core, state: &ListenerState, raw: Raw, origin: &Origin, client: SocketAddr) {
    core.metrics().count(Metric::RequestsRejected);
    let info = connection_info(core, origin, client, None);
    let response = state.service.refuse(core, &info, Refusal::PlainOnTls);
    h1::send_and_close(Io::Plain(raw), response, state.limits.body_idle_timeout).await;
}
