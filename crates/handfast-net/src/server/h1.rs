//! One HTTP/1.1 client connection, driven by one task: read a head, let the role answer, write the answer,
//! again. The role's future, and through it the upstream connection, is polled by this same task.

mod request_body;
mod respond;

pub(super) use respond::send_and_close;

use super::{Core, RequestGuard};
use crate::body::Body;
use crate::deadline::Deadline;
use crate::delivery::BodyMeter;
use crate::exchange::{ConnectionInfo, LocalFuture, Request, Response};
use crate::h1::{BodyDecoder, Parsed, Refusal, RequestFraming, parse_request};
use crate::io::{Io, SharedIo};
use crate::limits::Limits;
use crate::listener::Listener;
use crate::signal::Waiter;
use bytes::{Buf, BytesMut};
use handfast_core::message::{Method, RequestHead, Version};
use handfast_telemetry::Metric;
use request_body::RequestBody;
use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

/// Room made for a head; grown only by clients that send more.
const HEAD_ROOM: usize = 2 * 1024;
/// Room made for body bytes: one TLS record.
const BODY_ROOM: usize = 16 * 1024;
/// Bytes of further requests that are read ahead while one is being answered.
const READ_AHEAD_MAX: usize = 16 * 1024;

/// The interim response that asks for a body (RFC 9110 §15.2.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The receive side of a connection. While a request body is being read it belongs to that body.
struct Reader {
    buffer: BytesMut,
    decoder: BodyDecoder,
    body_bytes: u64,
    /// Whether it is unknown if the client will send the body: nothing more can be read.
    abandoned: bool,
}

/// What a connection shares with the request body that is being read from it.
struct Slot {
    /// The receive side, when no body has it.
    reader: Option<Reader>,
    /// The connection's task, while it waits for the receive side to watch for the client's end. The body
    /// may be read, and dropped, by another task.
    waiter: Option<Waker>,
    /// How much of the 100 response is written; all of it when none was asked for.
    continue_at: usize,
    /// Whether the final response has begun, after which no 100 may be written.
    answering: bool,
}

impl Slot {
    fn put(&mut self, reader: Reader) {
        self.reader = Some(reader);
        if let Some(waiter) = self.waiter.take() {
            waiter.wake();
        }
    }
}

struct Connection {
    core: Core,
    listener: Arc<Listener>,
    info: Rc<ConnectionInfo>,
    limits: Arc<Limits>,
    io: SharedIo,
    slot: Rc<RefCell<Slot>>,
    deadline: Deadline,
    drain: Waiter,
    out: Vec<u8>,
}

/// How reading a head ended.
enum HeadEnd {
    Head(Parsed),
    Refused(Refusal),
    Closed,
}

/// What the answer depends on of the request that it answers.
#[derive(Clone, Copy)]
struct Asked {
    is_head: bool,
    version: Version,
    close: bool,
}

/// What follows after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Another request.
    Request,
    /// The end, in good order.
    Close,
    /// The end, and the client may still be sending: closing at once would reset the connection before it
    /// has read the answer (RFC 9112 §9.6).
    Linger,
    /// The end in the middle of a message, which the client must be able to tell.
    Abort,
}

/// Serves until either side closes.
pub(crate) async fn serve(core: Core, listener: Arc<Listener>, io: Io, info: Rc<ConnectionInfo>) {
    let limits = listener.state().limits.clone();
    let reader =
        Reader { buffer: BytesMut::new(), decoder: BodyDecoder::empty(), body_bytes: 0, abandoned: false };
    let slot = Slot { reader: Some(reader), waiter: None, continue_at: CONTINUE.len(), answering: false };
    let connection = Connection {
        core,
        listener,
        info,
        limits,
        io: Rc::new(RefCell::new(io)),
        slot: Rc::new(RefCell::new(slot)),
        deadline: Deadline::default(),
        drain: Waiter::default(),
        out: Vec::new(),
    };
    connection.run().await;
}

impl Connection {
    async fn run(mut self) {
        let end = loop {
            match self.request().await {
                Next::Request => {}
                end => break end,
            }
        };
        respond::close(&self.io, end).await;
    }

    /// Serves one request.
    async fn request(&mut self) -> Next {
        let Some(mut reader) = self.slot.borrow_mut().reader.take() else { return Next::Abort };
        let mut head = self.core.fresh_head();
        let parsed = match self.read_head(&mut reader, &mut head).await {
            HeadEnd::Head(parsed) => parsed,
            HeadEnd::Closed => return Next::Close,
            HeadEnd::Refused(refusal) => return self.refuse(refusal, reader).await,
        };
        head.scheme = self.info.scheme;
        reader.buffer.advance(parsed.consumed);
        let asked = Asked {
            is_head: head.method == Method::Head,
            version: head.version,
            close: parsed.connection.close || self.core.is_draining(),
        };
        let Some(response) = self.answer(head, parsed, reader).await else { return Next::Close };
        match self.respond(response, asked).await {
            Next::Request if !self.finish_body().await => Next::Linger,
            next => next,
        }
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
                        if !started {
                            self.drain.listen(self.core.signal(), cx);
                            if self.core.is_draining() {
                                return Poll::Ready(HeadEnd::Closed);
                            }
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
            self.slot.borrow_mut().put(reader);
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
        let mut body_meter = BodyMeter::default();
        let body = if reader.decoder.is_done() {
            self.slot.borrow_mut().put(reader);
            Body::Empty
        } else {
            // A client that sent body bytes already does not wait for the 100 (RFC 9110 §10.1.1).
            if parsed.connection.expect_continue && reader.buffer.is_empty() {
                self.slot.borrow_mut().continue_at = 0;
            }
            body_meter = BodyMeter::new();
            let (slot, io, limits) = (self.slot.clone(), self.io.clone(), self.limits.clone());
            Body::Stream(Box::new(RequestBody::new(reader, slot, io, limits, body_meter.clone())))
        };
        let (connection, upgrade) = (self.info.clone(), parsed.connection.upgrade);
        let request = Request { head, body, connection, upgrade, body_meter };
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
        let Some(reader) = &mut slot.reader else {
            slot.waiter = Some(cx.waker().clone());
            return Poll::Pending;
        };
        if !reader.decoder.is_done() {
            return Poll::Pending;
        }
        while reader.buffer.len() < READ_AHEAD_MAX {
            match ready!(self.io.borrow_mut().poll_fill(cx, &mut reader.buffer, HEAD_ROOM)) {
                Ok(0) | Err(_) => return Poll::Ready(Outcome::ClientGone),
                Ok(_) => {}
            }
        }
        Poll::Pending
    }
}

enum Outcome {
    Answered(Box<Response>),
    ClientGone,
    Panicked,
}
