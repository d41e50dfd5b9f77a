//! `concread`: a copy-on-write tree of hashes with transactions: many readers, each of its version, and one writer.

use std::ops::ControlFlow;

use concread::hashmap::HashMap;
use mapcheck::{
    AfterPanic, Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value,
};

/// A concread [`HashMap`], each operation of which is a transaction.
pub struct Concread(HashMap<Key, Value>);

impl Map for Concread {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::Snapshot,
            promised_by: "concread 0.5 crate docs: the content of a reader's transaction remains the same",
            consistency: Consistency::Linearizable,
            atomic: Atomic { len: true, clear: true, retain: false },
            // A leaf holds the buckets of 7 hashes.
            grows_at: 7,
            // Readers do not block writers.
            write_in_visit: true,
            knobs: "std's hasher instead of foldhash",
        }
    }

    fn new() -> Concread {
        Concread(HashMap::new())
    }

    /// The documentation is silent; a panic poisons the mutex of the writers, and later calls panic.
    fn after_panic() -> AfterPanic {
        AfterPanic::Unspecified
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let mut map = self.0.write();
        let old = map.insert(key, value);
        map.commit();
        old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn remove(&self, key: &Key) -> Previous {
        let mut map = self.0.write();
        let old = map.remove(key);
        map.commit();
        old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.read().get(key).map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.read().iter().try_for_each(|(key, value)| visit(key, value));
    }

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<Concread, Unsupported> {
        Ok(Concread(elements.into_iter().collect()))
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.read().len())
    }

    fn clear(&self) -> Result<(), Unsupported> {
        let mut map = self.0.write();
        map.clear();
        map.commit();
        Ok(())
    }
}
