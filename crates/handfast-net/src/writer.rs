//! Writing one message: its head and then its body under a framing, to either side. Head and first body
//! bytes leave in one record; later chunks of known length go straight from the receive buffer of the
//! other side into the record of this one.

use crate::body::Body;
use crate::deadline::Deadline;
use crate::h1::{BodyFailure, Framing, encode_chunk_end, encode_chunk_start, encode_trailers};
use crate::io::SharedIo;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::AsyncWrite;

/// Bytes gathered before a write: the plaintext of one TLS record.
const GATHER_BYTES: usize = 16 * 1024;
/// Chunks from this size on are written without being gathered first.
const DIRECT_BYTES: usize = 4 * 1024;

/// Why a message could not be written to its end.
#[derive(Debug)]
pub(crate) enum WriteFailure {
    /// The stream that it is written to failed.
    Io(io::Error),
    /// The body that it is read from failed.
    Body(BodyFailure),
    /// The peer takes nothing any more.
    Stalled,
}

/// A message on its way out.
pub(crate) struct MessageWriter {
    out: Vec<u8>,
    at: usize,
    body: Body,
    framing: Framing,
    /// Bytes of a body of declared length that are still to come.
    left: u64,
    body_done: bool,
    body_started: bool,
    /// Bytes of the body that were taken.
    taken: u64,
    /// Whether bytes have left since the stall timer was last set.
    moved: bool,
    /// Whether any byte has left at all.
    sent: bool,
    /// Whether the last poll ended because the peer took nothing.
    blocked: bool,
}

impl MessageWriter {
    /// `head` is the encoded head. A body under `Absent` or `Declared` framing is not sent.
    pub(crate) fn new(head: Vec<u8>, body: Body, framing: Framing) -> Self {
        let body_done = matches!(framing, Framing::Absent | Framing::Declared);
        let left = match framing {
            Framing::Length(length) => length,
            _ => 0,
        };
        Self {
            out: head,
            at: 0,
            body,
            framing,
            left,
            body_done,
            body_started: false,
            taken: 0,
            moved: false,
            sent: false,
            blocked: false,
        }
    }

    /// The buffer, emptied, for the next message.
    pub(crate) fn into_buffer(mut self) -> Vec<u8> {
        self.out.clear();
        // A large gathered body must not stay allocated with an idle connection.
        self.out.shrink_to(GATHER_BYTES);
        self.out
    }

    /// Bytes of the body that were taken so far.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.taken
    }

    /// The body, if none of it was taken yet.
    pub(crate) fn into_unread_body(self) -> Option<Body> {
        (!self.body_started).then_some(self.body)
    }

    /// Whether a byte of the message was handed to the transport.
    pub(crate) fn has_sent(&self) -> bool {
        self.sent
    }

    /// Writes on; ready when everything is written and flushed, or when the peer took nothing for `limit`.
    /// Waiting for the body does not count: a body has its own time limit.
    pub(crate) fn poll_within(
        &mut self,
        cx: &mut Context<'_>,
        io: &SharedIo,
        deadline: &mut Deadline,
        limit: Duration,
    ) -> Poll<Result<(), WriteFailure>> {
        self.blocked = false;
        if let Poll::Ready(result) = self.poll(cx, io) {
            return Poll::Ready(result);
        }
        if !self.blocked {
            deadline.clear();
            return Poll::Pending;
        }
        if std::mem::take(&mut self.moved) {
            deadline.set(limit);
        } else {
            deadline.start(limit);
        }
        deadline.poll_expired(cx).map(|()| Err(WriteFailure::Stalled))
    }

    /// Writes on; ready when everything is written and flushed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, io: &SharedIo) -> Poll<Result<(), WriteFailure>> {
        loop {
            let starved = self.gather(cx, io)?;
            if self.at < self.out.len() {
                let polled = Pin::new(&mut *io.borrow_mut()).poll_write(cx, &self.out[self.at..]);
                self.at += ready!(self.wrote(polled))?;
                if self.at == self.out.len() {
                    self.out.clear();
                    self.at = 0;
                }
                continue;
            }
            let flushed = Pin::new(&mut *io.borrow_mut()).poll_flush(cx);
            self.blocked |= flushed.is_pending();
            ready!(flushed).map_err(WriteFailure::Io)?;
            if self.body_done {
                return Poll::Ready(Ok(()));
            }
            if starved {
                return Poll::Pending;
            }
        }
    }

    /// Moves body bytes that are at hand into the buffer, or writes large ones directly. True when the body
    /// has nothing at hand, or the stream takes nothing.
    fn gather(&mut self, cx: &mut Context<'_>, io: &SharedIo) -> Result<bool, WriteFailure> {
        while !self.body_done && self.out.len() < GATHER_BYTES {
            match self.body.poll_ready(cx) {
                Poll::Pending => return Ok(true),
                Poll::Ready(Err(failure)) => return Err(WriteFailure::Body(failure)),
                Poll::Ready(Ok(())) => {}
            }
            let chunk = self.body.chunk();
            if chunk.is_empty() {
                self.end()?;
                return Ok(false);
            }
            self.body_started = true;
            let declared = matches!(self.framing, Framing::Length(_));
            if declared && chunk.len() as u64 > self.left {
                return Err(WriteFailure::Body(BodyFailure::TooLarge));
            }
            if self.framing != Framing::Chunked && self.out.is_empty() && chunk.len() >= DIRECT_BYTES {
                let polled = Pin::new(&mut *io.borrow_mut()).poll_write(cx, chunk);
                match self.wrote(polled) {
                    Poll::Ready(count) => self.took(count?),
                    Poll::Pending => return Ok(true),
                }
                continue;
            }
            let count = chunk.len().min(GATHER_BYTES);
            if self.framing == Framing::Chunked {
                encode_chunk_start(count, &mut self.out);
                self.out.extend_from_slice(&chunk[..count]);
                encode_chunk_end(&mut self.out);
            } else {
                self.out.extend_from_slice(&chunk[..count]);
            }
            self.took(count);
        }
        Ok(false)
    }

    /// Notes what a write did.
    fn wrote(&mut self, polled: Poll<io::Result<usize>>) -> Poll<Result<usize, WriteFailure>> {
        match polled {
            Poll::Pending => {
                self.blocked = true;
                Poll::Pending
            }
            Poll::Ready(Ok(0)) => Poll::Ready(Err(WriteFailure::Io(io::ErrorKind::WriteZero.into()))),
            Poll::Ready(Ok(count)) => {
                (self.moved, self.sent) = (true, true);
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(WriteFailure::Io(error))),
        }
    }

    fn took(&mut self, count: usize) {
        self.body.consume(count);
        self.taken += count as u64;
        self.left = self.left.saturating_sub(count as u64);
    }

    /// The body has ended. One that is shorter than was declared breaks the message, as the peer still
    /// waits for the rest.
    fn end(&mut self) -> Result<(), WriteFailure> {
        if self.left > 0 {
            return Err(WriteFailure::Body(BodyFailure::Truncated));
        }
        self.body_done = true;
        if self.framing == Framing::Chunked {
            let trailers = self.body.trailers();
            encode_trailers(trailers.as_ref(), &mut self.out);
        }
        Ok(())
    }
}
