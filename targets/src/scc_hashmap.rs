//! `scc-hashmap`: scc's `HashMap`, buckets of 32 elements behind a reader-writer lock each.

use std::ops::ControlFlow;

use mapcheck::{
    Atomic, Consistency, Fault, Iteration, Key, Map, Previous, Profile, Unsupported, Value,
};
use scc::{Guard, HashMap};

use crate::Spread;

/// An scc [`HashMap`] whose buckets fill evenly.
pub struct SccHashMap(HashMap<Key, Value, Spread>);

impl Map for SccHashMap {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistentMayRepeat,
            promised_by: "scc 3 docs, HashMap::retain_sync; HashMap::iter_sync itself promises nothing",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // The smallest table is two buckets of 32. An insert into a bucket that holds 31 makes it grow, which is
            // the 63rd, because `Spread` fills them by turns.
            grows_at: 62,
            // `iter_sync` holds the lock of the bucket it is in.
            write_in_visit: false,
            knobs: "a hasher that fills buckets evenly; sdd's global epochs are driven by reclaim",
        }
    }

    /// scc 3 docs, `HashMap`, Unwind safety: `H::Hasher::hash`, `K::drop` and `V::drop` must not panic.
    fn excludes() -> &'static [Fault] {
        &[Fault::PanicInHash, Fault::PanicInDrop]
    }

    fn new() -> SccHashMap {
        SccHashMap(HashMap::with_hasher(Spread::default()))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let old = self.0.upsert_sync(key, value);
        old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn remove(&self, key: &Key) -> Previous {
        let old = self.0.remove_sync(key);
        old.map_or(Previous::Absent, |(_, old)| Previous::Present(old.id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.read_sync(key, |_, value| read(value)).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        self.0.iter_sync(|key, value| visit(key, value).is_continue());
    }

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<SccHashMap, Unsupported> {
        Ok(SccHashMap(elements.into_iter().collect()))
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    /// The capacity is reserved until what `reserve` returns is dropped, here at once: the table grows, and may shrink
    /// again.
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

    /// Only bucket arrays are reclaimed through sdd, three epochs after they were retired; elements are dropped under
    /// the lock of their bucket.
    fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            Guard::new().accelerate();
        }
        Ok(())
    }
}
