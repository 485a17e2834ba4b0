//! Choosing a server of a pool. State is shared by all cores through relaxed atomics; a slightly stale view
//! of another core's load is as good as an exact one.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::time::Instant;

/// How a server is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// In turn, by weight.
    #[default]
    RoundRobin,
    /// Of two at random the one with fewer requests in flight, relative to its weight.
    LeastRequest,
    /// At random, by weight.
    Random,
}

/// What active probes know about a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Not probed yet: eligible.
    Unknown,
    /// Eligible.
    Healthy,
    /// Not eligible.
    Unhealthy,
}

/// The live state of one server, which survives configuration changes.
#[derive(Debug)]
pub struct ServerState {
    health: AtomicU8,
    in_flight: AtomicUsize,
    /// Milliseconds after [`EPOCH`] at which what it still serves is cut off; 0 while it belongs to a pool.
    leaves_at_ms: AtomicU64,
}

impl Default for ServerState {
    fn default() -> Self {
        Self { health: AtomicU8::new(0), in_flight: AtomicUsize::new(0), leaves_at_ms: AtomicU64::new(0) }
    }
}

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

impl ServerState {
    /// What probes found.
    pub fn health(&self) -> Health {
        match self.health.load(Ordering::Relaxed) {
            1 => Health::Healthy,
            2 => Health::Unhealthy,
            _ => Health::Unknown,
        }
    }

    /// Records what a probe found.
    pub fn set_health(&self, health: Health) {
        let value = match health {
            Health::Unknown => 0,
            Health::Healthy => 1,
            Health::Unhealthy => 2,
        };
        self.health.store(value, Ordering::Relaxed);
    }

    /// Requests being served.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// The server left its pool: what it serves may go on for this long. The first word counts.
    /// Exchanges under way notice once the engine [announces](crate::Engine::announce) a change.
    pub fn leave(&self, drain: Duration) {
        let at = (EPOCH.elapsed().saturating_add(drain).as_millis() as u64).max(1);
        let _ = self.leaves_at_ms.compare_exchange(0, at, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The server belongs to a pool (again).
    pub fn stay(&self) {
        self.leaves_at_ms.store(0, Ordering::Relaxed);
    }

    /// When its time to drain is over, for a server that left its pool.
    pub fn leaves_at(&self) -> Option<Instant> {
        match self.leaves_at_ms.load(Ordering::Relaxed) {
            0 => None,
            at => EPOCH.checked_add(Duration::from_millis(at)),
        }
    }

    /// Whether it left its pool and its time to drain is over.
    pub fn is_gone(&self) -> bool {
        self.leaves_at().is_some_and(|at| at <= Instant::now())
    }
}

/// A server of a pool.
#[derive(Clone, Debug)]
pub struct Server<T> {
    /// What a connection is made to.
    pub target: T,
    /// Share of requests relative to the others; 0 gets none.
    pub weight: u32,
    /// Live state.
    pub state: Arc<ServerState>,
}

impl<T> Server<T> {
    /// A server of weight 1 with fresh state.
    pub fn new(target: T) -> Self {
        Self { target, weight: 1, state: Arc::default() }
    }
}

/// Servers that are interchangeable.
#[derive(Debug)]
pub struct Pool<T> {
    servers: Vec<Server<T>>,
    /// Positions in `servers` spread so that each appears as often as its weight, smoothly.
    schedule: Vec<u16>,
    algorithm: Algorithm,
    next: AtomicUsize,
    /// Servers that stay eligible however many are unhealthy.
    eligible_min: usize,
}

/// Counts a request against a server for as long as it lives.
pub struct InFlight(Arc<ServerState>);

impl InFlight {
    /// Counts a request from now on.
    pub fn enter(state: &Arc<ServerState>) -> Self {
        state.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(state.clone())
    }

    pub(crate) fn leaves_at(&self) -> Option<Instant> {
        self.0.leaves_at()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Weights are scaled so that the schedule does not grow past this.
const SCHEDULE_MAX: usize = 4096;

impl<T> Pool<T> {
    /// A pool; servers keep their order.
    pub fn new(servers: Vec<Server<T>>, algorithm: Algorithm) -> Self {
        let schedule = schedule(&servers.iter().map(|server| server.weight).collect::<Vec<_>>());
        Self { servers, schedule, algorithm, next: AtomicUsize::new(0), eligible_min: 0 }
    }

    /// The same pool, in which at least `count` servers stay eligible.
    #[must_use]
    pub fn with_eligible_min(self, count: usize) -> Self {
        Self { eligible_min: count, ..self }
    }

    /// All servers.
    pub fn servers(&self) -> &[Server<T>] {
        &self.servers
    }

    /// The server at an index if it is eligible, and the count of its request.
    pub fn take(&self, index: usize) -> Option<(&Server<T>, InFlight)> {
        let server = self.servers.get(index).filter(|server| is_eligible(server, self.ignores_health()))?;
        Some((server, InFlight::enter(&server.state)))
    }

    /// An eligible server that is not in `tried`, and the count of its request. `random` is a fresh number.
    pub fn choose(&self, tried: &[usize], random: u64) -> Option<(usize, &Server<T>, InFlight)> {
        let ignores_health = self.ignores_health();
        let eligible = |index: usize| {
            !tried.contains(&index)
                && self.servers.get(index).is_some_and(|server| is_eligible(server, ignores_health))
        };
        let index = match self.algorithm {
            Algorithm::RoundRobin => self.from(self.next.fetch_add(1, Ordering::Relaxed), eligible)?,
            Algorithm::Random => self.from(random as usize, eligible)?,
            Algorithm::LeastRequest => {
                let first = self.from(random as usize, eligible)?;
                let second = self.from((random >> 32) as usize, |index| index != first && eligible(index));
                second
                    .map_or(first, |second| if self.load(second) < self.load(first) { second } else { first })
            }
        };
        let server = self.servers.get(index)?;
        Some((index, server, InFlight::enter(&server.state)))
    }

    /// Whether so many servers are unhealthy that health decides nothing.
    fn ignores_health(&self) -> bool {
        let healthy = self.servers.iter().filter(|server| server.state.health() != Health::Unhealthy).count();
        healthy < self.eligible_min
    }

    /// The first eligible server at or after a place of the schedule.
    fn from(&self, start: usize, eligible: impl Fn(usize) -> bool) -> Option<usize> {
        let length = self.schedule.len();
        (0..length)
            .map(|offset| usize::from(self.schedule[(start % length + offset) % length]))
            .find(|&i| eligible(i))
    }

    /// Requests in flight per unit of weight, scaled.
    fn load(&self, index: usize) -> usize {
        self.servers.get(index).map_or(usize::MAX, |server| {
            (server.state.in_flight() + 1) * 1000 / server.weight.max(1) as usize
        })
    }
}

fn is_eligible<T>(server: &Server<T>, ignores_health: bool) -> bool {
    server.weight > 0 && (ignores_health || server.state.health() != Health::Unhealthy)
}

/// Smooth weighted round robin (as nginx does it), unrolled once.
fn schedule(weights: &[u32]) -> Vec<u16> {
    let divisor = weights.iter().copied().filter(|&weight| weight > 0).fold(0, gcd).max(1);
    let mut weights: Vec<u64> =
        weights.iter().take(usize::from(u16::MAX)).map(|&w| u64::from(w / divisor)).collect();
    while weights.iter().sum::<u64>() > SCHEDULE_MAX as u64 && weights.iter().any(|&weight| weight > 1) {
        weights.iter_mut().for_each(|weight| *weight = weight.div_ceil(2));
    }
    let total: u64 = weights.iter().sum();
    let mut current = vec![0i64; weights.len()];
    let mut order = Vec::with_capacity(total as usize);
    for _ in 0..total {
        let mut best = 0;
        for (index, weight) in weights.iter().enumerate() {
            current[index] += *weight as i64;
            if current[index] > current[best] {
                best = index;
            }
        }
        current[best] -= total as i64;
        order.push(best as u16);
    }
    order
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(weights: &[u32], algorithm: Algorithm) -> Pool<usize> {
        let server = |(index, &weight)| Server { weight, ..Server::new(index) };
        Pool::new(weights.iter().enumerate().map(server).collect(), algorithm)
    }

    fn picks(pool: &Pool<usize>, count: usize) -> Vec<usize> {
        (0..count).filter_map(|_| pool.choose(&[], 1).map(|(_, server, _)| server.target)).collect()
    }

    #[test]
    fn round_robin_follows_the_weights_smoothly() {
        assert_eq!(picks(&pool(&[1, 1, 1], Algorithm::RoundRobin), 6), [0, 1, 2, 0, 1, 2]);
        assert_eq!(picks(&pool(&[5, 1, 1], Algorithm::RoundRobin), 7), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(picks(&pool(&[0, 2], Algorithm::RoundRobin), 2), [1, 1]);
        assert!(picks(&pool(&[], Algorithm::RoundRobin), 1).is_empty());
        assert!(pool(&[100_000, 1], Algorithm::RoundRobin).schedule.len() <= SCHEDULE_MAX);
    }

    #[test]
    fn unhealthy_and_tried_servers_are_passed_over() {
        let pool = pool(&[1, 1], Algorithm::RoundRobin);
        pool.servers()[0].state.set_health(Health::Unhealthy);
        assert_eq!(picks(&pool, 3), [1, 1, 1]);
        assert!(pool.choose(&[1], 0).is_none());
        pool.servers()[1].state.set_health(Health::Unhealthy);
        assert!(pool.choose(&[], 0).is_none());
        let pool = pool.with_eligible_min(1);
        assert!(pool.choose(&[], 0).is_some());
    }

    #[test]
    fn least_request_prefers_the_idle_server() {
        let pool = pool(&[1, 1], Algorithm::LeastRequest);
        let (busy, _, _guard) = pool.choose(&[], 0).expect("a server");
        for random in [0u64, 1, 1 << 32, (1 << 32) | 1] {
            let (index, _, _) = pool.choose(&[], random).expect("a server");
            if (random as u32) % 2 != (random >> 32) as u32 % 2 {
                assert_ne!(index, busy);
            }
        }
    }
}
