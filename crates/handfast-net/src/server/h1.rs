//! One HTTP/1.1 client connection, driven by one task: read a head, let the role answer, write the answer,
//! again. The role's future, and through it the upstream connection, is polled by this same task.

mod request_body;

use super::{Core, RequestGuard};
use crate::body::Body;
use crate::deadline::Deadline;
use crate::exchange::{ConnectionInfo, LocalFuture, Request, Response};
use crate::h1::{
    BodyDecoder, Framing, Parsed, Refusal, RequestFraming, Step, encode_response, parse_request,
};
use crate::io::{Io, SharedIo};
use crate::limits::Limits;
use crate::listener::Listener;
use crate::upgrade::tunnel;
use crate::writer::MessageWriter;
use bytes::{Buf, BytesMut};
use handfast_core::message::{Method, RequestHead, Version};
use handfast_telemetry::Metric;
use request_body::RequestBody;
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::futures::OwnedNotified;

/// Room made for a head; grown only by clients that send more.
const HEAD_ROOM: usize = 2 * 1024;
/// Room made for body bytes: one TLS record.
const BODY_ROOM: usize = 16 * 1024;
/// Bytes of further requests that are read ahead while one is being answered.
const READ_AHEAD_MAX: usize = 16 * 1024;

/// The receive side of a connection. While a request body is being read it belongs to that body.
pub(super) struct Reader {
    buffer: BytesMut,
    decoder: BodyDecoder,
    body_bytes: u64,
}

/// Where the receive side is when no body has it.
pub(super) type ReaderSlot = Rc<RefCell<Option<Reader>>>;

struct Connection {
    core: Core,
    listener: Arc<Listener>,
    info: Rc<ConnectionInfo>,
    limits: Arc<Limits>,
    io: SharedIo,
    slot: ReaderSlot,
    deadline: Deadline,
    drain: Pin<Box<OwnedNotified>>,
    out: Vec<u8>,
}

/// How reading a head ended.
enum HeadEnd {
    Head(Parsed),
    Refused(Refusal),
    Closed,
}

/// What the answer depends on of the request that it answers.
struct Asked {
    is_head: bool,
    version: Version,
    close: bool,
}

/// Serves until either side closes.
pub(crate) async fn serve(core: Core, listener: Arc<Listener>, io: Io, info: Rc<ConnectionInfo>) {
    let limits = listener.state().limits.clone();
    let mut drain = Box::pin(core.shared().drain.clone().notified_owned());
    drain.as_mut().enable();
    let reader = Reader { buffer: BytesMut::new(), decoder: BodyDecoder::empty(), body_bytes: 0 };
    let connection = Connection {
        core,
        listener,
        info,
        limits,
        io: Rc::new(RefCell::new(io)),
        slot: Rc::new(RefCell::new(Some(reader))),
        deadline: Deadline::default(),
        drain,
        out: Vec::new(),
    };
    connection.run().await;
}

impl Connection {
    async fn run(mut self) {
        while self.request().await {}
        // close_notify, so that the client can tell an end from a cut.
        let shutdown = poll_fn(|cx| {
            use tokio::io::AsyncWrite;
            Pin::new(&mut *self.io.borrow_mut()).poll_shutdown(cx)
        });
        let _ = tokio::time::timeout(Duration::from_secs(1), shutdown).await;
    }

    /// Serves one request; whether another one may follow.
    async fn request(&mut self) -> bool {
        let Some(mut reader) = self.slot.borrow_mut().take() else { return false };
        let mut head = RequestHead { scheme: self.info.scheme, ..RequestHead::default() };
        let parsed = match self.read_head(&mut reader, &mut head).await {
            HeadEnd::Head(parsed) => parsed,
            HeadEnd::Closed => return false,
            HeadEnd::Refused(refusal) => {
                self.refuse(refusal, reader).await;
                return false;
            }
        };
        head.scheme = self.info.scheme;
        reader.buffer.advance(parsed.consumed);
        let asked = Asked {
            is_head: head.method == Method::Head,
            version: head.version,
            close: parsed.connection.close || self.core.is_draining(),
        };
        let Some(response) = self.answer(head, parsed, reader).await else { return false };
        self.respond(response, &asked).await && self.finish_body().await
    }

    async fn read_head(&mut self, reader: &mut Reader, head: &mut RequestHead) -> HeadEnd {
        let mut started = !reader.buffer.is_empty();
        self.deadline.set(if started { self.limits.head_timeout } else { self.limits.keep_alive_timeout });
        poll_fn(|cx| {
            loop {
                if started {
                    match parse_request(&reader.buffer, &self.limits, head) {
                        Ok(Some(parsed)) => return Poll::Ready(HeadEnd::Head(parsed)),
                        Ok(None) => {}
                        Err(refusal) => return Poll::Ready(HeadEnd::Refused(refusal)),
                    }
                }
                match self.io.borrow_mut().poll_fill(cx, &mut reader.buffer, HEAD_ROOM) {
                    Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => return Poll::Ready(HeadEnd::Closed),
                    Poll::Ready(Ok(_)) if started => {}
                    Poll::Ready(Ok(_)) => {
                        started = true;
                        self.deadline.set(self.limits.head_timeout);
                    }
                    Poll::Pending => {
                        if self.deadline.poll_expired(cx).is_ready() {
                            let end = if started {
                                HeadEnd::Refused(Refusal::HeadTimeout)
                            } else {
                                HeadEnd::Closed
                            };
                            return Poll::Ready(end);
                        }
                        if !started && (self.core.is_draining() || self.drain.as_mut().poll(cx).is_ready()) {
                            return Poll::Ready(HeadEnd::Closed);
                        }
                        return Poll::Pending;
                    }
                }
            }
        })
        .await
    }

    /// Lets the role answer; `None` when the client has gone.
    async fn answer(&mut self, head: RequestHead, parsed: Parsed, mut reader: Reader) -> Option<Response> {
        self.core.metrics().count(Metric::Requests);
        let state = self.listener.state().clone();
        self.limits = state.limits.clone();
        let Some(_guard) = RequestGuard::enter(&self.core) else {
            self.core.metrics().count(Metric::RequestsShed);
            *self.slot.borrow_mut() = Some(reader);
            let mut response = state.service.fail(&self.info, 503);
            let _ = response.head.fields.set(b"Retry-After", b"1");
            return Some(response);
        };
        reader.body_bytes = 0;
        reader.decoder = match parsed.framing {
            RequestFraming::None => BodyDecoder::empty(),
            RequestFraming::Length(length) => BodyDecoder::length(length),
            RequestFraming::Chunked => BodyDecoder::chunked(),
        };
        let body = if reader.decoder.is_done() {
            *self.slot.borrow_mut() = Some(reader);
            Body::Empty
        } else {
            let expects = parsed.connection.expect_continue;
            let body =
                RequestBody::new(reader, self.slot.clone(), self.io.clone(), self.limits.clone(), expects);
            Body::Stream(Box::new(body))
        };
        let request =
            Request { head, body, connection: self.info.clone(), upgrade: parsed.connection.upgrade };
        let mut future = state.service.clone().call(self.core.clone(), request);
        let outcome = poll_fn(|cx| self.poll_answer(cx, &mut future)).await;
        match outcome {
            Outcome::Answered(response) => {
                // The role's future may hold what is left of the request's body.
                drop(future);
                Some(*response)
            }
            Outcome::ClientGone => None,
            Outcome::Panicked => {
                self.core.metrics().count(Metric::RequestPanics);
                drop(future);
                Some(state.service.fail(&self.info, 500).closing())
            }
        }
    }

    fn poll_answer(&self, cx: &mut Context<'_>, future: &mut LocalFuture<Response>) -> Poll<Outcome> {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        match polled {
            Err(_) => return Poll::Ready(Outcome::Panicked),
            Ok(Poll::Ready(response)) => return Poll::Ready(Outcome::Answered(Box::new(response))),
            Ok(Poll::Pending) => {}
        }
        // While the answer is awaited, notice that the client has gone. Without a readiness event this is
        // no system call.
        let mut slot = self.slot.borrow_mut();
        let Some(reader) = slot.as_mut().filter(|reader| reader.decoder.is_done()) else {
            return Poll::Pending;
        };
        while reader.buffer.len() < READ_AHEAD_MAX {
            match ready!(self.io.borrow_mut().poll_fill(cx, &mut reader.buffer, HEAD_ROOM)) {
                Ok(0) | Err(_) => return Poll::Ready(Outcome::ClientGone),
                Ok(_) => {}
            }
        }
        Poll::Pending
    }

    /// Writes the answer; whether the connection may go on.
    async fn respond(&mut self, mut response: Response, asked: &Asked) -> bool {
        let status = response.head.status;
        let framing = response_framing(&response, asked);
        let must_close =
            asked.close || response.close || framing == Framing::Close || self.leaves_too_much_unread();
        let mut head = std::mem::take(&mut self.out);
        encode_response(&response.head, framing, !must_close, &mut head);
        let body = if asked.is_head { Body::Empty } else { std::mem::take(&mut response.body) };
        let framing = if asked.is_head { Framing::Absent } else { framing };
        let mut writer = MessageWriter::new(head, body, framing);
        self.deadline.set(self.limits.body_idle_timeout);
        let written = poll_fn(|cx| match writer.poll(cx, &self.io) {
            Poll::Ready(result) => Poll::Ready(result.is_ok()),
            Poll::Pending => self.deadline.poll_expired(cx).map(|()| false),
        })
        .await;
        self.out = writer.into_buffer();
        if !written {
            return false;
        }
        if let Some(upgrade) = response.upgrade.take().filter(|_| status == 101) {
            let received = self.slot.borrow_mut().take().map(|reader| reader.buffer).unwrap_or_default();
            let _ = tunnel(self.io.clone(), received, upgrade).await;
            return false;
        }
        !must_close && status != 101
    }

    /// Whether so much of the request's body is left that closing is better than reading it away. A body
    /// that the answer still reads from is not left.
    fn leaves_too_much_unread(&self) -> bool {
        self.slot.borrow().as_ref().is_some_and(|reader| {
            reader
                .decoder
                .remaining()
                .is_some_and(|left| left > self.limits.drain_bytes_max + reader.buffer.len() as u64)
        })
    }

    /// Reads away the rest of a request body that the role left, within a bound.
    async fn finish_body(&mut self) -> bool {
        let Some(mut reader) = self.slot.borrow_mut().take() else { return false };
        let mut left = self.limits.drain_bytes_max;
        self.deadline.set(self.limits.body_idle_timeout);
        let finished = poll_fn(|cx| {
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
        .await;
        if reader.buffer.is_empty() && reader.buffer.capacity() > HEAD_ROOM {
            reader.buffer = BytesMut::new();
        }
        *self.slot.borrow_mut() = Some(reader);
        finished
    }

    async fn refuse(&mut self, refusal: Refusal, reader: Reader) {
        self.core.metrics().count(Metric::RequestsRejected);
        let response = self.listener.state().service.refuse(&self.info, refusal);
        *self.slot.borrow_mut() = Some(reader);
        let asked = Asked { is_head: false, version: Version::Http11, close: true };
        self.respond(response, &asked).await;
    }
}

enum Outcome {
    Answered(Box<Response>),
    ClientGone,
    Panicked,
}

/// RFC 9112 §6.3 from the sender's side.
fn response_framing(response: &Response, asked: &Asked) -> Framing {
    let status = response.head.status;
    if status < 200 || status == 204 {
        return Framing::Absent;
    }
    let declared = response.head.fields.contains(b"content-length");
    match response.body.remaining() {
        _ if status == 304 => Framing::Declared,
        _ if asked.is_head && declared => Framing::Declared,
        Some(length) => Framing::Length(length),
        None if asked.is_head => Framing::Absent,
        None if asked.version == Version::Http10 => Framing::Close,
        None => Framing::Chunked,
    }
}

/// Writes one answer to a stream that is no use for anything else, and closes it.
pub(super) async fn send_and_close(mut io: Io, response: Response, timeout: Duration) {
    let Body::Full(body) = &response.body else { return };
    let mut out = Vec::new();
    encode_response(&response.head, Framing::Length(body.len() as u64), false, &mut out);
    out.extend_from_slice(body);
    let _ = tokio::time::timeout(timeout, async {
        io.write_all(&out).await?;
        io.shutdown().await
    })
    .await;
}
