//! `indexset`: ordered vectors behind a mutex each, found through a skip list.

use std::ops::ControlFlow;

use indexset::concurrent::map::BTreeMap;
use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};

/// Elements of a node.
const NODE: usize = 4;

/// An indexset [`BTreeMap`]; `COLLECTED` takes all references that an iteration yields before it looks at the first.
pub struct Indexset<const COLLECTED: bool>(BTreeMap<Key, Value>);

impl<const COLLECTED: bool> Map for Indexset<COLLECTED> {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "assumed",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // The next one splits a node.
            grows_at: 4,
            // An iteration holds the lock of its node.
            write_in_visit: false,
            knobs: "nodes of 4 elements instead of 1024; crossbeam's global epochs are driven by reclaim",
        }
    }

    fn new() -> Indexset<COLLECTED> {
        Indexset(BTreeMap::with_maximum_node_size(NODE))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value).map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.remove(key).map_or(Previous::Absent, |(_, old)| Previous::Present(old.id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).map(|found| read(&found.get().value)).is_some()
    }

    /// The references live as long as the map, by their type.
    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        if COLLECTED {
            let all: Vec<(&Key, &Value)> = self.0.iter().collect();
            let _ = all.into_iter().try_for_each(|(key, value)| visit(key, value));
        } else {
            let _ = self.0.iter().try_for_each(|(key, value)| visit(key, value));
        }
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    /// The skip list of nodes is freed through epochs.
    fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            crossbeam_epoch::pin().flush();
        }
        Ok(())
    }
}
