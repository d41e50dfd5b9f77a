//! `once_map`: hash tables behind locks, one a shard; whoever makes a value lets others wait for it.

use std::ops::ControlFlow;

use mapcheck::{
    AfterPanic, Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value,
};
use once_map::OnceMap;

use crate::Spread;

/// A [`OnceMap`] whose shards fill evenly.
pub struct OnceMapOf(OnceMap<Key, Box<Value>, Spread>);

impl Map for OnceMapOf {
    fn profile() -> Profile {
        Profile {
            // Docs of `OnceMap::read_only_view`: it locks the whole map for reading.
            iteration: Iteration::Locked,
            promised_by: "once_map 0.4 docs, OnceMap::read_only_view",
            consistency: Consistency::Linearizable,
            atomic: Atomic { len: true, ..Atomic::NONE },
            // A shard's table holds 3 elements; there are four shards for each processor, 16.
            grows_at: 48,
            write_in_visit: false,
            knobs: "none: the number of shards cannot be chosen; a hasher that fills them evenly",
        }
    }

    /// hashbrown's tables lose elements when a hash panics while they grow, and nothing promises otherwise.
    fn after_panic() -> AfterPanic {
        AfterPanic::Unspecified
    }

    fn new() -> OnceMapOf {
        OnceMapOf(OnceMap::with_hasher(Spread::default()))
    }

    /// Docs of `OnceMap::insert`: the closure is called only if there is no value, and by one caller at a time.
    fn insert(&self, key: Key, value: Value) -> Previous {
        let own = value.id();
        let mut value = Some(value);
        let kept = self.0.insert(key, |_| Box::new(value.take().expect("it is made once")));
        if kept.id() == own { Previous::Absent } else { Previous::Refused }
    }

    fn remove(&self, _key: &Key) -> Previous {
        Previous::Unsupported
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.read_only_view().iter().try_for_each(|(key, value)| visit(key, value));
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.read_only_view().len())
    }
}
