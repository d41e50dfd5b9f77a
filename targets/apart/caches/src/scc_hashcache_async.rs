//! `scc-hashcache@async`: the asynchronous half of scc's `HashCache`.

use mapcheck::{
    AsyncMap, Fault, Key, Map as _, Previous, Profile, Reader, Unsupported, Value, Visitor,
};
use scc::hash_cache::Entry;
use scc::{Guard, HashCache};

use crate::{SccHashCache, Spread};

/// An scc [`HashCache`] whose buckets fill evenly, used through its asynchronous methods.
pub struct SccHashCacheAsync(HashCache<Key, Value, Spread>);

impl AsyncMap for SccHashCacheAsync {
    /// As of `scc-hashcache`, where the documentation says the same.
    fn profile() -> Profile {
        Profile {
            promised_by: "scc 3 docs, HashCache::retain_async; HashCache::iter_async itself promises nothing",
            ..SccHashCache::profile()
        }
    }

    fn excludes() -> &'static [Fault] {
        SccHashCache::excludes()
    }

    fn new() -> SccHashCacheAsync {
        SccHashCacheAsync(HashCache::with_hasher(Spread::default()))
    }

    async fn insert(&self, key: Key, value: Value) -> Previous {
        match self.0.entry_async(key).await {
            Entry::Occupied(mut entry) => Previous::Present(entry.put(value).id()),
            Entry::Vacant(entry) => {
                drop(entry.put_entry(value));
                Previous::Absent
            }
        }
    }

    async fn remove(&self, key: &Key) -> Previous {
        let old = self.0.remove_async(key).await;
        old.map_or(Previous::Absent, |(_, old)| Previous::Present(old.id()))
    }

    /// The entry is held across the await, with the lock of its bucket.
    async fn get(&self, key: &Key, mut read: Reader<'_>) -> bool {
        match self.0.get_async(key).await {
            Some(entry) => read.held(entry.get()).await,
            None => return false,
        }
        true
    }

    async fn for_each(&self, mut visit: Visitor<'_>) {
        self.0.iter_async(|key, value| visit.at_once(key, value).is_continue()).await;
    }

    async fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    async fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear_async().await;
        Ok(())
    }

    async fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        self.0.retain_async(|key, value| keep(key, value)).await;
        Ok(())
    }

    async fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            Guard::new().accelerate();
        }
        Ok(())
    }
}
