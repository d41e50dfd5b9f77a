//! `ferntree`: a B+ tree with optimistic lock coupling, with crossbeam's epochs.

use std::ops::ControlFlow;
use std::sync::Arc;

use ferntree::GenericTree;
use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};

/// Keys of an inner node, and elements of a leaf.
const NODE: usize = 4;

/// A [`GenericTree`] of small nodes; `OPTIMISTIC` reads and writes as its docs ask for where reads take no lock.
///
/// A type of one's own in it takes unsafe code. `Arc` is one that it comes with.
pub struct Ferntree<const OPTIMISTIC: bool>(GenericTree<Arc<Key>, Arc<Value>, NODE, NODE>);

impl<const OPTIMISTIC: bool> Map for Ferntree<OPTIMISTIC> {
    fn profile() -> Profile {
        Profile {
            // "Iterator sees a consistent snapshot" stands beside an assertion that holds of less.
            iteration: Iteration::WeaklyConsistent,
            promised_by: "assumed; ferntree 0.7 crate docs, Iterator usage, say more in passing",
            // As above, Operation atomicity.
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // A leaf is split when a fifth element comes.
            grows_at: 4,
            // An iteration holds the lock of its leaf.
            write_in_visit: false,
            knobs: "nodes of 4 instead of 64; crossbeam's global epochs are driven by reclaim",
        }
    }

    fn new() -> Ferntree<OPTIMISTIC> {
        Ferntree(GenericTree::new())
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let (key, value) = (Arc::new(key), Arc::new(value));
        if OPTIMISTIC {
            let replaced = self.0.insert_defer(key, value);
            return if replaced { Previous::Unknown } else { Previous::Absent };
        }
        self.0.insert(key, value).map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn remove(&self, key: &Key) -> Previous {
        if OPTIMISTIC {
            return if self.0.remove_defer(key) { Previous::Unknown } else { Previous::Absent };
        }
        self.0.remove(key).map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let found =
            if OPTIMISTIC { self.0.get_optimistic(key) } else { self.0.lookup(key, Arc::clone) };
        found.map(|value| read(&value)).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let mut elements = self.0.raw_iter();
        elements.seek_to_first();
        while let Some((key, value)) = elements.next() {
            if visit(key, value).is_break() {
                return;
            }
        }
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear();
        Ok(())
    }

    /// Each flush hands over this thread's garbage, tries to advance the epoch once, and frees what is two epochs old.
    fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            crossbeam_epoch::pin().flush();
        }
        Ok(())
    }
}
