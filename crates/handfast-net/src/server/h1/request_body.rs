//! The body of an HTTP/1.1 request while it is being received. It holds the receive side of the connection
//! and puts it back when it is dropped, read to its end or not.

use super::{BODY_ROOM, Reader, ReaderSlot};
use crate::body::BodyStream;
use crate::deadline::Deadline;
use crate::h1::{BodyDecoder, BodyFailure, Step};
use crate::io::SharedIo;
use crate::limits::Limits;
use bytes::{Buf, BytesMut};
use handfast_core::message::Fields;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

pub(super) struct RequestBody {
    reader: Reader,
    available: usize,
    slot: ReaderSlot,
    io: SharedIo,
    limits: Arc<Limits>,
    deadline: Deadline,
    /// How much of the 100 response is written; all of it when none was asked for.
    continue_at: usize,
}

impl RequestBody {
    pub(super) fn new(
        reader: Reader,
        slot: ReaderSlot,
        io: SharedIo,
        limits: Arc<Limits>,
        expects_continue: bool,
    ) -> Self {
        // A client that sent body bytes already does not wait for the 100 (RFC 9110 §10.1.1).
        let continue_at = if expects_continue && reader.buffer.is_empty() { 0 } else { CONTINUE.len() };
        Self { reader, available: 0, slot, io, limits, deadline: Deadline::default(), continue_at }
    }

    fn data(&mut self, skip: usize, len: usize) -> Result<(), BodyFailure> {
        self.reader.buffer.advance(skip);
        self.available = len;
        if self.reader.body_bytes + len as u64 > self.limits.body_bytes_max {
            return Err(BodyFailure::BodyTooLarge);
        }
        Ok(())
    }
}

impl BodyStream for RequestBody {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyFailure>> {
        loop {
            if self.available > 0 {
                return Poll::Ready(Ok(()));
            }
            match self.reader.decoder.step(&self.reader.buffer, &self.limits)? {
                Step::Data { skip, len } => {
                    self.data(skip, len)?;
                    continue;
                }
                Step::End { skip } => {
                    self.reader.buffer.advance(skip);
                    return Poll::Ready(Ok(()));
                }
                Step::Need => {}
            }
            let mut io = self.io.borrow_mut();
            if self.continue_at < CONTINUE.len() {
                ready!(io.poll_write_all(cx, CONTINUE, &mut self.continue_at))
                    .map_err(|_| BodyFailure::Io)?;
            }
            match io.poll_fill(cx, &mut self.reader.buffer, BODY_ROOM) {
                Poll::Ready(Ok(0)) => return Poll::Ready(self.reader.decoder.eof()),
                Poll::Ready(Ok(_)) => self.deadline.clear(),
                Poll::Ready(Err(_)) => return Poll::Ready(Err(BodyFailure::Io)),
                Poll::Pending => {
                    self.deadline.start(self.limits.body_idle_timeout);
                    return self.deadline.poll_expired(cx).map(|()| Err(BodyFailure::Timeout));
                }
            }
        }
    }

    fn chunk(&self) -> &[u8] {
        self.reader.buffer.get(..self.available).unwrap_or_default()
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.available);
        self.reader.buffer.advance(count);
        self.reader.decoder.used(count);
        self.reader.body_bytes += count as u64;
        self.available -= count;
    }

    fn remaining(&self) -> Option<u64> {
        self.reader.decoder.remaining()
    }

    fn trailers(&mut self) -> Option<Fields> {
        self.reader.decoder.trailers.take()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let empty = Reader { buffer: BytesMut::new(), decoder: BodyDecoder::empty(), body_bytes: 0 };
        let mut reader = std::mem::replace(&mut self.reader, empty);
        // A client that waits for a 100 that never came may or may not send its body: the connection ends.
        if self.continue_at == 0 {
            reader.decoder = BodyDecoder::until_close();
        }
        *self.slot.borrow_mut() = Some(reader);
    }
}
