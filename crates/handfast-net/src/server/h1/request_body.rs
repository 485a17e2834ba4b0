//! The body of an HTTP/1.1 request while it is being received. It holds the receive side of the connection
//! and puts it back when the body has ended or is dropped, read to its end or not.

use super::{BODY_ROOM, CONTINUE, Reader, Slot};
use crate::body::BodyStream;
use crate::deadline::Deadline;
use crate::delivery::BodyMeter;
use crate::h1::{BodyFailure, Step};
use crate::io::SharedIo;
use crate::limits::Limits;
use bytes::Buf;
use handfast_core::message::Fields;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

pub(super) struct RequestBody {
    /// `None` once the body has ended and the connection has its receive side back.
    reader: Option<Reader>,
    available: usize,
    trailers: Option<Fields>,
    slot: Rc<RefCell<Slot>>,
    io: SharedIo,
    limits: Arc<Limits>,
    deadline: Deadline,
    pace: Pace,
    meter: BodyMeter,
}

impl RequestBody {
    pub(super) fn new(
        reader: Reader,
        slot: Rc<RefCell<Slot>>,
        io: SharedIo,
        limits: Arc<Limits>,
        meter: BodyMeter,
    ) -> Self {
        Self {
            reader: Some(reader),
            available: 0,
            trailers: None,
            slot,
            io,
            limits,
            deadline: Deadline::default(),
            pace: Pace::default(),
            meter,
        }
    }

    /// Writes what is left of the 100 response, unless the final response has begun.
    fn poll_continue(&self, cx: &mut Context<'_>) -> Poll<Result<(), BodyFailure>> {
        let mut slot = self.slot.borrow_mut();
        if slot.answering || slot.continue_at >= CONTINUE.len() {
            return Poll::Ready(Ok(()));
        }
        let mut at = slot.continue_at;
        let polled = self.io.borrow_mut().poll_write_all(cx, CONTINUE, &mut at);
        slot.continue_at = at;
        polled.map_err(|_| BodyFailure::Io)
    }

    fn end(&mut self) {
        if let Some(mut reader) = self.reader.take() {
            self.trailers = reader.decoder.trailers.take();
            self.slot.borrow_mut().put(reader);
        }
    }
}

impl BodyStream for RequestBody {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyFailure>> {
        loop {
            if self.available > 0 {
                return Poll::Ready(Ok(()));
            }
            let Some(reader) = &mut self.reader else { return Poll::Ready(Ok(())) };
            match reader.decoder.step(&reader.buffer, &self.limits)? {
                Step::Data { skip, len } => {
                    reader.buffer.advance(skip);
                    if reader.body_bytes + len as u64 > self.limits.body_bytes_max {
                        return Poll::Ready(Err(BodyFailure::BodyTooLarge));
                    }
                    self.available = len;
                    continue;
                }
                Step::End { skip } => {
                    reader.buffer.advance(skip);
                    self.end();
                    return Poll::Ready(Ok(()));
                }
                Step::Need => {}
            }
            ready!(self.poll_continue(cx))?;
            let Some(reader) = &mut self.reader else { return Poll::Ready(Ok(())) };
            match self.io.borrow_mut().poll_fill(cx, &mut reader.buffer, BODY_ROOM) {
                Poll::Ready(Ok(0)) => return Poll::Ready(reader.decoder.eof()),
                Poll::Ready(Ok(count)) => {
                    self.deadline.clear();
                    // A stream without declared length may well be slow: its sender has nothing to say yet.
                    if reader.decoder.remaining().is_some() && !self.pace.received(count, &self.limits) {
                        return Poll::Ready(Err(BodyFailure::Timeout));
                    }
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Err(BodyFailure::Io)),
                Poll::Pending => {
                    self.pace.waiting();
                    self.deadline.start(self.limits.body_idle_timeout);
                    return self.deadline.poll_expired(cx).map(|()| Err(BodyFailure::Timeout));
                }
            }
        }
    }

    fn chunk(&self) -> &[u8] {
        self.reader.as_ref().and_then(|reader| reader.buffer.get(..self.available)).unwrap_or_default()
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.available);
        let Some(reader) = &mut self.reader else { return };
        reader.buffer.advance(count);
        reader.decoder.used(count);
        reader.body_bytes += count as u64;
        self.meter.add(count);
        self.available -= count;
        // With the last byte of a declared length the connection can watch its client again.
        if self.available == 0 && reader.decoder.is_done() {
            self.end();
        }
    }

    fn arrived(&self) -> usize {
        let Some(reader) = &self.reader else { return 0 };
        match reader.decoder.remaining() {
            Some(left) => reader.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX)),
            None => self.available,
        }
    }

    fn remaining(&self) -> Option<u64> {
        self.reader.as_ref().map_or(Some(0), |reader| reader.decoder.remaining())
    }

    fn trailers(&mut self) -> Option<Fields> {
        self.trailers.take()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        // What had come of it counts, whether or not somebody took it: a hop on the wire would have.
        self.meter.add(self.arrived());
        let Some(mut reader) = self.reader.take() else { return };
        let mut slot = self.slot.borrow_mut();
        // A client that waits for a 100 that never came may or may not send its body: the connection ends.
        reader.abandoned = slot.continue_at < CONTINUE.len();
        slot.put(reader);
    }
}

/// How fast a body arrives, counted only while it is waited for.
#[derive(Default)]
struct Pace {
    since: Option<Instant>,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    fn waiting(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Whether the sender keeps the minimum rate.
    fn received(&mut self, count: usize, limits: &Limits) -> bool {
        self.bytes += count as u64;
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
        }
        self.waited <= limits.body_rate_grace
            || self.bytes >= limits.body_rate_min.saturating_mul(self.waited.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_below_the_minimum_rate_is_given_up_after_the_grace_period() {
        let limits = Limits::default();
        let mut pace = Pace::default();
        for second in 1..=20 {
            pace.waiting();
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(pace.received(1, &limits), "{second}");
        }
        pace.waiting();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!pace.received(1, &limits));
        assert!(pace.received(500 * 21, &limits));
    }
}
