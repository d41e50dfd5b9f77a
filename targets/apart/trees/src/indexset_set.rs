//! `indexset@set`: the set under indexset's map, which replaces a member that is there.

use std::ops::ControlFlow;

use indexset::concurrent::set::BTreeSet;
use mapcheck::{Key, Map, Member, Previous, Profile, Unsupported, Value};

use crate::indexset::Indexset;

/// An indexset [`BTreeSet`].
pub struct IndexsetSet(BTreeSet<Member>);

impl Map for IndexsetSet {
    fn profile() -> Profile {
        Indexset::<false>::profile()
    }

    fn new() -> IndexsetSet {
        IndexsetSet(BTreeSet::with_maximum_node_size(4))
    }

    /// It tells whether there was one, and not which: the new one takes its place.
    fn insert(&self, key: Key, value: Value) -> Previous {
        let new = self.0.insert(Member::new(key, value));
        if new { Previous::Absent } else { Previous::Unknown }
    }

    fn remove(&self, key: &Key) -> Previous {
        let old = self.0.remove(key);
        old.map_or(Previous::Absent, |old| Previous::Present(old.value().id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).map(|found| read(found.get().value())).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.iter().try_for_each(|member| visit(member.key(), member.value()));
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            crossbeam_epoch::pin().flush();
        }
        Ok(())
    }
}
