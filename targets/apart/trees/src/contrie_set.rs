//! `contrie@set`: contrie's `ConSet`, the same trie with members that are cloned.

use std::ops::ControlFlow;

use contrie::ConSet;
use mapcheck::{Key, Map, Member, Previous, Profile, Unsupported, Value};

use crate::contrie::Contrie;
use crate::spread::Spread;

/// A contrie [`ConSet`] whose nodes fill evenly.
pub struct ContrieSet(ConSet<Member, Spread>);

impl Map for ContrieSet {
    fn profile() -> Profile {
        Contrie::profile()
    }

    fn nonblocking() -> bool {
        Contrie::nonblocking()
    }

    /// As that of the map.
    fn new() -> ContrieSet {
        drop(epoch_of_contrie::pin());
        ContrieSet(ConSet::with_hasher(Spread::default()))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let old = self.0.insert(Member::new(key, value));
        old.map_or(Previous::Absent, |old| Previous::Present(old.value().id()))
    }

    fn remove(&self, key: &Key) -> Previous {
        let old = self.0.remove(key);
        old.map_or(Previous::Absent, |old| Previous::Present(old.value().id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).map(|found| read(found.value())).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.iter().try_for_each(|member| visit(member.key(), member.value()));
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            epoch_of_contrie::pin().flush();
        }
        Ok(())
    }

    fn abandon(&self) -> Result<(), Unsupported> {
        std::mem::forget(self.0.iter());
        Ok(())
    }
}
