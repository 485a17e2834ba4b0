//! A listener: an address with what answers there. The address stays, what answers is swapped: open
//! connections see a new service on their next request and a new certificate applies on the next handshake.

use crate::address::Address;
use crate::exchange::Service;
use crate::limits::Limits;
use crate::tls::TlsTable;
use arc_swap::{ArcSwap, Guard};
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What answers on a listener now.
#[derive(Clone)]
pub struct ListenerState {
    /// The hosts, with TLS.
    pub tls: Option<TlsTable>,
    /// What answers requests.
    pub service: Arc<dyn Service>,
    /// Bounds on clients.
    pub limits: Arc<Limits>,
    /// Which sources may connect.
    pub filter: SourceFilter,
    /// Peers whose PROXY header is demanded and believed; empty turns the PROXY protocol off.
    pub trusted_proxies: Arc<[IpNet]>,
}

/// An address and what answers there.
pub struct Listener {
    id: u64,
    name: String,
    address: Address,
    aliases: Vec<Address>,
    state: ArcSwap<ListenerState>,
}

impl Listener {
    /// A listener known to the fabric by `address` and `aliases`.
    pub fn new(
        name: impl Into<String>,
        address: Address,
        aliases: Vec<Address>,
        state: ListenerState,
    ) -> Arc<Self> {
        static IDS: AtomicU64 = AtomicU64::new(0);
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { id, name: name.into(), address, aliases, state: ArcSwap::from_pointee(state) })
    }

    /// A number that no other listener of the process has or had.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Its name in logs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address that it is known by.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Other addresses that led to it within the process when it was opened.
    pub fn aliases(&self) -> &[Address] {
        &self.aliases
    }

    /// What answers now.
    pub fn state(&self) -> Guard<Arc<ListenerState>> {
        self.state.load()
    }

    /// Swaps what answers.
    pub fn publish(&self, state: ListenerState) {
        self.state.store(Arc::new(state));
    }
}

/// Rules about source addresses: the first that contains the source decides.
#[derive(Clone, Debug)]
pub struct SourceFilter {
    rules: Arc<[(IpNet, bool)]>,
    otherwise: bool,
}

impl Default for SourceFilter {
    /// Allows everybody.
    fn default() -> Self {
        Self { rules: Arc::new([]), otherwise: true }
    }
}

impl SourceFilter {
    /// Rules in order, as (network, allowed), and what holds for all other sources.
    pub fn new(rules: Vec<(IpNet, bool)>, otherwise: bool) -> Self {
        Self { rules: rules.into(), otherwise }
    }

    /// The same rules, with one more network that may connect whatever they say.
    #[must_use]
    pub fn allowing(&self, network: IpNet) -> Self {
        let rules = std::iter::once((network, true)).chain(self.rules.iter().copied()).collect();
        Self { rules, otherwise: self.otherwise }
    }

    /// Whether a source may connect.
    pub fn allows(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        self.rules
            .iter()
            .find(|(network, _)| network.contains(&source))
            .map_or(self.otherwise, |(_, allowed)| *allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_matching_rule_decides() {
        let rule = |text: &str, allowed| (text.parse().expect("network"), allowed);
        let filter = SourceFilter::new(vec![rule("10.0.0.66/32", false), rule("10.0.0.0/8", true)], false);
        assert!(!filter.allows("10.0.0.66".parse().expect("ip")));
        assert!(filter.allows("10.1.2.3".parse().expect("ip")));
        assert!(filter.allows("::ffff:10.1.2.3".parse().expect("ip")));
        assert!(!filter.allows("192.0.2.1".parse().expect("ip")));
        assert!(SourceFilter::default().allows("192.0.2.1".parse().expect("ip")));
    }
}
