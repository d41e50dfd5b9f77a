//! `sharded-slab@pool`: a pool of slots that are cleared, and not dropped, when nobody uses them any more.

use mapcheck::{Key, Map, Member, Previous, Profile, Value};
use sharded_slab::Pool;

use crate::sharded_slab::{Small, profile};
use crate::table::Table;

/// A [`Pool`] of members, and the number of each.
pub struct ShardedSlabPool {
    pool: Pool<Option<Member>, Small>,
    numbers: Table,
}

impl ShardedSlabPool {
    /// Clears the slot of this number, which is the caller's alone, and says which value it had.
    fn clear(&self, id: u64, number: usize) -> u64 {
        let old = self.pool.get(number).expect("a member that nobody has cleared");
        let member = old.as_ref().expect("a member that nobody has cleared");
        assert_eq!(member.key().id(), id, "a number of another key's member");
        let value = member.value().id();
        drop(old);
        assert!(self.pool.clear(number), "a member is cleared that nobody has cleared");
        assert!(self.pool.get(number).is_none(), "a number finds nothing once it was cleared");
        value
    }
}

impl Map for ShardedSlabPool {
    fn profile() -> Profile {
        profile()
    }

    fn new() -> ShardedSlabPool {
        ShardedSlabPool { pool: Pool::new_with_config::<Small>(), numbers: Table::new() }
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let id = key.id();
        let made = self.pool.create_with(|slot| {
            assert!(slot.is_none(), "a slot is cleared before it is used again");
            *slot = Some(Member::new(key, value));
        });
        let Some(number) = made else { return Previous::Failed };
        let old = self.numbers.put(id, Some(number));
        old.map_or(Previous::Absent, |old| Previous::Present(self.clear(id, old)))
    }

    fn remove(&self, key: &Key) -> Previous {
        let old = self.numbers.put(key.id(), None);
        old.map_or(Previous::Absent, |old| Previous::Present(self.clear(key.id(), old)))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        loop {
            let Some(number) = self.numbers.get(key.id()) else { return false };
            if let Some(slot) = self.pool.get(number) {
                let member = slot.as_ref().expect("a slot that was found is not cleared");
                assert_eq!(member.key().id(), key.id(), "a number of another key's member");
                read(member.value());
                return true;
            }
            assert_ne!(self.numbers.get(key.id()), Some(number), "a member that nobody cleared");
        }
    }
}
