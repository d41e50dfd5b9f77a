//! `cachemap2`: a dashmap of `Arc`s, of which nothing is removed.

use cachemap2::CacheMap;
use mapcheck::{AfterPanic, Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Value};

use crate::Spread;

/// A [`CacheMap`] whose shards fill evenly.
pub struct CacheMap2(CacheMap<Key, Value, Spread>);

impl Map for CacheMap2 {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::None,
            promised_by: "cachemap2 0.3 docs, CacheMap::cache",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // A shard's table holds 3 elements; there are four shards for each processor, 16.
            grows_at: 48,
            write_in_visit: false,
            knobs: "none: the number of shards cannot be chosen; a hasher that fills them evenly",
        }
    }

    /// dashmap's shards keep their lock when the key that is given up panics, by rust-lang/rust#47949.
    fn after_panic() -> AfterPanic {
        AfterPanic::Unspecified
    }

    fn new() -> CacheMap2 {
        CacheMap2(CacheMap::with_hasher(Spread::default()))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let own = value.id();
        let kept = self.0.cache(key, || value).as_ref();
        if kept.id() == own { Previous::Absent } else { Previous::Refused }
    }

    fn remove(&self, _key: &Key) -> Previous {
        Previous::Unsupported
    }

    /// It has no call that only looks: the value is made by none, and read where it is there.
    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        if !self.0.contains_key(key) {
            return false;
        }
        read(self.0.cache(key.clone(), || unreachable!("nothing is removed")).as_ref());
        true
    }
}
