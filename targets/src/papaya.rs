//! `papaya`: one lock-free open-addressing table, with references protected by seize's guards.

use std::ops::ControlFlow;

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};
use papaya::{Guard, HashMap};
use seize_of_papaya::Collector;

/// A papaya [`HashMap`] that retires each object on its own.
pub struct Papaya(HashMap<Key, Value>);

impl Map for Papaya {
    fn profile() -> Profile {
        Profile {
            // It iterates over one table, which it waits for any resize to complete.
            iteration: Iteration::WeaklyConsistent,
            promised_by: "papaya 0.2 crate docs, Consistency: a weak snapshot",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // A table of 8 slots is the smallest, and its probe limit lets all of them fill.
            grows_at: 8,
            // Guards block nobody, and can be taken again.
            write_in_visit: true,
            knobs: "8 slots instead of 32; seize batch size 1 instead of 32, except in maps made from \
                elements",
        }
    }

    fn new() -> Papaya {
        let collector = Collector::new().batch_size(1);
        // Without a capacity the first insert would make 32 slots.
        Papaya(HashMap::builder().capacity(1).collector(collector).build())
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let map = self.0.pin();
        map.insert(key, value).map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn remove(&self, key: &Key) -> Previous {
        let map = self.0.pin();
        map.remove(key).map_or(Previous::Absent, |old| Previous::Present(old.id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.pin().get(key).map(read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.pin().iter().try_for_each(|(key, value)| visit(key, value));
    }

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<Papaya, Unsupported> {
        // A filter does not tell how many elements it yields, so that the map starts small and grows while it is made.
        Ok(Papaya(elements.into_iter().filter(|_| true).collect()))
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
        self.0.pin().retain(|key, value| keep(key, value));
        Ok(())
    }

    /// Hands this thread's batch to the active threads; the last of them that unpins frees it.
    fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.guard().flush();
        Ok(())
    }

    fn abandon(&self) -> Result<(), Unsupported> {
        std::mem::forget(self.0.guard());
        Ok(())
    }
}
