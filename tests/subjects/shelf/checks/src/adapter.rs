//! The map as mapcheck sees it.

use std::ops::ControlFlow;

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Value};
use shelf::Shelf;

/// The map itself.
pub struct Adapter(Shelf<Key, Value>);

impl Map for Adapter {
    fn profile() -> Profile {
        Profile { promised_by: "assumed", ..PROFILE }
    }

    fn new() -> Adapter {
        Adapter(Shelf::new())
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        previous(self.0.insert(key, value))
    }

    fn remove(&self, key: &Key) -> Previous {
        previous(self.0.remove(key))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.read(key, read).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        self.0.for_each(|key, value| visit(key, value).is_continue());
    }
}

/// What is promised.
const PROFILE: Profile = Profile {
    iteration: Iteration::Locked,
    promised_by: "",
    consistency: Consistency::Linearizable,
    atomic: Atomic::NONE,
    grows_at: 4,
    write_in_visit: false,
    knobs: "",
};

/// What was there before.
fn previous(old: Option<Value>) -> Previous {
    old.map_or(Previous::Absent, |old| Previous::Present(old.id()))
}
