//! A map in parts, so that cores seldom meet at one mutex.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

const SHARDS: usize = 32;

/// Parts of a map; which one a key belongs to depends on a secret of the process, so that clients cannot choose
/// keys that meet in one.
pub(crate) struct Shards<T> {
    parts: [Mutex<T>; SHARDS],
    hasher: RandomState,
}

impl<T: Default> Default for Shards<T> {
    fn default() -> Self {
        Self { parts: std::array::from_fn(|_| Mutex::default()), hasher: RandomState::new() }
    }
}

impl<T> Shards<T> {
    /// The number of parts.
    pub(crate) const COUNT: usize = SHARDS;

    /// The part of a key.
    pub(crate) fn of(&self, key: &str) -> MutexGuard<'_, T> {
        let index = (self.hasher.hash_one(key) % SHARDS as u64) as usize;
        lock(&self.parts[index])
    }

    /// All parts, one after the other.
    pub(crate) fn all(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        self.parts.iter().map(lock)
    }
}

/// A panic in another request must not end this one: what is behind these mutexes is changed in one step.
fn lock<T>(part: &Mutex<T>) -> MutexGuard<'_, T> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}
