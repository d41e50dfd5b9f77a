//! `lockfree`: a lock-free tree of tables of 256 places, with references protected by a count of readers.

use std::ops::ControlFlow;

use lockfree::map::Map as LockFree;
use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};

/// A lockfree [`Map`](LockFree).
pub struct Lockfree(LockFree<Key, Value>);

impl Map for Lockfree {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "assumed",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // Two hashes that share their low eight bits make a table under the place that they share, which takes 19
            // elements before it is likelier than not.
            grows_at: 18,
            write_in_visit: true,
            knobs: "",
        }
    }

    fn new() -> Lockfree {
        Lockfree(LockFree::new())
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value).map_or(Previous::Absent, |old| Previous::Present(old.val().id()))
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.remove(key).map_or(Previous::Absent, |old| Previous::Present(old.val().id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).map(|entry| read(entry.val())).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.iter().try_for_each(|entry| visit(entry.key(), entry.val()));
    }

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<Lockfree, Unsupported> {
        Ok(Lockfree(elements.into_iter().collect()))
    }
}
