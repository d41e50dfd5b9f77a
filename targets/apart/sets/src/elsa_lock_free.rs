//! `elsa@lock-free`: a vector that only grows, whose readers take no lock.

use elsa::sync::LockFreeFrozenVec;
use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};

use crate::table::Table;

/// A [`LockFreeFrozenVec`] of the ids of all values that ever were, and the index of that of each key.
pub struct ElsaLockFree {
    ids: LockFreeFrozenVec<u64>,
    indices: Table,
}

impl ElsaLockFree {
    fn id(&self, index: usize) -> u64 {
        self.ids.get(index).expect("an id that was pushed")
    }

    fn previous(&self, index: Option<usize>) -> Previous {
        index.map_or(Previous::Absent, |index| Previous::Present(self.id(index)))
    }
}

impl Map for ElsaLockFree {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::None,
            promised_by: "elsa 1 docs, LockFreeFrozenVec::push, get",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // The first buffer has 64 places.
            grows_at: 64,
            write_in_visit: false,
            knobs: "none",
        }
    }

    fn new() -> ElsaLockFree {
        ElsaLockFree { ids: LockFreeFrozenVec::new(), indices: Table::new() }
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let index = self.ids.push(value.id());
        self.previous(self.indices.put(key.id(), Some(index)))
    }

    fn remove(&self, key: &Key) -> Previous {
        self.previous(self.indices.put(key.id(), None))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let Some(index) = self.indices.get(key.id()) else { return false };
        let value = Value::new(self.id(index));
        read(&value);
        value.discard();
        true
    }

    /// Looks at all that are there.
    fn reclaim(&self) -> Result<(), Unsupported> {
        (0..self.ids.len()).for_each(|index| assert!(self.id(index) & 0xffff_ffff != 0));
        Ok(())
    }
}
