//! Bounds per source address: open connections, and new connections per second (a token bucket). Touched
//! once per connection, never per request.

use crate::limits::GlobalLimits;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Sources remembered at most; the bound holds the table's memory under a spoofed flood.
const SOURCES_MAX: usize = 65_536;

#[derive(Default)]
pub(crate) struct Sources(Mutex<HashMap<IpAddr, Source>>);

struct Source {
    open: u32,
    tokens: f64,
    refilled: Instant,
}

impl Sources {
    /// Whether a new connection from a source is within bounds; counts it if so.
    pub(crate) fn enter(&self, source: IpAddr, limits: &GlobalLimits, now: Instant) -> bool {
        let source = subscriber(source);
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.len() >= SOURCES_MAX && !sources.contains_key(&source) {
            sources.retain(|_, source| source.open > 0);
            if sources.len() >= SOURCES_MAX {
                return false;
            }
        }
        let burst = f64::from(limits.accepts_per_source_burst);
        let entry = sources.entry(source).or_insert(Source { open: 0, tokens: burst, refilled: now });
        let elapsed = now.saturating_duration_since(entry.refilled).as_secs_f64();
        entry.tokens = (entry.tokens + elapsed * f64::from(limits.accepts_per_source_per_second)).min(burst);
        entry.refilled = now;
        if entry.open >= limits.connections_per_source_max || entry.tokens < 1.0 {
            return false;
        }
        entry.tokens -= 1.0;
        entry.open += 1;
        true
    }

    /// A connection of that source has ended.
    pub(crate) fn leave(&self, source: IpAddr) {
        let source = subscriber(source);
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = sources.get_mut(&source) {
            entry.open = entry.open.saturating_sub(1);
        }
    }
}

/// What one subscriber is given: an IPv4 address, or an IPv6 network of 64 bits.
fn subscriber(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn bursts_and_open_connections_are_bounded_per_source() {
        let limits = GlobalLimits {
            connections_per_source_max: 3,
            accepts_per_source_per_second: 1,
            accepts_per_source_burst: 4,
            ..GlobalLimits::default()
        };
        let (sources, start) = (Sources::default(), Instant::now());
        let (a, b): (IpAddr, IpAddr) = ("192.0.2.1".parse().expect("ip"), "192.0.2.2".parse().expect("ip"));
        for _ in 0..3 {
            assert!(sources.enter(a, &limits, start));
        }
        assert!(!sources.enter(a, &limits, start), "three are open");
        assert!(sources.enter(b, &limits, start), "another source is not affected");
        sources.leave(a);
        assert!(sources.enter(a, &limits, start));
        sources.leave(a);
        assert!(!sources.enter(a, &limits, start), "the burst is used up");
        assert!(sources.enter(a, &limits, start + Duration::from_secs(1)));
    }
}
