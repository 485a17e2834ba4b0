//! Traces until somebody fetches them: bounded in bytes and time, those of all services together. They are in memory
//! only, so they end with the process.

use super::token::family;
use handfast_state::{Cache, Weigh};
use std::sync::Arc;
use std::time::Duration;

/// How long a trace can be fetched (the day is unverified).
const LIFE: Duration = Duration::from_secs(24 * 3600);
/// All traces together.
const TRACES_BYTES_MAX: usize = 128 << 20;

/// All of them.
pub(crate) struct Traces(Cache<Trace>);

/// The document of a request.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    /// As `listTrace` answers it.
    pub(crate) document: Arc<str>,
    /// The request's API, without revision.
    pub(crate) api: Arc<str>,
}

impl Weigh for Trace {
    fn bytes(&self) -> usize {
        self.document.len() + self.api.len()
    }
}

impl Default for Traces {
    fn default() -> Self {
        Self(Cache::new(TRACES_BYTES_MAX))
    }
}

impl Traces {
    /// Keeps a trace; the oldest make room.
    pub(crate) fn keep(&self, service: &str, id: &str, (api, document): (&str, String), now_ms: u64) {
        let trace = Trace { document: document.into(), api: family(api).into() };
        let life_ms = u64::try_from(LIFE.as_millis()).unwrap_or(u64::MAX);
        self.0.put(key(service, id), trace, life_ms, now_ms);
    }

    /// A trace of a service.
    pub(crate) fn find(&self, service: &str, id: &str, now_ms: u64) -> Option<Trace> {
        self.0.get(&key(service, id), now_ms).map(|(trace, _)| trace)
    }
}

fn key(service: &str, id: &str) -> String {
    format!("{service}\n{}", id.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_belong_to_a_service_and_end_after_a_day() {
        let (traces, day_ms) = (Traces::default(), 24 * 3_600_000);
        traces.keep("a", "id", ("Orders;rev=2", "{}".to_owned()), 1);
        let found = traces.find("a", "ID", day_ms).expect("a trace");
        assert_eq!((&*found.document, &*found.api), ("{}", "orders"));
        assert!(traces.find("b", "id", 1).is_none() && traces.find("a", "id", day_ms + 1).is_none());
    }

    #[test]
    fn the_oldest_make_room() {
        let traces = Traces::default();
        for number in 0..1000 {
            traces.keep("a", &number.to_string(), ("a", " ".repeat(1 << 20)), 0);
        }
        let kept = (0..1000).filter(|number| traces.find("a", &number.to_string(), 0).is_some()).count();
        assert!((1..=128).contains(&kept), "{kept} of 1000 are kept");
        assert!(traces.find("a", "999", 0).is_some());
    }
}
