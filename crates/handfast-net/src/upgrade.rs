//! Connections that stop being HTTP after a 101 response (WebSocket and the like): bytes both ways until
//! either side ends, or until neither has sent anything for too long.

use crate::deadline::Deadline;
use crate::delivery::Delivery;
use crate::io::{Io, SharedIo};
use bytes::{Buf, BytesMut};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::AsyncWrite;

/// The upstream side of an accepted upgrade, with what was already received after the 101 head.
pub struct Upgrade {
    pub(crate) io: Io,
    pub(crate) received: BytesMut,
}

const RELAY_BYTES: usize = 16 * 1024;

#[derive(Default)]
struct Direction {
    buffer: BytesMut,
    source_ended: bool,
    shut: bool,
    /// Bytes written so far.
    moved: u64,
}

impl Direction {
    /// Moves bytes from `from` to `to`; ready when `from` has ended and `to` is shut.
    fn poll(&mut self, cx: &mut Context<'_>, from: &mut Io, to: &mut Io) -> Poll<io::Result<()>> {
        if self.shut {
            return Poll::Ready(Ok(()));
        }
        loop {
            while !self.buffer.is_empty() {
                let count = std::task::ready!(Pin::new(&mut *to).poll_write(cx, &self.buffer))?;
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.moved += count as u64;
                self.buffer.advance(count);
            }
            std::task::ready!(Pin::new(&mut *to).poll_flush(cx))?;
            if self.source_ended {
                std::task::ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                self.shut = true;
                return Poll::Ready(Ok(()));
            }
            if std::task::ready!(from.poll_fill(cx, &mut self.buffer, RELAY_BYTES))? == 0 {
                self.source_ended = true;
            }
        }
    }
}

/// Relays until both directions have ended, one fails, or nothing moves for `idle`. `received` is what the
/// client sent ahead; the number is that of the bytes sent to it. A server that leaves its pool ends it, too.
pub(crate) async fn tunnel(
    client: SharedIo,
    received: BytesMut,
    mut upstream: Upgrade,
    idle: Duration,
    delivery: &mut Delivery,
) -> io::Result<u64> {
    let mut up = Direction { buffer: received, ..Direction::default() };
    let mut down = Direction { buffer: std::mem::take(&mut upstream.received), ..Direction::default() };
    let mut deadline = Deadline::default();
    deadline.set(idle);
    poll_fn(|cx| {
        let mut client = client.borrow_mut();
        let before = up.moved + down.moved;
        let sent = up.poll(cx, &mut client, &mut upstream.io)?;
        let got = down.poll(cx, &mut upstream.io, &mut client)?;
        if sent.is_ready() && got.is_ready() {
            return Poll::Ready(Ok(down.moved));
        }
        if delivery.poll_cut(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if up.moved + down.moved > before {
            deadline.set(idle);
        }
        deadline.poll_expired(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    })
    .await
}
