//! `flurry`: Java's `ConcurrentHashMap` in Rust, with references protected by seize's guards.

use std::hash::RandomState;
use std::num::NonZeroU64;
use std::ops::ControlFlow;

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};
use seize_of_flurry::Collector;

/// A [`flurry::HashMap`] that retires each object on its own, in an epoch of its own.
pub struct Flurry(HashMap<Key, Value>);

/// Not the default hasher: ahash seeds itself with the addresses of statics, which move when the program is built anew,
/// and no repro would survive that. std's is seeded by the operating system, so each execution has a seed of its own.
type HashMap<K, V> = flurry::HashMap<K, V, RandomState>;

impl Map for Flurry {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "flurry 0.5 crate docs, Consistency",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // The sixth element makes three quarters of `new`'s 8 bins. Fewer bins would grow more than once on the way
            // to the sizes that scenarios have.
            grows_at: 5,
            write_in_visit: true,
            knobs: "std's hasher instead of ahash; 8 bins instead of 16; seize batch size 1 instead of 120 and a \
                new epoch each object instead of 110, both except in maps made from elements",
        }
    }

    fn new() -> Flurry {
        let collector = Collector::new().batch_size(1).epoch_frequency(NonZeroU64::new(1));
        let map = HashMap::default().with_collector(collector);
        // It rounds two elements up to 8 bins. `with_capacity` would link the table to the collector that is replaced.
        map.pin().reserve(2);
        Flurry(map)
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

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<Flurry, Unsupported> {
        // As after a `filter`: an iterator that promises no length, so that the map grows meanwhile.
        Ok(Flurry(elements.into_iter().filter(|_| true).collect()))
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

    /// Hands this thread's batch to the active threads; the last of them that unpins frees it. seize leaves a batch
    /// alone that has no more objects than there have been threads.
    fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.guard().flush();
        Ok(())
    }

    fn abandon(&self) -> Result<(), Unsupported> {
        std::mem::forget(self.0.guard());
        Ok(())
    }
}
