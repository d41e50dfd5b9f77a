//! `scc-hashset`: scc's `HashSet`, its `HashMap` of keys.

use std::ops::ControlFlow;

use mapcheck::{
    Atomic, Consistency, Fault, Iteration, Key, Map, Member, Previous, Profile, Unsupported, Value,
};
use scc::{Guard, HashSet};

use crate::Spread;

/// An scc [`HashSet`] whose buckets fill evenly.
pub struct SccHashSet(HashSet<Member, Spread>);

impl Map for SccHashSet {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistentMayRepeat,
            promised_by: "scc 3 docs, HashSet::retain_sync; HashSet::iter_sync itself promises nothing",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // As of `scc-hashmap`.
            grows_at: 62,
            write_in_visit: false,
            knobs: "a hasher that fills buckets evenly; sdd's global epochs are driven by reclaim",
        }
    }

    /// scc 3 docs, `HashSet`, Unwind safety: as of `HashMap`.
    fn excludes() -> &'static [Fault] {
        &[Fault::PanicInHash, Fault::PanicInDrop]
    }

    fn new() -> SccHashSet {
        SccHashSet(HashSet::with_hasher(Spread::default()))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        match self.0.insert_sync(Member::new(key, value)) {
            Ok(()) => Previous::Absent,
            Err(_) => Previous::Refused,
        }
    }

    fn remove(&self, key: &Key) -> Previous {
        let old = self.0.remove_sync(key);
        old.map_or(Previous::Absent, |old| Previous::Present(old.value().id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.read_sync(key, |member| read(member.value())).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        self.0.iter_sync(|member| visit(member.key(), member.value()).is_continue());
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    fn reserve(&self, additional: usize) -> Result<(), Unsupported> {
        drop(self.0.reserve(additional));
        Ok(())
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear_sync();
        Ok(())
    }

    fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        self.0.retain_sync(|member| keep(member.key(), member.value()));
        Ok(())
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            Guard::new().accelerate();
        }
        Ok(())
    }
}
