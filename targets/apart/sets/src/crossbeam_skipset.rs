//! `crossbeam-skipset`: crossbeam's `SkipSet`, its `SkipMap` of keys.

use std::ops::ControlFlow;

use crossbeam_skiplist::SkipSet;
use mapcheck::{
    Atomic, Consistency, Iteration, Key, Map, Member, Previous, Profile, Unsupported, Value,
};

/// A crossbeam [`SkipSet`].
pub struct CrossbeamSkipset(SkipSet<Member>);

impl Map for CrossbeamSkipset {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "assumed",
            // `get_or_insert`, unlike `insert`, removes nothing.
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // It never grows.
            grows_at: 0,
            write_in_visit: true,
            knobs: "none; crossbeam's global epochs are driven by reclaim",
        }
    }

    fn new() -> CrossbeamSkipset {
        CrossbeamSkipset(SkipSet::new())
    }

    /// Docs of `SkipSet::get_or_insert`: it finds an entry, or inserts one if there is none.
    fn insert(&self, key: Key, value: Value) -> Previous {
        let own = value.id();
        let entry = self.0.get_or_insert(Member::new(key, value));
        if entry.value().value().id() == own { Previous::Absent } else { Previous::Refused }
    }

    fn remove(&self, key: &Key) -> Previous {
        let old = self.0.remove(key);
        old.map_or(Previous::Absent, |old| Previous::Present(old.value().value().id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).map(|entry| read(entry.value().value())).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let mut visit = |member: &Member| visit(member.key(), member.value());
        let _ = self.0.iter().try_for_each(|entry| visit(entry.value()));
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear();
        Ok(())
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            crossbeam_epoch::pin().flush();
        }
        Ok(())
    }

    fn abandon(&self) -> Result<(), Unsupported> {
        std::mem::forget(crossbeam_epoch::pin());
        Ok(())
    }
}
