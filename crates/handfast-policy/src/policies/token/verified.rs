//! Tokens that were believed, so that the next request with the same one costs a hash instead of a signature.

use crate::tokens::IssuerKeys;
use handfast_core::UnixTime;
use handfast_pki::jose::{Jwt, fingerprint};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Tokens remembered by one policy: two generations of so many.
const GENERATION_MAX: usize = 512;
/// How long a token is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Entry {
    jwt: Arc<Jwt>,
    /// The keys that it was believed by.
    issuers: Vec<Arc<IssuerKeys>>,
    until: UnixTime,
}

type Generation = HashMap<([u8; 32], bool), Entry>;

/// The tokens of one policy.
#[derive(Debug, Default)]
pub(crate) struct Verified(Mutex<(Generation, Generation)>);

impl Verified {
    /// A token that was believed under the same keys and demands, not long ago.
    pub(super) fn get(
        &self,
        token: &str,
        issuers: &[Arc<IssuerKeys>],
        require_signed: bool,
        now: UnixTime,
    ) -> Option<Arc<Jwt>> {
        let key = (fingerprint(token), require_signed);
        // Another core that is here just now is not waited for: the signature is checked instead.
        let generations = self.0.try_lock().ok()?;
        let (young, old) = &*generations;
        let entry = young.get(&key).or_else(|| old.get(&key))?;
        let same = entry.issuers.len() == issuers.len()
            && entry.issuers.iter().zip(issuers).all(|(one, other)| Arc::ptr_eq(one, other));
        (same && now < entry.until).then(|| Arc::clone(&entry.jwt))
    }

    /// Remembers a token.
    pub(super) fn put(
        &self,
        token: &str,
        issuers: &[Arc<IssuerKeys>],
        require_signed: bool,
        jwt: &Arc<Jwt>,
        now: UnixTime,
    ) {
        let key = (fingerprint(token), require_signed);
        let entry = Entry { jwt: Arc::clone(jwt), issuers: issuers.to_vec(), until: now.plus(REMEMBERED) };
        let Ok(mut generations) = self.0.try_lock() else { return };
        let (young, old) = &mut *generations;
        if young.len() >= GENERATION_MAX {
            *old = std::mem::take(young);
        }
        young.insert(key, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handfast_pki::jose::KeySet;

    fn jwt() -> Arc<Jwt> {
        let (algorithm, compact) = ("HS256".to_owned(), String::new());
        Arc::new(Jwt { algorithm, kind: None, compact, claims: handfast_pki::jose::Claims::default() })
    }

    fn keys() -> Arc<IssuerKeys> {
        Arc::new(IssuerKeys { issuer: "i".to_owned(), keys: KeySet::default() })
    }

    #[test]
    fn tokens_are_remembered_for_a_minute_and_their_keys() {
        let (verified, one) = (Verified::default(), keys());
        let issuers = [Arc::clone(&one)];
        verified.put("t", &issuers, true, &jwt(), UnixTime(100));
        let known = |issuers: &[Arc<IssuerKeys>], signed, now| {
            verified.get("t", issuers, signed, UnixTime(now)).is_some()
        };
        assert!(known(&issuers, true, 159));
        assert!(!known(&issuers, true, 160), "the minute is over");
        assert!(!known(&issuers, false, 100), "under another demand");
        assert!(!known(&[keys()], true, 100), "under other keys");
        assert!(!known(&[], true, 100), "under no keys");
    }

    #[test]
    fn no_more_than_two_generations_are_kept() {
        let verified = Verified::default();
        for number in 0..5 * GENERATION_MAX {
            verified.put(&number.to_string(), &[], true, &jwt(), UnixTime(0));
        }
        let held = |number: usize| verified.get(&number.to_string(), &[], true, UnixTime(1)).is_some();
        let count = (0..5 * GENERATION_MAX).filter(|number| held(*number)).count();
        assert!((GENERATION_MAX..=2 * GENERATION_MAX).contains(&count), "{count}");
        assert!(held(5 * GENERATION_MAX - 1), "the last one is among them");
    }
}
