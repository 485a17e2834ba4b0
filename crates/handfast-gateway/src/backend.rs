//! Backends as requests choose them (ARM specification §12.7, edge specification §4.4): single ones with
//! credentials and a circuit breaker, and pools by priority and weight. Breaker state is per process.

use crate::tls_clients::TlsMode;
use handfast_core::message::RequestHead;
use handfast_core::{Secret, UnixTime};
use handfast_net::balance::Pool;
use handfast_pki::Credential;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A backend entity.
pub(crate) enum Backend {
    Single(Arc<SingleBackend>),
    /// By priority, lowest number first.
    Pool(Vec<Pool<Arc<SingleBackend>>>),
}

/// One URL with what goes with it.
pub(crate) struct SingleBackend {
    pub(crate) url: Arc<str>,
    pub(crate) mode: TlsMode,
    pub(crate) credential: Option<Arc<Credential>>,
    /// Header lines that are set, `Authorization` among them; a name may come several times in a row.
    pub(crate) headers: Vec<(String, Secret<Vec<u8>>)>,
    /// Query parameters that are added, encoded.
    pub(crate) query: Vec<(String, Secret<Vec<u8>>)>,
    pub(crate) breaker: Option<Arc<Breaker>>,
}

impl Backend {
    /// The URL of it, or of the first member.
    pub(crate) fn url(&self) -> Option<Arc<str>> {
        match self {
            Self::Single(single) => Some(single.url.clone()),
            Self::Pool(groups) => {
                groups.iter().find_map(|group| Some(group.servers().first()?.target.url.clone()))
            }
        }
    }

    /// The backend for the next request; `None` when every circuit is open.
    pub(crate) fn choose(&self, now: UnixTime, random: u64) -> Option<Arc<SingleBackend>> {
        match self {
            Self::Single(single) => single.admits(now).then(|| single.clone()),
            Self::Pool(groups) => groups.iter().find_map(|group| {
                let mut tried = Vec::new();
                while let Some((index, server, _in_flight)) = group.choose(&tried, random) {
                    if server.target.admits(now) {
                        return Some(server.target.clone());
                    }
                    tried.push(index);
                }
                None
            }),
        }
    }
}

impl SingleBackend {
    /// Sets its header lines and adds its query parameters.
    pub(crate) fn authorize(&self, head: &mut RequestHead) {
        for (index, (name, value)) in self.headers.iter().enumerate() {
            let again = index > 0 && self.headers.get(index - 1).is_some_and(|(before, _)| before == name);
            let _ = match again {
                true => head.fields.append(name.as_bytes(), value.expose()),
                false => head.fields.set(name.as_bytes(), value.expose()),
            };
        }
        if !self.query.is_empty() {
            let mut query = head.target.query().unwrap_or_default().to_owned();
            for (name, value) in &self.query {
                let joint = if query.is_empty() { "" } else { "&" };
                query.push_str(&format!("{joint}{name}={}", String::from_utf8_lossy(value.expose())));
            }
            head.target.set_query(Some(&query));
        }
    }

    fn admits(&self, now: UnixTime) -> bool {
        self.breaker.as_ref().is_none_or(|breaker| breaker.admits(now))
    }
}

/// When a circuit opens, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BreakerRule {
    pub(crate) threshold: Threshold,
    pub(crate) interval: Duration,
    pub(crate) statuses: Vec<(u16, u16)>,
    pub(crate) reasons: Vec<String>,
    pub(crate) trip: Duration,
    pub(crate) accept_retry_after: bool,
}

/// Failures within the interval that open the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threshold {
    Count(u32),
    Percentage(u32),
}

/// How an exchange ended, as a breaker sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending<'a> {
    /// A response, with the seconds of its `Retry-After`.
    Status(u16, Option<u64>),
    /// No response, with the reason of the error.
    Failure(&'a str),
}

/// A circuit breaker.
pub(crate) struct Breaker {
    pub(crate) rule: BreakerRule,
    state: Mutex<BreakerState>,
}

#[derive(Default)]
struct BreakerState {
    window_began: UnixTime,
    requests: u32,
    failures: u32,
    open_until: Option<UnixTime>,
    /// After an open time one request is let through; its end decides.
    probing: bool,
}

impl Breaker {
    pub(crate) fn new(rule: BreakerRule) -> Self {
        Self { rule, state: Mutex::default() }
    }

    fn admits(&self, now: UnixTime) -> bool {
        let mut state = self.lock();
        match state.open_until {
            None => !state.probing,
            Some(until) if now < until => false,
            Some(_) => {
                state.open_until = None;
                state.probing = true;
                true
            }
        }
    }

    /// Counts the end of an admitted exchange.
    pub(crate) fn record(&self, ending: Ending<'_>, now: UnixTime) {
        let failed = self.is_failure(ending);
        let mut state = self.lock();
        if now.0 - state.window_began.0 >= self.rule.interval.as_secs() as i64 {
            (state.window_began, state.requests, state.failures) = (now, 0, 0);
        }
        state.requests += 1;
        state.failures += u32::from(failed);
        let reached = match self.rule.threshold {
            Threshold::Count(count) => state.failures >= count,
            Threshold::Percentage(percentage) => {
                u64::from(state.failures) * 100 >= u64::from(percentage) * u64::from(state.requests)
            }
        };
        let probed = std::mem::take(&mut state.probing);
        if failed && (probed || reached) {
            let open = match ending {
                Ending::Status(_, Some(seconds)) if self.rule.accept_retry_after => {
                    Duration::from_secs(seconds)
                }
                _ => self.rule.trip,
            };
            *state = BreakerState { open_until: Some(now.plus(open)), ..BreakerState::default() };
        }
    }

    /// An admitted exchange that says nothing about the backend: the client went away.
    pub(crate) fn forget(&self) {
        self.lock().probing = false;
    }

    fn is_failure(&self, ending: Ending<'_>) -> bool {
        match ending {
            Ending::Status(status, _) => {
                let listed = self.rule.statuses.iter().any(|(low, high)| (*low..=*high).contains(&status));
                listed || (status >= 500 && self.has_reason("Server errors"))
            }
            Ending::Failure("Timeout") => self.has_reason("Timeout") || self.has_reason("OperationTimeout"),
            Ending::Failure(reason) => self.has_reason(reason),
        }
    }

    fn has_reason(&self, reason: &str) -> bool {
        self.rule.reasons.iter().any(|known| known.eq_ignore_ascii_case(reason))
    }

    fn lock(&self) -> MutexGuard<'_, BreakerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker(threshold: Threshold) -> Breaker {
        Breaker::new(BreakerRule {
            threshold,
            interval: Duration::from_secs(60),
            statuses: vec![(500, 503)],
            reasons: vec!["BackendConnectionFailure".into()],
            trip: Duration::from_secs(10),
            accept_retry_after: true,
        })
    }

    #[test]
    fn a_circuit_opens_after_its_failures_and_closes_after_a_good_probe() {
        let breaker = breaker(Threshold::Count(2));
        let fail = |at| breaker.record(Ending::Status(503, None), UnixTime(at));
        fail(0);
        breaker.record(Ending::Failure("Timeout"), UnixTime(0));
        assert!(breaker.admits(UnixTime(0)));
        breaker.record(Ending::Failure("BackendConnectionFailure"), UnixTime(1));
        assert!(!breaker.admits(UnixTime(1)) && !breaker.admits(UnixTime(10)));
        assert!(breaker.admits(UnixTime(11)));
        assert!(!breaker.admits(UnixTime(11)), "one probe at a time");
        fail(11);
        assert!(!breaker.admits(UnixTime(20)));
        assert!(breaker.admits(UnixTime(21)));
        breaker.record(Ending::Status(200, None), UnixTime(21));
        assert!(breaker.admits(UnixTime(21)) && breaker.admits(UnixTime(21)));
    }

    #[test]
    fn the_backend_may_say_for_how_long() {
        let breaker = breaker(Threshold::Percentage(50));
        breaker.record(Ending::Status(200, None), UnixTime(0));
        breaker.record(Ending::Status(500, Some(99)), UnixTime(0));
        assert!(!breaker.admits(UnixTime(98)));
        assert!(breaker.admits(UnixTime(99)));
    }
}
