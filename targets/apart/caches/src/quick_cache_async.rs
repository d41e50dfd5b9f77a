//! `quick_cache@async`: as `quick_cache@guard`, with the futures that wait.

use mapcheck::{AsyncMap, Key, Previous, Profile, Reader, Unsupported, Value, Visitor};
use quick_cache::sync::{EntryAction, EntryResult};

use crate::quick_cache::{ENOUGH, Even, of, profile};

/// A [`Cache`](quick_cache::sync::Cache) that is never full.
pub struct QuickCacheAsync(Even);

impl AsyncMap for QuickCacheAsync {
    fn profile() -> Profile {
        profile()
    }

    fn new() -> QuickCacheAsync {
        QuickCacheAsync(of(ENOUGH))
    }

    /// As of `quick_cache@guard`.
    async fn insert(&self, key: Key, value: Value) -> Previous {
        match self.0.get_value_or_guard_async(&key).await {
            Err(guard) => {
                let _ = guard.insert(value);
                Previous::Absent
            }
            Ok(_) => Previous::Refused,
        }
    }

    /// As of `quick_cache@guard`.
    async fn remove(&self, key: &Key) -> Previous {
        match self.0.entry_async::<_, ()>(key, |_, _| EntryAction::Remove).await {
            EntryResult::Removed(_, old) => Previous::Present(old.id()),
            _ => Previous::Absent,
        }
    }

    async fn get(&self, key: &Key, mut read: Reader<'_>) -> bool {
        match self.0.get(key) {
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

    async fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    async fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear();
        Ok(())
    }
}
