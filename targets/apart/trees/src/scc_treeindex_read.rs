//! `scc-treeindex@read`: scc's `TreeIndex`, read through `read_sync` and not `peek`, and written with `upsert_sync`.

use std::ops::ControlFlow;

use mapcheck::{
    Atomic, Consistency, Fault, Iteration, Key, Map, Previous, Profile, Unsupported, Value,
};
use scc::{Guard, TreeIndex};

/// An scc [`TreeIndex`].
pub struct SccTreeIndexRead(TreeIndex<Key, Value>);

impl Map for SccTreeIndexRead {
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

    fn new() -> SccTreeIndexRead {
        SccTreeIndexRead(TreeIndex::new())
    }

    /// It tells nothing of what it replaces.
    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.upsert_sync(key, value);
        Previous::Unknown
    }

    /// As the adapter of `scc-treeindex` does.
    fn remove(&self, key: &Key) -> Previous {
        let mut old = Previous::Unknown;
        let removed = self.0.remove_if_sync(key, |value| {
            old = Previous::Present(value.id());
            true
        });
        if removed { old } else { Previous::Absent }
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.read_sync(key, |_, value| read(value)).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.iter(&Guard::new()).try_for_each(|(key, value)| visit(key, value));
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.remove_range_sync::<Key, _>(..);
        Ok(())
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            Guard::new().accelerate();
        }
        Ok(())
    }
}
