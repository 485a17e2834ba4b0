//! Values with an end of life, within a bound in bytes.
//!
//! When a shard is full, entries go in the order in which they came, but one that was read since gets a second
//! turn (the CLOCK algorithm): scans cannot push out what is used. An entry that is larger than a shard's share
//! is not kept.

use crate::shards::Shards;
use std::collections::{HashMap, VecDeque};

/// What a value costs.
pub trait Weigh {
    /// Bytes that it holds on to, roughly.
    fn bytes(&self) -> usize;
}

impl Weigh for bytes::Bytes {
    fn bytes(&self) -> usize {
        self.len()
    }
}

/// Bytes that an entry costs beside key and value.
const ENTRY_BYTES: usize = 128;

/// A cache.
pub struct Cache<V> {
    shards: Shards<Shard<V>>,
    /// Bytes that a shard may hold.
    share: usize,
}

struct Shard<V> {
    entries: HashMap<String, Entry<V>>,
    /// Keys in the order in which they are looked at for removal, with the number of the entry they mean.
    order: VecDeque<(String, u64)>,
    bytes: usize,
    numbers: u64,
}

struct Entry<V> {
    value: V,
    ends_ms: u64,
    bytes: usize,
    number: u64,
    read: bool,
}

impl<V> Default for Shard<V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new(), bytes: 0, numbers: 0 }
    }
}

impl<V: Clone + Weigh> Cache<V> {
    /// A cache of at most so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { shards: Shards::default(), share: bytes_max / Shards::<Shard<V>>::COUNT }
    }

    /// A value that is not over, and the milliseconds that it has left.
    pub fn get(&self, key: &str, now_ms: u64) -> Option<(V, u64)> {
        let mut shard = self.shards.of(key);
        let entry = shard.entries.get_mut(key)?;
        if entry.ends_ms <= now_ms {
            shard.remove(key);
            return None;
        }
        entry.read = true;
        Some((entry.value.clone(), entry.ends_ms - now_ms))
    }

    /// Keeps a value for so long. Whether there is room for it.
    pub fn put(&self, key: String, value: V, life_ms: u64, now_ms: u64) -> bool {
        let bytes = ENTRY_BYTES + 2 * key.len() + value.bytes();
        let mut shard = self.shards.of(&key);
        shard.remove(&key);
        if bytes > self.share || life_ms == 0 {
            return false;
        }
        shard.make_room(self.share - bytes, now_ms);
        shard.numbers += 1;
        let number = shard.numbers;
        shard.bytes += bytes;
        shard.order.push_back((key.clone(), number));
        let ends_ms = now_ms.saturating_add(life_ms);
        shard.entries.insert(key, Entry { value, ends_ms, bytes, number, read: false });
        true
    }

    /// Removes a value; whether it was there.
    pub fn remove(&self, key: &str) -> bool {
        self.shards.of(key).remove(key)
    }

    /// Bytes held now.
    pub fn bytes(&self) -> usize {
        self.shards.all().map(|shard| shard.bytes).sum()
    }
}

impl<V> Shard<V> {
    fn remove(&mut self, key: &str) -> bool {
        let Some(entry) = self.entries.remove(key) else { return false };
        self.bytes -= entry.bytes;
        // The place in the order is found to mean nothing when its turn comes; not too many of those.
        if self.order.len() > 2 * self.entries.len() + 64 {
            self.order
                .retain(|(key, number)| self.entries.get(key).is_some_and(|entry| entry.number == *number));
        }
        true
    }

    /// Removes entries until at most so many bytes are held.
    fn make_room(&mut self, bytes_max: usize, now_ms: u64) {
        while self.bytes > bytes_max
            && let Some((key, number)) = self.order.pop_front()
        {
            let Some(entry) = self.entries.get_mut(&key).filter(|entry| entry.number == number) else {
                continue;
            };
            if entry.read && entry.ends_ms > now_ms {
                entry.read = false;
                self.order.push_back((key, number));
            } else if let Some(entry) = self.entries.remove(&key) {
                self.bytes -= entry.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn value(size: usize) -> Bytes {
        Bytes::from(vec![0; size])
    }

    #[test]
    fn values_end_are_replaced_and_removed() {
        let cache = Cache::new(1 << 20);
        assert!(cache.put("k".to_owned(), value(10), 1_000, 0));
        assert_eq!(cache.get("k", 400), Some((value(10), 600)));
        assert!(cache.put("k".to_owned(), value(20), 1_000, 500));
        assert_eq!(cache.get("k", 1_400), Some((value(20), 100)));
        assert_eq!(cache.get("k", 1_500), None);
        assert_eq!(cache.bytes(), 0);
        assert!(cache.put("k".to_owned(), value(1), 1_000, 0) && cache.remove("k") && !cache.remove("k"));
        assert!(!cache.put("k".to_owned(), value(1 << 20), 1_000, 0), "larger than a share");
        assert!(!cache.put("k".to_owned(), value(1), 0, 0), "over at once");
    }

    #[test]
    fn the_bound_holds_and_what_is_read_stays() {
        let bound = 1 << 20;
        let cache = Cache::new(bound);
        assert!(cache.put("hot".to_owned(), value(1_000), u64::MAX, 0));
        for number in 0..20_000 {
            assert!(cache.put(format!("cold-{number}"), value(1_000), u64::MAX, 0));
            assert!(cache.get("hot", 0).is_some(), "after {number}");
            assert!(cache.bytes() <= bound || number % 512 != 0);
        }
        assert!(cache.bytes() <= bound);
    }

    #[test]
    fn replacing_one_key_for_ever_keeps_the_order_short() {
        let cache = Cache::new(1 << 20);
        for number in 0..100_000 {
            cache.put("k".to_owned(), value(number % 10), 1_000, 0);
        }
        assert!(cache.shards.all().all(|shard| shard.order.len() < 200));
    }
}
