//! `concurrent-map@owned`: a tree of which there is one clone, behind a lock that its owner can take again.
//!
//! Where there is no other clone an insert changes nodes in place, and copies nothing.

use std::ops::ControlFlow;

use mapcheck::{Key, Map, Previous, Profile, Unsupported, Value};
use parking_lot::ReentrantMutex;

use crate::concurrent_map::{self, Tree};

/// A tree without clones.
pub struct Owned(ReentrantMutex<Tree>);

impl Map for Owned {
    fn profile() -> Profile {
        Profile {
            knobs: "nodes of 4 elements instead of 64; garbage bags of 1 instead of 128; one clone behind a lock",
            ..concurrent_map::profile()
        }
    }

    fn new() -> Owned {
        Owned(ReentrantMutex::new(Tree::new()))
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        concurrent_map::insert(&self.0.lock(), key, value)
    }

    fn remove(&self, key: &Key) -> Previous {
        concurrent_map::remove(&self.0.lock(), key)
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        concurrent_map::get(&self.0.lock(), key, read)
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        concurrent_map::for_each(&self.0.lock(), visit);
    }

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<Owned, Unsupported> {
        Ok(Owned(ReentrantMutex::new(concurrent_map::from_elements(elements))))
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.lock().len())
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        concurrent_map::reclaim(&self.0.lock());
        Ok(())
    }
}
