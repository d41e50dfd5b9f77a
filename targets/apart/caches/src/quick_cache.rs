//! `quick_cache`: hash tables over slabs with lists through them, behind reader-writer locks, one a shard.

use std::ops::ControlFlow;

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, UnitWeighter};

use crate::Spread;

/// A cache that spreads keys evenly.
pub type Even = Cache<Key, Value, UnitWeighter, Spread>;

/// A cache of so many elements.
pub fn of(capacity: u64) -> Even {
    // It makes fewer shards than it is asked for where one would have less than 32 elements to expect.
    let options = OptionsBuilder::new()
        .shards(2)
        .estimated_items_capacity(64)
        .weight_capacity(capacity)
        .build()
        .expect("both capacities are given");
    Cache::with_options(options, UnitWeighter, Spread::default(), DefaultLifecycle::default())
}

/// What is promised of all of them.
pub fn profile() -> Profile {
    Profile {
        // Whether an element may come twice is not said.
        iteration: Iteration::WeaklyConsistent,
        promised_by: "quick_cache 0.7 docs, sync::Cache::iter",
        consistency: Consistency::Linearizable,
        atomic: Atomic::NONE,
        // A shard's table holds 3 elements, then 7, then 14; two shards of 3 are full at 6.
        grows_at: 6,
        // An iteration takes the lock of a shard for each step, and clones what it shows.
        write_in_visit: true,
        knobs: "2 shards instead of four for each processor; a hasher that fills them evenly",
    }
}

/// A capacity that no scenario reaches.
pub const ENOUGH: u64 = 1 << 20;

/// A [`Cache`] that is never full.
pub struct QuickCache(Even);

impl Map for QuickCache {
    fn profile() -> Profile {
        profile()
    }

    fn new() -> QuickCache {
        QuickCache(of(ENOUGH))
    }

    /// It does not tell what it replaced.
    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value);
        Previous::Unknown
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.remove(key).map_or(Previous::Absent, |(_, old)| Previous::Present(old.id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).as_ref().map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.iter().try_for_each(|(key, value)| visit(&key, &value));
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    fn reserve(&self, additional: usize) -> Result<(), Unsupported> {
        self.0.reserve(additional);
        Ok(())
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear();
        Ok(())
    }

    fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        let keep = std::cell::RefCell::new(keep);
        self.0.retain(|key, value| (keep.borrow_mut())(key, value));
        Ok(())
    }
}

/// A [`Cache`] of four elements, two a shard.
pub struct QuickCacheSmall(Even);

impl Map for QuickCacheSmall {
    fn profile() -> Profile {
        Profile {
            consistency: Consistency::LinearizableMayEvict,
            knobs: "4 elements; 2 shards; a hasher that fills them evenly",
            ..profile()
        }
    }

    fn new() -> QuickCacheSmall {
        QuickCacheSmall(of(4))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value);
        Previous::Unknown
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.remove(key).map_or(Previous::Absent, |(_, old)| Previous::Present(old.id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).as_ref().map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.iter().try_for_each(|(key, value)| visit(&key, &value));
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear();
        Ok(())
    }

    /// Makes it smaller than it is, and as large again.
    fn shrink(&self) -> Result<(), Unsupported> {
        self.0.set_capacity(2);
        self.0.set_capacity(4);
        Ok(())
    }
}
