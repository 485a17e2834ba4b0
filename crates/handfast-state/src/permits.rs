//! How many hold a key at a time.

use crate::shards::Shards;
use std::collections::HashMap;
use std::sync::Arc;

/// All permits that are held.
#[derive(Default)]
pub struct Permits {
    shards: Shards<HashMap<String, u32>>,
}

impl Permits {
    /// One of `max` permits of a key, if one is free.
    pub fn acquire(self: &Arc<Self>, key: String, max: u32) -> Option<Permit> {
        let mut shard = self.shards.of(&key);
        let held = shard.entry(key.clone()).or_insert(0);
        if *held >= max {
            return None;
        }
        *held += 1;
        drop(shard);
        Some(Permit { permits: self.clone(), key })
    }
}

/// A permit that is given back when dropped.
pub struct Permit {
    permits: Arc<Permits>,
    key: String,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut shard = self.permits.shards.of(&self.key);
        if let Some(held) = shard.get_mut(&self.key) {
            *held -= 1;
            if *held == 0 {
                shard.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_come_back_when_dropped() {
        let permits = Arc::new(Permits::default());
        let first = permits.acquire("k".to_owned(), 1);
        assert!(first.is_some());
        assert!(permits.acquire("k".to_owned(), 1).is_none());
        assert!(permits.acquire("other".to_owned(), 1).is_some());
        drop(first);
        assert!(permits.acquire("k".to_owned(), 1).is_some());
        assert_eq!(permits.shards.all().map(|shard| shard.len()).sum::<usize>(), 0);
    }
}
