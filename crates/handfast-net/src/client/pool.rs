//! Idle HTTP/1.1 connections of one core, by what they were made with. The last one used is used first, so
//! that the rest can time out.

use super::PoolKey;
use crate::io::SharedIo;
use crate::limits::GlobalLimits;
use bytes::BytesMut;
use std::collections::{HashMap, VecDeque};
use std::task::{Context, Poll, Waker};
use tokio::time::Instant;

/// An open connection to an upstream server, between two requests.
pub(crate) struct UpstreamConnection {
    pub(crate) io: SharedIo,
    pub(crate) buffer: BytesMut,
    pub(crate) out: Vec<u8>,
    pub(crate) reused: bool,
}

impl UpstreamConnection {
    /// Whether the server has closed or sent something unasked. No system call without a readiness event.
    fn is_stale(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let polled = self.io.borrow_mut().poll_fill(&mut cx, &mut self.buffer, 1);
        !matches!(polled, Poll::Pending)
    }
}

#[derive(Default)]
pub(crate) struct IdlePool {
    by_key: HashMap<PoolKey, VecDeque<(Instant, UpstreamConnection)>>,
}

impl IdlePool {
    /// A connection that is still alive as far as can be told.
    pub(crate) fn take(&mut self, key: &PoolKey, limits: &GlobalLimits) -> Option<UpstreamConnection> {
        let idle = self.by_key.get_mut(key)?;
        while let Some((since, mut connection)) = idle.pop_back() {
            if since.elapsed() < limits.idle_upstream_timeout && !connection.is_stale() {
                connection.reused = true;
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection for the next request.
    pub(crate) fn put(&mut self, key: PoolKey, mut connection: UpstreamConnection, limits: &GlobalLimits) {
        if !connection.buffer.is_empty() {
            return;
        }
        connection.buffer = BytesMut::new();
        let idle = self.by_key.entry(key).or_default();
        if idle.len() >= limits.idle_upstreams_max {
            idle.pop_front();
        }
        idle.push_back((Instant::now(), connection));
    }

    /// Closes what has been idle too long.
    pub(crate) fn expire(&mut self, limits: &GlobalLimits) {
        self.by_key.retain(|_, idle| {
            idle.retain_mut(|(since, connection)| {
                since.elapsed() < limits.idle_upstream_timeout && !connection.is_stale()
            });
            !idle.is_empty()
        });
    }
}
