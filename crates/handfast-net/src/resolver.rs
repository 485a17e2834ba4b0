//! Host names to addresses: names of the resource graph first (private DNS, gateway hosts), then
//! `*.localhost` (RFC 6761 §6.3), then the system resolver with a bounded cache that keeps the last good
//! answer when a lookup fails.

use crate::address::Address;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The system resolver reports no TTL; this is how long an answer is taken as fresh.
const FRESH: Duration = Duration::from_secs(30);
/// Names remembered at most.
const NAMES_MAX: usize = 10_000;

/// Where a private name leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrivateName {
    /// To an address of a virtual network.
    Virtual {
        /// The network's resource id, lower case.
        network: Arc<str>,
        /// The address.
        ip: IpAddr,
    },
    /// To an address of the host.
    Real(SocketAddr),
}

/// A name that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("host \"{host}\" could not be resolved")]
pub struct Unresolvable {
    /// The name.
    pub host: String,
}

/// An answer of the system resolver, and when it came.
type Answer = (Instant, Arc<[IpAddr]>);

/// Names to addresses.
#[derive(Default)]
pub struct Resolver {
    private: ArcSwap<HashMap<String, PrivateName>>,
    cache: Mutex<HashMap<String, Answer>>,
}

impl Resolver {
    /// Replaces the private names (lower case) and forgets cached answers.
    pub fn publish(&self, names: HashMap<String, PrivateName>) {
        self.private.store(Arc::new(names));
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The address of a literal or a private name, without waiting.
    pub fn known(&self, host: &str, port: u16) -> Option<Address> {
        if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Some(Address::Real(SocketAddr::new(ip, port)));
        }
        let private = self.private.load();
        let name = if host.bytes().any(|b| b.is_ascii_uppercase()) {
            private.get(&host.to_ascii_lowercase())
        } else {
            private.get(host)
        };
        match name {
            Some(PrivateName::Virtual { network, ip }) => {
                Some(Address::Virtual { network: network.clone(), ip: *ip, port })
            }
            Some(PrivateName::Real(address)) => Some(Address::Real(*address)),
            None if is_localhost(host) => {
                Some(Address::Real(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)))
            }
            None => None,
        }
    }

    /// The addresses of a host, at least one.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<Address>, Unresolvable> {
        if let Some(address) = self.known(host, port) {
            return Ok(vec![address]);
        }
        let name = host.to_ascii_lowercase();
        let cached = self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        if let Some((at, ips)) = &cached
            && at.elapsed() < FRESH
        {
            return Ok(with_port(ips, port));
        }
        let looked_up: Vec<IpAddr> = match tokio::net::lookup_host((name.as_str(), port)).await {
            Ok(addresses) => addresses.map(|address| address.ip()).collect(),
            Err(_) => Vec::new(),
        };
        if looked_up.is_empty() {
            return match cached {
                Some((_, last_good)) => Ok(with_port(&last_good, port)),
                None => Err(Unresolvable { host: host.to_owned() }),
            };
        }
        let ips: Arc<[IpAddr]> = looked_up.into();
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= NAMES_MAX {
            cache.clear();
        }
        cache.insert(name, (Instant::now(), ips.clone()));
        Ok(with_port(&ips, port))
    }
}

fn with_port(ips: &[IpAddr], port: u16) -> Vec<Address> {
    ips.iter().map(|&ip| Address::Real(SocketAddr::new(ip, port))).collect()
}

fn is_localhost(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.len() > 10
            && host.get(host.len() - 10..).is_some_and(|end| end.eq_ignore_ascii_case(".localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_names_come_before_localhost_and_literals_need_no_lookup() {
        let resolver = Resolver::default();
        let gateway = PrivateName::Virtual { network: "net".into(), ip: "10.0.1.4".parse().expect("ip") };
        resolver.publish(HashMap::from([("gw.localhost".to_owned(), gateway)]));
        let known = |host: &str| resolver.known(host, 443).map(|address| address.to_string());
        assert_eq!(known("GW.localhost").as_deref(), Some("10.0.1.4:443"));
        assert_eq!(known("orders.localhost").as_deref(), Some("127.0.0.1:443"));
        assert_eq!(known("[::1]").as_deref(), Some("[::1]:443"));
        assert_eq!(known("example.com"), None);
    }
}
