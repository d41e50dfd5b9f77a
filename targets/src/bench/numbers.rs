//! The published maps as they come, from numbers to numbers: without mapcheck's keys, which carry canaries and are
//! checked in every callback, and without what adapters turn down for small scenarios.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::RwLock;

use crossbeam_skiplist::SkipMap;
use dashmap::DashMap;

/// What one thread does to such a map.
pub trait Numbers: Default {
    fn insert(&self, key: u64);
    fn get(&self, key: u64) -> bool;
    /// The sum of the values, by iteration.
    fn sum(&self) -> u64;
    fn remove(&self, key: u64) -> bool;
}

/// Inserts keys, looks each up a few times, iterates twice, and removes them.
pub fn drive<M: Numbers>() {
    let map = M::default();
    let keys = 0..super::maps::KEYS;
    keys.clone().for_each(|key| map.insert(key));
    for key in (0..super::maps::LOOKUPS).flat_map(|_| keys.clone()) {
        assert!(map.get(black_box(key)));
    }
    assert_eq!(map.sum(), map.sum());
    keys.for_each(|key| assert!(map.remove(key)));
}

impl Numbers for DashMap<u64, u64> {
    fn insert(&self, key: u64) {
        DashMap::insert(self, key, key);
    }

    fn get(&self, key: u64) -> bool {
        DashMap::get(self, &key).is_some_and(|value| *value == key)
    }

    fn sum(&self) -> u64 {
        self.iter().map(|entry| *entry.value()).sum()
    }

    fn remove(&self, key: u64) -> bool {
        DashMap::remove(self, &key).is_some()
    }
}

impl Numbers for papaya::HashMap<u64, u64> {
    fn insert(&self, key: u64) {
        self.pin().insert(key, key);
    }

    fn get(&self, key: u64) -> bool {
        self.pin().get(&key) == Some(&key)
    }

    fn sum(&self) -> u64 {
        self.pin().values().sum()
    }

    fn remove(&self, key: u64) -> bool {
        self.pin().remove(&key).is_some()
    }
}

impl Numbers for scc::HashMap<u64, u64> {
    fn insert(&self, key: u64) {
        assert!(self.insert_sync(key, key).is_ok());
    }

    fn get(&self, key: u64) -> bool {
        self.read_sync(&key, |_, value| *value == key).unwrap_or_default()
    }

    fn sum(&self) -> u64 {
        let mut sum = 0;
        self.iter_sync(|_, value| {
            sum += *value;
            true
        });
        sum
    }

    fn remove(&self, key: u64) -> bool {
        self.remove_sync(&key).is_some()
    }
}

impl Numbers for scc::HashIndex<u64, u64> {
    fn insert(&self, key: u64) {
        assert!(self.insert_sync(key, key).is_ok());
    }

    fn get(&self, key: u64) -> bool {
        self.peek_with(&key, |_, value| *value == key).unwrap_or_default()
    }

    fn sum(&self) -> u64 {
        self.iter(&scc::Guard::new()).map(|(_, value)| *value).sum()
    }

    fn remove(&self, key: u64) -> bool {
        self.remove_sync(&key)
    }
}

impl Numbers for scc::TreeIndex<u64, u64> {
    fn insert(&self, key: u64) {
        assert!(self.insert_sync(key, key).is_ok());
    }

    fn get(&self, key: u64) -> bool {
        self.peek_with(&key, |_, value| *value == key).unwrap_or_default()
    }

    fn sum(&self) -> u64 {
        self.iter(&scc::Guard::new()).map(|(_, value)| *value).sum()
    }

    fn remove(&self, key: u64) -> bool {
        self.remove_sync(&key)
    }
}

impl Numbers for flurry::HashMap<u64, u64> {
    fn insert(&self, key: u64) {
        self.pin().insert(key, key);
    }

    fn get(&self, key: u64) -> bool {
        self.pin().get(&key) == Some(&key)
    }

    fn sum(&self) -> u64 {
        self.pin().values().sum()
    }

    fn remove(&self, key: u64) -> bool {
        self.pin().remove(&key).is_some()
    }
}

impl Numbers for SkipMap<u64, u64> {
    fn insert(&self, key: u64) {
        SkipMap::insert(self, key, key);
    }

    fn get(&self, key: u64) -> bool {
        SkipMap::get(self, &key).is_some_and(|entry| *entry.value() == key)
    }

    fn sum(&self) -> u64 {
        self.iter().map(|entry| *entry.value()).sum()
    }

    fn remove(&self, key: u64) -> bool {
        SkipMap::remove(self, &key).is_some()
    }
}

impl Numbers for RwLock<HashMap<u64, u64>> {
    fn insert(&self, key: u64) {
        self.write().expect("nobody panics").insert(key, key);
    }

    fn get(&self, key: u64) -> bool {
        self.read().expect("nobody panics").get(&key) == Some(&key)
    }

    fn sum(&self) -> u64 {
        self.read().expect("nobody panics").values().sum()
    }

    fn remove(&self, key: u64) -> bool {
        self.write().expect("nobody panics").remove(&key).is_some()
    }
}

impl Numbers for tokio::sync::RwLock<HashMap<u64, u64>> {
    fn insert(&self, key: u64) {
        self.blocking_write().insert(key, key);
    }

    fn get(&self, key: u64) -> bool {
        self.blocking_read().get(&key) == Some(&key)
    }

    fn sum(&self) -> u64 {
        self.blocking_read().values().sum()
    }

    fn remove(&self, key: u64) -> bool {
        self.blocking_write().remove(&key).is_some()
    }
}
