//! Counters of rate limits and permits of concurrency limits, in this process. They outlive recompiles.
//!
//! A shard's mutex is held for a look-up and an addition, never across an await, and no writer of
//! configuration takes it.

use handfast_core::UnixTime;
use handfast_policy::{CountRequest, CountWhen, Counted, Permit};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const SHARDS: usize = 32;
/// Windows kept per shard; when more are open, ended ones are dropped.
const WINDOWS_MAX: usize = 8192;

/// A window of calls.
struct Window {
    ends: UnixTime,
    calls: u32,
}

#[derive(Default)]
struct Shard {
    windows: HashMap<String, Window>,
    held: HashMap<String, u32>,
}

/// All counters.
pub(crate) struct Counters {
    shards: [Mutex<Shard>; SHARDS],
}

impl Default for Counters {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl Counters {
    /// Counts a call of a service. Windows are fixed and begin with their first call.
    pub(crate) fn count(&self, service: &str, request: &CountRequest, now: UnixTime) -> Counted {
        let key = format!("{service}/{}", request.key);
        let mut shard = self.shard(&key);
        if shard.windows.len() >= WINDOWS_MAX {
            shard.windows.retain(|_, window| window.ends > now);
        }
        let fresh = Window { ends: now.plus(request.period), calls: 0 };
        let window = shard.windows.entry(key).or_insert(fresh);
        if window.ends <= now {
            *window = Window { ends: now.plus(request.period), calls: 0 };
        }
        let after = window.calls.saturating_add(request.amount);
        let allowed = after <= request.limit;
        if allowed || request.when == CountWhen::AfterResponse {
            window.calls = after;
        }
        let left = u64::try_from(window.ends.0 - now.0).unwrap_or(0);
        Counted {
            allowed,
            remaining: request.limit.saturating_sub(window.calls),
            retry_after: Duration::from_secs(left),
        }
    }

    /// One of `max` permits of a key, if one is free.
    pub(crate) fn acquire(self: &Arc<Self>, service: &str, key: &str, max: u32) -> Option<Permit> {
        let key = format!("{service}/{key}");
        let mut shard = self.shard(&key);
        let held = shard.held.entry(key.clone()).or_insert(0);
        if *held >= max {
            return None;
        }
        *held += 1;
        drop(shard);
        Some(Permit::new(Held { counters: self.clone(), key }))
    }

    fn shard(&self, key: &str) -> MutexGuard<'_, Shard> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let index = (hasher.finish() % SHARDS as u64) as usize;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A permit that is given back when dropped.
struct Held {
    counters: Arc<Counters>,
    key: String,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut shard = self.counters.shard(&self.key);
        if let Some(held) = shard.held.get_mut(&self.key) {
            *held -= 1;
            if *held == 0 {
                shard.held.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_allows_its_calls_and_starts_again_when_it_ends() {
        let counters = Counters::default();
        let request = CountRequest {
            key: "k".into(),
            limit: 2,
            period: Duration::from_secs(10),
            amount: 1,
            when: CountWhen::Now,
        };
        let count = |at| {
            let counted = counters.count("s", &request, UnixTime(at));
            (counted.allowed, counted.remaining, counted.retry_after.as_secs())
        };
        assert_eq!([count(0), count(3), count(4)], [(true, 1, 10), (true, 0, 7), (false, 0, 6)]);
        assert_eq!(count(10), (true, 1, 10));
        assert!(counters.count("other", &request, UnixTime(4)).allowed);
    }

    #[test]
    fn a_call_that_is_over_counts_beyond_the_limit() {
        let counters = Counters::default();
        let count = |amount, when| {
            let period = Duration::from_secs(10);
            let request = CountRequest { key: "k".into(), limit: 1, period, amount, when };
            counters.count("s", &request, UnixTime(0)).allowed
        };
        for allowed in [true, true, false] {
            assert_eq!(count(0, CountWhen::Now), allowed);
            count(1, CountWhen::AfterResponse);
        }
    }

    #[test]
    fn permits_come_back_when_dropped() {
        let counters = Arc::new(Counters::default());
        let first = counters.acquire("s", "k", 1);
        assert!(first.is_some());
        assert!(counters.acquire("s", "k", 1).is_none());
        drop(first);
        assert!(counters.acquire("s", "k", 1).is_some());
    }
}
