//! `scc-treeindex`: scc's `TreeIndex`, a B-plus tree with reads that take no lock.

use std::ops::ControlFlow;

use mapcheck::{
    Atomic, Consistency, Fault, Iteration, Key, Map, Previous, Profile, Unsupported, Value,
};
use scc::{Guard, TreeIndex};

/// An scc [`TreeIndex`].
pub struct SccTreeIndex(TreeIndex<Key, Value>);

impl Map for SccTreeIndex {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "scc 3 docs, TreeIndex, Note",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // A leaf holds 15 elements; the next splits it.
            grows_at: 15,
            // `iter` takes no lock.
            write_in_visit: true,
            knobs: "none; sdd's global epochs are driven by reclaim",
        }
    }

    /// scc 3 docs, `TreeIndex`, Unwind safety: `K::drop` and `V::drop` must not panic.
    fn excludes() -> &'static [Fault] {
        &[Fault::PanicInDrop]
    }

    fn new() -> SccTreeIndex {
        SccTreeIndex(TreeIndex::new())
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        match self.0.insert_sync(key, value) {
            Ok(()) => Previous::Absent,
            Err(_) => Previous::Refused,
        }
    }

    /// `remove_sync` does not tell the value. The condition may be asked more than once; the last time counts.
    fn remove(&self, key: &Key) -> Previous {
        let mut old = Previous::Unknown;
        let removed = self.0.remove_if_sync(key, |value| {
            old = Previous::Present(value.id());
            true
        });
        if removed { old } else { Previous::Absent }
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.peek(key, &Guard::new()).map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.iter(&Guard::new()).try_for_each(|(key, value)| visit(key, value));
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear();
        Ok(())
    }

    /// A leaf is reclaimed, with what was removed from it, three epochs after it was split or became empty.
    fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            Guard::new().accelerate();
        }
        Ok(())
    }

    fn abandon(&self) -> Result<(), Unsupported> {
        std::mem::forget(Guard::new());
        Ok(())
    }
}
