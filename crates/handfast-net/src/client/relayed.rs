//! Bodies that cross a fused hop: the limits of the listener and the time limits of the caller hold for them
//! as they would on a wire.

use crate::body::{Body, BodyStream};
use crate::deadline::Deadline;
use crate::delivery::{BodyMeter, Delivery};
use crate::h1::BodyFailure;
use handfast_core::message::Fields;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What a request body was doing when it was last polled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Transfer {
    /// It is not read, or has ended.
    #[default]
    Resting,
    /// Bytes have been taken since somebody looked.
    Moved,
    /// It waits for its sender.
    Starved,
}

#[derive(Default)]
struct Progress {
    state: Cell<Transfer>,
    waiter: RefCell<Option<Waker>>,
}

/// What the caller of a fused hop sees of the body that it sent.
pub(super) struct TransferView(Rc<Progress>);

impl TransferView {
    /// What the body is doing; the caller is woken when that changes.
    pub(super) fn look(&self, cx: &mut Context<'_>) -> Transfer {
        let state = self.0.state.get();
        match state {
            Transfer::Moved => self.0.state.set(Transfer::Resting),
            Transfer::Starved => *self.0.waiter.borrow_mut() = Some(cx.waker().clone()),
            Transfer::Resting => {}
        }
        state
    }
}

impl Progress {
    fn set(&self, state: Transfer) {
        if self.state.replace(state) == Transfer::Starved
            && state != Transfer::Starved
            && let Some(waiter) = self.waiter.take()
        {
            waiter.wake();
        }
    }
}

/// A body with limits.
pub(super) struct Relayed {
    body: Body,
    bytes_left: u64,
    idle: Option<Duration>,
    deadline: Deadline,
    progress: Option<Rc<Progress>>,
    /// What the next role counts of its request.
    meter: BodyMeter,
    /// What the next role does when its response is delivered.
    delivery: Option<Delivery>,
    bytes: u64,
}

impl Relayed {
    /// A request body of at most `bytes_max`, and a view on its progress when it is a stream.
    pub(super) fn request(body: Body, bytes_max: u64, meter: &BodyMeter) -> (Body, Option<TransferView>) {
        let in_memory = !matches!(body, Body::Stream(_));
        if in_memory && body.remaining().is_some_and(|length| length <= bytes_max) {
            meter.add(body.remaining().unwrap_or_default() as usize);
            return (body, None);
        }
        let progress = Rc::new(Progress::default());
        let relayed = Self {
            body,
            bytes_left: bytes_max,
            idle: None,
            deadline: Deadline::default(),
            progress: Some(progress.clone()),
            meter: meter.clone(),
            delivery: None,
            bytes: 0,
        };
        (Body::Stream(Box::new(relayed)), Some(TransferView(progress)))
    }

    /// A response body, of which something must arrive every `idle`. The delivery ends with it.
    pub(super) fn response(body: Body, idle: Duration, delivery: Delivery) -> Body {
        if !matches!(body, Body::Stream(_)) {
            delivery.end(body.remaining().unwrap_or_default(), true);
            return body;
        }
        let relayed = Self {
            body,
            bytes_left: u64::MAX,
            idle: Some(idle),
            deadline: Deadline::default(),
            progress: None,
            meter: BodyMeter::default(),
            delivery: Some(delivery),
            bytes: 0,
        };
        Body::Stream(Box::new(relayed))
    }

    /// The whole body was taken.
    fn delivered(&mut self) {
        if let Some(delivery) = self.delivery.take() {
            delivery.end(self.bytes, true);
        }
    }

    fn note(&self, state: Transfer) {
        if let Some(progress) = &self.progress {
            progress.set(state);
        }
    }
}

impl BodyStream for Relayed {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyFailure>> {
        match self.body.poll_ready(cx) {
            Poll::Ready(Ok(())) if self.body.chunk().len() as u64 > self.bytes_left => {
                self.note(Transfer::Resting);
                Poll::Ready(Err(BodyFailure::BodyTooLarge))
            }
            Poll::Ready(result) => {
                self.deadline.clear();
                let ended = self.body.chunk().is_empty();
                self.note(if ended { Transfer::Resting } else { Transfer::Moved });
                if ended && result.is_ok() {
                    self.delivered();
                }
                Poll::Ready(result)
            }
            Poll::Pending => {
                self.note(Transfer::Starved);
                if let Some(delivery) = &mut self.delivery
                    && delivery.poll_cut(cx).is_ready()
                {
                    return Poll::Ready(Err(BodyFailure::Truncated));
                }
                let Some(idle) = self.idle else { return Poll::Pending };
                self.deadline.start(idle);
                self.deadline.poll_expired(cx).map(|()| Err(BodyFailure::Timeout))
            }
        }
    }

    fn chunk(&self) -> &[u8] {
        self.body.chunk()
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.body.chunk().len());
        self.bytes_left = self.bytes_left.saturating_sub(count as u64);
        self.bytes += count as u64;
        self.meter.add(count);
        self.body.consume(count);
        if self.body.remaining() == Some(0) {
            self.delivered();
        }
    }

    fn arrived(&self) -> usize {
        self.body.arrived()
    }

    fn remaining(&self) -> Option<u64> {
        self.body.remaining()
    }

    fn trailers(&mut self) -> Option<Fields> {
        self.body.trailers()
    }
}

impl Drop for Relayed {
    fn drop(&mut self) {
        self.note(Transfer::Resting);
        self.meter.add(self.body.arrived());
        if let Some(delivery) = self.delivery.take() {
            delivery.end(self.bytes, false);
        }
    }
}
