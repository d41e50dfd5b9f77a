//! `rart`: an adaptive radix tree whose versions share nodes, and copy those that another version has.

use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mapcheck::{
    AfterPanic, Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value,
};
use rart::{ArrayKey, VersionedAdaptiveRadixTree};

type Tree = VersionedAdaptiveRadixTree<ArrayKey<8>, Value>;

/// The newest version behind a lock, from numbers of keys, as bytes. Readers take a snapshot, and no lock while they
/// read.
pub struct Rart(Mutex<Tree>);

fn bytes(key: &Key) -> ArrayKey<8> {
    ArrayKey::new_from_array(key.id().to_be_bytes())
}

impl Rart {
    fn newest(&self) -> MutexGuard<'_, Tree> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Map for Rart {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::Snapshot,
            promised_by: "rart 0.11 README, VersionedAdaptiveRadixTree",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // A node of 4 children is the smallest; the next one makes it a node of 16.
            grows_at: 4,
            // A snapshot is the visitor's own.
            write_in_visit: true,
            knobs: "none; keys are their numbers",
        }
    }

    /// A change that panics may be half done, in the version that is changed.
    fn after_panic() -> AfterPanic {
        AfterPanic::Unspecified
    }

    fn new() -> Rart {
        Rart(Mutex::new(Tree::new()))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let old = self.newest().insert_and_replace_k(&bytes(&key), value);
        old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn remove(&self, key: &Key) -> Previous {
        let old = self.newest().remove_k(&bytes(key));
        old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let snapshot = self.newest().snapshot();
        snapshot.get_k(&bytes(key)).map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let snapshot = self.newest().snapshot();
        let visit = |(key, value): (ArrayKey<8>, &Value)| visit(&Key::new(key.to_be_u64()), value);
        let _ = snapshot.iter().try_for_each(visit);
    }

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<Rart, Unsupported> {
        let map = Rart::new();
        elements.into_iter().for_each(|(key, value)| _ = map.insert(key, value));
        Ok(map)
    }
}
