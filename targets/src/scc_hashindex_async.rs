//! `scc-hashindex@async`: the asynchronous half of scc's `HashIndex`.

use mapcheck::{
    AfterPanic, AsyncMap, Fault, Key, Map as _, Previous, Profile, Reader, Unsupported, Value,
    Visitor,
};
use scc::{Guard, HashIndex};

use crate::{SccHashIndex, Spread};

/// An scc [`HashIndex`] whose buckets fill evenly, used through its asynchronous methods.
pub struct SccHashIndexAsync(HashIndex<Key, Value, Spread>);

impl AsyncMap for SccHashIndexAsync {
    /// As of `scc-hashindex`, but for the locks: these methods take those of buckets.
    fn profile() -> Profile {
        Profile {
            promised_by: "scc 3 docs, HashIndex::retain_async; HashIndex::begin_async itself promises nothing",
            write_in_visit: false,
            ..SccHashIndex::profile()
        }
    }

    fn new() -> SccHashIndexAsync {
        SccHashIndexAsync(HashIndex::with_hasher(Spread::default()))
    }

    async fn insert(&self, key: Key, value: Value) -> Previous {
        match self.0.insert_async(key, value).await {
            Ok(()) => Previous::Absent,
            Err(_) => Previous::Refused,
        }
    }

    /// As of `scc-hashindex`: the condition sees the value under the lock of its bucket.
    async fn remove(&self, key: &Key) -> Previous {
        let mut old = Previous::Unknown;
        let condition = |value: &Value| {
            old = Previous::Present(value.id());
            true
        };
        if self.0.remove_if_async(key, condition).await { old } else { Previous::Absent }
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

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<SccHashIndexAsync, Unsupported> {
        Ok(SccHashIndexAsync(elements.into_iter().collect()))
    }

    fn after_panic() -> AfterPanic {
        SccHashIndex::after_panic()
    }

    fn excludes() -> &'static [Fault] {
        SccHashIndex::excludes()
    }

    async fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    /// As of `scc-hashindex`: the capacity is reserved for no longer than this call.
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

    /// As of `scc-hashindex`.
    async fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            Guard::new().accelerate();
        }
        Ok(())
    }
}
