//! What a response leaves behind once it is delivered: the last members of its log line, and its place among
//! the requests that its server serves.
//!
//! A role attaches a [`Delivery`] to its response. Whoever hands the response on (the codec of the client's
//! connection, or the caller of a fused hop) ends it with the bytes that went out; dropping it says that the
//! response was not delivered whole.

use crate::balance::InFlight;
use crate::deadline::Deadline;
use crate::exchange::{Request, Response};
use crate::server::Core;
use crate::signal::Waiter;
use handfast_core::message::{Fields, RequestHead, ResponseHead, standard_reason};
use handfast_telemetry::{JsonLine, PendingLine};
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Counts the bytes of a request body as they are taken, and those that had come when it was dropped; nothing for a request without one.
#[derive(Clone, Debug, Default)]
pub struct BodyMeter(Option<Rc<Cell<u64>>>);

impl BodyMeter {
    pub(crate) fn new() -> Self {
        Self(Some(Rc::default()))
    }

    pub(crate) fn add(&self, count: usize) {
        if let Some(bytes) = &self.0 {
            bytes.set(bytes.get() + count as u64);
        }
    }

    fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |bytes| bytes.get())
    }
}

/// What was received of a request. Sizes are those of the message as HTTP/1.1 would write it, start line and
/// fields included, whatever version was spoken: the same for every hop, and independent of compression.
#[derive(Clone, Debug, Default)]
pub struct Received {
    head_bytes: u64,
    body: BodyMeter,
}

impl Received {
    /// Of a request that nothing was changed of yet.
    pub fn of(request: &Request) -> Self {
        Self { head_bytes: request_bytes(&request.head), body: request.body_meter.clone() }
    }

    fn bytes(&self) -> u64 {
        self.head_bytes + self.body.bytes()
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub struct Delivered {
    /// Bytes of the request.
    pub received_bytes: u64,
    /// Bytes of the response.
    pub sent_bytes: u64,
    /// From the request's head to the response's last byte.
    pub took: Duration,
    /// From the response's first byte to its last.
    pub sending: Duration,
    /// Whether the whole response went out.
    pub complete: bool,
}

/// Writes the members that are known at the end.
pub type EndLine = fn(&mut JsonLine<'_>, &Delivered);

/// What is still to be done when the response is delivered.
#[derive(Default)]
pub struct Delivery {
    line: Option<Line>,
    server: Option<Hold>,
}

struct Hold {
    core: Core,
    server: InFlight,
    leaving: Leaving,
}

struct Line {
    core: Core,
    pending: PendingLine,
    end: EndLine,
    received: Received,
    head_bytes: u64,
    started: Instant,
    answered: Instant,
}

impl Core {
    /// Begins the log line of a response; it ends when the response is delivered.
    pub fn log_delivery(
        &self,
        response: &mut Response,
        (received, started): (Received, Instant),
        fill: impl FnOnce(&mut JsonLine<'_>, &ResponseHead),
        end: EndLine,
    ) {
        let Some(pending) = self.begin_line(|line| fill(line, &response.head)) else { return };
        let head_bytes = response_bytes(&response.head);
        let core = self.clone();
        let answered = Instant::now();
        response.delivery.line = Some(Line { core, pending, end, received, head_bytes, started, answered });
    }

    /// Runs a future for a server, unless the server leaves its pool and its time to drain runs out.
    pub async fn while_in_pool<T>(&self, server: &InFlight, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let mut leaving = Leaving::default();
        std::future::poll_fn(|cx| {
            if let Poll::Ready(done) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(done));
            }
            leaving.poll_over(cx, self, server).map(|()| None)
        })
        .await
    }
}

impl Delivery {
    /// Keeps a server's count of requests up until the response is delivered, which is cut short when the
    /// server leaves its pool and its time to drain runs out.
    pub fn of_server(core: &Core, server: InFlight) -> Self {
        let hold = Hold { core: core.clone(), server, leaving: Leaving::default() };
        Self { line: None, server: Some(hold) }
    }

    /// Ready when the server's time to drain is over.
    pub(crate) fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(hold) = &mut self.server else { return Poll::Pending };
        hold.leaving.poll_over(cx, &hold.core, &hold.server)
    }

    /// The response went out, whole or not.
    pub(crate) fn end(mut self, body_bytes: u64, complete: bool) {
        self.write(Some(body_bytes), complete);
    }

    fn write(&mut self, body_bytes: Option<u64>, complete: bool) {
        let Some(line) = self.line.take() else { return };
        let delivered = Delivered {
            received_bytes: line.received.bytes(),
            sent_bytes: body_bytes.map_or(0, |bytes| bytes + line.head_bytes),
            took: line.started.elapsed(),
            sending: line.answered.elapsed(),
            complete,
        };
        line.core.end_line(line.pending, |members| (line.end)(members, &delivered));
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.write(None, false);
    }
}

/// Waits for the end of a server's time in its pool.
#[derive(Default)]
struct Leaving {
    waiter: Waiter,
    deadline: Deadline,
}

impl Leaving {
    fn poll_over(&mut self, cx: &mut Context<'_>, core: &Core, server: &InFlight) -> Poll<()> {
        self.waiter.listen(core.signal(), cx);
        match server.leaves_at() {
            Some(at) => {
                self.deadline.set_at(at);
                self.deadline.poll_expired(cx)
            }
            None => Poll::Pending,
        }
    }
}

/// `Name: value`, with its line end.
fn field_bytes(fields: &Fields) -> u64 {
    fields.iter().map(|(name, value)| (name.len() + value.len() + 4) as u64).sum()
}

fn request_bytes(head: &RequestHead) -> u64 {
    // "GET / HTTP/1.1" and its line end, and the empty line.
    let start = head.method.as_str().len() + head.target.as_str().len() + " HTTP/1.1\r\n\r\n".len() + 1;
    start as u64 + field_bytes(&head.fields)
}

fn response_bytes(head: &ResponseHead) -> u64 {
    let start = "HTTP/1.1 200 \r\n\r\n".len() + standard_reason(head.status).len();
    start as u64 + field_bytes(&head.fields)
}
