//! `concurrent-map`: a lock-free B+ tree whose nodes are copied by every write, with epochs of its own.
//!
//! A map can be sent to another thread and not shared: each thread has a clone of its own.

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use concurrent_map::{ConcurrentMap, Minimum};
use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};

/// A key, or what is below all keys: the tree wants a constant that is, which no [`Key`] can be.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bounded {
    /// Below all keys.
    Least,
    /// A key.
    Key(Key),
}

impl Minimum for Bounded {
    const MIN: Bounded = Bounded::Least;
}

/// Nodes of 4 elements, and garbage bags of one.
pub type Tree = ConcurrentMap<Bounded, Value, 4, 1>;

/// Calls into the epochs' maintenance, which every 128th pin of a clone makes. A bag is freed when two of them have
/// gone by since it was closed.
const PINS: usize = 3 * 128;

/// A [`ConcurrentMap`], cloned for each operation.
pub struct Cloned(Mutex<Tree>);

impl Cloned {
    /// A clone for the calling thread.
    fn tree(&self) -> Tree {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What both configurations promise.
pub fn profile() -> Profile {
    Profile {
        iteration: Iteration::WeaklyConsistent,
        promised_by: "concurrent-map 5.0 docs, ConcurrentMap::iter; that no key repeats is assumed",
        consistency: Consistency::Linearizable,
        // The docs of `len`: lagging, eventually consistent.
        atomic: Atomic::NONE,
        // A leaf is split when it holds 4 elements.
        grows_at: 3,
        // An iteration holds a guard, and clones what it yields.
        write_in_visit: true,
        knobs: "nodes of 4 elements instead of 64; garbage bags of 1 instead of 128; a clone for each operation",
    }
}

/// Inserts into a tree.
pub fn insert(tree: &Tree, key: Key, value: Value) -> Previous {
    let old = tree.insert(Bounded::Key(key), value);
    old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
}

/// Removes from a tree.
pub fn remove(tree: &Tree, key: &Key) -> Previous {
    let old = tree.remove(&Bounded::Key(key.clone()));
    old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
}

/// Reads from a tree.
pub fn get(tree: &Tree, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
    tree.get(&Bounded::Key(key.clone())).map(|value| read(&value)).is_some()
}

/// Iterates over a tree.
pub fn for_each(tree: &Tree, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
    let _ = tree.iter().try_for_each(|(key, value)| match key {
        Bounded::Least => ControlFlow::Continue(()),
        Bounded::Key(key) => visit(&key, &value),
    });
}

/// A tree made in one go.
pub fn from_elements(elements: Vec<(Key, Value)>) -> Tree {
    elements.into_iter().map(|(key, value)| (Bounded::Key(key), value)).collect()
}

/// Drives the epochs with reads of what is below all keys.
pub fn reclaim(tree: &Tree) {
    (0..PINS).for_each(|_| drop(tree.get(&Bounded::Least)));
}

impl Map for Cloned {
    fn profile() -> Profile {
        profile()
    }

    fn new() -> Cloned {
        Cloned(Mutex::new(Tree::new()))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        insert(&self.tree(), key, value)
    }

    fn remove(&self, key: &Key) -> Previous {
        remove(&self.tree(), key)
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        get(&self.tree(), key, read)
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        for_each(&self.tree(), visit);
    }

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<Cloned, Unsupported> {
        Ok(Cloned(Mutex::new(from_elements(elements))))
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.tree().len())
    }

    /// Bags of clones that are gone are taken in by whoever does the maintenance.
    fn reclaim(&self) -> Result<(), Unsupported> {
        reclaim(&self.tree());
        Ok(())
    }
}
