//! One HTTP/1.1 exchange, driven inline by the task that serves the client: the request is written, its
//! body is pumped, and the response head is read, all at once, so that an early answer is seen.

use super::connect::{tls_error, tls_failure};
use super::pool::UpstreamConnection;
use super::response_body::ResponseBody;
use super::{Target, UpstreamError, UpstreamFailure, UpstreamRequest};
use crate::body::Body;
use crate::deadline::Deadline;
use crate::exchange::Response;
use crate::h1::{BodyDecoder, Framing, ResponseFraming, ResponseMeta, encode_request, parse_response};
use crate::io::Io;
use crate::limits::Limits;
use crate::listener::Listener;
use crate::server::Core;
use crate::upgrade::Upgrade;
use crate::writer::{MessageWriter, WriteFailure};
use bytes::{Buf, BytesMut};
use handfast_core::message::{RequestHead, ResponseHead};
use handfast_telemetry::Metric;
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Room made for a response head and the start of its body.
const READ_ROOM: usize = 16 * 1024;

impl Core {
    pub(super) async fn send_http1(
        &self,
        target: &Target,
        local: Option<Arc<Listener>>,
        mut request: UpstreamRequest,
    ) -> Result<Response, UpstreamError> {
        loop {
            let connection = match self.idle_connection(target) {
                Some(connection) => connection,
                None => match self.connect(target, local.clone(), request.timeouts.connect).await {
                    Ok(io) => UpstreamConnection::new(target, io),
                    Err(failure) => return Err(UpstreamError::new(failure, Some(request))),
                },
            };
            match self.exchange(connection, request).await {
                Ok(response) => return Ok(response),
                Err(Retry::Again(again)) => request = *again,
                Err(Retry::No(error)) => return Err(error),
            }
        }
    }

    /// An idle connection of the pool.
    pub(super) fn idle_connection(&self, target: &Target) -> Option<UpstreamConnection> {
        let connection = self.idle().borrow_mut().take(target, &self.shared().limits)?;
        self.metrics().count(Metric::UpstreamReuses);
        Some(connection)
    }

    /// One request over one connection.
    pub(super) async fn exchange(
        &self,
        connection: UpstreamConnection,
        request: UpstreamRequest,
    ) -> Result<Response, Retry> {
        let reused = connection.reused;
        match Exchange::new(self, connection, request).run().await {
            Ok(response) => Ok(response),
            // The server closed the kept-alive connection while our request was on its way.
            Err(Failed { failure: UpstreamFailure::Closed, request: Some(again), answered: false, sent })
                if reused && (!sent || again.head.method.is_idempotent()) =>
            {
                Err(Retry::Again(Box::new(again)))
            }
            Err(failed) => Err(Retry::No(UpstreamError::new(failed.failure, failed.request))),
        }
    }
}

impl UpstreamConnection {
    /// A new connection.
    pub(super) fn new(target: &Target, io: Io) -> Self {
        Self {
            io: Rc::new(RefCell::new(io)),
            key: Rc::new(target.key()),
            buffer: BytesMut::new(),
            out: Vec::new(),
            deadline: Deadline::default(),
            reused: false,
        }
    }
}

/// Whether a failed request goes out again on another connection to the same server.
pub(super) enum Retry {
    /// Yes: the connection was stale, and nothing can have been done.
    Again(Box<UpstreamRequest>),
    /// No.
    No(UpstreamError),
}

struct Failed {
    failure: UpstreamFailure,
    request: Option<UpstreamRequest>,
    /// Whether a byte of a response had arrived.
    answered: bool,
    /// Whether a byte of the request was handed to the transport.
    sent: bool,
}

struct Exchange<'a> {
    core: &'a Core,
    connection: UpstreamConnection,
    head: RequestHead,
    upgrade: bool,
    timeouts: super::UpstreamTimeouts,
    /// A copy of a body in memory, to send it again.
    replay: Option<Body>,
    writer: MessageWriter,
    written: bool,
    response: ResponseHead,
    interim: u32,
    answered: bool,
    limits: Arc<Limits>,
}

impl<'a> Exchange<'a> {
    fn new(core: &'a Core, mut connection: UpstreamConnection, request: UpstreamRequest) -> Self {
        let UpstreamRequest { head, body, upgrade, timeouts } = request;
        let framing = match body.remaining() {
            Some(0) => Framing::Absent,
            Some(length) => Framing::Length(length),
            None => Framing::Chunked,
        };
        let mut out = std::mem::take(&mut connection.out);
        encode_request(&head, framing, upgrade, &mut out);
        let replay = match &body {
            Body::Empty => Some(Body::Empty),
            Body::Full(bytes) => Some(Body::Full(bytes.clone())),
            Body::Stream(_) => None,
        };
        let writer = MessageWriter::new(out, body, framing);
        connection.deadline.clear();
        Self {
            core,
            connection,
            head,
            upgrade,
            timeouts,
            replay,
            writer,
            written: false,
            response: core.fresh_response_head(),
            interim: 0,
            answered: false,
            limits: core.upstream_limits(),
        }
    }

    async fn run(mut self) -> Result<Response, Failed> {
        match poll_fn(|cx| self.poll_head(cx)).await {
            Ok(meta) => Ok(self.finish(meta)),
            Err(failure) => Err(self.fail(failure)),
        }
    }

    /// Writes what can be written and reads until a final head is there.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseMeta, UpstreamFailure>> {
        let mut write_error = None;
        if !self.written {
            let UpstreamConnection { io, deadline, .. } = &mut self.connection;
            match self.writer.poll_within(cx, io, deadline, self.timeouts.response) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => {
                    self.written = true;
                    self.connection.deadline.set(self.timeouts.response);
                }
                Poll::Ready(Err(WriteFailure::Body(failure))) => {
                    return Poll::Ready(Err(UpstreamFailure::RequestBody(failure)));
                }
                Poll::Ready(Err(WriteFailure::Stalled)) => return Poll::Ready(Err(UpstreamFailure::Timeout)),
                // The server may have answered before it stopped reading.
                Poll::Ready(Err(WriteFailure::Io(error))) => write_error = Some(error),
            }
        }
        loop {
            if !self.connection.buffer.is_empty() {
                self.answered = true;
                match self.take_head() {
                    Ok(Some(meta)) => return Poll::Ready(Ok(meta)),
                    Ok(None) => {}
                    Err(failure) => return Poll::Ready(Err(failure)),
                }
            }
            let filled =
                self.connection.io.borrow_mut().poll_fill(cx, &mut self.connection.buffer, READ_ROOM);
            match filled {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(UpstreamFailure::Closed)),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) if tls_error(&error).is_some() => {
                    return Poll::Ready(Err(tls_failure(self.connection.key.address(), &error)));
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Err(UpstreamFailure::Closed)),
                Poll::Pending if write_error.is_some() => return Poll::Ready(Err(UpstreamFailure::Closed)),
                // While the request is being sent, its own time limits hold.
                Poll::Pending if !self.written => return Poll::Pending,
                Poll::Pending => {
                    let expired = self.connection.deadline.poll_expired(cx);
                    return expired.map(|()| Err(UpstreamFailure::Timeout));
                }
            }
        }
    }

    /// Takes a head off the buffer; interim ones are passed over.
    fn take_head(&mut self) -> Result<Option<ResponseMeta>, UpstreamFailure> {
        loop {
            let parsed =
                parse_response(&self.connection.buffer, &self.limits, &self.head.method, &mut self.response)?;
            let Some(meta) = parsed else { return Ok(None) };
            self.connection.buffer.advance(meta.consumed);
            match self.response.status {
                101 if self.upgrade => return Ok(Some(meta)),
                101 => return Err(UpstreamFailure::Interim),
                100..=199 => {
                    self.interim += 1;
                    if self.interim > self.limits.interim_responses_max {
                        return Err(UpstreamFailure::Interim);
                    }
                }
                _ => return Ok(Some(meta)),
            }
        }
    }

    fn finish(mut self, meta: ResponseMeta) -> Response {
        let head = std::mem::take(&mut self.response);
        self.core.reuse_head(std::mem::take(&mut self.head));
        if head.status == 101 {
            let UpstreamConnection { io, buffer, .. } = self.connection;
            // The exchange is over, so the connection has one owner.
            let upgrade = Rc::into_inner(io).map(|io| Upgrade { io: io.into_inner(), received: buffer });
            return Response { head, upgrade, close: true, ..Response::default() };
        }
        let decoder = match meta.framing {
            ResponseFraming::None => BodyDecoder::empty(),
            ResponseFraming::Length(length) => BodyDecoder::length(length),
            ResponseFraming::Chunked => BodyDecoder::chunked(),
            ResponseFraming::Close => BodyDecoder::until_close(),
        };
        let upload = if self.written {
            self.connection.out = self.writer.into_buffer();
            None
        } else {
            Some(self.writer)
        };
        let body = ResponseBody::new(self.core.clone(), self.connection, decoder)
            .reusable(meta.reusable)
            .uploading(upload)
            .within(self.timeouts.body_idle, self.limits);
        Response { head, body: body.into_body(), ..Response::default() }
    }

    fn fail(self, failure: UpstreamFailure) -> Failed {
        let sent = self.writer.has_sent();
        let body = match self.replay {
            Some(body) => Some(body),
            None => self.writer.into_unread_body(),
        };
        let request = body.map(|body| UpstreamRequest {
            head: self.head,
            body,
            upgrade: self.upgrade,
            timeouts: self.timeouts,
        });
        Failed { failure, request, answered: self.answered, sent }
    }
}
