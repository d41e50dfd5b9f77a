//! papaya 0.1.2: a map that grows while it is made from elements frees its table and reads it again.
#![forbid(unsafe_code)]

use std::ops::ControlFlow;
use std::process::ExitCode;

use mapcheck::{
    Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Target, Unsupported, Value,
};
use papaya::{Collector, Guard, HashMap};

const TARGET: Target =
    Target::of::<Papaya>("papaya@0.1.2", "papaya", include_str!("../Cargo.lock"));

fn main() -> ExitCode {
    mapcheck::runner::main(&[TARGET])
}

/// A papaya [`HashMap`] that retires each object on its own.
struct Papaya(HashMap<Key, Value>);

impl Map for Papaya {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "papaya 0.1 crate docs, Consistency: a weak snapshot",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // `new` makes 8 slots, and the probe limit lets all of them fill.
            grows_at: 8,
            write_in_visit: true,
            knobs: "8 slots instead of 32, 4 in maps made from elements; seize batch size 1 instead of \
                32, except in maps made from elements",
        }
    }

    fn new() -> Papaya {
        let collector = Collector::new().batch_size(1);
        Papaya(HashMap::builder().capacity(6).collector(collector).build())
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

    /// Collects an iterator that promises three elements, for which papaya makes 4 slots, and has the others as a
    /// surprise: what is wrong with `from_iter` is that it grows without a guard.
    fn from_elements(mut elements: Vec<(Key, Value)>) -> Result<Papaya, Unsupported> {
        let others = elements.split_off(elements.len().min(3)).into_iter().filter(|_| true);
        Ok(Papaya(elements.into_iter().chain(others).collect()))
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

    /// Hands this thread's batch to the active threads; the last of them that unpins frees it.
    fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.guard().flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::TARGET;

    #[test]
    fn the_adapter_does_on_one_thread_what_the_trait_asks_for() {
        assert_eq!((TARGET.self_check)(), Ok(()));
    }

    #[test]
    fn the_lock_file_keeps_the_version_that_is_bad() {
        assert!(TARGET.versions().starts_with("papaya 0.1.2, "), "{}", TARGET.versions());
    }
}
