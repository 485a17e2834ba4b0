//! Frames that cost us work and carry no request: counted per connection, so that a peer that sends nothing
//! else is told to calm down and closed. What the `h2` crate bounds itself (CONTINUATION, empty DATA, decoded
//! header bytes, resets) is not counted again.
//!
//! Only frame headers are looked at (RFC 9113 §4.1), in the bytes as they are read.

use crate::io::SharedIo;
use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// The time over which frames are counted.
const PERIOD: Duration = Duration::from_secs(10);
/// SETTINGS and PING frames, and malformed requests, per period; one more per `BYTES_PER_PING` moved, since
/// gRPC measures the path with PINGs while it transfers.
const CONTROL_MAX: u64 = 100;
const BYTES_PER_PING: u64 = 16 * 1024;
/// PRIORITY frames and frames of unknown types per request in the period, and for the connection.
const PRIORITY_MAX: u64 = 100;
/// WINDOW_UPDATE frames per period; one more per `BYTES_PER_UPDATE` that we sent, which is about the smallest
/// frame of DATA.
const UPDATES_MAX: u64 = 1000;
const BYTES_PER_UPDATE: u64 = 16;

const PREFACE_BYTES: usize = 24;
const HEADER_BYTES: usize = 9;

#[derive(Clone, Copy, Default)]
struct Counts {
    control: u64,
    priority: u64,
    updates: u64,
    requests: u64,
    moved: u64,
    sent: u64,
}

/// What a connection's peer has sent in this period.
pub(super) struct Watch {
    since: Cell<Instant>,
    counts: Cell<Counts>,
    exceeded: Cell<bool>,
}

impl Watch {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self {
            since: Cell::new(Instant::now()),
            counts: Cell::default(),
            exceeded: Cell::new(false),
        })
    }

    /// Whether the peer has sent more than a client would.
    pub(super) fn exceeded(&self) -> bool {
        self.exceeded.get()
    }

    /// A request was malformed.
    pub(super) fn malformed(&self) {
        self.count(|counts| counts.control += 1);
    }

    fn frame(&self, kind: u8) {
        self.count(|counts| match kind {
            0 | 3 | 5 | 7 | 9 => {}
            1 => counts.requests += 1,
            4 | 6 => counts.control += 1,
            8 => counts.updates += 1,
            _ => counts.priority += 1,
        });
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.get();
        change(&mut counts);
        let within = counts.control <= CONTROL_MAX + counts.moved / BYTES_PER_PING
            && counts.priority <= PRIORITY_MAX * (1 + counts.requests)
            && counts.updates <= UPDATES_MAX + counts.sent / BYTES_PER_UPDATE;
        if !within {
            // The clock is read only when a limit is passed: the period may be over by then.
            if self.since.get().elapsed() < PERIOD {
                self.exceeded.set(true);
            }
            self.since.set(Instant::now());
            counts = Counts::default();
        }
        self.counts.set(counts);
    }

    fn moved(&self, received: u64, sent: u64) {
        let mut counts = self.counts.get();
        counts.moved += received + sent;
        counts.sent += sent;
        self.counts.set(counts);
    }
}

/// A stream whose frames are counted.
pub(super) struct Watched {
    io: SharedIo,
    watch: Rc<Watch>,
    frames: RefCell<Frames>,
}

impl Watched {
    pub(super) fn new(io: SharedIo, watch: Rc<Watch>) -> Self {
        Self {
            io,
            watch,
            frames: RefCell::new(Frames { skip: PREFACE_BYTES, header: [0; HEADER_BYTES], at: 0 }),
        }
    }
}

/// Where in the sequence of frames the received bytes are.
struct Frames {
    /// Bytes of a payload, or of the preface, that are still to come.
    skip: usize,
    header: [u8; HEADER_BYTES],
    at: usize,
}

impl Frames {
    /// Walks over received bytes and reports the type of each frame that begins in them.
    fn walk(&mut self, mut bytes: &[u8], mut frame: impl FnMut(u8)) {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return;
            }
            let take = (HEADER_BYTES - self.at).min(bytes.len());
            self.header[self.at..self.at + take].copy_from_slice(&bytes[..take]);
            self.at += take;
            bytes = &bytes[take..];
            if self.at == HEADER_BYTES {
                let [high, middle, low, kind, ..] = self.header;
                self.skip = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                self.at = 0;
                frame(kind);
            }
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut *self.io.borrow_mut()).poll_read(cx, buf);
        let received = buf.filled().get(before..).unwrap_or_default();
        if !received.is_empty() {
            self.watch.moved(received.len() as u64, 0);
            self.frames.borrow_mut().walk(received, |kind| self.watch.frame(kind));
        }
        polled
    }
}

impl Watched {
    fn wrote(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = &polled {
            self.watch.moved(0, *count as u64);
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut *self.io.borrow_mut()).poll_write(cx, bytes);
        self.wrote(polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut *self.io.borrow_mut()).poll_write_vectored(cx, bufs);
        self.wrote(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.borrow().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io.borrow_mut()).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_for_any_split() {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend([0, 0, 6, 4, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6]);
        bytes.extend([0, 0, 0, 4, 1, 0, 0, 0, 0]);
        bytes.extend([0, 0, 8, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for size in 1..=bytes.len() {
            let mut frames = Frames { skip: PREFACE_BYTES, header: [0; HEADER_BYTES], at: 0 };
            let mut kinds = Vec::new();
            bytes.chunks(size).for_each(|piece| frames.walk(piece, |kind| kinds.push(kind)));
            assert_eq!(kinds, [4, 4, 6], "{size}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_noticed_and_a_slow_trickle_is_not() {
        let flood = Watch::new();
        (0..=CONTROL_MAX).for_each(|_| flood.frame(6));
        assert!(flood.exceeded());
        let slow = Watch::new();
        for _ in 0..10 * CONTROL_MAX {
            slow.frame(6);
            tokio::time::advance(Duration::from_millis(200)).await;
        }
        assert!(!slow.exceeded());
    }
}
