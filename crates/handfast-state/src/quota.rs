//! Calls and bytes in fixed periods (policies specification 5.1): what a quota allows, when it is replenished, and
//! for operators, how much of it is used.

use crate::shards::Shards;
use std::collections::HashMap;

/// Counters kept per shard; when more are open, those whose period is over are dropped.
const COUNTERS_MAX: usize = 65_536;

/// When a period begins and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Begin of some period, milliseconds since the epoch; periods follow one another before and after.
    pub anchor_ms: i64,
    /// Length, milliseconds; 0 never ends.
    pub length_ms: u64,
}

impl Period {
    /// Begin of the period that a time lies in.
    fn begin(self, now_ms: u64) -> i64 {
        if self.length_ms == 0 {
            return self.anchor_ms;
        }
        let length = i64::try_from(self.length_ms).unwrap_or(i64::MAX);
        let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
        self.anchor_ms
            .saturating_add(now.saturating_sub(self.anchor_ms).div_euclid(length).saturating_mul(length))
    }

    /// Milliseconds until it ends; `None` when it never does.
    pub fn left_ms(self, now_ms: u64) -> Option<u64> {
        if self.length_ms == 0 {
            return None;
        }
        let end = self.begin(now_ms).saturating_add(i64::try_from(self.length_ms).unwrap_or(i64::MAX));
        u64::try_from(end.saturating_sub(i64::try_from(now_ms).unwrap_or(i64::MAX))).ok()
    }
}

/// What was used in a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls.
    pub calls: u64,
    /// Bytes of requests and responses.
    pub bytes: u64,
}

/// All quotas.
#[derive(Default)]
pub struct Quotas {
    shards: Shards<HashMap<String, Counter>>,
}

struct Counter {
    begins: i64,
    period: Period,
    usage: Usage,
}

impl Quotas {
    /// What was used in the period that `now` lies in.
    pub fn used(&self, key: &str, period: Period, now_ms: u64) -> Usage {
        let shard = self.shards.of(key);
        let counter = shard.get(key).filter(|counter| counter.begins == period.begin(now_ms));
        counter.map_or_else(Usage::default, |counter| counter.usage)
    }

    /// Adds to the period that `now` lies in.
    pub fn add(&self, key: &str, period: Period, more: Usage, now_ms: u64) {
        let begins = period.begin(now_ms);
        let mut shard = self.shards.of(key);
        if shard.len() >= COUNTERS_MAX && !shard.contains_key(key) {
            shard.retain(|_, counter| counter.period.begin(now_ms) == counter.begins);
        }
        let fresh = || Counter { begins, period, usage: Usage::default() };
        let counter = shard.entry(key.to_owned()).or_insert_with(fresh);
        if counter.begins != begins || counter.period != period {
            *counter = fresh();
        }
        counter.usage.calls = counter.usage.calls.saturating_add(more.calls);
        counter.usage.bytes = counter.usage.bytes.saturating_add(more.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    #[test]
    fn periods_follow_one_another_from_their_anchor() {
        let period = Period { anchor_ms: 1_000, length_ms: HOUR };
        assert_eq!(period.left_ms(1_000), Some(HOUR));
        assert_eq!(period.left_ms(HOUR), Some(1_000));
        assert_eq!(period.left_ms(0), Some(1_000), "a time before the anchor");
        assert_eq!(Period { anchor_ms: 0, length_ms: 0 }.left_ms(5), None);
        // 0001-01-01, the default of `first-period-start`.
        let ancient = Period { anchor_ms: -62_135_596_800_000, length_ms: HOUR };
        assert!(ancient.left_ms(10).is_some_and(|left| left <= HOUR));
    }

    #[test]
    fn usage_adds_up_within_a_period_and_begins_anew_after_it() {
        let quotas = Quotas::default();
        let period = Period { anchor_ms: 0, length_ms: HOUR };
        let call = Usage { calls: 1, bytes: 100 };
        quotas.add("k", period, call, 10);
        quotas.add("k", period, call, HOUR - 1);
        assert_eq!(quotas.used("k", period, HOUR - 1), Usage { calls: 2, bytes: 200 });
        assert_eq!(quotas.used("k", period, HOUR), Usage::default());
        quotas.add("k", period, call, HOUR);
        assert_eq!(quotas.used("k", period, HOUR + 5), call);
        let for_ever = Period { anchor_ms: 0, length_ms: 0 };
        quotas.add("f", for_ever, call, 0);
        assert_eq!(quotas.used("f", for_ever, u64::MAX), call);
    }
}
