//! The keys of token issuers (vault specification 2.11): fetched over the gateway's own client with verified TLS,
//! fresh for an hour, kept for a day while an issuer cannot be reached.
//!
//! One fetch per address at a time; whoever needs its outcome waits for it. A token that names an unknown key
//! makes a fetch at most every five minutes, a failure is followed by a pause that grows. What is decided
//! ([`Entry`]) has no IO, so that it can be tried with any clock; `fetch` does the fetching.

mod fetch;

#[cfg(test)]
mod tests;

use crate::plan::ApiService;
use handfast_core::UnixTime;
use handfast_net::Core;
use handfast_policy::{FoundKeys, IssuerKeys, KeysUnavailable};
use std::collections::HashMap;
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

/// How long keys are used without asking again.
const FRESH: Duration = Duration::from_secs(3600);
/// How long keys are used when asking fails.
const LAST_GOOD: Duration = Duration::from_secs(24 * 3600);
/// Between two fetches because of unknown keys.
const NEWER: Duration = Duration::from_secs(300);
/// Between two fetches after the first failure; it doubles with each, up to [`NEWER`].
const BACK_OFF: Duration = Duration::from_secs(1);
/// Addresses that are remembered. Expressions may name any number.
const ENTRIES_MAX: usize = 256;

/// The keys of the issuers that a service's policies name.
#[derive(Default)]
pub(crate) struct KeySets(Mutex<HashMap<Arc<str>, Entry>>);

/// What is known of one address.
#[derive(Default)]
struct Entry {
    keys: Option<Arc<IssuerKeys>>,
    /// SHA-256 of what the keys were read from.
    version: [u8; 32],
    /// When the keys came.
    fetched: UnixTime,
    /// When a fetch was begun last, whatever became of it.
    tried: Option<UnixTime>,
    /// Failures in a row.
    failures: u32,
    /// The words of the last one.
    failure: String,
    fetching: bool,
    waiting: Vec<Waker>,
}

/// What to do for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decision {
    /// Begin a fetch.
    fetch: bool,
    /// Wait for the fetch that is under way.
    wait: bool,
}

/// What a fetch came to: the keys, and the SHA-256 of what they were read from.
type Fetched = Result<(IssuerKeys, [u8; 32]), String>;

/// Finds the keys behind metadata documents, for one request of a service.
pub(crate) async fn find(
    core: &Core,
    service: &Arc<ApiService>,
    client_ip: IpAddr,
    urls: &[Arc<str>],
    newer: bool,
) -> Result<FoundKeys, KeysUnavailable> {
    let now = core.clock().now();
    let mut waits = Vec::with_capacity(urls.len());
    for url in urls {
        let Decision { fetch, wait } = service.key_sets.decide(url, newer, now);
        if fetch {
            // A task of its own: the client that began it may leave before it ends.
            let running = Running { service: service.clone(), url: url.clone() };
            core.spawn(running.run(core.clone(), client_ip));
        }
        waits.push(wait);
    }
    let mut issuers = Vec::with_capacity(urls.len());
    for (url, wait) in urls.iter().zip(waits) {
        if wait {
            service.key_sets.settled(url).await;
        }
        issuers.push(service.key_sets.known(url)?);
    }
    Ok(FoundKeys { issuers, newer })
}

/// A fetch under way. However it ends, nobody waits for it any more.
struct Running {
    service: Arc<ApiService>,
    url: Arc<str>,
}

impl Running {
    async fn run(self, core: Core, client_ip: IpAddr) {
        let outcome = fetch::fetch(&core, &self.service, client_ip, &self.url).await;
        self.service.key_sets.settle(&self.url, outcome, core.clock().now());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.service.key_sets.give_up(&self.url);
    }
}

// === impl KeySets ===

impl KeySets {
    /// The entries; what a thread that panicked left is whole, because each change is one assignment.
    fn entries(&self) -> MutexGuard<'_, HashMap<Arc<str>, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decide(&self, url: &Arc<str>, newer: bool, now: UnixTime) -> Decision {
        let mut entries = self.entries();
        if !entries.contains_key(url) && entries.len() >= ENTRIES_MAX {
            let idle = entries.iter().filter(|(_, entry)| !entry.fetching);
            let oldest = idle.min_by_key(|(_, entry)| entry.tried).map(|(url, _)| url.clone());
            // When all are being fetched, one more does no harm: each ends within its time limit.
            oldest.map(|url| entries.remove(&url));
        }
        entries.entry(url.clone()).or_default().decide(newer, now)
    }

    fn known(&self, url: &Arc<str>) -> Result<Arc<IssuerKeys>, KeysUnavailable> {
        let entries = self.entries();
        let entry = entries.get(url);
        entry.and_then(|entry| entry.keys.clone()).ok_or_else(|| {
            let reason = entry.map_or("", |entry| &entry.failure);
            KeysUnavailable(format!("the keys behind \"{url}\" cannot be had: {reason}"))
        })
    }

    /// Waits until no fetch of an address is under way.
    async fn settled(&self, url: &Arc<str>) {
        poll_fn(|cx| match self.entries().get_mut(url) {
            Some(entry) if entry.fetching => {
                entry.waiting.push(cx.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        })
        .await;
    }

    fn settle(&self, url: &Arc<str>, outcome: Fetched, now: UnixTime) {
        if let Some(entry) = self.entries().get_mut(url) {
            entry.settle(outcome, now);
        }
    }

    fn give_up(&self, url: &Arc<str>) {
        if let Some(entry) = self.entries().get_mut(url).filter(|entry| entry.fetching) {
            let now = entry.tried.unwrap_or_default();
            entry.settle(Err("the fetch did not come to its end".to_owned()), now);
        }
    }
}

// === impl Entry ===

impl Entry {
    fn decide(&mut self, newer: bool, now: UnixTime) -> Decision {
        let since = |time: UnixTime| Duration::from_secs(u64::try_from(now.0 - time.0).unwrap_or(0));
        if self.keys.is_some() && since(self.fetched) >= LAST_GOOD {
            self.keys = None;
        }
        let pause = BACK_OFF.saturating_mul(1 << self.failures.saturating_sub(1).min(16)).min(NEWER);
        let rested = |pause: Duration| self.tried.is_none_or(|tried| since(tried) >= pause);
        let may_try = self.failures == 0 || rested(pause);
        let (wanted, wait) = match &self.keys {
            None => (may_try, true),
            Some(_) if newer => (rested(NEWER), true),
            // Keys that are not fresh serve until others are there.
            Some(_) => (since(self.fetched) >= FRESH && may_try, false),
        };
        let fetch = wanted && !self.fetching;
        if fetch {
            (self.fetching, self.tried) = (true, Some(now));
        }
        Decision { fetch, wait: wait && self.fetching }
    }

    /// Equal keys stay what they are, so that what was believed by them stays believed.
    fn settle(&mut self, outcome: Fetched, now: UnixTime) {
        self.fetching = false;
        match outcome {
            Ok((keys, version)) => {
                if self.keys.is_none() || self.version != version {
                    (self.keys, self.version) = (Some(Arc::new(keys)), version);
                }
                (self.fetched, self.failures) = (now, 0);
                self.failure.clear();
            }
            Err(failure) => {
                self.failures = self.failures.saturating_add(1);
                self.failure = failure;
            }
        }
        self.waiting.drain(..).for_each(Waker::wake);
    }
}
