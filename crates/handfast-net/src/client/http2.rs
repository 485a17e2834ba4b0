//! HTTP/2 to upstream servers: one multiplexed connection per target and core, replaced when it fails or
//! the server says GOAWAY. A server that does not choose HTTP/2 by ALPN is served HTTP/1.1.

use super::exchange::Retry;
use super::pool::UpstreamConnection;
use super::upload::Upload;
use super::{PoolKey, Target, UpstreamError, UpstreamFailure, UpstreamRequest};
use crate::body::Body;
use crate::deadline::Deadline;
use crate::exchange::Response;
use crate::h1::request_rules::is_hop_by_hop;
use crate::h2_body::H2Body;
use crate::limits::GlobalLimits;
use crate::listener::Listener;
use crate::server::Core;
use bytes::Bytes;
use h2::client::SendRequest;
use handfast_core::message::{RequestHead, ResponseHead, Version, is_field_value};
use http::header::{HeaderName, HeaderValue};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, timeout};

const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

struct Pooled {
    key: PoolKey,
    sender: SendRequest<Bytes>,
    used: Instant,
}

/// Connections of one core by the fingerprint of their key.
#[derive(Default)]
pub(crate) struct Http2Pool {
    connections: HashMap<u64, Vec<Pooled>>,
}

impl Http2Pool {
    fn get(&mut self, target: &Target) -> Option<SendRequest<Bytes>> {
        let pooled = self.connections.get_mut(&target.fingerprint())?;
        let pooled = pooled.iter_mut().find(|pooled| pooled.key.fits(target))?;
        pooled.used = Instant::now();
        Some(pooled.sender.clone())
    }

    fn put(&mut self, target: &Target, sender: SendRequest<Bytes>) {
        self.remove(target);
        let pooled = Pooled { key: target.key(), sender, used: Instant::now() };
        self.connections.entry(target.fingerprint()).or_default().push(pooled);
    }

    fn remove(&mut self, target: &Target) {
        if let Some(pooled) = self.connections.get_mut(&target.fingerprint()) {
            pooled.retain(|pooled| !pooled.key.fits(target));
        }
    }

    /// Lets go of connections that no request has used for too long; streams on them end first.
    pub(crate) fn expire(&mut self, limits: &GlobalLimits) {
        self.connections.retain(|_, pooled| {
            pooled.retain(|pooled| pooled.used.elapsed() < limits.idle_upstream_timeout);
            !pooled.is_empty()
        });
    }
}

/// A new connection, in the version that the server chose.
#[allow(clippy::large_enum_variant, reason = "made and taken apart at once, never stored")]
enum Opened {
    Http2(SendRequest<Bytes>),
    Http1(UpstreamConnection),
}

struct Failed {
    failure: UpstreamFailure,
    request: Option<UpstreamRequest>,
    /// Whether the server says that it has not processed the request (RFC 9113 §8.7).
    refused: bool,
}

impl Core {
    pub(super) async fn send_http2(
        &self,
        target: &Target,
        local: Option<Arc<Listener>>,
        mut request: UpstreamRequest,
    ) -> Result<Response, UpstreamError> {
        let mut retried = false;
        loop {
            let wait = request.timeouts.connect;
            let (sender, reused) = match self.connection_for(target, local.clone(), wait).await {
                Ok((Opened::Http2(sender), reused)) => (sender, reused),
                Ok((Opened::Http1(connection), _)) => match self.exchange(connection, request).await {
                    Ok(response) => return Ok(response),
                    Err(Retry::No(error)) => return Err(error),
                    Err(Retry::Again(again)) => {
                        request = *again;
                        continue;
                    }
                },
                Err(failure) => return Err(UpstreamError::new(failure, Some(request))),
            };
            match self.stream(sender, request).await {
                Ok(response) => return Ok(response),
                Err(Failed { failure: UpstreamFailure::Closed, request: Some(again), refused })
                    if !retried && (refused || (reused && again.head.method.is_idempotent())) =>
                {
                    self.http2().borrow_mut().remove(target);
                    (request, retried) = (again, true);
                }
                Err(failed) => return Err(UpstreamError::new(failed.failure, failed.request)),
            }
        }
    }

    /// A connection of the pools, or a new one; and whether it was used before.
    async fn connection_for(
        &self,
        target: &Target,
        local: Option<Arc<Listener>>,
        wait: Duration,
    ) -> Result<(Opened, bool), UpstreamFailure> {
        if let Some(connection) = self.idle_connection(target) {
            return Ok((Opened::Http1(connection), true));
        }
        if let Some(sender) = self.ready_sender(target, wait).await {
            return Ok((Opened::Http2(sender), true));
        }
        Ok((self.open(target, local, wait).await?, false))
    }

    /// One request as a stream of a connection.
    async fn stream(
        &self,
        mut sender: SendRequest<Bytes>,
        request: UpstreamRequest,
    ) -> Result<Response, Failed> {
        let failed = |failure, request| Failed { failure, request, refused: false };
        let Some(message) = request_head(&request.head, &request.body) else {
            return Err(failed(UpstreamFailure::Closed, None));
        };
        let end = request.body.is_empty();
        let Ok((response, stream)) = sender.send_request(message, end) else {
            // Nothing was sent: the connection had just ended.
            return Err(Failed { failure: UpstreamFailure::Closed, request: Some(request), refused: true });
        };
        let UpstreamRequest { head, body, upgrade, timeouts } = request;
        let replay = match &body {
            Body::Empty => Some(Body::Empty),
            Body::Full(bytes) => Some(Body::Full(bytes.clone())),
            Body::Stream(_) => None,
        };
        let upload = (!end).then(|| Upload::start(body, stream, timeouts.body_idle));
        let mut deadline = Deadline::default();
        let mut response = Box::pin(response);
        let answer = poll_fn(|cx| {
            if let Poll::Ready(answer) = response.as_mut().poll(cx) {
                return Poll::Ready(Some(answer));
            }
            // The time limit runs from the end of the request.
            if upload.as_ref().is_some_and(|upload| upload.is_sending(cx)) {
                return Poll::Pending;
            }
            deadline.start(timeouts.response);
            deadline.poll_expired(cx).map(|()| None)
        });
        let answer = answer.await;
        let request = || replay.map(|body| UpstreamRequest { head, body, upgrade, timeouts });
        match answer {
            Some(Ok(response)) => Ok(self.received(response, timeouts.body_idle, upload)),
            None => Err(failed(UpstreamFailure::Timeout, request())),
            Some(Err(error)) => {
                let body = upload.and_then(|upload| upload.body_failure());
                let failure = body.map_or(UpstreamFailure::Closed, UpstreamFailure::RequestBody);
                Err(Failed { failure, request: request(), refused: is_refused(&error) })
            }
        }
    }

    /// A connection that takes another stream, once the server's limit of streams allows one.
    async fn ready_sender(&self, target: &Target, wait: Duration) -> Option<SendRequest<Bytes>> {
        let sender = self.http2().borrow_mut().get(target)?;
        match timeout(wait, sender.ready()).await {
            Ok(Ok(sender)) => Some(sender),
            Ok(Err(_)) | Err(_) => {
                self.http2().borrow_mut().remove(target);
                None
            }
        }
    }

    async fn open(
        &self,
        target: &Target,
        local: Option<Arc<Listener>>,
        wait: Duration,
    ) -> Result<Opened, UpstreamFailure> {
        let io = self.connect(target, local, wait).await?;
        if target.tls.is_some() && !io.is_http2() {
            return Ok(Opened::Http1(UpstreamConnection::new(target, io)));
        }
        let broken = |error: h2::Error| UpstreamFailure::Connect {
            address: target.address.clone(),
            reason: format!("HTTP/2: {error}"),
        };
        let (sender, mut connection) = h2::client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(self.upstream_limits().head_bytes_max as u32)
            .enable_push(false)
            .handshake::<_, Bytes>(io)
            .await
            .map_err(broken)?;
        self.spawn(async move {
            // It ends when the server closes, or with the last stream once the pool has let go of it.
            let _ = poll_fn(|cx| Pin::new(&mut connection).poll(cx)).await;
        });
        let sender = sender.ready().await.map_err(broken)?;
        self.http2().borrow_mut().put(target, sender.clone());
        Ok(Opened::Http2(sender))
    }

    fn received(
        &self,
        response: http::Response<h2::RecvStream>,
        idle: Duration,
        upload: Option<Upload>,
    ) -> Response {
        let (parts, stream) = response.into_parts();
        let mut head = ResponseHead::new(parts.status.as_u16());
        head.version = Version::Http2;
        for (name, value) in &parts.headers {
            let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
            if !is_hop_by_hop(name) && is_field_value(value) {
                let _ = head.fields.append(name, value);
            }
        }
        let body = if stream.is_end_stream() {
            Body::Empty
        } else {
            Body::Stream(Box::new(H2Body::new(stream, &head.fields, u64::MAX, idle).with_upload(upload)))
        };
        Response { head, body, ..Response::default() }
    }
}

/// Whether the server has certainly not processed a request: it refused the stream, or left without it.
fn is_refused(error: &h2::Error) -> bool {
    error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
}

fn request_head(head: &RequestHead, body: &Body) -> Option<http::Request<()>> {
    let authority = head.fields.get_str("host").unwrap_or(&head.authority);
    let uri = http::Uri::builder()
        .scheme(head.scheme.as_str())
        .authority(authority)
        .path_and_query(head.target.as_str())
        .build()
        .ok()?;
    let mut request = http::Request::builder().method(head.method.as_str()).uri(uri).body(()).ok()?;
    for (name, value) in head.fields.iter() {
        let te = name.eq_ignore_ascii_case(b"te");
        if name.eq_ignore_ascii_case(b"host")
            || name.eq_ignore_ascii_case(b"content-length")
            || (is_hop_by_hop(name) && !te)
        {
            continue;
        }
        request
            .headers_mut()
            .append(HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    if let Some(length) = body.remaining().filter(|&length| length > 0) {
        request.headers_mut().insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Some(request)
}
