//! What the requests of all services share in this process: rate limits, quotas, permits, cache, traces. It outlives
//! recompiles. Every service has its own keys.

use crate::brought_certificates::BroughtCertificates;
use crate::debug::Traces;
use crate::identity::Tokens;
use crate::similar::Similar;
use handfast_policy::{Cached, CountRequest, CountWhen, Counted, Permit, QuotaPeriod, QuotaUsage};
use handfast_state::{Cache, Period, Permits, Quotas, RateLimits, Usage, Weigh, Window};
use std::sync::Arc;
use std::time::Duration;

/// Bytes of the built-in cache.
const CACHE_BYTES_MAX: usize = 128 << 20;

/// All of it.
pub(crate) struct Shared {
    rates: RateLimits,
    quotas: Quotas,
    permits: Arc<Permits>,
    cache: Cache<Kept>,
    pub(crate) tokens: Tokens,
    pub(crate) brought: BroughtCertificates,
    pub(crate) traces: Traces,
    similar: Similar,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            rates: RateLimits::default(),
            quotas: Quotas::default(),
            permits: Arc::default(),
            cache: Cache::new(CACHE_BYTES_MAX),
            tokens: Tokens::default(),
            brought: BroughtCertificates::default(),
            traces: Traces::default(),
            similar: Similar::default(),
        }
    }
}

#[derive(Clone)]
struct Kept(Cached);

impl Weigh for Kept {
    fn bytes(&self) -> usize {
        self.0.bytes
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The counters, permits and cache entries of one service.
pub(crate) struct Own<'a> {
    shared: &'a Shared,
    service: &'a str,
    now_ms: u64,
}

impl Shared {
    /// As a service sees it at a time, milliseconds since 1970.
    pub(crate) fn of<'a>(&'a self, service: &'a str, now_ms: u64) -> Own<'a> {
        Own { shared: self, service, now_ms }
    }
}

impl Own<'_> {
    fn key(&self, key: &str) -> String {
        format!("{}/{key}", self.service)
    }

    pub(crate) fn count(&self, request: &CountRequest) -> Counted {
        let window = Window { limit: request.limit, length_ms: millis(request.period) };
        let (key, rates) = (self.key(&request.key), &self.shared.rates);
        if request.when == CountWhen::AfterResponse {
            rates.add(&key, window, request.amount, self.now_ms);
            return Counted { allowed: true, remaining: 0, retry_after: Duration::ZERO };
        }
        let decision = rates.count(&key, window, request.amount, self.now_ms);
        Counted {
            allowed: decision.allowed,
            remaining: decision.remaining,
            retry_after: Duration::from_millis(decision.retry_after_ms),
        }
    }

    pub(crate) fn acquire(&self, key: &str, max: u32) -> Option<Permit> {
        self.shared.permits.acquire(self.key(key), max).map(Permit::new)
    }

    pub(crate) fn quota_used(&self, period: &QuotaPeriod) -> QuotaUsage {
        let used = self.shared.quotas.used(&self.key(&period.key), span(period), self.now_ms);
        QuotaUsage { calls: used.calls, bytes: used.bytes }
    }

    pub(crate) fn quota_add(&self, period: &QuotaPeriod, more: QuotaUsage) {
        let more = Usage { calls: more.calls, bytes: more.bytes };
        self.shared.quotas.add(&self.key(&period.key), span(period), more, self.now_ms);
    }

    pub(crate) fn cached(&self, key: &str) -> Option<(Cached, Duration)> {
        let (Kept(cached), left_ms) = self.shared.cache.get(&self.key(key), self.now_ms)?;
        Some((cached, Duration::from_millis(left_ms)))
    }

    pub(crate) fn keep(&self, key: &str, entry: Cached, life: Duration) {
        self.shared.cache.put(self.key(key), Kept(entry), millis(life), self.now_ms);
    }

    /// The response of the nearest prompt.
    pub(crate) fn nearest(
        &self,
        partition: &str,
        vector: &[f32],
        distance_max: f32,
    ) -> Option<(Cached, Duration)> {
        let key = self.key(partition);
        let (cached, left_ms) = self.shared.similar.nearest(&key, vector, distance_max, self.now_ms)?;
        Some((cached, Duration::from_millis(left_ms)))
    }

    pub(crate) fn keep_near(&self, partition: &str, vector: Arc<[f32]>, entry: Cached, life: Duration) {
        self.shared.similar.keep(self.key(partition), vector, entry, millis(life), self.now_ms);
    }

    pub(crate) fn forget(&self, key: &str) {
        self.shared.cache.remove(&self.key(key));
    }
}

fn span(period: &QuotaPeriod) -> Period {
    Period { anchor_ms: period.anchor.0.saturating_mul(1000), length_ms: millis(period.length) }
}
