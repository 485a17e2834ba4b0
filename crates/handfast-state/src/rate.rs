//! Calls in a sliding window (policies specification 5.1: "the classic tiers use a sliding window").
//!
//! A limit of up to [`EXACT_MAX`] calls keeps the time of each call and is exact. A larger one keeps two counts,
//! of the window before and of this one, and weighs the former by the share of it that still lies in the sliding
//! window; the estimate is off by what the calls of that window were unevenly spread.

use crate::shards::Shards;
use std::collections::{HashMap, VecDeque};

/// Up to this many calls per window every call's time is kept.
pub const EXACT_MAX: u32 = 128;
/// Counters kept per shard; when more are open, those without calls in their window are dropped.
const COUNTERS_MAX: usize = 8192;

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Calls allowed in a window.
    pub limit: u32,
    /// Its length, milliseconds.
    pub length_ms: u64,
}

/// The outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is within the limit. A call that is not does not count.
    pub allowed: bool,
    /// Calls left after this one.
    pub remaining: u32,
    /// Milliseconds until a call of that amount would be allowed; 0 when this one is.
    pub retry_after_ms: u64,
}

/// All rate limits.
#[derive(Default)]
pub struct RateLimits {
    shards: Shards<HashMap<String, Counter>>,
}

enum Counter {
    /// Times and amounts of the calls in the window, oldest first.
    Exact { calls: VecDeque<(u64, u32)>, total: u32, length_ms: u64 },
    /// Counts of the window before and of the one that began at a time.
    Weighed { begins: u64, before: u32, now: u32, length_ms: u64 },
}

impl RateLimits {
    /// Counts a call if it is within the limit. With an amount of 0 it says whether what was counted so far is.
    pub fn count(&self, key: &str, window: Window, amount: u32, now_ms: u64) -> Decision {
        self.with(key, window, now_ms, |counter| counter.count(window, amount, now_ms))
    }

    /// Counts whatever the limit is: for calls that are judged by how they ended.
    pub fn add(&self, key: &str, window: Window, amount: u32, now_ms: u64) {
        self.with(key, window, now_ms, |counter| counter.add(amount, now_ms));
    }

    fn with<T>(&self, key: &str, window: Window, now_ms: u64, act: impl FnOnce(&mut Counter) -> T) -> T {
        let mut shard = self.shards.of(key);
        if let Some(counter) = shard.get_mut(key)
            && counter.fits(window)
        {
            counter.slide(now_ms);
            return act(counter);
        }
        if shard.len() >= COUNTERS_MAX {
            shard.retain(|_, counter| {
                counter.slide(now_ms);
                counter.used(now_ms) > 0
            });
        }
        let mut counter = Counter::new(window, now_ms);
        // Calls that were counted under other numbers still were calls.
        if let Some(old) = shard.get_mut(key) {
            old.slide(now_ms);
            counter.add(old.used(now_ms), now_ms);
        }
        let outcome = act(&mut counter);
        shard.insert(key.to_owned(), counter);
        outcome
    }
}

impl Counter {
    fn new(window: Window, now_ms: u64) -> Self {
        let length_ms = window.length_ms.max(1);
        if window.limit <= EXACT_MAX {
            return Self::Exact { calls: VecDeque::new(), total: 0, length_ms };
        }
        Self::Weighed { begins: now_ms, before: 0, now: 0, length_ms }
    }

    /// Whether the counter counts as this window wants it.
    fn fits(&self, window: Window) -> bool {
        match self {
            Self::Exact { length_ms, .. } => {
                window.limit <= EXACT_MAX && *length_ms == window.length_ms.max(1)
            }
            Self::Weighed { length_ms, .. } => {
                window.limit > EXACT_MAX && *length_ms == window.length_ms.max(1)
            }
        }
    }

    /// Drops what has left the window.
    fn slide(&mut self, now_ms: u64) {
        match self {
            Self::Exact { calls, total, length_ms } => {
                while let Some((at, amount)) = calls.front()
                    && at.saturating_add(*length_ms) <= now_ms
                {
                    *total = total.saturating_sub(*amount);
                    calls.pop_front();
                }
            }
            Self::Weighed { begins, before, now, length_ms } => {
                let passed = now_ms.saturating_sub(*begins) / *length_ms;
                if passed > 0 {
                    *before = if passed == 1 { *now } else { 0 };
                    *now = 0;
                    *begins += passed * *length_ms;
                }
            }
        }
    }

    /// Calls in the window that ends now, rounded down.
    fn used(&self, now_ms: u64) -> u32 {
        match self {
            Self::Exact { total, .. } => *total,
            Self::Weighed { begins, before, now, length_ms } => {
                let left = length_ms.saturating_sub(now_ms.saturating_sub(*begins));
                let weighed = u64::from(*before) * left / *length_ms;
                now.saturating_add(u32::try_from(weighed).unwrap_or(u32::MAX))
            }
        }
    }

    fn count(&mut self, window: Window, amount: u32, now_ms: u64) -> Decision {
        let after = self.used(now_ms).saturating_add(amount);
        if after <= window.limit {
            self.add(amount, now_ms);
            return Decision { allowed: true, remaining: window.limit - after, retry_after_ms: 0 };
        }
        let remaining = window.limit.saturating_sub(self.used(now_ms));
        Decision { allowed: false, remaining, retry_after_ms: self.wait(window, amount, now_ms) }
    }

    fn add(&mut self, amount: u32, now_ms: u64) {
        if amount == 0 {
            return;
        }
        match self {
            Self::Exact { calls, total, .. } => {
                match calls.back_mut() {
                    Some((at, before)) if *at == now_ms => *before = before.saturating_add(amount),
                    _ => calls.push_back((now_ms, amount)),
                }
                *total = total.saturating_add(amount);
                // Calls that count without a limit are merged, so that the list stays short.
                if calls.len() > 2 * EXACT_MAX as usize
                    && let Some((_, first)) = calls.pop_front()
                    && let Some((_, second)) = calls.front_mut()
                {
                    *second = second.saturating_add(first);
                }
            }
            Self::Weighed { now, .. } => *now = now.saturating_add(amount),
        }
    }

    /// How long until a call of this amount fits.
    fn wait(&self, window: Window, amount: u32, now_ms: u64) -> u64 {
        match self {
            Self::Exact { calls, total, length_ms } => {
                let mut left = *total;
                for (at, count) in calls {
                    left = left.saturating_sub(*count);
                    if left.saturating_add(amount) <= window.limit {
                        return at.saturating_add(*length_ms).saturating_sub(now_ms);
                    }
                }
                *length_ms
            }
            Self::Weighed { begins, before, now, length_ms } => {
                let end = begins + length_ms;
                let room = u64::from(window.limit.saturating_sub(amount));
                if u64::from(*now) <= room {
                    // When the window before has faded enough: before × left / length ≤ room − now.
                    let left = (room - u64::from(*now)) * length_ms / u64::from((*before).max(1));
                    return end.saturating_sub(left.min(*length_ms)).saturating_sub(now_ms).max(1);
                }
                // After this window has become the one before and has faded enough.
                let left = room * length_ms / u64::from((*now).max(1));
                (end + length_ms - left.min(*length_ms)).saturating_sub(now_ms).max(1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(limit: u32, seconds: u64) -> Window {
        Window { limit, length_ms: seconds * 1000 }
    }

    #[test]
    fn a_small_limit_is_exact() {
        let limits = RateLimits::default();
        let call = |at| limits.count("k", window(2, 10), 1, at);
        assert_eq!(call(0), Decision { allowed: true, remaining: 1, retry_after_ms: 0 });
        assert!(call(6_000).allowed);
        assert_eq!(call(7_000), Decision { allowed: false, remaining: 0, retry_after_ms: 3_000 });
        // The first call has left the window, the second has not.
        assert!(call(10_000).allowed);
        assert_eq!(call(12_000).retry_after_ms, 4_000);
        assert!(limits.count("other", window(2, 10), 1, 12_000).allowed);
        assert_eq!(limits.count("amount", window(2, 10), 3, 0).retry_after_ms, 10_000);
    }

    #[test]
    fn a_large_limit_never_lets_more_through_than_twice_and_says_when_to_come_back() {
        let limits = RateLimits::default();
        let window = window(1000, 10);
        let mut allowed = 0;
        for at in 0..30_000u64 {
            allowed += u32::from(limits.count("k", window, 1, at).allowed);
        }
        // Three windows of calls at ten times the limit.
        assert!((2_900..=3_100).contains(&allowed), "{allowed}");
        let refused = limits.count("k", window, 500, 30_000);
        assert!(!refused.allowed);
        assert!(limits.count("k", window, 500, 30_000 + refused.retry_after_ms + 10).allowed);
    }

    #[test]
    fn counts_survive_a_change_of_the_limit_and_deferred_calls_count_without_one() {
        let limits = RateLimits::default();
        for _ in 0..5 {
            limits.add("k", window(3, 10), 1, 0);
        }
        let peeked = limits.count("k", window(3, 10), 0, 1_000);
        assert_eq!((peeked.allowed, peeked.remaining), (false, 0));
        assert_eq!(peeked.retry_after_ms, 9_000);
        assert!(limits.count("k", window(5, 10), 0, 1_000).allowed);
        assert!(!limits.count("k", window(5, 20), 1, 1_000).allowed, "the calls were made");
        assert!(limits.count("k", window(3, 10), 0, 30_000).allowed);
    }

    #[test]
    fn amounts_add_up_to_the_limit_for_any_sequence() {
        // xorshift64*: the same sequence everywhere.
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut next = |bound: u64| {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
        };
        for round in 0..200 {
            let limits = RateLimits::default();
            let window = Window { limit: 1 + next(EXACT_MAX.into()) as u32, length_ms: 1 + next(5_000) };
            let (mut now, mut accepted) = (0u64, Vec::<(u64, u32)>::new());
            for _ in 0..300 {
                now += next(window.length_ms / 4 + 2);
                let amount = 1 + next(3) as u32;
                let within: u32 = accepted
                    .iter()
                    .filter(|(at, _)| at + window.length_ms > now)
                    .map(|(_, amount)| amount)
                    .sum();
                let decision = limits.count("k", window, amount, now);
                assert_eq!(decision.allowed, within + amount <= window.limit, "round {round}");
                if decision.allowed {
                    accepted.push((now, amount));
                } else {
                    let then = now + decision.retry_after_ms;
                    let left: u32 =
                        accepted.iter().filter(|(at, _)| at + window.length_ms > then).map(|(_, a)| a).sum();
                    assert!(left + amount <= window.limit || amount > window.limit, "round {round}");
                }
            }
        }
    }
}
