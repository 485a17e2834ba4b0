//! Bodies over HTTP/2, either side.

use crate::body::{Body, BodyStream};
use crate::client::Upload;
use crate::deadline::Deadline;
use crate::delivery::BodyMeter;
use crate::h1::request_rules::decimal;
use crate::h1::{BodyFailure, is_allowed_trailer};
use bytes::{Buf, Bytes};
use h2::{RecvStream, SendStream};
use handfast_core::message::{Fields, is_field_value};
use http::header::{HeaderName, HeaderValue};
use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A body that arrives on a stream.
pub(crate) struct H2Body {
    stream: RecvStream,
    chunk: Bytes,
    data_ended: bool,
    ended: bool,
    remaining: Option<u64>,
    received: u64,
    trailers: Option<Fields>,
    bytes_max: u64,
    idle: Duration,
    deadline: Deadline,
    /// The other direction of the same stream, which is reset when nobody wants the answer any more.
    _upload: Option<Upload>,
    meter: BodyMeter,
}

impl H2Body {
    /// `fields` are those of the head, for a declared length; `idle` bounds each wait for the peer.
    pub(crate) fn new(stream: RecvStream, fields: &Fields, bytes_max: u64, idle: Duration) -> Self {
        let declared = fields.get(b"content-length").and_then(decimal);
        Self {
            stream,
            chunk: Bytes::new(),
            data_ended: false,
            ended: false,
            remaining: declared,
            received: 0,
            trailers: None,
            bytes_max,
            idle,
            deadline: Deadline::default(),
            _upload: None,
            meter: BodyMeter::default(),
        }
    }

    /// Counts what is taken.
    pub(crate) fn metered(self, meter: BodyMeter) -> Self {
        Self { meter, ..self }
    }

    /// Keeps the upload that belongs to the same stream alive for as long as this body is wanted.
    pub(crate) fn with_upload(self, upload: Option<Upload>) -> Self {
        Self { _upload: upload, ..self }
    }

    fn take_trailers(&mut self, map: Option<http::HeaderMap>) {
        let Some(map) = map else { return };
        let mut trailers = Fields::new();
        for (name, value) in &map {
            let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
            if is_allowed_trailer(name) && is_field_value(value) {
                let _ = trailers.append(name, value);
            }
        }
        self.trailers = Some(trailers);
    }
}

impl BodyStream for H2Body {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyFailure>> {
        loop {
            if !self.chunk.is_empty() || self.ended {
                return Poll::Ready(Ok(()));
            }
            if self.data_ended {
                let trailers = ready!(self.stream.poll_trailers(cx)).map_err(|_| BodyFailure::Truncated)?;
                self.take_trailers(trailers);
                self.ended = true;
                continue;
            }
            match self.stream.poll_data(cx) {
                Poll::Ready(Some(Ok(chunk))) => {
                    self.deadline.clear();
                    self.received += chunk.len() as u64;
                    if self.received > self.bytes_max {
                        return Poll::Ready(Err(BodyFailure::BodyTooLarge));
                    }
                    self.remaining = self.remaining.map(|left| left.saturating_sub(chunk.len() as u64));
                    self.chunk = chunk;
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(BodyFailure::Truncated)),
                Poll::Ready(None) => self.data_ended = true,
                Poll::Pending => {
                    self.deadline.start(self.idle);
                    return self.deadline.poll_expired(cx).map(|()| Err(BodyFailure::Timeout));
                }
            }
        }
    }

    fn chunk(&self) -> &[u8] {
        &self.chunk
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.chunk.len());
        self.chunk.advance(count);
        self.meter.add(count);
        // The peer may send as much again. Failing means that the stream has ended.
        let _ = self.stream.flow_control().release_capacity(count);
    }

    fn remaining(&self) -> Option<u64> {
        if self.ended { Some(0) } else { self.remaining.map(|left| left + self.chunk.len() as u64) }
    }

    fn trailers(&mut self) -> Option<Fields> {
        self.trailers.take()
    }
}

/// Why a body did not get onto a stream.
#[derive(Debug)]
pub(crate) enum SendFailure {
    /// The stream was reset or the connection has failed.
    Stream,
    /// The body that was being sent failed.
    Body(BodyFailure),
    /// The peer did not open its window in time.
    Stalled,
}

/// Sends a body and its trailers under the peer's flow control. `sent` counts the body's bytes.
pub(crate) async fn send_body(
    body: &mut Body,
    stream: &mut SendStream<Bytes>,
    idle: Duration,
    sent: &Cell<u64>,
) -> Result<(), SendFailure> {
    let mut deadline = Deadline::default();
    loop {
        poll_fn(|cx| {
            if let Poll::Ready(result) = body.poll_ready(cx) {
                return Poll::Ready(result.map_err(SendFailure::Body));
            }
            stream.poll_reset(cx).map(|_| Err(SendFailure::Stream))
        })
        .await?;
        if body.chunk().is_empty() {
            return finish(body, stream);
        }
        let granted = match stream.capacity() {
            0 => {
                stream.reserve_capacity(body.chunk().len());
                deadline.set(idle);
                poll_fn(|cx| match stream.poll_capacity(cx) {
                    Poll::Ready(Some(Ok(granted))) => Poll::Ready(Ok(granted)),
                    Poll::Ready(Some(Err(_)) | None) => Poll::Ready(Err(SendFailure::Stream)),
                    Poll::Pending => deadline.poll_expired(cx).map(|()| Err(SendFailure::Stalled)),
                })
                .await?
            }
            granted => granted,
        };
        let count = granted.min(body.chunk().len());
        if count == 0 {
            continue;
        }
        let piece = Bytes::copy_from_slice(&body.chunk()[..count]);
        body.consume(count);
        sent.set(sent.get() + count as u64);
        // When the end is known already, it goes out with the last piece and not as a frame of its own.
        let next = poll_fn(|cx| Poll::Ready(body.poll_ready(cx))).await;
        let ended = matches!(next, Poll::Ready(Ok(()))) && body.chunk().is_empty();
        let trailers = if ended { body.trailers() } else { None };
        stream.send_data(piece, ended && trailers.is_none()).map_err(|_| SendFailure::Stream)?;
        match next {
            Poll::Ready(Err(failure)) => return Err(SendFailure::Body(failure)),
            _ if !ended => {}
            _ => {
                return match trailers.as_ref().map(trailer_map) {
                    Some(trailers) => stream.send_trailers(trailers).map_err(|_| SendFailure::Stream),
                    None => Ok(()),
                };
            }
        }
    }
}

/// Ends a stream whose body has ended.
fn finish(body: &mut Body, stream: &mut SendStream<Bytes>) -> Result<(), SendFailure> {
    match body.trailers().as_ref().map(trailer_map) {
        Some(trailers) => stream.send_trailers(trailers),
        None => stream.send_data(Bytes::new(), true),
    }
    .map_err(|_| SendFailure::Stream)
}

/// Fields that HTTP/2 cannot carry, which our own checks on fields make impossible, are left out.
fn trailer_map(trailers: &Fields) -> http::HeaderMap {
    let mut map = http::HeaderMap::new();
    for (name, value) in trailers.iter() {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            map.append(name, value);
        }
    }
    map
}
