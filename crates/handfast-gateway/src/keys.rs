//! Subscription keys (specification 3.6): which subscription a key belongs to, and whether it covers an API.
//!
//! Keys are found by their SHA-256, so a look-up tells nothing about similar keys, and then compared in
//! constant time.

use handfast_core::{Secret, UnixTime};
use handfast_policy::{SubscriptionIdentity, UserIdentity};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;

/// What a subscription's key opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyScope {
    /// The whole service, or all of its APIs.
    AllApis,
    /// An API in all its revisions, by lower-case name.
    Api(String),
    /// The APIs of a product, by index.
    Product(usize),
}

/// A subscription.
pub(crate) struct Subscription {
    pub(crate) identity: Arc<SubscriptionIdentity>,
    /// Who owns it.
    pub(crate) user: Option<Arc<UserIdentity>>,
    pub(crate) scope: KeyScope,
    pub(crate) active: bool,
    pub(crate) starts: Option<UnixTime>,
    pub(crate) ends: Option<UnixTime>,
    /// `allowTracing`.
    pub(crate) allows_tracing: bool,
    /// Whether somebody owns it who is no administrator.
    pub(crate) of_developer: bool,
}

impl Subscription {
    /// Whether requests with its key may be traced (specification 7.1). That a subscription of nobody may, too, is
    /// unverified; templates make them so.
    pub(crate) fn may_trace(&self) -> bool {
        self.allows_tracing && !self.of_developer
    }

    fn is_active_at(&self, now: UnixTime) -> bool {
        self.active
            && self.starts.is_none_or(|starts| starts <= now)
            && self.ends.is_none_or(|ends| now < ends)
    }

    /// Whether the key opens an API of this family that is in these products.
    pub(crate) fn covers(&self, family: &str, products: &[usize]) -> bool {
        match &self.scope {
            KeyScope::AllApis => true,
            KeyScope::Api(name) => name == family,
            KeyScope::Product(product) => products.contains(product),
        }
    }

    /// The product whose context the key brings.
    pub(crate) fn product(&self) -> Option<usize> {
        match self.scope {
            KeyScope::Product(product) => Some(product),
            KeyScope::AllApis | KeyScope::Api(_) => None,
        }
    }
}

/// All keys of a service.
#[derive(Default)]
pub(crate) struct KeyIndex {
    by_hash: HashMap<[u8; 32], Known>,
}

/// A key and whose it is.
struct Known {
    key: Secret<Vec<u8>>,
    subscription: Arc<Subscription>,
}

impl KeyIndex {
    /// Adds a key; `false` when another subscription has it.
    pub(crate) fn insert(&mut self, key: &[u8], subscription: &Arc<Subscription>) -> bool {
        let hash: [u8; 32] = Sha256::digest(key).into();
        if let Some(other) = self.by_hash.get(&hash) {
            return other.subscription.identity.id == subscription.identity.id;
        }
        let known = Known { key: Secret::new(key.to_vec()), subscription: subscription.clone() };
        self.by_hash.insert(hash, known);
        true
    }

    /// The active subscription of a key.
    pub(crate) fn find(&self, key: &[u8], now: UnixTime) -> Option<&Arc<Subscription>> {
        let hash: [u8; 32] = Sha256::digest(key).into();
        let known = self.by_hash.get(&hash)?;
        (known.key.equals(key) && known.subscription.is_active_at(now)).then_some(&known.subscription)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(
        scope: KeyScope,
        active: bool,
        starts: Option<i64>,
        ends: Option<i64>,
    ) -> Arc<Subscription> {
        let identity = Arc::new(SubscriptionIdentity {
            id: format!("{scope:?}{active}"),
            ..SubscriptionIdentity::default()
        });
        let (starts, ends) = (starts.map(UnixTime), ends.map(UnixTime));
        Arc::new(Subscription {
            identity,
            user: None,
            scope,
            active,
            starts,
            ends,
            allows_tracing: false,
            of_developer: false,
        })
    }

    #[test]
    fn only_active_subscriptions_within_their_dates_are_found() {
        for (active, starts, ends, found) in [
            (true, None, None, true),
            (false, None, None, false),
            (true, Some(100), None, true),
            (true, Some(101), None, false),
            (true, None, Some(101), true),
            (true, None, Some(100), false),
        ] {
            let mut keys = KeyIndex::default();
            assert!(keys.insert(b"k", &subscription(KeyScope::AllApis, active, starts, ends)));
            assert_eq!(keys.find(b"k", UnixTime(100)).is_some(), found, "{active} {starts:?} {ends:?}");
            assert!(keys.find(b"K", UnixTime(100)).is_none());
        }
    }

    #[test]
    fn a_key_belongs_to_one_subscription() {
        let mut keys = KeyIndex::default();
        let first = subscription(KeyScope::AllApis, true, None, None);
        assert!(keys.insert(b"k", &first));
        assert!(keys.insert(b"k", &first));
        assert!(!keys.insert(b"k", &subscription(KeyScope::Product(0), true, None, None)));
    }

    #[test]
    fn scopes_cover_what_they_name() {
        let covers = |scope| subscription(scope, true, None, None).covers("orders", &[2]);
        assert!(
            covers(KeyScope::AllApis)
                && covers(KeyScope::Api("orders".into()))
                && covers(KeyScope::Product(2))
        );
        assert!(!covers(KeyScope::Api("other".into())) && !covers(KeyScope::Product(1)));
    }
}
