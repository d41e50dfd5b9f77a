//! `papaya-hashset`: papaya's `HashSet`, its `HashMap` of keys.

use std::ops::ControlFlow;

use mapcheck::{
    Atomic, Consistency, Iteration, Key, Map, Member, Previous, Profile, Unsupported, Value,
};
use papaya::{Guard, HashSet};
use seize_of_papaya::Collector;

/// A papaya [`HashSet`] that retires each object on its own.
pub struct PapayaHashSet(HashSet<Member>);

impl Map for PapayaHashSet {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "papaya 0.2 crate docs, Consistency: a weak snapshot",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // As of `papaya`.
            grows_at: 8,
            write_in_visit: true,
            knobs: "8 slots instead of 32; seize batch size 1 instead of 32, except in sets made from elements",
        }
    }

    fn new() -> PapayaHashSet {
        let collector = Collector::new().batch_size(1);
        PapayaHashSet(HashSet::builder().capacity(1).collector(collector).build())
    }

    /// An insert over a member replaces it, and tells neither it nor its value.
    fn insert(&self, key: Key, value: Value) -> Previous {
        match self.0.pin().insert(Member::new(key, value)) {
            true => Previous::Absent,
            false => Previous::Unknown,
        }
    }

    fn remove(&self, key: &Key) -> Previous {
        if self.0.pin().remove(key) { Previous::Unknown } else { Previous::Absent }
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.pin().get(key).map(|member| read(member.value())).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let set = self.0.pin();
        let _ = set.iter().try_for_each(|member| visit(member.key(), member.value()));
    }

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<PapayaHashSet, Unsupported> {
        // A filter does not tell how many elements it yields, so that the set grows while it is made.
        let members = elements.into_iter().map(|(key, value)| Member::new(key, value));
        Ok(PapayaHashSet(members.filter(|_| true).collect()))
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
