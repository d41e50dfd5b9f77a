//! `scc-hashindex`: scc's `HashIndex`, the layout of its `HashMap` with reads that take no lock.

use std::ops::ControlFlow;

use mapcheck::{
    Atomic, Consistency, Fault, Iteration, Key, Map, Previous, Profile, Unsupported, Value,
};
use scc::{Guard, HashIndex};

use crate::Spread;

/// An scc [`HashIndex`] whose buckets fill evenly.
pub struct SccHashIndex(HashIndex<Key, Value, Spread>);

impl Map for SccHashIndex {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistentMayRepeat,
            promised_by: "scc 3 docs, HashIndex::iter",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // As `SccHashMap`.
            grows_at: 62,
            // `iter` takes no lock.
            write_in_visit: true,
            knobs: "a hasher that fills buckets evenly; sdd's global epochs are driven by reclaim",
        }
    }

    /// scc 3 docs, `HashIndex`, Unwind safety: `H::Hasher::hash`, `K::drop` and `V::drop` must not panic.
    fn excludes() -> &'static [Fault] {
        &[Fault::PanicInHash, Fault::PanicInDrop]
    }

    fn new() -> SccHashIndex {
        SccHashIndex(HashIndex::with_hasher(Spread::default()))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        match self.0.insert_sync(key, value) {
            Ok(()) => Previous::Absent,
            Err(_) => Previous::Refused,
        }
    }

    /// `remove_sync` does not tell the value; the condition sees it under the lock of its bucket.
    fn remove(&self, key: &Key) -> Previous {
        let mut old = Previous::Unknown;
        let removed = self.0.remove_if_sync(key, |value| {
            old = Previous::Present(value.id());
            true
        });
        if removed { old } else { Previous::Absent }
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.peek(key, &Guard::new()).map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.iter(&Guard::new()).try_for_each(|(key, value)| visit(key, value));
    }

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<SccHashIndex, Unsupported> {
        Ok(SccHashIndex(elements.into_iter().collect()))
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    /// As [`SccHashMap`](crate::SccHashMap)'s.
    fn reserve(&self, additional: usize) -> Result<(), Unsupported> {
        drop(self.0.reserve(additional));
        Ok(())
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear_sync();
        Ok(())
    }

    fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        self.0.retain_sync(|key, value| keep(key, value));
        Ok(())
    }

    /// A bucket array is reclaimed three epochs after it was retired; a removed element after as many, by the next
    /// insert that finds no free slot in its bucket.
    fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            Guard::new().accelerate();
        }
        Ok(())
    }

    fn abandon(&self) -> Result<(), Unsupported> {
        std::mem::forget(Guard::new());
        Ok(())
    }
}
