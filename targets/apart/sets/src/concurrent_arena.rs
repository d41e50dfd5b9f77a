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
            promised_by: "concurrent_arena 0.1 docs, Arena::insert, get, remove; not that slots are used again",
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
        let (id, n) = (key.id(), value.id() & 0xffff_ffff);
        let member = self.arena.insert(Member::new(key, value));
        let number = Number { slot: ArenaArc::slot(&member), n: n as u32 };
        let old = self.slots.put(id, Some(number.packed()));
        assert_eq!(member.key().id(), id, "a member that its inserter holds");
        old.map_or(Previous::Absent, |old| Previous::Present(self.take(id, Number::of(old))))
    }

    fn remove(&self, key: &Key) -> Previous {
        let (id, old) = (key.id(), self.slots.put(key.id(), None));
        old.map_or(Previous::Absent, |old| Previous::Present(self.take(id, Number::of(old))))
    }

    /// A slot that is no longer the member's may be empty, or another's.
    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        loop {
            let Some(packed) = self.slots.get(key.id()) else { return false };
            let number = Number::of(packed);
            let member = self.arena.get(number.slot);
            if let Some(member) = member.filter(|member| number.is_of(key.id(), member)) {
                read(member.value());
                return true;
            }
            assert_ne!(self.slots.get(key.id()), Some(packed), "a member that nobody has removed");
        }
    }

    fn reserve(&self, additional: usize) -> Result<(), Unsupported> {
        self.arena.reserve(additional as u32 / 64 + 1);
        Ok(())
    }
}

impl ConcurrentArena {
    /// Removes the member with a number that is the caller's alone, and says which value it had.
    fn take(&self, id: u64, number: Number) -> u64 {
        let old = self.arena.remove(number.slot).expect("a member that nobody has removed");
        assert!(number.is_of(id, &old), "a slot of another member");
        old.value().id()
    }
}

/// Slots are used again: with the running number of the value that was put there, a slot tells one use from the next.
#[derive(Clone, Copy)]
struct Number {
    slot: u32,
    n: u32,
}

impl Number {
    fn packed(self) -> usize {
        (self.n as usize) << 32 | self.slot as usize
    }

    fn of(packed: usize) -> Number {
        Number { slot: packed as u32, n: (packed >> 32) as u32 }
    }

    fn is_of(self, id: u64, member: &Member) -> bool {
        (member.key().id(), member.value().id()) == (id, id << 32 | u64::from(self.n))
    }
}
