//! `moka@async`: moka's asynchronous cache, whose writes may wait for the listener and for each other.

use mapcheck::{AsyncMap, Key, Previous, Profile, Reader, Unsupported, Value, Visitor};
use moka::future::{Cache, FutureExt};

use crate::Identity;
use crate::moka::{collect, profile};

/// An unbounded [`Cache`] with a listener, and with maintenance after each write.
pub struct MokaAsync(Cache<Key, Value, Identity>);

impl AsyncMap for MokaAsync {
    fn profile() -> Profile {
        Profile {
            promised_by: "moka 0.12 docs, future::Cache::iter, Guarantees",
            knobs: "16 places a table instead of 128; a hasher that leads all keys to one of 64 tables; maintenance \
                after each write instead of after 64; crossbeam's global epochs are driven by reclaim",
            ..profile()
        }
    }

    fn new() -> MokaAsync {
        let builder = Cache::builder().initial_capacity(0).async_eviction_listener(
            |key: std::sync::Arc<Key>, value: Value, _| {
                async move {
                    key.check();
                    value.check();
                }
                .boxed()
            },
        );
        MokaAsync(builder.build_with_hasher(Identity::default()))
    }

    async fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value).await;
        self.0.run_pending_tasks().await;
        Previous::Unknown
    }

    async fn remove(&self, key: &Key) -> Previous {
        let old = self.0.remove(key).await;
        self.0.run_pending_tasks().await;
        old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    async fn get(&self, key: &Key, mut read: Reader<'_>) -> bool {
        match self.0.get(key).await {
            Some(value) => read.held(&value).await,
            None => return false,
        }
        true
    }

    async fn for_each(&self, mut visit: Visitor<'_>) {
        for (key, value) in self.0.iter() {
            if visit.held(&key, &value).await.is_break() {
                return;
            }
        }
    }

    async fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.run_pending_tasks().await;
        collect();
        Ok(())
    }
}
