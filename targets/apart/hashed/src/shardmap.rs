//! `shardmap`: hash tables behind reader-writer locks, one a shard, whose elements may have a time to live.

use std::ops::ControlFlow;

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};
use shardmap::ShardMap;

/// A [`ShardMap`] of two shards, whose elements live until they are removed.
pub struct Shardmap(ShardMap<Key, Value, 2>);

impl Map for Shardmap {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "assumed; shardmap 0.9 docs, ShardMap::visit_entries: each shard is locked meanwhile",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // As of `dashmap`: 3 elements a shard.
            grows_at: 6,
            // An iteration holds the read lock of its shard.
            write_in_visit: false,
            knobs: "2 shards",
        }
    }

    fn new() -> Shardmap {
        Shardmap(ShardMap::new())
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value).map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.remove(key).map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get_ref(key).map(|entry| read(entry.value())).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        self.0.visit_entries(|key, value| visit(key, value).is_continue());
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }
}
