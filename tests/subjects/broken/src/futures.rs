//! Maps of futures, two of which nothing is wrong with unless a future is dropped in the middle.

use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{self, MutexGuard};
use std::task::Poll;

use mapcheck::{
    AsyncMap, Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Reader, Value, Visitor,
};
use tokio::sync::{Mutex, Notify};

use crate::bugs;
use crate::map::Broken;

/// What all of them promise.
fn profile() -> Profile {
    Profile {
        iteration: Iteration::Locked,
        consistency: Consistency::Linearizable,
        atomic: Atomic::NONE,
        ..Broken::<bugs::None>::profile()
    }
}

fn id_of(old: Option<Value>) -> Previous {
    old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
}

/// A map behind an asynchronous lock. While it shows an element, the element is where it belongs, or it is not.
pub struct Locked<const TAKES_OUT: bool>(Mutex<HashMap<Key, Value>>);

impl<const TAKES_OUT: bool> AsyncMap for Locked<TAKES_OUT> {
    fn profile() -> Profile {
        profile()
    }

    fn new() -> Self {
        Locked(Mutex::new(HashMap::with_capacity(7)))
    }

    async fn insert(&self, key: Key, value: Value) -> Previous {
        id_of(self.0.lock().await.insert(key, value))
    }

    async fn remove(&self, key: &Key) -> Previous {
        id_of(self.0.lock().await.remove(key))
    }

    async fn get(&self, key: &Key, mut read: Reader<'_>) -> bool {
        let mut map = self.0.lock().await;
        if !TAKES_OUT {
            let Some(value) = map.get(key) else { return false };
            read.held(value).await;
            return true;
        }
        let Some((key, value)) = map.remove_entry(key) else { return false };
        read.held(&value).await;
        map.insert(key, value);
        true
    }

    async fn for_each(&self, mut visit: Visitor<'_>) {
        for (key, value) in &*self.0.lock().await {
            if visit.held(key, value).await.is_break() {
                break;
            }
        }
    }
}

/// A map that one task at a time is busy with, as a flag says. The flag is reset by a destructor, or at the end.
pub struct Busy<const GUARDED: bool> {
    map: UnsafeCell<HashMap<Key, Value>>,
    busy: AtomicBool,
    free: Notify,
}

// SAFETY: the map is used only by the task that set the flag.
unsafe impl<const GUARDED: bool> Sync for Busy<GUARDED> {}

/// Resets the flag when it is dropped.
struct Reset<'a>(Option<(&'a AtomicBool, &'a Notify)>);

impl Drop for Reset<'_> {
    fn drop(&mut self) {
        if let Some((busy, free)) = self.0 {
            busy.store(false, Ordering::Release);
            free.notify_one();
        }
    }
}

impl<const GUARDED: bool> Busy<GUARDED> {
    /// Runs `f` while nobody else does.
    async fn busy_with<R>(&self, f: impl AsyncFnOnce(&mut HashMap<Key, Value>) -> R) -> R {
        while self.busy.swap(true, Ordering::AcqRel) {
            self.free.notified().await;
        }
        let guard = Reset(GUARDED.then_some((&self.busy, &self.free)));
        // SAFETY: see above.
        let result = f(unsafe { &mut *self.map.get() }).await;
        drop(guard);
        if !GUARDED {
            drop(Reset(Some((&self.busy, &self.free))));
        }
        result
    }
}

impl<const GUARDED: bool> AsyncMap for Busy<GUARDED> {
    fn profile() -> Profile {
        profile()
    }

    fn new() -> Self {
        let map = UnsafeCell::new(HashMap::with_capacity(7));
        Busy { map, busy: AtomicBool::new(false), free: Notify::new() }
    }

    async fn insert(&self, key: Key, value: Value) -> Previous {
        self.busy_with(async |map| id_of(map.insert(key, value))).await
    }

    async fn remove(&self, key: &Key) -> Previous {
        self.busy_with(async |map| id_of(map.remove(key))).await
    }

    async fn get(&self, key: &Key, mut read: Reader<'_>) -> bool {
        self.busy_with(async |map| {
            let Some(value) = map.get(key) else { return false };
            read.held(value).await;
            true
        })
        .await
    }

    async fn for_each(&self, mut visit: Visitor<'_>) {
        self.busy_with(async |map| {
            for (key, value) in map.iter() {
                if visit.held(key, value).await.is_break() {
                    break;
                }
            }
        })
        .await;
    }
}

/// A map behind a lock that a task never waits for: it asks for it again and again, and wakes itself in between.
pub struct AsksAgain(sync::Mutex<HashMap<Key, Value>>);

impl AsksAgain {
    async fn lock(&self) -> MutexGuard<'_, HashMap<Key, Value>> {
        poll_fn(|context| {
            let Ok(guard) = self.0.try_lock() else {
                context.waker().wake_by_ref();
                return Poll::Pending;
            };
            Poll::Ready(guard)
        })
        .await
    }
}

impl AsyncMap for AsksAgain {
    fn profile() -> Profile {
        profile()
    }

    fn new() -> Self {
        AsksAgain(sync::Mutex::new(HashMap::with_capacity(7)))
    }

    async fn insert(&self, key: Key, value: Value) -> Previous {
        id_of(self.lock().await.insert(key, value))
    }

    async fn remove(&self, key: &Key) -> Previous {
        id_of(self.lock().await.remove(key))
    }

    async fn get(&self, key: &Key, mut read: Reader<'_>) -> bool {
        let map = self.lock().await;
        let Some(value) = map.get(key) else { return false };
        read.held(value).await;
        true
    }

    async fn for_each(&self, mut visit: Visitor<'_>) {
        for (key, value) in &*self.lock().await {
            if visit.held(key, value).await.is_break() {
                break;
            }
        }
    }
}
