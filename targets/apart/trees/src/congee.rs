//! `congee`: an adaptive radix tree with optimistic lock coupling, for keys of 8 bytes, with crossbeam's epochs.

use std::ops::ControlFlow;
use std::sync::Arc;

use congee::CongeeArc;
use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};

/// A [`CongeeArc`] from numbers of keys: its keys are integers, and what is judged is how long values live.
pub struct Congee<const PINNED: bool>(CongeeArc<usize, Value>);

fn number(key: &Key) -> usize {
    usize::try_from(key.id()).expect("keys are small numbers")
}

impl<const PINNED: bool> Map for Congee<PINNED> {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "congee 0.4 docs, CongeeArc::keys: read committed; each key once is assumed",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // A node of 4 children is the smallest; the next one makes it a node of 16.
            grows_at: 4,
            // The keys are a copy.
            write_in_visit: true,
            knobs: "none; keys are their numbers; crossbeam's global epochs are driven by reclaim",
        }
    }

    fn new() -> Congee<PINNED> {
        Congee(CongeeArc::new())
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        match self.0.insert(number(&key), Arc::new(value), &self.0.pin()) {
            Ok(old) => old.map_or(Previous::Absent, |old| Previous::Present(old.id())),
            Err(_) => Previous::Failed,
        }
    }

    fn remove(&self, key: &Key) -> Previous {
        let old = self.0.remove(number(key), &self.0.pin());
        old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let found = self.0.get(number(key), &self.0.pin());
        found.map(|value| read(&value)).is_some()
    }

    /// `keys` asks for no guard. Its example has one nevertheless, and so has this unless it is told otherwise.
    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let guard = PINNED.then(|| self.0.pin());
        let keys = self.0.keys();
        drop(guard);
        // What was removed meanwhile is passed over.
        let present = |key: usize| Some((key, self.0.get(key, &self.0.pin())?));
        let visit = |(key, value): (usize, Arc<Value>)| visit(&Key::new(key as u64), &value);
        let _ = keys.into_iter().filter_map(present).try_for_each(visit);
    }

    /// Each flush hands over this thread's garbage, tries to advance the epoch once, and frees what is two epochs old.
    fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            crossbeam_epoch::pin().flush();
        }
        Ok(())
    }

    fn abandon(&self) -> Result<(), Unsupported> {
        std::mem::forget(self.0.pin());
        Ok(())
    }
}
