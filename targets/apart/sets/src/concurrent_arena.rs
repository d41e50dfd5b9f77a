//! `concurrent_arena`: slots in buckets, with a reference count each.

use concurrent_arena::{Arena, ArenaArc};
use mapcheck::{
    Atomic, Consistency, Iteration, Key, Map, Member, Previous, Profile, Unsupported, Value,
};

use crate::table::Table;

/// An [`Arena`] of buckets of 64 members, and the slot of each.
pub struct ConcurrentArena {
    arena: Arena<Member, 1, 64>,
    slots: Table,
}

impl Map for ConcurrentArena {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::None,
            promised_by: "concurrent_arena 0.1 docs, Arena::insert, get, remove; a slot is used again, which is not said",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // The first bucket is made by the first insert, and a second one by the 65th member.
            grows_at: 64,
            write_in_visit: false,
            knobs: "buckets of 64 members, the smallest; none to begin with",
        }
    }

    fn new() -> ConcurrentArena {
        ConcurrentArena { arena: Arena::with_capacity(0), slots: Table::new() }
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let id = key.id();
        let member = self.arena.insert(Member::new(key, value));
        let old = self.slots.put(id, Some(ArenaArc::slot(&member) as usize));
        assert_eq!(member.key().id(), id, "a member that its inserter holds");
        old.map_or(Previous::Absent, |old| Previous::Present(self.take(id, old)))
    }

    fn remove(&self, key: &Key) -> Previous {
        let old = self.slots.put(key.id(), None);
        old.map_or(Previous::Absent, |old| Previous::Present(self.take(key.id(), old)))
    }

    /// A slot that is no longer the key's may be empty, or another key's.
    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        loop {
            let Some(slot) = self.slots.get(key.id()) else { return false };
            let member = self.arena.get(slot as u32);
            if let Some(member) = member.filter(|member| member.key().id() == key.id()) {
                read(member.value());
                return true;
            }
            assert_ne!(self.slots.get(key.id()), Some(slot), "a member that nobody has removed");
        }
    }

    fn reserve(&self, additional: usize) -> Result<(), Unsupported> {
        self.arena.reserve(additional as u32 / 64 + 1);
        Ok(())
    }
}

impl ConcurrentArena {
    /// Removes the member in a slot that is the caller's alone, and says which value it had.
    fn take(&self, id: u64, slot: usize) -> u64 {
        let old = self.arena.remove(slot as u32).expect("a member that nobody has removed");
        assert_eq!(old.key().id(), id, "a slot of another key's member");
        old.value().id()
    }
}
