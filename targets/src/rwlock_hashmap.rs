//! `rwlock-hashmap`: std's `HashMap` behind std's `RwLock`, which is what the others are measured against.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use mapcheck::{
    AfterPanic, Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value,
};

/// A [`HashMap`] in a [`RwLock`].
pub struct RwLockHashMap(RwLock<HashMap<Key, Value>>);

impl RwLockHashMap {
    fn read(&self) -> RwLockReadGuard<'_, HashMap<Key, Value>> {
        self.0.read().expect("poisoned by a panic that was reported")
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Key, Value>> {
        self.0.write().expect("poisoned by a panic that was reported")
    }
}

impl Map for RwLockHashMap {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::Locked,
            promised_by: "std docs, RwLock",
            consistency: Consistency::Linearizable,
            atomic: Atomic::ALL,
            // `new` asks for 7 elements: the smallest table, of 3, would grow within the first four inserts.
            grows_at: 7,
            write_in_visit: false,
            knobs: "",
        }
    }

    fn new() -> RwLockHashMap {
        RwLockHashMap(RwLock::new(HashMap::with_capacity(7)))
    }

    /// std docs, `RwLock`, Poisoning: it is poisoned when a writer panics.
    fn after_panic() -> AfterPanic {
        AfterPanic::Unspecified
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let old = self.write().insert(key, value);
        old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn remove(&self, key: &Key) -> Previous {
        let old = self.write().remove(key);
        old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.read().get(key).map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.read().iter().try_for_each(|(key, value)| visit(key, value));
    }

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<RwLockHashMap, Unsupported> {
        Ok(RwLockHashMap(RwLock::new(elements.into_iter().collect())))
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.read().len())
    }

    fn reserve(&self, additional: usize) -> Result<(), Unsupported> {
        self.write().reserve(additional);
        Ok(())
    }

    fn shrink(&self) -> Result<(), Unsupported> {
        self.write().shrink_to_fit();
        Ok(())
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.write().clear();
        Ok(())
    }

    fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        self.write().retain(|key, value| keep(key, value));
        Ok(())
    }
}
