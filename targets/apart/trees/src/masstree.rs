//! `masstree`: a trie of B+ trees for keys of bytes, with version-checked reads and seize's guards.

use std::ops::ControlFlow;

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};
use masstree::{MassTree15, RangeBound};

/// A [`MassTree15`] from numbers of keys, as bytes: what is judged is how long values live.
pub struct Masstree(MassTree15<Value>);

/// The bytes of a key, the first of which counts most.
fn bytes(key: &Key) -> [u8; 8] {
    key.id().to_be_bytes()
}

impl Map for Masstree {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "assumed",
            consistency: Consistency::Linearizable,
            // The docs of `len`: approximate.
            atomic: Atomic::NONE,
            // A leaf holds 15 elements; the next splits it.
            grows_at: 15,
            // A scan takes no lock.
            write_in_visit: true,
            knobs: "batches of 1 retired block; keys are their numbers",
        }
    }

    fn new() -> Masstree {
        Masstree(MassTree15::with_batch_size(1))
    }

    /// It returns a clone of what was there, which has its number.
    fn insert(&self, key: Key, value: Value) -> Previous {
        let old = self.0.insert(&bytes(&key), value);
        old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn remove(&self, key: &Key) -> Previous {
        match self.0.remove(&bytes(key)) {
            Ok(old) => old.map_or(Previous::Absent, |old| Previous::Present(old.id())),
            // After a number of vain tries, the docs say.
            Err(_) => Previous::Failed,
        }
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let guard = self.0.guard();
        self.0.get_ref(&bytes(key), &guard).map(|value| read(&value)).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let guard = self.0.guard();
        let each = |key: &[u8], value: &Value| {
            let number = key.try_into().map(u64::from_be_bytes);
            visit(&Key::new(number.expect("keys are numbers")), value).is_continue()
        };
        self.0.scan_ref(RangeBound::Unbounded, RangeBound::Unbounded, each, &guard);
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    /// Hands over what this thread has retired, and takes leaves out that have become empty.
    fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.maintenance(&mut self.0.guard());
        Ok(())
    }

    fn abandon(&self) -> Result<(), Unsupported> {
        std::mem::forget(self.0.guard());
        Ok(())
    }
}
