//! Idle HTTP/1.1 connections of one core, by what they were made with. The last one used is used first, so
//! that the rest can time out.

use super::{PoolKey, Target};
use crate::deadline::Deadline;
use crate::io::SharedIo;
use crate::limits::GlobalLimits;
use bytes::BytesMut;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::task::{Context, Waker};
use tokio::time::Instant;

/// An open connection to an upstream server, with what is kept for its next request.
pub(crate) struct UpstreamConnection {
    pub(crate) io: SharedIo,
    pub(crate) key: Rc<PoolKey>,
    pub(crate) buffer: BytesMut,
    pub(crate) out: Vec<u8>,
    pub(crate) deadline: Deadline,
    pub(crate) reused: bool,
}

impl UpstreamConnection {
    /// Whether the server has closed or sent something unasked. No system call without a readiness event.
    fn is_stale(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.io.borrow_mut().poll_anything(&mut cx).is_ready()
    }
}

/// The idle connections with one key.
struct Shelf {
    key: Rc<PoolKey>,
    idle: VecDeque<(Instant, UpstreamConnection)>,
}

/// Idle connections by the fingerprint of their key, so that looking one up for a target copies nothing.
#[derive(Default)]
pub(crate) struct IdlePool {
    shelves: HashMap<u64, Vec<Shelf>>,
}

impl IdlePool {
    /// A connection that is still alive as far as can be told.
    pub(crate) fn take(&mut self, target: &Target, limits: &GlobalLimits) -> Option<UpstreamConnection> {
        let shelves = self.shelves.get_mut(&target.fingerprint())?;
        let shelf = shelves.iter_mut().find(|shelf| shelf.key.fits(target))?;
        while let Some((since, mut connection)) = shelf.idle.pop_back() {
            if since.elapsed() < limits.idle_upstream_timeout && !connection.is_stale() {
                connection.reused = true;
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection for the next request.
    pub(crate) fn put(&mut self, mut connection: UpstreamConnection, limits: &GlobalLimits) {
        if !connection.buffer.is_empty() {
            return;
        }
        connection.buffer = BytesMut::new();
        connection.deadline.clear();
        let shelves = self.shelves.entry(connection.key.fingerprint()).or_default();
        let at = shelves.iter().position(|shelf| shelf.key == connection.key).unwrap_or_else(|| {
            shelves.push(Shelf { key: connection.key.clone(), idle: VecDeque::new() });
            shelves.len() - 1
        });
        let idle = &mut shelves[at].idle;
        if idle.len() >= limits.idle_upstreams_max {
            idle.pop_front();
        }
        idle.push_back((Instant::now(), connection));
    }

    /// Closes what has been idle too long.
    pub(crate) fn expire(&mut self, limits: &GlobalLimits) {
        self.shelves.retain(|_, shelves| {
            shelves.retain_mut(|shelf| {
                shelf.idle.retain_mut(|(since, connection)| {
                    since.elapsed() < limits.idle_upstream_timeout && !connection.is_stale()
                });
                !shelf.idle.is_empty()
            });
            !shelves.is_empty()
        });
    }
}
