//! `concread@hashtrie`: concread's trie of hashes, with the transactions of its `HashTrie`.

use std::ops::ControlFlow;

use concread::hashtrie::HashTrie;
use mapcheck::{
    AfterPanic, Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value,
};

/// A concread [`HashTrie`], each operation of which is a transaction.
pub struct ConcreadTrie(HashTrie<Key, Value>);

impl Map for ConcreadTrie {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::Snapshot,
            promised_by: "concread 0.5 crate docs: the content of a reader's transaction remains the same",
            consistency: Consistency::Linearizable,
            atomic: Atomic { len: true, clear: true, retain: false },
            // A branch has 16 places, by four bits of the hash.
            grows_at: 16,
            // Readers do not block writers.
            write_in_visit: true,
            knobs: "std's hasher instead of foldhash",
        }
    }

    fn new() -> ConcreadTrie {
        ConcreadTrie(HashTrie::new())
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

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<ConcreadTrie, Unsupported> {
        Ok(ConcreadTrie(elements.into_iter().collect()))
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
