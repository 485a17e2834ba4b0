//! One HTTP/2 client connection (RFC 9113), by the `h2` crate under our bounds. Each stream is a task of the
//! same core with the same request context as HTTP/1.1.

mod convert;
mod watch;

use super::{Core, RequestGuard};
use crate::body::Body;
use crate::deadline::Deadline;
use crate::delivery::BodyMeter;
use crate::exchange::{ConnectionInfo, Request, Response};
use crate::h2_body::{H2Body, SendFailure, send_body};
use crate::io::{self, Io};
use crate::limits::Limits;
use crate::listener::Listener;
use crate::signal::Waiter;
use bytes::Bytes;
use convert::{Rejected, read_head, response_head};
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use handfast_core::message::Method;
use handfast_telemetry::Metric;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use watch::{Watch, Watched};

/// Stream window; the connection window is larger so that one slow stream does not stop the others.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const FRAME_BYTES_MAX: u32 = 16 * 1024;
const SEND_BUFFER_BYTES: usize = 400 * 1024;
/// Streams reset by the peer that wait to be accepted (CVE-2023-44487).
const PENDING_RESETS_MAX: usize = 20;
/// Streams that we had to reset because the peer broke the protocol (CVE-2025-8671).
const LOCAL_RESETS_MAX: usize = 1024;
/// More than half of at least this many requests reset within a second is an attack, not a client.
const RAPID_RESET_REQUESTS: u64 = 500;
const RAPID_RESET_AGE: Duration = Duration::from_secs(1);

/// How long a client may take to acknowledge a GOAWAY once its streams have ended.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// What the streams of one connection count together.
struct Tally {
    open: Cell<u32>,
    requests: Cell<u64>,
    rapid_resets: Cell<u64>,
    watch: Rc<Watch>,
}

impl Tally {
    fn new(watch: Rc<Watch>) -> Self {
        Self { open: Cell::new(0), requests: Cell::new(0), rapid_resets: Cell::new(0), watch }
    }

    fn is_attack(&self) -> bool {
        self.requests.get() >= RAPID_RESET_REQUESTS && self.rapid_resets.get() * 2 > self.requests.get()
    }
}

/// Serves until either side closes.
pub(crate) async fn serve(core: Core, listener: Arc<Listener>, io: Io, info: Rc<ConnectionInfo>) {
    let limits = listener.state().limits.clone();
    let watch = Watch::new();
    let io = Rc::new(RefCell::new(io));
    let handshake = builder(&limits).handshake::<_, Bytes>(Watched::new(io.clone(), watch.clone()));
    let Ok(Ok(mut connection)) = timeout(limits.handshake_timeout, handshake).await else { return };
    let mut drain = Waiter::default();
    let tally = Rc::new(Tally::new(watch));
    let mut idle = Deadline::default();
    let mut closing = core.is_draining();
    let mut calmed = false;
    if closing {
        connection.graceful_shutdown();
    }
    loop {
        let event = poll_fn(|cx| {
            if let Poll::Ready(accepted) = connection.poll_accept(cx) {
                return Poll::Ready(Event::Stream(accepted));
            }
            if !calmed && tally.watch.exceeded() {
                return Poll::Ready(Event::Abuse);
            }
            drain.listen(core.signal(), cx);
            if !closing && core.is_draining() {
                return Poll::Ready(Event::Drain);
            }
            if tally.open.get() > 0 {
                idle.clear();
            } else {
                idle.start(if closing { CLOSE_GRACE } else { limits.h2_idle_timeout });
            }
            idle.poll_expired(cx).map(|()| Event::Idle)
        })
        .await;
        match event {
            Event::Stream(Some(Ok((request, respond)))) => {
                tally.requests.set(tally.requests.get() + 1);
                if tally.is_attack() || tally.watch.exceeded() {
                    calmed = true;
                    connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                } else {
                    if tally.requests.get() >= limits.h2_requests_max && !closing {
                        closing = true;
                        idle.clear();
                        connection.graceful_shutdown();
                    }
                    let stream = Stream::new(&core, &listener, &info, &tally, respond);
                    core.spawn(stream.run(request));
                }
            }
            Event::Stream(Some(Err(_)) | None) => break,
            Event::Abuse => {
                calmed = true;
                connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            }
            Event::Drain | Event::Idle if !closing => {
                closing = true;
                idle.clear();
                connection.graceful_shutdown();
            }
            Event::Drain | Event::Idle => break,
        }
    }
    drop(connection);
    // A client that was told to calm down may still be sending.
    io::close(&io, true).await;
}

/// A request and the way to answer it.
type Accepted = (http::Request<RecvStream>, SendResponse<Bytes>);

#[allow(clippy::large_enum_variant, reason = "made and taken apart in one loop, never stored")]
enum Event {
    Stream(Option<Result<Accepted, h2::Error>>),
    Drain,
    Idle,
    Abuse,
}

fn builder(limits: &Limits) -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_concurrent_streams(limits.h2_streams_max)
        .max_header_list_size(limits.h2_head_bytes_max)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(Some(LOCAL_RESETS_MAX));
    builder
}

struct Stream {
    core: Core,
    listener: Arc<Listener>,
    info: Rc<ConnectionInfo>,
    tally: Rc<Tally>,
    respond: SendResponse<Bytes>,
    started: Instant,
}

impl Stream {
    fn new(
        core: &Core,
        listener: &Arc<Listener>,
        info: &Rc<ConnectionInfo>,
        tally: &Rc<Tally>,
        respond: SendResponse<Bytes>,
    ) -> Self {
        tally.open.set(tally.open.get() + 1);
        Self {
            core: core.clone(),
            listener: listener.clone(),
            info: info.clone(),
            tally: tally.clone(),
            respond,
            started: Instant::now(),
        }
    }

    async fn run(mut self, request: http::Request<RecvStream>) {
        self.core.metrics().count(Metric::Requests);
        let state = self.listener.state().clone();
        let is_head = request.method() == http::Method::HEAD;
        let response = match read_head(&request, &state.limits) {
            Err(Rejected::Malformed) => {
                self.tally.watch.malformed();
                self.core.metrics().count(Metric::RequestsRejected);
                return self.respond.send_reset(Reason::PROTOCOL_ERROR);
            }
            Err(Rejected::Refused(refusal)) => {
                self.core.metrics().count(Metric::RequestsRejected);
                Some(state.service.refuse(&self.core, &self.info, refusal))
            }
            Ok(mut head) => {
                head.scheme = self.info.scheme;
                let Some(_guard) = RequestGuard::enter(&self.core) else {
                    self.core.metrics().count(Metric::RequestsShed);
                    return self.respond.send_reset(Reason::REFUSED_STREAM);
                };
                debug_assert!(head.method != Method::Connect);
                let stream = request.into_body();
                let mut body_meter = BodyMeter::default();
                let body = if stream.is_end_stream() {
                    Body::Empty
                } else {
                    let (max, idle) = (state.limits.body_bytes_max, state.limits.body_idle_timeout);
                    body_meter = BodyMeter::new();
                    let body = H2Body::new(stream, &head.fields, max, idle).metered(body_meter.clone());
                    Body::Stream(Box::new(body))
                };
                let connection = self.info.clone();
                let request = Request { head, body, connection, upgrade: false, body_meter };
                let mut future = state.service.clone().call(self.core.clone(), request);
                poll_fn(|cx| {
                    let polled = std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
                    match polled {
                        Ok(Poll::Ready(response)) => Poll::Ready(Some(response)),
                        Err(_) => {
                            self.core.metrics().count(Metric::RequestPanics);
                            Poll::Ready(Some(state.service.fail(&self.info, 500)))
                        }
                        Ok(Poll::Pending) => self.respond.poll_reset(cx).map(|_| None),
                    }
                })
                .await
            }
        };
        match response {
            Some(response) => self.send(response, is_head, state.limits.body_idle_timeout).await,
            None => self.count_reset(),
        }
    }

    async fn send(&mut self, response: Response, is_head: bool, idle: Duration) {
        // `close` has no meaning here: a connection-level consequence of one stream would punish its siblings.
        let Response { head, mut body, mut delivery, .. } = response;
        let no_body = is_head || head.status == 204 || head.status == 304 || body.is_empty();
        let message = response_head(&head, body.remaining(), is_head);
        self.core.reuse_response_head(head);
        let Some(message) = message else { return self.respond.send_reset(Reason::INTERNAL_ERROR) };
        let Ok(mut stream) = self.respond.send_response(message, no_body) else { return self.count_reset() };
        if no_body {
            return delivery.end(0, true);
        }
        let sent = Cell::default();
        let outcome = {
            let mut sending = std::pin::pin!(send_body(&mut body, &mut stream, idle, &sent));
            poll_fn(|cx| match sending.as_mut().poll(cx) {
                Poll::Ready(outcome) => Poll::Ready(outcome),
                Poll::Pending => delivery.poll_cut(cx).map(|()| Err(SendFailure::Stalled)),
            })
            .await
        };
        delivery.end(sent.get(), outcome.is_ok());
        match outcome {
            Ok(()) => {}
            Err(SendFailure::Stream) => self.count_reset(),
            // What breaks on our side is no fault of the client's.
            Err(SendFailure::Body(_) | SendFailure::Stalled) => stream.send_reset(Reason::INTERNAL_ERROR),
        }
    }

    fn count_reset(&self) {
        if self.started.elapsed() < RAPID_RESET_AGE {
            self.tally.rapid_resets.set(self.tally.rapid_resets.get() + 1);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.tally.open.set(self.tally.open.get() - 1);
    }
}
