//! `boxcar`: a vector that only grows, in buckets that never move.

use mapcheck::{
    Atomic, Consistency, Iteration, Key, Map, Member, Previous, Profile, Unsupported, Value,
};

use crate::table::Table;

/// A [`boxcar::Vec`] of all members that ever were, and the index of that of each key.
pub struct Boxcar {
    members: boxcar::Vec<Member>,
    indices: Table,
}

impl Boxcar {
    /// The member at this index, which its `push` has returned.
    fn member(&self, id: u64, index: usize) -> &Member {
        let member = self.members.get(index).expect("a member that was pushed");
        assert_eq!(member.key().id(), id, "an index of another key's member");
        member
    }

    fn previous(&self, id: u64, index: Option<usize>) -> Previous {
        index.map_or(Previous::Absent, |i| Previous::Present(self.member(id, i).value().id()))
    }
}

impl Map for Boxcar {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::None,
            promised_by: "boxcar 0.2 docs, Vec::push, get, iter, count",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // The first bucket has 32 places; the second one is made when the 28th is taken.
            grows_at: 28,
            write_in_visit: false,
            knobs: "none",
        }
    }

    fn new() -> Boxcar {
        Boxcar { members: boxcar::Vec::new(), indices: Table::new() }
    }

    /// Docs of `Vec::push_with`: the index that the closure is told is that of the element.
    fn insert(&self, key: Key, value: Value) -> Previous {
        let id = key.id();
        let mut told = None;
        let index = self.members.push_with(|index| {
            told = Some(index);
            Member::new(key, value)
        });
        assert_eq!(told, Some(index));
        self.previous(id, self.indices.put(id, Some(index)))
    }

    fn remove(&self, key: &Key) -> Previous {
        self.previous(key.id(), self.indices.put(key.id(), None))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let index = self.indices.get(key.id());
        index.map(|index| read(self.member(key.id(), index).value())).is_some()
    }

    fn reserve(&self, additional: usize) -> Result<(), Unsupported> {
        self.members.reserve(additional);
        Ok(())
    }

    /// Iterates: an iteration shows no fewer elements than were counted before it, at rising indices.
    fn reclaim(&self) -> Result<(), Unsupported> {
        let counted = self.members.count();
        let mut next = 0;
        let shown = self.members.iter().inspect(|(index, member)| {
            assert!(*index >= next, "indices rise");
            next = index + 1;
            member.value().check();
        });
        assert!(shown.count() >= counted, "what was counted is shown");
        Ok(())
    }
}
