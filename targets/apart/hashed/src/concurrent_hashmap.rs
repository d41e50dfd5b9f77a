//! `concurrent-hashmap`: Robin Hood tables behind spinning locks, one a partition.

use std::hash::RandomState;
use std::ops::ControlFlow;

use concurrent_hashmap::{ConcHashMap, Options};
use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};

/// A [`ConcHashMap`] of two partitions.
pub struct ConcurrentHashmap(ConcHashMap<Key, Value>);

impl Map for ConcurrentHashmap {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "concurrent-hashmap 0.2 docs, ConcHashMap::iter",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // A partition begins with no place at all, and grows by the first element.
            grows_at: 6,
            // An iteration holds the lock of its partition.
            write_in_visit: false,
            knobs: "2 partitions instead of 16",
        }
    }

    fn new() -> ConcurrentHashmap {
        let hasher_factory = RandomState::new();
        let options = Options { capacity: 0, hasher_factory, concurrency: 2 };
        ConcurrentHashmap(ConcHashMap::<Key, Value>::with_options(options))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value).map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.remove(key).map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.find(key).map(|entry| read(entry.get())).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.iter().try_for_each(|(key, value)| visit(key, value));
    }

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<ConcurrentHashmap, Unsupported> {
        Ok(ConcurrentHashmap(elements.into_iter().collect()))
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear();
        Ok(())
    }
}
