//! The second half of a request: its answer, the rest of its body, and the end of the connection.

use super::{Asked, BODY_ROOM, CONTINUE, Connection, HEAD_ROOM, Next, Reader};
use crate::body::Body;
use crate::exchange::Response;
use crate::h1::{Framing, Persistence, Refusal, Step, encode_response_head};
use crate::io::{self, Io, SharedIo};
use crate::upgrade::tunnel;
use crate::writer::MessageWriter;
use bytes::{Buf, BytesMut};
use handfast_core::message::Version;
use handfast_telemetry::Metric;
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

impl Connection {
    /// Writes the answer.
    pub(super) async fn respond(&mut self, mut response: Response, asked: Asked) -> Next {
        let status = response.head.status;
        let framing = response_framing(&response, asked);
        let unread = self.leaves_too_much_unread();
        let ending = asked.close || response.close || self.core.is_draining();
        let must_close = ending || framing == Framing::Close || unread;
        let persistence = match (must_close, asked.version) {
            (true, _) => Persistence::Close,
            (false, Version::Http10) => Persistence::KeepAliveStated,
            (false, _) => Persistence::KeepAlive,
        };
        if !self.finish_continue().await {
            return Next::Abort;
        }
        let mut head = std::mem::take(&mut self.out);
        encode_response_head(&response.head, framing, persistence, &mut head);
        self.core.reuse_response_head(std::mem::take(&mut response.head));
        let (body, framing) = match asked.is_head {
            true => (Body::Empty, Framing::Absent),
            false => (std::mem::take(&mut response.body), framing),
        };
        let mut writer = MessageWriter::new(head, body, framing);
        self.deadline.clear();
        let limit = self.limits.body_idle_timeout;
        let mut delivery = std::mem::take(&mut response.delivery);
        let whole = poll_fn(|cx| {
            if let Poll::Ready(written) = writer.poll_within(cx, &self.io, &mut self.deadline, limit) {
                return Poll::Ready(written.is_ok());
            }
            delivery.poll_cut(cx).map(|()| false)
        })
        .await;
        let body_bytes = writer.body_bytes();
        self.out = writer.into_buffer();
        if !whole {
            delivery.end(body_bytes, false);
            return Next::Abort;
        }
        if status == 101 {
            if let Some(upgrade) = response.upgrade.take() {
                let reader = self.slot.borrow_mut().reader.take();
                let received = reader.map(|reader| reader.buffer).unwrap_or_default();
                // Its end, in whatever way, is the end of the connection.
                let idle = self.limits.tunnel_idle_timeout;
                let relayed = tunnel(self.io.clone(), received, upgrade, idle, &mut delivery).await;
                let whole = relayed.is_ok();
                delivery.end(relayed.unwrap_or_default(), whole);
            }
            return Next::Close;
        }
        delivery.end(body_bytes, true);
        match must_close {
            false => Next::Request,
            true if unread || response.close || self.has_unread() => Next::Linger,
            true => Next::Close,
        }
    }

    /// Ends a 100 response of which a part is written, and forbids to begin one.
    async fn finish_continue(&mut self) -> bool {
        let mut at = {
            let mut slot = self.slot.borrow_mut();
            slot.answering = true;
            slot.continue_at
        };
        if at == 0 || at >= CONTINUE.len() {
            return true;
        }
        let write = poll_fn(|cx| self.io.borrow_mut().poll_write_all(cx, CONTINUE, &mut at));
        let done = tokio::time::timeout(self.limits.body_idle_timeout, write).await;
        self.slot.borrow_mut().continue_at = CONTINUE.len();
        matches!(done, Ok(Ok(())))
    }

    /// Whether so much of the request's body is left that closing is better than reading it away, or it is
    /// not known whether the client will send it. A body that the answer still reads from is not left.
    fn leaves_too_much_unread(&self) -> bool {
        self.slot.borrow().reader.as_ref().is_some_and(|reader| {
            let left = reader.decoder.remaining().unwrap_or_default();
            reader.abandoned || left > self.limits.drain_bytes_max + reader.buffer.len() as u64
        })
    }

    /// Whether the client has sent, or is sending, what will not be read.
    fn has_unread(&self) -> bool {
        let slot = self.slot.borrow();
        slot.reader.as_ref().is_none_or(|reader| !reader.buffer.is_empty() || !reader.decoder.is_done())
    }

    /// Reads away the rest of a request body that the role left, within a bound, and gets ready for the
    /// next request.
    pub(super) async fn finish_body(&mut self) -> bool {
        if self.leaves_too_much_unread() {
            return false;
        }
        let Some(mut reader) = self.slot.borrow_mut().reader.take() else { return false };
        if !(reader.decoder.is_done() || self.discard(&mut reader).await) {
            return false;
        }
        if reader.buffer.is_empty() && reader.buffer.capacity() > HEAD_ROOM {
            reader.buffer = BytesMut::new();
        }
        let mut slot = self.slot.borrow_mut();
        (slot.reader, slot.waiter) = (Some(reader), None);
        (slot.continue_at, slot.answering) = (CONTINUE.len(), false);
        true
    }

    async fn discard(&mut self, reader: &mut Reader) -> bool {
        let mut left = self.limits.drain_bytes_max;
        self.deadline.set(self.limits.body_idle_timeout);
        poll_fn(|cx| {
            loop {
                let Ok(step) = reader.decoder.step(&reader.buffer, &self.limits) else {
                    return Poll::Ready(false);
                };
                match step {
                    Step::End { skip } => {
                        reader.buffer.advance(skip);
                        return Poll::Ready(true);
                    }
                    Step::Data { skip, len } if (len as u64) <= left => {
                        left -= len as u64;
                        reader.buffer.advance(skip + len);
                        reader.decoder.used(len);
                    }
                    Step::Data { .. } => return Poll::Ready(false),
                    Step::Need => match self.io.borrow_mut().poll_fill(cx, &mut reader.buffer, BODY_ROOM) {
                        Poll::Ready(Ok(count)) if count > 0 => {}
                        Poll::Ready(_) => return Poll::Ready(false),
                        Poll::Pending => return self.deadline.poll_expired(cx).map(|()| false),
                    },
                }
            }
        })
        .await
    }

    /// Answers a request that the codec refused. Nothing that follows on the connection is looked at.
    pub(super) async fn refuse(&mut self, refusal: Refusal, reader: Reader) -> Next {
        self.core.metrics().count(Metric::RequestsRejected);
        let response = self.listener.state().service.refuse(&self.core, &self.info, refusal);
        self.slot.borrow_mut().put(reader);
        let asked = Asked { is_head: false, version: Version::Http11, close: true };
        match self.respond(response, asked).await {
            Next::Abort => Next::Abort,
            Next::Request | Next::Close | Next::Linger => Next::Linger,
        }
    }
}

/// RFC 9112 §6.3 from the sender's side.
fn response_framing(response: &Response, asked: Asked) -> Framing {
    let status = response.head.status;
    if status < 200 || status == 204 {
        return Framing::Absent;
    }
    if status == 304 {
        return Framing::Declared;
    }
    if asked.is_head {
        let declared = response.head.fields.contains(b"content-length");
        return match response.body.remaining().filter(|&length| length > 0) {
            _ if declared => Framing::Declared,
            Some(length) => Framing::Length(length),
            None => Framing::Absent,
        };
    }
    match response.body.remaining() {
        Some(length) => Framing::Length(length),
        None if asked.version == Version::Http10 => Framing::Close,
        None => Framing::Chunked,
    }
}

/// Ends a connection.
pub(super) async fn close(io: &SharedIo, end: Next) {
    match end {
        Next::Abort => io.borrow().abort(),
        Next::Linger => io::close(io, true).await,
        Next::Close | Next::Request => io::close(io, false).await,
    }
}

/// Writes one answer to a stream that is no use for anything else, and closes it.
pub(in crate::server) async fn send_and_close(io: Io, response: Response, timeout: Duration) {
    let Body::Full(body) = &response.body else { return };
    let mut out = Vec::new();
    let framing = Framing::Length(body.len() as u64);
    encode_response_head(&response.head, framing, Persistence::Close, &mut out);
    out.extend_from_slice(body);
    let io = Rc::new(RefCell::new(io));
    let mut at = 0;
    let write = poll_fn(|cx| io.borrow_mut().poll_write_all(cx, &out, &mut at));
    let written = matches!(tokio::time::timeout(timeout, write).await, Ok(Ok(())));
    response.delivery.end(body.len() as u64, written);
    close(&io, if written { Next::Linger } else { Next::Abort }).await;
}
