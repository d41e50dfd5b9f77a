//! `moka`: a lock-free hash table, with the order of uses and of writes in lists behind a lock, fed through channels.

use std::ops::ControlFlow;

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};
use moka::sync::{Cache, CacheBuilder};

use crate::Identity;

/// A builder of caches whose tables are as small as can be.
pub fn builder() -> CacheBuilder<Key, Value, Cache<Key, Value>> {
    // Without an initial capacity a table would have 128 places instead of 16.
    Cache::builder().initial_capacity(0)
}

/// What is promised of all of them.
pub fn profile() -> Profile {
    Profile {
        iteration: Iteration::WeaklyConsistent,
        promised_by: "moka 0.12 docs, sync::Cache::iter, Guarantees",
        // Crate docs, Concurrency: the hash table is strong consistent, an inserted entry visible to all immediately.
        consistency: Consistency::Linearizable,
        atomic: Atomic::NONE,
        // A table of 16 places grows when it is written to with more than 7 in 10 of them taken.
        grows_at: 12,
        // An iteration has copied the keys of a table, and clones each value.
        write_in_visit: true,
        knobs: "16 places a table instead of 128; a hasher that leads all keys to one of 64 tables; crossbeam's global \
            epochs are driven by reclaim",
    }
}

/// Hands over this thread's garbage, tries to advance the epoch, and frees what is two epochs old.
pub fn collect() {
    for _ in 0..4 {
        crossbeam_epoch::pin().flush();
    }
}

/// An unbounded [`Cache`], which nobody clears: see `moka@clearing`.
pub struct Moka(Cache<Key, Value, Identity>);

impl Map for Moka {
    fn profile() -> Profile {
        profile()
    }

    fn new() -> Moka {
        Moka(builder().build_with_hasher(Identity::default()))
    }

    /// moka does not tell what it replaced.
    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value);
        Previous::Unknown
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.remove(key).map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).as_ref().map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.iter().try_for_each(|(key, value)| visit(&key, &value));
    }

    /// Applies what is recorded of reads and writes, and removes what was invalidated.
    fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.run_pending_tasks();
        collect();
        Ok(())
    }

    fn abandon(&self) -> Result<(), Unsupported> {
        std::mem::forget(crossbeam_epoch::pin());
        Ok(())
    }
}

/// A [`Cache`] of three elements, or of a weight of three where it weighs them, with a listener that looks at what is
/// evicted, and maintenance after each write.
pub struct MokaSmall<const WEIGHS: bool>(Cache<Key, Value, Identity>);

impl<const WEIGHS: bool> Map for MokaSmall<WEIGHS> {
    fn profile() -> Profile {
        Profile {
            consistency: Consistency::LinearizableMayEvict,
            knobs: "3 elements; maintenance after each write instead of after 64; else as of `moka`",
            ..profile()
        }
    }

    fn new() -> Self {
        let listener = |key: std::sync::Arc<Key>, value: Value, _| {
            key.check();
            value.check();
        };
        let weigh = |key: &Key, _: &Value| if WEIGHS { key.id() as u32 % 2 + 1 } else { 1 };
        let builder = builder().max_capacity(3).weigher(weigh).eviction_listener(listener);
        MokaSmall(builder.build_with_hasher(Identity::default()))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value);
        self.0.run_pending_tasks();
        Previous::Unknown
    }

    fn remove(&self, key: &Key) -> Previous {
        let old = self.0.remove(key);
        self.0.run_pending_tasks();
        old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).as_ref().map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.iter().try_for_each(|(key, value)| visit(&key, &value));
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.run_pending_tasks();
        collect();
        Ok(())
    }
}
