//! `moka-cht@segmented`: moka-cht's tables, dealt out by the high bits of the hash, with one length.

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};
use moka_cht::SegmentedHashMap;

/// A moka-cht [`SegmentedHashMap`] of 2 segments.
pub struct MokaChtSegmented(SegmentedHashMap<Key, Value>);

impl Map for MokaChtSegmented {
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
            knobs: "2 segments of 8 buckets each; reclaim advances crossbeam's epochs",
        }
    }

    fn new() -> MokaChtSegmented {
        MokaChtSegmented(SegmentedHashMap::with_num_segments_and_capacity(2, 8))
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
