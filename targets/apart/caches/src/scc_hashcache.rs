//! `scc-hashcache`: scc's `HashCache`, the layout of its `HashMap` with buckets that evict when they are full.

use std::ops::ControlFlow;

use mapcheck::{
    Atomic, Consistency, Fault, Iteration, Key, Map, Previous, Profile, Unsupported, Value,
};
use scc::hash_cache::Entry;
use scc::{Guard, HashCache};

use crate::Spread;

/// An scc [`HashCache`] whose buckets fill evenly.
pub struct SccHashCache(HashCache<Key, Value, Spread>);

impl Map for SccHashCache {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistentMayRepeat,
            promised_by: "scc 3 docs, HashCache::retain_sync; HashCache::iter_sync itself promises nothing",
            // Docs of `HashCache`: entries can be evicted before the cache is full.
            consistency: Consistency::LinearizableMayEvict,
            atomic: Atomic::NONE,
            // The smallest table is two buckets of 32, as of `HashMap`.
            grows_at: 62,
            // `iter_sync` holds the lock of the bucket it is in.
            write_in_visit: false,
            knobs: "a hasher that fills buckets evenly; sdd's global epochs are driven by reclaim",
        }
    }

    /// scc 3 docs, `HashCache`, Unwind safety: `H::Hasher::hash`, `K::drop` and `V::drop` must not panic.
    fn excludes() -> &'static [Fault] {
        &[Fault::PanicInHash, Fault::PanicInDrop]
    }

    fn new() -> SccHashCache {
        SccHashCache(HashCache::with_hasher(Spread::default()))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        match self.0.entry_sync(key) {
            Entry::Occupied(mut entry) => Previous::Present(entry.put(value).id()),
            Entry::Vacant(entry) => {
                drop(entry.put_entry(value));
                Previous::Absent
            }
        }
    }

    fn remove(&self, key: &Key) -> Previous {
        let old = self.0.remove_sync(key);
        old.map_or(Previous::Absent, |(_, old)| Previous::Present(old.id()))
    }

    /// It marks the entry as used last, for which it has its bucket to itself; `read_sync` would not.
    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get_sync(key).map(|entry| read(entry.get())).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        self.0.iter_sync(|key, value| visit(key, value).is_continue());
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear_sync();
        Ok(())
    }

    fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        self.0.retain_sync(|key, value| keep(key, value));
        Ok(())
    }

    /// Only bucket arrays are reclaimed through sdd, three epochs after they were retired.
    fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            Guard::new().accelerate();
        }
        Ok(())
    }
}
