//! `scc-hashmap@async`: the asynchronous half of scc's `HashMap`.

use mapcheck::{
    AfterPanic, AsyncMap, Fault, Key, Map as _, Previous, Profile, Reader, Unsupported, Value,
    Visitor,
};
use scc::{Guard, HashMap};

use crate::{SccHashMap, Spread};

/// An scc [`HashMap`] whose buckets fill evenly, used through its asynchronous methods.
pub struct SccHashMapAsync(HashMap<Key, Value, Spread>);

impl AsyncMap for SccHashMapAsync {
    /// As of `scc-hashmap`, where the documentation says the same.
    fn profile() -> Profile {
        Profile {
            promised_by: "scc 3 docs, HashMap::retain_async; HashMap::begin_async itself promises nothing",
            ..SccHashMap::profile()
        }
    }

    fn new() -> SccHashMapAsync {
        SccHashMapAsync(HashMap::with_hasher(Spread::default()))
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

    /// An entry is held across each await, with the lock of its bucket.
    async fn for_each(&self, mut visit: Visitor<'_>) {
        let mut next = self.0.begin_async().await;
        while let Some(entry) = next {
            if visit.held(entry.key(), entry.get()).await.is_break() {
                return;
            }
            next = entry.next_async().await;
        }
    }

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<SccHashMapAsync, Unsupported> {
        Ok(SccHashMapAsync(elements.into_iter().collect()))
    }

    fn after_panic() -> AfterPanic {
        SccHashMap::after_panic()
    }

    fn excludes() -> &'static [Fault] {
        SccHashMap::excludes()
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
