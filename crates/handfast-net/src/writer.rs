//! Writing one message: its head and then its body under a framing, to either side. Head and first body
//! bytes leave in one record; later chunks of known length go straight from the receive buffer of the
//! other side into the record of this one.

use crate::body::Body;
use crate::h1::{BodyFailure, Framing, encode_chunk_end, encode_chunk_start, encode_trailers};
use crate::io::SharedIo;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
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
}

/// A message on its way out.
pub(crate) struct MessageWriter {
    out: Vec<u8>,
    at: usize,
    body: Body,
    framing: Framing,
    body_done: bool,
    body_started: bool,
}

impl MessageWriter {
    /// `head` is the encoded head. A body under `Absent` or `Declared` framing is not sent.
    pub(crate) fn new(head: Vec<u8>, body: Body, framing: Framing) -> Self {
        let body_done = matches!(framing, Framing::Absent | Framing::Declared);
        Self { out: head, at: 0, body, framing, body_done, body_started: false }
    }

    /// The buffer, emptied, for the next message.
    pub(crate) fn into_buffer(mut self) -> Vec<u8> {
        self.out.clear();
        // A large gathered body must not stay allocated with an idle connection.
        self.out.shrink_to(GATHER_BYTES);
        self.out
    }

    /// The body, if none of it was taken yet.
    pub(crate) fn into_unread_body(self) -> Option<Body> {
        (!self.body_started).then_some(self.body)
    }

    /// Whether bytes of the body were taken.
    pub(crate) fn body_started(&self) -> bool {
        self.body_started
    }

    /// Writes on; ready when everything is written and flushed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, io: &SharedIo) -> Poll<Result<(), WriteFailure>> {
        loop {
            let starved = self.gather(cx, io)?;
            if self.at < self.out.len() {
                let count = ready!(Pin::new(&mut *io.borrow_mut()).poll_write(cx, &self.out[self.at..]))
                    .map_err(WriteFailure::Io)?;
                if count == 0 {
                    return Poll::Ready(Err(WriteFailure::Io(io::ErrorKind::WriteZero.into())));
                }
                self.at += count;
                if self.at == self.out.len() {
                    self.out.clear();
                    self.at = 0;
                }
                continue;
            }
            ready!(Pin::new(&mut *io.borrow_mut()).poll_flush(cx)).map_err(WriteFailure::Io)?;
            if self.body_done {
                return Poll::Ready(Ok(()));
            }
            if starved {
                return Poll::Pending;
            }
        }
    }

    /// Moves body bytes that are at hand into the buffer, or writes large ones directly. True when the body
    /// has nothing at hand.
    fn gather(&mut self, cx: &mut Context<'_>, io: &SharedIo) -> Result<bool, WriteFailure> {
        while !self.body_done && self.out.len() < GATHER_BYTES {
            match self.body.poll_ready(cx) {
                Poll::Pending => return Ok(true),
                Poll::Ready(Err(failure)) => return Err(WriteFailure::Body(failure)),
                Poll::Ready(Ok(())) => {}
            }
            let chunk = self.body.chunk();
            if chunk.is_empty() {
                self.body_done = true;
                if self.framing == Framing::Chunked {
                    let trailers = self.body.trailers();
                    encode_trailers(trailers.as_ref(), &mut self.out);
                }
                return Ok(false);
            }
            self.body_started = true;
            if self.framing != Framing::Chunked && self.out.is_empty() && chunk.len() >= DIRECT_BYTES {
                match Pin::new(&mut *io.borrow_mut()).poll_write(cx, chunk) {
                    Poll::Ready(Ok(0)) => return Err(WriteFailure::Io(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(count)) => {
                        self.body.consume(count);
                        continue;
                    }
                    Poll::Ready(Err(error)) => return Err(WriteFailure::Io(error)),
                    Poll::Pending => return Ok(true),
                }
            }
            let count = chunk.len().min(GATHER_BYTES);
            if self.framing == Framing::Chunked {
                encode_chunk_start(count, &mut self.out);
                self.out.extend_from_slice(&chunk[..count]);
                encode_chunk_end(&mut self.out);
            } else {
                self.out.extend_from_slice(&chunk[..count]);
            }
            self.body.consume(count);
        }
        Ok(false)
    }
}
