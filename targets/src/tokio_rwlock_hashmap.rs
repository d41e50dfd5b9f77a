//! `tokio-rwlock-hashmap`: std's `HashMap` behind tokio's `RwLock`, which asynchronous maps are measured against.

use std::collections::HashMap;
use std::future::Future;
use std::rc::Rc;

use mapcheck::async_map::park_on;
use mapcheck::{
    AsyncMap, Atomic, Consistency, Iteration, Key, Previous, Profile, Reader, Unsupported, Value,
    Visitor,
};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::RwLock;

thread_local! {
    /// Each thread has a runtime of its own, made when it first waits, and dropped when it ends. Without I/O it waits
    /// on a condition variable, which the machine knows.
    static RUNTIME: Rc<Runtime> = Rc::new(
        Builder::new_current_thread().enable_time().build().expect("nothing is asked of the system"),
    );
}

/// A [`HashMap`] in a tokio [`RwLock`].
pub struct TokioRwLockHashMap(RwLock<HashMap<Key, Value>>);

impl AsyncMap for TokioRwLockHashMap {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::Locked,
            promised_by: "tokio docs, sync::RwLock",
            consistency: Consistency::Linearizable,
            atomic: Atomic::ALL,
            // As of `rwlock-hashmap`.
            grows_at: 7,
            write_in_visit: false,
            knobs: "",
        }
    }

    fn new() -> TokioRwLockHashMap {
        TokioRwLockHashMap(RwLock::new(HashMap::with_capacity(7)))
    }

    async fn insert(&self, key: Key, value: Value) -> Previous {
        let old = self.0.write().await.insert(key, value);
        old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    async fn remove(&self, key: &Key) -> Previous {
        let old = self.0.write().await.remove(key);
        old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    async fn get(&self, key: &Key, mut read: Reader<'_>) -> bool {
        match self.0.read().await.get(key) {
            Some(value) => read.held(value).await,
            None => return false,
        }
        true
    }

    async fn for_each(&self, mut visit: Visitor<'_>) {
        for (key, value) in &*self.0.read().await {
            if visit.held(key, value).await.is_break() {
                break;
            }
        }
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        match RUNTIME.try_with(Rc::clone) {
            Ok(runtime) => runtime.block_on(future),
            // The thread is ending, and its runtime has ended.
            Err(_) => park_on::<Self, F>(future),
        }
    }

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<TokioRwLockHashMap, Unsupported> {
        Ok(TokioRwLockHashMap(RwLock::new(elements.into_iter().collect())))
    }

    async fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.read().await.len())
    }

    async fn reserve(&self, additional: usize) -> Result<(), Unsupported> {
        self.0.write().await.reserve(additional);
        Ok(())
    }

    async fn shrink(&self) -> Result<(), Unsupported> {
        self.0.write().await.shrink_to_fit();
        Ok(())
    }

    async fn clear(&self) -> Result<(), Unsupported> {
        self.0.write().await.clear();
        Ok(())
    }

    async fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        self.0.write().await.retain(|key, value| keep(key, value));
        Ok(())
    }
}
