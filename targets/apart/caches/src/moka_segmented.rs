//! `moka@segmented`: two of moka's caches, chosen by the hash, as one.

use std::ops::ControlFlow;

use mapcheck::{Key, Map, Previous, Profile, Unsupported, Value};
use moka::sync::SegmentedCache;

use crate::hashers::Halves;
use crate::moka::{builder, collect, profile};

/// An unbounded [`SegmentedCache`] of two segments, with maintenance after each write.
pub struct MokaSegmented(SegmentedCache<Key, Value, Halves>);

impl Map for MokaSegmented {
    fn profile() -> Profile {
        Profile {
            promised_by: "moka 0.12 docs, sync::SegmentedCache, as sync::Cache::iter, Guarantees",
            // Two tables as of `moka`, filled by turns.
            grows_at: 24,
            knobs: "2 segments; 16 places a table instead of 128; a hasher that leads all keys to one of 64 tables a \
                segment; maintenance after each write instead of after 64; crossbeam's global epochs are driven by \
                reclaim",
            ..profile()
        }
    }

    fn new() -> MokaSegmented {
        MokaSegmented(builder().segments(2).build_with_hasher(Halves))
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
