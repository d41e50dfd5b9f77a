//! `elsa`: a hash map of boxes behind a lock, of which nothing is removed.

use std::ops::ControlFlow;

use elsa::sync::FrozenMap;
use mapcheck::{
    AfterPanic, Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value,
};

/// An elsa [`FrozenMap`].
pub struct Elsa(FrozenMap<Key, Box<Value>>);

impl Map for Elsa {
    fn profile() -> Profile {
        Profile {
            // The keys are copied under the lock, and their values never change.
            iteration: Iteration::Snapshot,
            promised_by: "assumed",
            consistency: Consistency::Linearizable,
            atomic: Atomic { len: true, ..Atomic::NONE },
            grows_at: 3,
            write_in_visit: true,
            knobs: "",
        }
    }

    /// Its lock is poisoned, and later calls panic.
    fn after_panic() -> AfterPanic {
        AfterPanic::Unspecified
    }

    fn new() -> Elsa {
        Elsa(FrozenMap::new())
    }

    /// Docs of `FrozenMap::insert`: existing values are never overwritten.
    fn insert(&self, key: Key, value: Value) -> Previous {
        let own = value.id();
        let kept = self.0.insert(key, Box::new(value));
        if kept.id() == own { Previous::Absent } else { Previous::Refused }
    }

    fn remove(&self, _key: &Key) -> Previous {
        Previous::Unsupported
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let element = |key: &Key| self.0.get(key).expect("nothing is removed");
        let _ = self.0.keys_cloned().iter().try_for_each(|key| visit(key, element(key)));
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }
}
