//! `whirlwind`: hash tables behind reader-writer locks, one a shard, that futures try again and again.

use mapcheck::{
    AfterPanic, AsyncMap, Atomic, Consistency, Iteration, Key, Previous, Profile, Reader,
    Unsupported, Value,
};
use whirlwind::ShardMap;

/// A [`ShardMap`] of two shards.
pub struct Whirlwind(ShardMap<Key, Value>);

impl AsyncMap for Whirlwind {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::None,
            promised_by: "whirlwind 0.1 has no iterators",
            // Assumed: each operation is under the lock of one shard.
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // As of `dashmap`: 3 elements a shard.
            grows_at: 6,
            write_in_visit: false,
            knobs: "2 shards, the fewest",
        }
    }

    fn new() -> Whirlwind {
        Whirlwind(ShardMap::with_shards(2))
    }

    async fn insert(&self, key: Key, value: Value) -> Previous {
        let old = self.0.insert(key, value).await;
        old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    async fn remove(&self, key: &Key) -> Previous {
        let old = self.0.remove(key).await;
        old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    /// The lock of the shard is held across the await.
    async fn get(&self, key: &Key, mut read: Reader<'_>) -> bool {
        match self.0.get(key).await {
            Some(entry) => read.held(entry.value()).await,
            None => return false,
        }
        true
    }

    /// The documentation is silent; a lock that is poisoned, as std's are, makes the later calls panic at most.
    fn after_panic() -> AfterPanic {
        AfterPanic::Unspecified
    }

    async fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len().await)
    }

    async fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear().await;
        Ok(())
    }
}
