//! `scc-treeindex@async`: the asynchronous half of scc's `TreeIndex`.

use mapcheck::{
    AfterPanic, AsyncMap, Fault, Key, Map as _, Previous, Profile, Reader, Unsupported, Value,
    Visitor,
};
use scc::{Guard, TreeIndex};

use crate::SccTreeIndex;

/// An scc [`TreeIndex`], used through its asynchronous methods.
pub struct SccTreeIndexAsync(TreeIndex<Key, Value>);

impl AsyncMap for SccTreeIndexAsync {
    /// As of `scc-treeindex`, where the documentation says the same.
    fn profile() -> Profile {
        SccTreeIndex::profile()
    }

    fn new() -> SccTreeIndexAsync {
        SccTreeIndexAsync(TreeIndex::new())
    }

    async fn insert(&self, key: Key, value: Value) -> Previous {
        match self.0.insert_async(key, value).await {
            Ok(()) => Previous::Absent,
            Err(_) => Previous::Refused,
        }
    }

    /// As of `scc-treeindex`: the condition may be asked more than once, and the last time counts.
    async fn remove(&self, key: &Key) -> Previous {
        let mut old = Previous::Unknown;
        let condition = |value: &Value| {
            old = Previous::Present(value.id());
            true
        };
        if self.0.remove_if_async(key, condition).await { old } else { Previous::Absent }
    }

    /// `read_async` never returns from a tree that has become empty (`docs/findings/scc.md`), and would hide all else.
    async fn get(&self, key: &Key, mut read: Reader<'_>) -> bool {
        let guard = Guard::new();
        match self.0.peek(key, &guard) {
            Some(value) => read.held(value).await,
            None => return false,
        }
        true
    }

    /// Nothing but the iterator of the synchronous half goes through a tree. A guard may not be held across an await
    /// of a task that can move to another thread; here none does.
    async fn for_each(&self, mut visit: Visitor<'_>) {
        let guard = Guard::new();
        for (key, value) in self.0.iter(&guard) {
            if visit.held(key, value).await.is_break() {
                return;
            }
        }
    }

    fn after_panic() -> AfterPanic {
        SccTreeIndex::after_panic()
    }

    fn excludes() -> &'static [Fault] {
        SccTreeIndex::excludes()
    }

    async fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    /// All keys in a range, as the asynchronous half clears a tree.
    async fn clear(&self) -> Result<(), Unsupported> {
        self.0.remove_range_async::<Key, _>(..).await;
        Ok(())
    }

    /// As of `scc-treeindex`.
    async fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            Guard::new().accelerate();
        }
        Ok(())
    }
}
