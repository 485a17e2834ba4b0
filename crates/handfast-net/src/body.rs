//! Message bodies as roles see them: nothing, bytes in memory, or a stream that is pulled. A stream hands
//! out slices of its own receive buffer, so relaying a body copies each byte once, into the next hop's
//! record, and allocates nothing.

use crate::h1::BodyFailure;
use bytes::{Buf, Bytes, BytesMut};
use handfast_core::message::Fields;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

/// A body that arrives over time.
pub trait BodyStream {
    /// Waits until [`BodyStream::chunk`] has bytes or the body has ended (then it is empty).
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyFailure>>;

    /// The bytes at hand.
    fn chunk(&self) -> &[u8];

    /// Drops `count` bytes from the front of the chunk.
    fn consume(&mut self, count: usize);

    /// Bytes that remain, if the length was declared.
    fn remaining(&self) -> Option<u64>;

    /// How many of its bytes have come and were not taken, as far as that is known without looking for more.
    fn arrived(&self) -> usize {
        self.chunk().len()
    }

    /// The trailer section, once the body has ended.
    fn trailers(&mut self) -> Option<Fields> {
        None
    }
}

/// A message body.
#[derive(Default)]
pub enum Body {
    /// There is none.
    #[default]
    Empty,
    /// It is in memory, and may be sent again.
    Full(Bytes),
    /// It arrives over time.
    Stream(Box<dyn BodyStream>),
}

impl Body {
    /// Bytes that remain, if known.
    pub fn remaining(&self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Full(bytes) => Some(bytes.len() as u64),
            Self::Stream(stream) => stream.remaining(),
        }
    }

    /// Whether there is certainly nothing.
    pub fn is_empty(&self) -> bool {
        self.remaining() == Some(0)
    }

    /// Waits until [`Body::chunk`] has bytes or the body has ended.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyFailure>> {
        match self {
            Self::Empty | Self::Full(_) => Poll::Ready(Ok(())),
            Self::Stream(stream) => stream.poll_ready(cx),
        }
    }

    /// The bytes at hand; empty when the body has ended.
    pub fn chunk(&self) -> &[u8] {
        match self {
            Self::Empty => &[],
            Self::Full(bytes) => bytes,
            Self::Stream(stream) => stream.chunk(),
        }
    }

    /// How many of its bytes have come and were not taken, as far as that is known without looking for more.
    pub fn arrived(&self) -> usize {
        match self {
            Self::Stream(stream) => stream.arrived(),
            _ => self.chunk().len(),
        }
    }

    /// Drops bytes from the front.
    pub fn consume(&mut self, count: usize) {
        match self {
            Self::Empty => {}
            Self::Full(bytes) => bytes.advance(count.min(bytes.len())),
            Self::Stream(stream) => stream.consume(count),
        }
    }

    /// The trailer section, once the body has ended.
    pub fn trailers(&mut self) -> Option<Fields> {
        match self {
            Self::Stream(stream) => stream.trailers(),
            Self::Empty | Self::Full(_) => None,
        }
    }

    /// Reads the whole body into memory, up to `bytes_max`.
    pub async fn collect(&mut self, bytes_max: usize) -> Result<Bytes, BodyFailure> {
        if let Self::Full(bytes) = self {
            return if bytes.len() > bytes_max {
                Err(BodyFailure::BodyTooLarge)
            } else {
                Ok(std::mem::take(bytes))
            };
        }
        let mut collected = BytesMut::new();
        match self.take_up_to(bytes_max, &mut collected).await? {
            true => Ok(collected.freeze()),
            false => Err(BodyFailure::BodyTooLarge),
        }
    }

    /// Reads the whole body into memory when it has at most `bytes_max`; a larger one stays whole, to be relayed.
    pub async fn peek(&mut self, bytes_max: usize) -> Result<Option<Bytes>, BodyFailure> {
        match self {
            Self::Empty => return Ok(Some(Bytes::new())),
            Self::Full(bytes) => return Ok((bytes.len() <= bytes_max).then(|| bytes.clone())),
            Self::Stream(_) => {}
        }
        let mut taken = BytesMut::new();
        let whole = self.take_up_to(bytes_max, &mut taken).await?;
        let taken = taken.freeze();
        // The rest of a stream that has ended still has its trailers.
        let rest = std::mem::take(self);
        *self = Self::Stream(Box::new(Prefixed { prefix: taken.clone(), rest }));
        Ok(whole.then_some(taken))
    }

    /// Moves the body to `taken` while it has at most `bytes_max`; whether that was all of it.
    async fn take_up_to(&mut self, bytes_max: usize, taken: &mut BytesMut) -> Result<bool, BodyFailure> {
        poll_fn(|cx| {
            loop {
                ready!(self.poll_ready(cx))?;
                let chunk = self.chunk();
                if chunk.is_empty() {
                    return Poll::Ready(Ok(true));
                }
                if taken.len() + chunk.len() > bytes_max {
                    return Poll::Ready(Ok(false));
                }
                let count = chunk.len();
                taken.extend_from_slice(chunk);
                self.consume(count);
            }
        })
        .await
    }
}

/// What was read ahead, and the rest of the body.
struct Prefixed {
    prefix: Bytes,
    rest: Body,
}

impl BodyStream for Prefixed {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyFailure>> {
        if self.prefix.is_empty() { self.rest.poll_ready(cx) } else { Poll::Ready(Ok(())) }
    }

    fn chunk(&self) -> &[u8] {
        if self.prefix.is_empty() { self.rest.chunk() } else { &self.prefix }
    }

    fn consume(&mut self, count: usize) {
        if self.prefix.is_empty() {
            self.rest.consume(count);
        } else {
            self.prefix.advance(count.min(self.prefix.len()));
        }
    }

    fn arrived(&self) -> usize {
        self.prefix.len() + self.rest.arrived()
    }

    fn remaining(&self) -> Option<u64> {
        self.rest.remaining().map(|rest| rest + self.prefix.len() as u64)
    }

    fn trailers(&mut self) -> Option<Fields> {
        self.rest.trailers()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Full(bytes) }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self {
            Self::Empty => "Empty",
            Self::Full(_) => "Full",
            Self::Stream(_) => "Stream",
        };
        write!(f, "{kind}({:?} bytes)", self.remaining())
    }
}
