//! What is checked of shardmap.

use std::ops::ControlFlow;

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Target, Value};
use shardmap::ShardMap;

/// The adapter.
pub struct Checked(ShardMap<Key, Value>);

fn previous(old: Option<Value>) -> Previous {
    old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
}

impl Map for Checked {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "shardmap docs, for_each",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            grows_at: 4,
            write_in_visit: false,
            knobs: "one shard",
        }
    }

    fn new() -> Checked {
        Checked(ShardMap::with_shards(1))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        previous(self.0.insert(key, value))
    }

    fn remove(&self, key: &Key) -> Previous {
        previous(self.0.remove(key))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key, read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        self.0.for_each(visit);
    }
}

/// The targets, by the names in the manifest.
pub fn targets() -> Vec<Target> {
    // The name, the crate of the map, and the versions of all that it depends on.
    vec![Target::of::<Checked>("shardmap", "shardmap", include_str!("../../Cargo.lock"))]
}
