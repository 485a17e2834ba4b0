//! HTTP/2 to upstream servers: one multiplexed connection per target and core, replaced when it fails or
//! the server says GOAWAY.

use super::{PoolKey, Target, UpstreamError, UpstreamFailure, UpstreamRequest};
use crate::body::Body;
use crate::deadline::Deadline;
use crate::exchange::Response;
use crate::h1::BodyFailure;
use crate::h1::request_rules::is_hop_by_hop;
use crate::h2_body::{H2Body, SendFailure, send_body};
use crate::listener::Listener;
use crate::server::Core;
use bytes::Bytes;
use h2::client::SendRequest;
use handfast_core::message::{RequestHead, ResponseHead, Version, is_field_value};
use http::header::{HeaderName, HeaderValue};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

/// Connections of one core by target.
#[derive(Default)]
pub(crate) struct Http2Pool {
    by_key: HashMap<PoolKey, SendRequest<Bytes>>,
}

const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

impl Core {
    pub(super) async fn send_http2(
        &self,
        target: &Target,
        local: Option<Arc<Listener>>,
        request: UpstreamRequest,
    ) -> Result<Response, UpstreamError> {
        let key = target.key();
        let mut sender = match self.ready_sender(&key).await {
            Some(sender) => sender,
            None => match self.open(target, &key, local, &request).await {
                Ok(sender) => sender,
                Err(failure) => return Err(UpstreamError::new(failure, Some(request))),
            },
        };
        let Some(message) = request_head(&request.head, &request.body) else {
            return Err(UpstreamError::new(UpstreamFailure::Closed, None));
        };
        let end = request.body.is_empty();
        let (response, stream) = match sender.send_request(message, end) {
            Ok(sent) => sent,
            Err(_) => {
                self.http2().borrow_mut().by_key.remove(&key);
                return Err(UpstreamError::new(UpstreamFailure::Closed, Some(request)));
            }
        };
        let UpstreamRequest { body, timeouts, .. } = request;
        let failed = Rc::new(std::cell::Cell::new(None::<BodyFailure>));
        if !end {
            let (mut body, mut stream, failed) = (body, stream, failed.clone());
            self.spawn(async move {
                if let Err(failure) = send_body(&mut body, &mut stream, timeouts.body_idle).await {
                    stream.send_reset(h2::Reason::CANCEL);
                    if let SendFailure::Body(failure) = failure {
                        failed.set(Some(failure));
                    }
                }
            });
        }
        let mut deadline = Deadline::default();
        deadline.set(timeouts.response);
        let mut response = Box::pin(response);
        let answer = poll_fn(|cx| match response.as_mut().poll(cx) {
            Poll::Ready(Ok(response)) => Poll::Ready(Ok(response)),
            Poll::Ready(Err(_)) => {
                Poll::Ready(Err(failed.get().map_or(UpstreamFailure::Closed, UpstreamFailure::RequestBody)))
            }
            Poll::Pending => deadline.poll_expired(cx).map(|()| Err(UpstreamFailure::Timeout)),
        })
        .await
        .map_err(|failure| UpstreamError::new(failure, None))?;
        Ok(self.received(answer, timeouts.body_idle))
    }

    async fn ready_sender(&self, key: &PoolKey) -> Option<SendRequest<Bytes>> {
        let sender = self.http2().borrow().by_key.get(key).cloned()?;
        match sender.ready().await {
            Ok(sender) => Some(sender),
            Err(_) => {
                self.http2().borrow_mut().by_key.remove(key);
                None
            }
        }
    }

    async fn open(
        &self,
        target: &Target,
        key: &PoolKey,
        local: Option<Arc<Listener>>,
        request: &UpstreamRequest,
    ) -> Result<SendRequest<Bytes>, UpstreamFailure> {
        let io = self.connect(target, local, request.timeouts.connect).await?;
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
            let _ = poll_fn(|cx| Pin::new(&mut connection).poll(cx)).await;
        });
        let sender = sender.ready().await.map_err(broken)?;
        self.http2().borrow_mut().by_key.insert(key.clone(), sender.clone());
        Ok(sender)
    }

    fn received(&self, response: http::Response<h2::RecvStream>, idle: std::time::Duration) -> Response {
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
            let mut limits = (*self.upstream_limits()).clone();
            limits.body_idle_timeout = idle;
            Body::Stream(Box::new(H2Body::new(stream, &head.fields, Arc::new(limits))))
        };
        Response { head, body, upgrade: None, close: false }
    }
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
