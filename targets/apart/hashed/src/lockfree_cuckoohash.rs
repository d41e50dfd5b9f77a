//! `lockfree-cuckoohash`: a lock-free cuckoo hash table of two places a key, with crossbeam's epochs.

use lockfree_cuckoohash::{LockFreeCuckooHash, pin};
use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};

/// A [`LockFreeCuckooHash`] of 4 places.
pub struct Cuckoo(LockFreeCuckooHash<Key, Value>);

impl Map for Cuckoo {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::None,
            promised_by: "lockfree-cuckoohash 0.1 has no iterators",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // Chance decides when no place can be made for a key.
            grows_at: 3,
            write_in_visit: false,
            knobs: "4 places instead of 16; reclaim advances crossbeam's epochs",
        }
    }

    fn new() -> Cuckoo {
        Cuckoo(LockFreeCuckooHash::with_capacity(4))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let old = self.0.insert_with_guard(key, value, &pin()).map(Value::id);
        old.map_or(Previous::Absent, Previous::Present)
    }

    fn remove(&self, key: &Key) -> Previous {
        let old = self.0.remove_with_guard(key, &pin()).map(Value::id);
        old.map_or(Previous::Absent, Previous::Present)
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key, &pin()).map(read).is_some()
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.size())
    }

    /// As of `moka-cht`.
    fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            pin().flush();
        }
        Ok(())
    }
}
