//! A map in shards, each a list behind a lock of its own.

use std::hash::{BuildHasher, Hash, RandomState};
use std::mem;
use std::ops::ControlFlow;
use std::sync::RwLock;

/// A map that threads share.
pub struct ShardMap<K, V> {
    hasher: RandomState,
    shards: Vec<RwLock<Vec<(K, V)>>>,
}

impl<K: Hash + Eq + Clone, V> ShardMap<K, V> {
    /// An empty map with so many shards.
    pub fn with_shards(count: usize) -> Self {
        let shards = (0..count).map(|_| RwLock::new(Vec::with_capacity(4))).collect();
        Self { hasher: RandomState::new(), shards }
    }

    fn shard(&self, key: &K) -> &RwLock<Vec<(K, V)>> {
        &self.shards[self.hasher.hash_one(key) as usize % self.shards.len()]
    }

    /// Puts a value under a key, and returns the one that was there.
    pub fn insert(&self, key: K, value: V) -> Option<V> {
        let mut shard = self.shard(&key).write().unwrap();
        match shard.iter_mut().find(|(k, _)| *k == key) {
            Some((_, old)) => Some(mem::replace(old, value)),
            None => {
                shard.push((key, value));
                None
            }
        }
    }

    /// Takes a key's value out.
    pub fn remove(&self, key: &K) -> Option<V> {
        let mut shard = self.shard(key).write().unwrap();
        let at = shard.iter().position(|(k, _)| k == key)?;
        Some(shard.swap_remove(at).1)
    }

    /// Shows a key's value to `read`.
    pub fn get<R>(&self, key: &K, read: impl FnOnce(&V) -> R) -> Option<R> {
        let shard = self.shard(key).read().unwrap();
        shard.iter().find(|(k, _)| k == key).map(|(_, value)| read(value))
    }

    /// Visits the elements. What is in the map all the while is visited once; what comes or goes may be missed.
    pub fn for_each(&self, mut visit: impl FnMut(&K, &V) -> ControlFlow<()>) {
        for shard in &self.shards {
            // By their keys: where an element stands may change between two visits.
            let elements = shard.read().unwrap();
            let keys: Vec<K> = elements.iter().map(|(key, _)| key.clone()).collect();
            drop(elements);
            for key in keys {
                let visited = self.get(&key, |value| visit(&key, value));
                if visited.is_some_and(|flow| flow.is_break()) {
                    return;
                }
            }
        }
    }
}
