//! The engine: one current-thread runtime per core, and the listeners on them.
//!
//! A listener is bound once per core with `SO_REUSEPORT`; their number never changes while it exists, so the
//! kernel's distribution is stable. Applying a new set of listeners keeps those whose address is unchanged,
//! with their open connections, and only swaps what answers.

use crate::address::{Address, Fabric};
use crate::exchange::Hop;
use crate::limits::{GlobalLimits, Limits};
use crate::listener::{Listener, ListenerState};
use crate::resolver::Resolver;
use crate::server::{AcceptLoop, Core, Shared, Sources};
use arc_swap::ArcSwap;
use handfast_core::Clock;
use handfast_telemetry::{LogSink, Metrics};
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::LocalSet;

/// Commands that may wait for a core.
const COMMANDS_MAX: usize = 1024;
/// Connections that the kernel may hold before they are accepted.
const BACKLOG: i32 = 4096;
/// How often a core closes idle upstream connections and hands over log lines.
const HOUSEKEEPING: Duration = Duration::from_millis(500);
/// Threads beside a core for name lookups and other work that blocks; more work waits.
const OFF_CORE_THREADS_MAX: usize = 8;

/// How the engine is set up.
pub struct EngineConfig {
    /// Data-plane threads; each has its own runtime, pools and listening sockets.
    pub cores: usize,
    /// Bounds on the process.
    pub limits: GlobalLimits,
    /// How hops between listeners of this process are made.
    pub hop: Hop,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Where log lines go.
    pub log: Option<LogSink>,
}

/// Where a listener's connections come from.
pub enum ListenSource {
    /// The engine binds this address.
    Bind(SocketAddr),
    /// Sockets that were bound before: systemd, or a process that hands over.
    Inherit(Vec<StdListener>),
    /// Only this process: the fabric leads here.
    Memory,
}

/// A listener to have.
pub struct ListenerPlan {
    /// Name in logs.
    pub name: String,
    /// The address that the fabric knows it by; for `Bind` usually the bound one.
    pub address: Address,
    /// Other addresses that lead here within the process.
    pub aliases: Vec<Address>,
    /// Where connections come from.
    pub source: ListenSource,
    /// What answers.
    pub state: ListenerState,
}

/// A listener that could not be opened. The others are not affected.
#[derive(Debug, thiserror::Error)]
#[error("listener \"{name}\" could not be opened on {address}: {reason}")]
pub struct ListenError {
    /// The listener.
    pub name: String,
    /// The address.
    pub address: Address,
    /// The operating system's words.
    pub reason: String,
}

/// A task for a core.
type CoreTask = Box<dyn FnOnce(Core) + Send>;

struct CoreHandle {
    commands: mpsc::Sender<CoreTask>,
    thread: Option<JoinHandle<()>>,
}

struct Open {
    listener: Arc<Listener>,
    aliases: Vec<Address>,
    bound: Option<SocketAddr>,
    stops: Vec<oneshot::Sender<()>>,
}

/// The running engine. Dropping it drains for no time at all.
pub struct Engine {
    shared: Arc<Shared>,
    cores: Vec<CoreHandle>,
    open: HashMap<Address, Open>,
}

impl Engine {
    /// Starts the data-plane threads.
    pub fn start(config: EngineConfig) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            limits: config.limits,
            metrics: config.metrics,
            clock: config.clock,
            fabric: ArcSwap::from_pointee(Fabric::default()),
            resolver: Resolver::default(),
            hop: config.hop,
            connections: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            sources: Sources::default(),
            connection_ids: AtomicU64::new(1),
            pressure: AtomicU8::new(0),
            draining: AtomicBool::new(false),
            changes: watch::Sender::new(()),
        });
        let mut cores = Vec::new();
        for index in 0..config.cores.max(1) {
            let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
            let (shared, log) = (shared.clone(), config.log.clone());
            let thread = std::thread::Builder::new()
                .name(format!("core-{index}"))
                .spawn(move || run_core(shared, log, receiver))?;
            cores.push(CoreHandle { commands, thread: Some(thread) });
        }
        Ok(Self { shared, cores, open: HashMap::new() })
    }

    /// Host names of the resource graph.
    pub fn resolver(&self) -> &Resolver {
        &self.shared.resolver
    }

    /// Makes the open listeners equal to `plans`. What could not be opened is reported and left out.
    pub fn apply(&mut self, plans: Vec<ListenerPlan>) -> Vec<ListenError> {
        let mut errors = Vec::new();
        let mut previous = std::mem::take(&mut self.open);
        for plan in plans {
            let (name, address) = (plan.name.clone(), plan.address.clone());
            let kept = previous.remove(&plan.address);
            match self.open_or_keep(plan, kept) {
                Ok(open) => {
                    self.open.insert(address, open);
                }
                Err(error) => errors.push(ListenError { name, address, reason: error.to_string() }),
            }
        }
        // Dropping a stop sender ends the accept loop; open connections live on with the last state.
        drop(previous);
        let listeners = self.open.values().map(|open| (open.aliases.clone(), open.listener.clone()));
        self.shared.fabric.store(Arc::new(Fabric::with_aliases(listeners)));
        errors
    }

    /// The address that a listener is bound to, with the port that the kernel chose.
    pub fn bound(&self, address: &Address) -> Option<SocketAddr> {
        self.open.get(address)?.bound
    }

    /// Runs something on one of the cores; they are numbered from zero, modulo their count.
    pub fn spawn(&self, core: usize, task: impl FnOnce(Core) + Send + 'static) {
        // A core that is behind by a thousand commands is not serving anyway.
        let _ = self.try_spawn(core, task);
    }

    fn try_spawn(&self, core: usize, task: impl FnOnce(Core) + Send + 'static) -> io::Result<()> {
        let busy = || io::Error::new(io::ErrorKind::WouldBlock, "the core does not take commands");
        let handle = self.cores.get(core % self.cores.len().max(1)).ok_or_else(busy)?;
        handle.commands.try_send(Box::new(task)).map_err(|_| busy())
    }

    /// Takes note of the memory that the process uses now, bytes: near [`GlobalLimits::memory_bytes_max`] new
    /// connections are refused, then new requests.
    pub fn report_memory(&self, used_bytes: u64) {
        self.shared.report_memory(used_bytes);
    }

    /// Has exchanges under way look whether their server has [left](crate::balance::ServerState::leave).
    pub fn announce(&self) {
        self.shared.changes.send_replace(());
    }

    /// Client connections open now.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Stops accepting, lets requests in flight end and idle connections close, for at most `grace`.
    /// Returns whether everything had ended.
    pub fn drain(&mut self, grace: Duration) -> bool {
        self.shared.draining.store(true, Ordering::SeqCst);
        self.announce();
        self.open.clear();
        let deadline = Instant::now() + grace;
        while self.connections() > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.connections() == 0
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.draining.store(true, Ordering::SeqCst);
        self.announce();
        self.open.clear();
        for core in self.cores.drain(..) {
            drop(core.commands);
            if let Some(thread) = core.thread {
                let _ = thread.join();
            }
        }
    }
}

impl Engine {
    fn open_or_keep(&self, plan: ListenerPlan, kept: Option<Open>) -> io::Result<Open> {
        if let Some(mut open) = kept {
            let same_source = match &plan.source {
                ListenSource::Bind(address) => open.bound.is_some_and(|bound| {
                    bound == *address || (address.port() == 0 && bound.ip() == address.ip())
                }),
                ListenSource::Inherit(_) => open.bound.is_some(),
                ListenSource::Memory => open.bound.is_none(),
            };
            if same_source {
                open.aliases = plan.aliases;
                open.listener.publish(plan.state);
                return Ok(open);
            }
        }
        let sockets = match plan.source {
            ListenSource::Bind(address) => bind_all(address, self.cores.len())?,
            ListenSource::Inherit(sockets) => spread(sockets, self.cores.len())?,
            ListenSource::Memory => Vec::new(),
        };
        let bound = sockets.first().map(StdListener::local_addr).transpose()?;
        let listener = Listener::new(plan.name, plan.address, plan.aliases.clone(), plan.state);
        let mut stops = Vec::new();
        for (core, socket) in sockets.into_iter().enumerate() {
            let (stop, stopped) = oneshot::channel();
            stops.push(stop);
            let listener = listener.clone();
            socket.set_nonblocking(true)?;
            self.try_spawn(core, move |core| {
                let Ok(socket) = TcpListener::from_std(socket) else { return };
                let accept = AcceptLoop { core: core.clone(), listener, socket, stop: stopped };
                core.spawn(accept.run());
            })?;
        }
        Ok(Open { listener, aliases: plan.aliases, bound, stops })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        for stop in self.stops.drain(..) {
            // The accept loop is gone already when its core has stopped.
            let _ = stop.send(());
        }
    }
}

/// One socket per core on the same address.
fn bind_all(address: SocketAddr, count: usize) -> io::Result<Vec<StdListener>> {
    let first = bind(address)?;
    let actual = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..count {
        sockets.push(bind(actual)?);
    }
    Ok(sockets)
}

fn bind(address: SocketAddr) -> io::Result<StdListener> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Gives every core a socket; with fewer sockets than cores, cores share one accept queue.
fn spread(sockets: Vec<StdListener>, count: usize) -> io::Result<Vec<StdListener>> {
    if sockets.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no socket was inherited"));
    }
    (0..count).map(|core| sockets[core % sockets.len()].try_clone()).collect()
}

fn run_core(shared: Arc<Shared>, log: Option<LogSink>, mut commands: mpsc::Receiver<CoreTask>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let Ok(runtime) = builder.enable_all().max_blocking_threads(OFF_CORE_THREADS_MAX).build() else { return };
    let local = LocalSet::new();
    local.block_on(&runtime, async move {
        let core = Core::new(shared, log.map(|log| log.writer()));
        let (mut changes, listening) = (core.shared().changes.subscribe(), core.clone());
        core.spawn(async move {
            while changes.changed().await.is_ok() {
                listening.signal().wake_all();
            }
        });
        let housekeeper = core.clone();
        core.spawn(async move {
            loop {
                tokio::time::sleep(HOUSEKEEPING).await;
                housekeeper.flush_log();
                housekeeper.idle().borrow_mut().expire(&housekeeper.shared().limits);
                housekeeper.http2().borrow_mut().expire(&housekeeper.shared().limits);
            }
        });
        while let Some(task) = commands.recv().await {
            task(core.clone());
        }
        core.flush_log();
    });
}

impl Core {
    /// Bounds on upstream servers.
    pub(crate) fn upstream_limits(&self) -> Arc<Limits> {
        thread_local! {
            static LIMITS: Arc<Limits> = Arc::new(Limits::default());
        }
        LIMITS.with(Arc::clone)
    }
}

/// Lets the other tasks of the core run first.
pub async fn give_way() {
    tokio::task::yield_now().await;
}

/// Work that would hold up the other requests of the core, done on a thread of its own.
///
/// # Errors
/// [`BrokenOff`] when the work panicked or the core is shutting down.
pub async fn off_core<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, BrokenOff> {
    tokio::task::spawn_blocking(work).await.map_err(|_| BrokenOff)
}

/// Work that did not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the work was broken off")]
pub struct BrokenOff;

/// What a future gives within a time; `None` when it is over before, and the future is dropped.
pub async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, future).await.ok()
}

/// Waits on the core that the caller runs on, so that roles need no runtime of their own.
pub async fn sleep(wait: Duration) {
    tokio::time::sleep(wait).await;
}
