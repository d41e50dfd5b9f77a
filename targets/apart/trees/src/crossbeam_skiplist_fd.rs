//! `crossbeam-skiplist-fd`: a fork of crossbeam-skiplist with keys that are compared by what one likes.

use std::ops::ControlFlow;

use crossbeam_skiplist_fd::SkipMap;
use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};

/// The fork of crossbeam's [`SkipMap`].
pub struct SkiplistFd(SkipMap<Key, Value>);

impl Map for SkiplistFd {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "assumed",
            // An insert over an element removes it and then adds the new one.
            consistency: Consistency::None,
            atomic: Atomic::NONE,
            // It never grows.
            grows_at: 0,
            // An iteration pins the epoch for each step only, and holds a reference count.
            write_in_visit: true,
            knobs: "none; crossbeam's global epochs are driven by reclaim",
        }
    }

    fn new() -> SkiplistFd {
        SkiplistFd(SkipMap::new())
    }

    /// It returns the new entry and says nothing of the one that it replaced, if any.
    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value);
        Previous::Unknown
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.remove(key).map_or(Previous::Absent, |old| Previous::Present(old.value().id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key).map(|entry| read(entry.value())).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let _ = self.0.iter().try_for_each(|entry| visit(entry.key(), entry.value()));
    }

    fn from_elements(elements: Vec<(Key, Value)>) -> Result<SkiplistFd, Unsupported> {
        Ok(SkiplistFd(elements.into_iter().collect()))
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear();
        Ok(())
    }

    /// Each flush hands over this thread's garbage, tries to advance the epoch once, and frees what is two epochs old.
    fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            crossbeam_epoch::pin().flush();
        }
        Ok(())
    }

    fn abandon(&self) -> Result<(), Unsupported> {
        std::mem::forget(crossbeam_epoch::pin());
        Ok(())
    }
}
