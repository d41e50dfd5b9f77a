//! leapfrog 0.3.3: an iteration goes through whichever table is current at each step, so it misses what a new table
//! has moved behind it, and repeats what a new table has moved ahead.
#![forbid(unsafe_code)]

use std::ops::ControlFlow;
use std::process::ExitCode;

use leapfrog::LeapMap;
use mapcheck::{
    Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Target, Unsupported, Value,
};

const TARGET: Target =
    Target::of::<Leapfrog>("leapfrog@0.3.3", "leapfrog", include_str!("../Cargo.lock"));

fn main() -> ExitCode {
    mapcheck::runner::main(&[TARGET])
}

/// A [`LeapMap`] from numbers of keys to numbers of values.
///
/// It stores plain `Copy` data with two reserved values and has nothing to drop: a [`Key`] or a [`Value`] cannot be in
/// it. So what is judged is which elements an iteration shows, and not how long they live; what a visitor or a reader
/// gets is made anew from its number.
struct Leapfrog(LeapMap<u64, u64>);

impl Map for Leapfrog {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "assumed",
            // An insert that lost a race for a key says that its own value was there before.
            consistency: Consistency::None,
            atomic: Atomic::NONE,
            // A table of 8 cells is the smallest, and a key may lie in any of them.
            grows_at: 8,
            // An iteration holds no lock.
            write_in_visit: true,
            knobs: "none; the map holds the numbers of keys and values, since it takes nothing that is to be dropped",
        }
    }

    fn new() -> Leapfrog {
        Leapfrog(LeapMap::new())
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        match self.0.insert(key.id(), value.id()) {
            None => Previous::Absent,
            // What it returns when another thread changed the key meanwhile.
            Some(own) if own == value.id() => Previous::Unknown,
            Some(old) => Previous::Present(old),
        }
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.remove(&key.id()).map_or(Previous::Absent, Previous::Present)
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let found = self.0.get(&key.id()).and_then(|mut found| found.value());
        found.map(|id| read(&Value::new(id))).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        // What was removed since the step to it has no key any more.
        let present = self.0.iter().filter_map(|mut found| found.key_value());
        let _ = { present }.try_for_each(|(key, value)| visit(&Key::new(key), &Value::new(value)));
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
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
        assert!(TARGET.versions().starts_with("leapfrog 0.3.3, "), "{}", TARGET.versions());
    }
}
