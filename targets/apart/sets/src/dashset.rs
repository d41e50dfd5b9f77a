//! `dashset`: dashmap's `DashSet`, a `DashMap` of keys.

use std::ops::ControlFlow;

use dashmap::DashSet;
use mapcheck::{
    AfterPanic, Atomic, Consistency, Iteration, Key, Map, Member, Previous, Profile, Unsupported,
    Value,
};

use crate::Spread;

/// A [`DashSet`] whose shards fill evenly.
pub struct Dashset(DashSet<Member, Spread>);

impl Map for Dashset {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "assumed",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // A shard's table holds 3 elements; there are four shards for each processor, 16.
            grows_at: 48,
            // An iteration holds the read lock of its shard.
            write_in_visit: false,
            knobs: "none: sets cannot be told how many shards to make; a hasher that fills them evenly",
        }
    }

    /// hashbrown's tables lose elements when a hash panics while they grow, and nothing promises otherwise.
    fn after_panic() -> AfterPanic {
        AfterPanic::Unspecified
    }

    fn new() -> Dashset {
        Dashset(DashSet::with_hasher(Spread::default()))
    }

    /// Docs of `DashSet::insert`: it does not update the key, if it was already present.
    fn insert(&self, key: Key, value: Value) -> Previous {
        if self.0.insert(Member::new(key, value)) { Previous::Absent } else { Previous::Refused }
    }

    fn remove(&self, key: &Key) -> Previous {
        let old = self.0.remove(key);
        old.map_or(Previous::Absent, |old| Previous::Present(old.value().id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).map(|member| read(member.value())).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let mut visit = |member: &Member| visit(member.key(), member.value());
        let _ = self.0.iter().try_for_each(|member| visit(&member));
    }

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<Dashset, Unsupported> {
        Ok(Dashset(elements.into_iter().map(|(key, value)| Member::new(key, value)).collect()))
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    fn shrink(&self) -> Result<(), Unsupported> {
        self.0.shrink_to_fit();
        Ok(())
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear();
        Ok(())
    }

    fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        self.0.retain(|member| keep(member.key(), member.value()));
        Ok(())
    }
}
