//! A request body on its way to an HTTP/2 server, as a task of its own, so that both directions of a stream
//! flow at once (gRPC). It ends with the exchange that it belongs to.

use crate::body::Body;
use crate::h1::BodyFailure;
use crate::h2_body::{SendFailure, send_body};
use bytes::Bytes;
use h2::{Reason, SendStream};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::task::AbortHandle;

#[derive(Default)]
struct State {
    ended: Cell<bool>,
    failure: Cell<Option<BodyFailure>>,
    waiter: RefCell<Option<Waker>>,
}

/// A body that is being sent. Dropping it before its end resets the stream.
pub(crate) struct Upload {
    state: Rc<State>,
    task: AbortHandle,
}

impl Upload {
    /// Sends `body`; `idle` bounds each wait for the server's window.
    pub(crate) fn start(mut body: Body, mut stream: SendStream<Bytes>, idle: Duration) -> Self {
        let state = Rc::new(State::default());
        let ours = state.clone();
        let task = tokio::task::spawn_local(async move {
            if let Err(failure) = send_body(&mut body, &mut stream, idle, &Cell::default()).await {
                if let SendFailure::Body(failure) = failure {
                    ours.failure.set(Some(failure));
                }
                stream.send_reset(Reason::CANCEL);
            }
            drop(body);
            ours.ended.set(true);
            if let Some(waiter) = ours.waiter.take() {
                waiter.wake();
            }
        });
        Self { state, task: task.abort_handle() }
    }

    /// Whether the body is still being sent; if so, the caller is woken at its end.
    pub(crate) fn is_sending(&self, cx: &mut Context<'_>) -> bool {
        if self.state.ended.get() {
            return false;
        }
        self.state.waiter.replace(Some(cx.waker().clone()));
        true
    }

    /// Why the body could not be read to its end.
    pub(crate) fn body_failure(&self) -> Option<BodyFailure> {
        self.state.failure.get()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.task.abort();
    }
}
