//! `sharded-slab`: a slab whose numbers tell one use of a slot from the next.

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Member, Previous, Profile, Value};
use sharded_slab::{Config, Slab};

use crate::table::Table;

/// Small pages, and as few shards as threads need.
pub struct Small;

impl Config for Small {
    const INITIAL_PAGE_SIZE: usize = 2;
    const MAX_PAGES: usize = 10;
    const MAX_THREADS: usize = 128;
}

/// What is promised of slabs, through a table of the adapter's own.
pub fn profile() -> Profile {
    Profile {
        iteration: Iteration::None,
        promised_by: "sharded-slab 0.1 crate docs, Safety and Correctness: the generation of a slot",
        consistency: Consistency::Linearizable,
        atomic: Atomic::NONE,
        // A shard's first page has 2 slots, and each further one twice as many.
        grows_at: 2,
        write_in_visit: false,
        knobs: "pages of 2 slots and more instead of 32; 128 shards instead of 4096",
    }
}

/// A [`Slab`] of members, and the number of each.
pub struct ShardedSlab {
    slab: Slab<Member, Small>,
    numbers: Table,
}

impl Map for ShardedSlab {
    fn profile() -> Profile {
        profile()
    }

    fn new() -> ShardedSlab {
        ShardedSlab { slab: Slab::new_with_config::<Small>(), numbers: Table::new() }
    }

    /// What it replaces is removed by whoever uses it last.
    fn insert(&self, key: Key, value: Value) -> Previous {
        let id = key.id();
        let Some(number) = self.slab.insert(Member::new(key, value)) else {
            return Previous::Failed;
        };
        let Some(old) = self.numbers.put(id, Some(number)) else { return Previous::Absent };
        let replaced = self.slab.get(old).expect("a member that nobody has removed");
        assert_eq!(Member::key(&replaced).id(), id, "a number of another key's member");
        let replaced = replaced.value().id();
        assert!(self.slab.remove(old), "a member is removed that nobody has removed");
        assert!(self.slab.get(old).is_none(), "a number finds nothing once it was removed");
        Previous::Present(replaced)
    }

    /// It is taken as soon as nobody uses it.
    fn remove(&self, key: &Key) -> Previous {
        let Some(old) = self.numbers.put(key.id(), None) else { return Previous::Absent };
        let taken = self.slab.take(old).expect("a member that nobody has removed");
        assert_eq!(taken.key().id(), key.id(), "a number of another key's member");
        assert!(!self.slab.contains(old) && self.slab.take(old).is_none(), "a number is used once");
        Previous::Present(taken.value().id())
    }

    /// A number that is no longer the key's may find nothing, but never another key's member.
    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        loop {
            let Some(number) = self.numbers.get(key.id()) else { return false };
            if let Some(member) = self.slab.get(number) {
                assert_eq!(Member::key(&member).id(), key.id(), "a number of another key's member");
                read(member.value());
                return true;
            }
            assert_ne!(
                self.numbers.get(key.id()),
                Some(number),
                "a member that nobody has removed"
            );
        }
    }
}
