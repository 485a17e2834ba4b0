//! The body of an upstream response while it is being relayed. It owns the upstream connection, finishes an
//! upload that is still under way, and gives the connection back when both are complete.

use super::pool::UpstreamConnection;
use crate::body::{Body, BodyStream};
use crate::h1::{BodyDecoder, BodyFailure, Step};
use crate::limits::Limits;
use crate::server::Core;
use crate::writer::MessageWriter;
use bytes::Buf;
use handfast_core::message::Fields;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Room made for body bytes: one TLS record.
const BODY_ROOM: usize = 16 * 1024;

pub(super) struct ResponseBody {
    core: Core,
    connection: Option<UpstreamConnection>,
    decoder: BodyDecoder,
    available: usize,
    reusable: bool,
    upload: Option<MessageWriter>,
    limits: Arc<Limits>,
    idle: Duration,
    trailers: Option<Fields>,
}

impl ResponseBody {
    pub(super) fn new(core: Core, mut connection: UpstreamConnection, decoder: BodyDecoder) -> Self {
        connection.deadline.clear();
        Self {
            limits: core.upstream_limits(),
            core,
            connection: Some(connection),
            decoder,
            available: 0,
            reusable: false,
            upload: None,
            idle: Duration::MAX,
            trailers: None,
        }
    }

    pub(super) fn reusable(self, reusable: bool) -> Self {
        Self { reusable, ..self }
    }

    /// An answer that came before the request was complete ends the connection's use: whether the server
    /// has read the rest is not known.
    pub(super) fn uploading(self, upload: Option<MessageWriter>) -> Self {
        let reusable = self.reusable && upload.is_none();
        Self { upload, reusable, ..self }
    }

    pub(super) fn within(self, idle: Duration, limits: Arc<Limits>) -> Self {
        Self { idle, limits, ..self }
    }

    /// Gives the connection back at once when there is nothing to read.
    pub(super) fn into_body(mut self) -> Body {
        if self.decoder.is_done() && self.upload.is_none() {
            self.release();
            return Body::Empty;
        }
        Body::Stream(Box::new(self))
    }

    fn release(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if self.reusable && self.upload.is_none() && self.decoder.is_done() {
            let limits = &self.core.shared().limits;
            self.core.idle().borrow_mut().put(connection, limits);
        }
    }

    /// Goes on sending the request's body, if it is not complete.
    fn poll_upload(&mut self, cx: &mut Context<'_>) {
        let (Some(upload), Some(connection)) = (&mut self.upload, &self.connection) else { return };
        match upload.poll(cx, &connection.io) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.upload = None,
            Poll::Ready(Err(_)) => {
                // The response may still be whole; the connection is not used again.
                self.upload = None;
                self.reusable = false;
            }
        }
    }
}

impl BodyStream for ResponseBody {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyFailure>> {
        self.poll_upload(cx);
        loop {
            if self.available > 0 {
                return Poll::Ready(Ok(()));
            }
            let Some(connection) = &mut self.connection else { return Poll::Ready(Ok(())) };
            match self.decoder.step(&connection.buffer, &self.limits)? {
                Step::Data { skip, len } => {
                    connection.buffer.advance(skip);
                    self.available = len;
                    continue;
                }
                Step::End { skip } => {
                    connection.buffer.advance(skip);
                    self.trailers = self.decoder.trailers.take();
                    self.release();
                    return Poll::Ready(Ok(()));
                }
                Step::Need => {}
            }
            let filled = connection.io.borrow_mut().poll_fill(cx, &mut connection.buffer, BODY_ROOM);
            match filled {
                Poll::Ready(Ok(0)) => self.decoder.eof()?,
                Poll::Ready(Ok(_)) => connection.deadline.clear(),
                Poll::Ready(Err(_)) => return Poll::Ready(Err(BodyFailure::Io)),
                Poll::Pending => {
                    connection.deadline.start(self.idle);
                    return connection.deadline.poll_expired(cx).map(|()| Err(BodyFailure::Timeout));
                }
            }
        }
    }

    fn chunk(&self) -> &[u8] {
        self.connection.as_ref().and_then(|c| c.buffer.get(..self.available)).unwrap_or_default()
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.available);
        if let Some(connection) = &mut self.connection {
            connection.buffer.advance(count);
        }
        self.decoder.used(count);
        self.available -= count;
        // A body of known length ends with its last byte; the connection need not wait for another poll.
        if self.available == 0 && self.decoder.is_done() {
            self.release();
        }
    }

    fn remaining(&self) -> Option<u64> {
        self.decoder.remaining()
    }

    fn trailers(&mut self) -> Option<Fields> {
        self.trailers.take()
    }
}
