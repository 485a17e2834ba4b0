//! A timeout that is set again on every request without touching the timer wheel: a later deadline is only
//! remembered, and the timer is moved when it fires early. A kept-alive connection therefore costs one
//! timer entry per timeout period, not one per request.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// What stands for a timeout that is too long to be added to the clock: 30 years.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// A movable point in time.
#[derive(Default)]
pub(crate) struct Deadline {
    at: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// Expires after `timeout` from now.
    pub(crate) fn set(&mut self, timeout: Duration) {
        let now = Instant::now();
        self.set_at(now.checked_add(timeout).unwrap_or(now + FAR));
    }

    /// Expires at a point in time.
    pub(crate) fn set_at(&mut self, at: Instant) {
        if let Some(timer) = &mut self.timer
            && at < timer.deadline()
        {
            timer.as_mut().reset(at);
        }
        self.at = Some(at);
    }

    /// Expires after `timeout` from now, unless a deadline is set already.
    pub(crate) fn start(&mut self, timeout: Duration) {
        if self.at.is_none() {
            self.set(timeout);
        }
    }

    /// Never expires until set again.
    pub(crate) fn clear(&mut self) {
        self.at = None;
    }

    /// Ready once the deadline has passed.
    pub(crate) fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        loop {
            match timer.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) if timer.deadline() >= at => return Poll::Ready(()),
                Poll::Ready(()) => timer.as_mut().reset(at),
            }
        }
    }
}
