//! `flurry-hashset`: flurry's `HashSet`, its `HashMap` of keys.

use std::hash::RandomState;
use std::ops::ControlFlow;

use flurry::HashSet;
use mapcheck::{
    Atomic, Consistency, Iteration, Key, Map, Member, Previous, Profile, Unsupported, Value,
};

/// A flurry [`HashSet`], with std's hasher, which is seeded anew in each execution.
pub struct FlurryHashSet(HashSet<Member, RandomState>);

impl Map for FlurryHashSet {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "flurry 0.5 crate docs, Consistency",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // As of `flurry`: 8 bins grow with the sixth element.
            grows_at: 5,
            write_in_visit: true,
            knobs: "std's hasher instead of ahash; 8 bins instead of 16; sets cannot be given a collector",
        }
    }

    fn new() -> FlurryHashSet {
        let set = HashSet::default();
        set.pin().reserve(2);
        FlurryHashSet(set)
    }

    /// Which of two equal members stays is not said: the value of the key is, by what `insert` does, the old one.
    fn insert(&self, key: Key, value: Value) -> Previous {
        match self.0.pin().insert(Member::new(key, value)) {
            true => Previous::Absent,
            false => Previous::Refused,
        }
    }

    fn remove(&self, key: &Key) -> Previous {
        let set = self.0.pin();
        set.take(key).map_or(Previous::Absent, |old| Previous::Present(old.value().id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.pin().get(key).map(|member| read(member.value())).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let set = self.0.pin();
        let _ = set.iter().try_for_each(|member| visit(member.key(), member.value()));
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    fn reserve(&self, additional: usize) -> Result<(), Unsupported> {
        self.0.pin().reserve(additional);
        Ok(())
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.pin().clear();
        Ok(())
    }

    fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        self.0.pin().retain(|member| keep(member.key(), member.value()));
        Ok(())
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.guard().flush();
        Ok(())
    }

    fn abandon(&self) -> Result<(), Unsupported> {
        std::mem::forget(self.0.guard());
        Ok(())
    }
}
