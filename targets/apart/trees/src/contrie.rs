//! `contrie`: a lock-free hash trie of 16-way nodes, with reference-counted elements and crossbeam's epochs.

use std::ops::ControlFlow;

use contrie::ConMap;
use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};

use crate::spread::Spread;

/// A contrie [`ConMap`] whose nodes fill evenly.
pub struct Contrie(ConMap<Key, Value, Spread>);

impl Map for Contrie {
    fn profile() -> Profile {
        Profile {
            // It says that an iteration is no snapshot, and what changes may or may not be in it.
            iteration: Iteration::WeaklyConsistent,
            promised_by: "contrie 0.1 crate docs, Downsides: no snapshot; each key once is assumed",
            // Keys are independent of each other there, which is what this is judged by.
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // The 17th element shares a cell of the first node with another, and pushes it a level down.
            grows_at: 16,
            // An iteration pins an epoch, and holds no lock.
            write_in_visit: true,
            knobs: "a hasher that fills nodes evenly; crossbeam's global epochs are driven by reclaim",
        }
    }

    /// contrie 0.1 crate docs: the implementation is lock-free.
    fn nonblocking() -> bool {
        true
    }

    /// The epochs' collector is made before any thread needs it: the first to use it holds up all others meanwhile.
    fn new() -> Contrie {
        drop(epoch_of_contrie::pin());
        Contrie(ConMap::with_hasher(Spread::default()))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let old = self.0.insert(key, value);
        old.map_or(Previous::Absent, |old| Previous::Present(old.value().id()))
    }

    fn remove(&self, key: &Key) -> Previous {
        let old = self.0.remove(key);
        old.map_or(Previous::Absent, |old| Previous::Present(old.value().id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).map(|found| read(found.value())).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.iter().try_for_each(|found| visit(found.key(), found.value()));
    }

    /// `FromIterator` is there for the standard library's hasher alone; it does no more than this.
    fn from_elements(elements: Vec<(Key, Value)>) -> Result<Contrie, Unsupported> {
        let mut map = Contrie::new();
        map.0.extend(elements);
        Ok(map)
    }

    /// contrie has an epoch crate of its own, 0.7, whose collector each flush drives as that of 0.9.
    fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            epoch_of_contrie::pin().flush();
        }
        Ok(())
    }

    fn abandon(&self) -> Result<(), Unsupported> {
        std::mem::forget(self.0.iter());
        Ok(())
    }
}
