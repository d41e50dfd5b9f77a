//! `clashmap`: a fork of dashmap, whose tables are open to tables of any kind.

use std::ops::ControlFlow;

use clashmap::ClashMap;
use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};

/// A [`ClashMap`] of two shards.
pub struct Clashmap(ClashMap<Key, Value>);

impl Map for Clashmap {
    fn profile() -> Profile {
        Profile {
            // Shards are locked one after the other: what stays is visited once, but at different moments.
            iteration: Iteration::WeaklyConsistent,
            promised_by: "assumed",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // A shard's table holds 3 elements, then 7, then 14; two shards of 3 are full at 6.
            grows_at: 6,
            // An iteration holds the read lock of its shard.
            write_in_visit: false,
            knobs: "2 shards, the fewest",
        }
    }

    fn new() -> Clashmap {
        Clashmap(ClashMap::with_shard_amount(2))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value).map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.remove(key).map_or(Previous::Absent, |(_, old)| Previous::Present(old.id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).map(|entry| read(entry.value())).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.iter().try_for_each(|entry| visit(entry.key(), entry.value()));
    }

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<Clashmap, Unsupported> {
        Ok(Clashmap(elements.into_iter().collect()))
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    fn shrink(&self) -> Result<(), Unsupported> {
        self.0.shrink_to_fit();
        Ok(())
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear();
        Ok(())
    }

    fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        self.0.retain(|key, value| keep(key, value));
        Ok(())
    }
}
