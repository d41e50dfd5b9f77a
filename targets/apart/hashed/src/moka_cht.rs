//! `moka-cht`: a lock-free open-addressing table of pointers, with references protected by crossbeam's epochs.

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};
use moka_cht::HashMap;

/// A moka-cht [`HashMap`] of 8 buckets.
pub struct MokaCht(HashMap<Key, Value>);

impl Map for MokaCht {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::None,
            promised_by: "moka-cht 0.5 has no iterators",
            // "Fully concurrent lookups, insertions, modifications, and deletions": assumed.
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // It grows before an insertion that finds more elements than half of its 8 buckets.
            grows_at: 5,
            write_in_visit: false,
            knobs: "8 buckets instead of 128; reclaim advances crossbeam's epochs",
        }
    }

    fn new() -> MokaCht {
        MokaCht(HashMap::with_capacity(4))
    }

    /// moka-cht 0.5 crate docs: "moka-cht provides a lock-free hash table".
    fn nonblocking() -> bool {
        true
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert_and(key, value, Value::id).map_or(Previous::Absent, Previous::Present)
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.remove_and(key, Value::id).map_or(Previous::Absent, Previous::Present)
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get_and(key, read).is_some()
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    /// Each flush hands over this thread's garbage, tries to advance the epoch once, and frees what is two epochs old.
    fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            crossbeam_epoch::pin().flush();
        }
        Ok(())
    }

    /// All that it can leave behind.
    fn abandon(&self) -> Result<(), Unsupported> {
        std::mem::forget(crossbeam_epoch::pin());
        Ok(())
    }
}
