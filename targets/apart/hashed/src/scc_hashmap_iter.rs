//! `scc-hashmap@iter`: scc's `HashMap`, iterated by `iter_async` and not by `begin_async`, as `scc-hashmap@async` is.

use mapcheck::{
    AsyncMap, Atomic, Consistency, Fault, Iteration, Key, Previous, Profile, Reader, Unsupported,
    Value, Visitor,
};
use scc::{Guard, HashMap};

use crate::spread::Spread;

/// An scc [`HashMap`] whose buckets fill evenly, used through its asynchronous methods.
pub struct SccHashMapIter(HashMap<Key, Value, Spread>);

impl AsyncMap for SccHashMapIter {
    /// As of `scc-hashmap`, where the documentation says the same.
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistentMayRepeat,
            promised_by: "scc 3 docs, HashMap::retain_async; HashMap::iter_async itself promises nothing",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // The smallest table is two buckets of 32. An insert into a bucket that holds 31 makes it grow, which is
            // the 63rd, because `Spread` fills them by turns.
            grows_at: 62,
            // `iter_async` holds the lock of the bucket it is in.
            write_in_visit: false,
            knobs: "a hasher that fills buckets evenly; sdd's global epochs are driven by reclaim",
        }
    }

    /// scc 3 docs, `HashMap`, Unwind safety: `H::Hasher::hash`, `K::drop` and `V::drop` must not panic.
    fn excludes() -> &'static [Fault] {
        &[Fault::PanicInHash, Fault::PanicInDrop]
    }

    fn new() -> SccHashMapIter {
        SccHashMapIter(HashMap::with_hasher(Spread::default()))
    }

    async fn insert(&self, key: Key, value: Value) -> Previous {
        let old = self.0.upsert_async(key, value).await;
        old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    async fn remove(&self, key: &Key) -> Previous {
        let old = self.0.remove_async(key).await;
        old.map_or(Previous::Absent, |(_, old)| Previous::Present(old.id()))
    }

    async fn get(&self, key: &Key, mut read: Reader<'_>) -> bool {
        self.0.read_async(key, |_, value| read.at_once(value)).await.is_some()
    }

    async fn for_each(&self, mut visit: Visitor<'_>) {
        self.0.iter_async(|key, value| visit.at_once(key, value).is_continue()).await;
    }

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<SccHashMapIter, Unsupported> {
        Ok(SccHashMapIter(elements.into_iter().collect()))
    }

    async fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    /// As of `scc-hashmap`: the capacity is reserved for no longer than this call.
    async fn reserve(&self, additional: usize) -> Result<(), Unsupported> {
        drop(self.0.reserve(additional));
        Ok(())
    }

    async fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear_async().await;
        Ok(())
    }

    async fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        self.0.retain_async(|key, value| keep(key, value)).await;
        Ok(())
    }

    /// As of `scc-hashmap`.
    async fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            Guard::new().accelerate();
        }
        Ok(())
    }
}
