//! `kovan-map@hopscotch`: kovan's hopscotch table, with a lock a home bucket that writers take.

use std::ops::ControlFlow;

use kovan_map::HopscotchMap;
use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};

/// A kovan [`HopscotchMap`] of 64 buckets.
pub struct KovanHopscotch(HopscotchMap<Key, Value>);

impl Map for KovanHopscotch {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "kovan-map 0.2 docs, HopscotchMap::iter",
            consistency: Consistency::Linearizable,
            // Assumed of `clear`, which empties place after place while readers go on.
            atomic: Atomic::NONE,
            // It grows when more than three quarters of the buckets are used.
            grows_at: 48,
            // An iterator holds a guard, which blocks nobody.
            write_in_visit: true,
            knobs: "64 buckets, the fewest; reclaim flushes kovan's batch of 64",
        }
    }

    fn new() -> KovanHopscotch {
        KovanHopscotch(HopscotchMap::with_capacity(1))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value).map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.remove(key).map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).map(|value| read(&value)).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.iter().try_for_each(|(key, value)| visit(&key, &value));
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear();
        Ok(())
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        kovan::flush();
        Ok(())
    }

    fn abandon(&self) -> Result<(), Unsupported> {
        std::mem::forget(self.0.iter());
        Ok(())
    }
}
