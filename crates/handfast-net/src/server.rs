//! What a core is: its share of the process state, and the handle through which roles reach the engine.

mod accept;
mod connection;
mod h1;
mod h2;
mod sources;

pub(crate) use accept::AcceptLoop;
pub(crate) use connection::{Origin, serve};
pub(crate) use sources::Sources;

use crate::address::{Address, Fabric};
use crate::client::{FusedCache, Http2Pool, IdlePool};
use crate::exchange::Hop;
use crate::limits::GlobalLimits;
use crate::resolver::Resolver;
use crate::signal::Signal;
use arc_swap::ArcSwap;
use handfast_core::Clock;
use handfast_core::message::{RequestHead, ResponseHead};
use handfast_telemetry::{JsonLine, LogWriter, Metrics, PendingLine};
use std::cell::{Cell, RefCell};
use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use tokio::sync::watch;

/// State of the whole process, shared by its cores. Only atomics are touched on the request path.
pub(crate) struct Shared {
    pub(crate) limits: GlobalLimits,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) fabric: ArcSwap<Fabric>,
    pub(crate) resolver: Resolver,
    pub(crate) hop: Hop,
    pub(crate) connections: AtomicUsize,
    pub(crate) requests: AtomicUsize,
    pub(crate) sources: Sources,
    pub(crate) connection_ids: AtomicU64,
    pub(crate) pressure: AtomicU8,
    pub(crate) draining: AtomicBool,
    /// Tells the cores to look at what has changed.
    pub(crate) changes: watch::Sender<()>,
}

/// A handle to the core that the caller runs on. Cheap to clone; never leaves its thread.
#[derive(Clone)]
pub struct Core(Rc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    idle: RefCell<IdlePool>,
    http2: RefCell<Http2Pool>,
    fused: RefCell<FusedCache>,
    log: RefCell<Option<LogWriter>>,
    heads: RefCell<Heads>,
    signal: Rc<Signal>,
    random: Cell<u64>,
}

impl Core {
    pub(crate) fn new(shared: Arc<Shared>, log: Option<LogWriter>) -> Self {
        Self(Rc::new(Inner {
            idle: RefCell::new(IdlePool::default()),
            http2: RefCell::new(Http2Pool::default()),
            fused: RefCell::new(FusedCache::default()),
            log: RefCell::new(log),
            heads: RefCell::new(Heads::default()),
            signal: Rc::default(),
            random: Cell::new(RandomState::new().build_hasher().finish() | 1),
            shared,
        }))
    }

    /// The wall clock.
    pub fn clock(&self) -> &dyn Clock {
        &*self.0.shared.clock
    }

    /// The counters of the process.
    pub fn metrics(&self) -> &Metrics {
        &self.0.shared.metrics
    }

    /// Host names to addresses.
    pub fn resolver(&self) -> &Resolver {
        &self.0.shared.resolver
    }

    /// How hops between parts of this process are made.
    pub fn hop(&self) -> Hop {
        self.0.shared.hop
    }

    /// Whether an address is answered by this process.
    pub fn is_local(&self, address: &Address) -> bool {
        self.0.shared.fabric.load().get(address).is_some()
    }

    /// Writes one log line; it leaves for the sink in a batch.
    pub fn log(&self, fill: impl FnOnce(&mut JsonLine<'_>)) {
        if let Some(log) = &mut *self.0.log.borrow_mut() {
            log.line(fill);
        }
    }

    pub(crate) fn begin_line(&self, fill: impl FnOnce(&mut JsonLine<'_>)) -> Option<PendingLine> {
        self.0.log.borrow_mut().as_mut().map(|log| log.begin(fill))
    }

    pub(crate) fn end_line(&self, pending: PendingLine, fill: impl FnOnce(&mut JsonLine<'_>)) {
        if let Some(log) = &mut *self.0.log.borrow_mut() {
            log.end(pending, fill);
        }
    }

    /// Hands buffered log lines to the sink.
    pub fn flush_log(&self) {
        if let Some(log) = &mut *self.0.log.borrow_mut() {
            log.send();
        }
    }

    /// A pseudo-random number (xorshift64*): for spreading load and for ids that need not be secret.
    pub fn random(&self) -> u64 {
        let mut x = self.0.random.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.0.random.set(x);
        x.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Runs a task on this core until it ends or the core stops.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        tokio::task::spawn_local(task);
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    pub(crate) fn idle(&self) -> &RefCell<IdlePool> {
        &self.0.idle
    }

    pub(crate) fn http2(&self) -> &RefCell<Http2Pool> {
        &self.0.http2
    }

    pub(crate) fn fused(&self) -> &RefCell<FusedCache> {
        &self.0.fused
    }

    pub(crate) fn signal(&self) -> &Rc<Signal> {
        &self.0.signal
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.0.shared.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn next_connection_id(&self) -> u64 {
        self.0.shared.connection_ids.fetch_add(1, Ordering::Relaxed)
    }
}

/// Heads kept per core for the next messages, so that a request allocates none.
const HEADS_MAX: usize = 64;

/// Used heads; they keep their memory.
#[derive(Default)]
struct Heads {
    requests: Vec<RequestHead>,
    responses: Vec<ResponseHead>,
}

impl Core {
    /// An empty head.
    pub(crate) fn fresh_head(&self) -> RequestHead {
        self.0.heads.borrow_mut().requests.pop().unwrap_or_default()
    }

    /// An empty head.
    pub(crate) fn fresh_response_head(&self) -> ResponseHead {
        self.0.heads.borrow_mut().responses.pop().unwrap_or_default()
    }

    /// Takes back a head that is no longer needed.
    pub(crate) fn reuse_head(&self, mut head: RequestHead) {
        let heads = &mut self.0.heads.borrow_mut().requests;
        if heads.len() < HEADS_MAX {
            head.clear();
            heads.push(head);
        }
    }

    /// Takes back a head that is no longer needed.
    pub(crate) fn reuse_response_head(&self, mut head: ResponseHead) {
        let heads = &mut self.0.heads.borrow_mut().responses;
        if heads.len() < HEADS_MAX {
            head.fields.clear();
            heads.push(head);
        }
    }
}

/// Counts one request in flight for as long as it lives.
pub(crate) struct RequestGuard(Arc<Shared>);

impl RequestGuard {
    /// `None` when the process is at its limit.
    pub(crate) fn enter(core: &Core) -> Option<Self> {
        let shared = core.shared();
        let before = shared.requests.fetch_add(1, Ordering::Relaxed);
        let guard = Self(shared.clone());
        (before < shared.limits.requests_max && shared.pressure() < Pressure::Requests).then_some(guard)
    }
}

/// What is refused because memory is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Pressure {
    /// Nothing.
    None,
    /// New connections.
    Connections,
    /// New requests too.
    Requests,
}

impl Shared {
    /// What is refused now.
    pub(crate) fn pressure(&self) -> Pressure {
        match self.pressure.load(Ordering::Relaxed) {
            0 => Pressure::None,
            1 => Pressure::Connections,
            _ => Pressure::Requests,
        }
    }

    /// Takes note of the memory in use, bytes.
    pub(crate) fn report_memory(&self, used_bytes: u64) {
        let limit = self.limits.memory_bytes_max;
        let percent = |share: u64| limit / 100 * share;
        let pressure = match used_bytes {
            used if used >= percent(98) => Pressure::Requests,
            used if used >= percent(95) => Pressure::Connections,
            _ => Pressure::None,
        };
        self.pressure.store(pressure as u8, Ordering::Relaxed);
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}
