//! A map that tells of itself by events and spans, from several threads. It is wrong on purpose: an iteration takes it
//! for granted that what it has found stays where it is.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Value};
use tracing::{debug, info_span, trace};

type Entry = Arc<(Key, Value)>;

/// The map; it says what it does if `LOUD`.
pub struct Told<const LOUD: bool> {
    entries: Mutex<Vec<Entry>>,
}

impl<const LOUD: bool> Told<LOUD> {
    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Grows before it is full, and says so.
    fn make_room(&self, entries: &mut Vec<Entry>) {
        if entries.len() == entries.capacity() {
            let from = entries.capacity();
            entries.reserve_exact(from.max(2));
            if LOUD {
                debug!(from, to = entries.capacity(), "resize");
            }
        }
    }
}

fn position(entries: &[Entry], key: &Key) -> Option<usize> {
    entries.iter().position(|entry| entry.0 == *key)
}

impl<const LOUD: bool> Map for Told<LOUD> {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "nobody",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            grows_at: 3,
            write_in_visit: true,
            knobs: "",
        }
    }

    fn new() -> Self {
        Told { entries: Mutex::default() }
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let mut entries = self.entries();
        let new = Arc::new((key, value));
        match position(&entries, &new.0) {
            Some(at) => {
                let old = std::mem::replace(&mut entries[at], new);
                drop(entries);
                Previous::Present(old.1.id())
            }
            None => {
                self.make_room(&mut entries);
                entries.push(new);
                Previous::Absent
            }
        }
    }

    fn remove(&self, key: &Key) -> Previous {
        let mut entries = self.entries();
        let Some(at) = position(&entries, key) else { return Previous::Absent };
        let old = entries.swap_remove(at);
        drop(entries);
        if LOUD {
            trace!(target: "mapcheck_events::remove", key = key.id(), at, "taken out");
        }
        Previous::Present(old.1.id())
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let found = {
            let entries = self.entries();
            position(&entries, key).map(|at| entries[at].clone())
        };
        found.map(|entry| read(&entry.1)).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let all = self.entries().clone();
        let _span = LOUD.then(|| info_span!("walk", len = all.len()).entered());
        for one in &all {
            let found = position(&self.entries(), &one.0);
            let Some(at) = found else { continue };
            if LOUD {
                trace!(at, "there");
            }
            // Wrong: it may be elsewhere by now.
            let entry = self.entries()[at].clone();
            if visit(&entry.0, &entry.1).is_break() {
                return;
            }
        }
    }
}

/// The same, but no execution of it ends well: so that each is recorded, and says how long it was.
pub struct Falls(Told<true>);

impl Drop for Falls {
    fn drop(&mut self) {
        panic!("it falls");
    }
}

impl Map for Falls {
    fn profile() -> Profile {
        Told::<true>::profile()
    }

    fn new() -> Self {
        Falls(Told::new())
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value)
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.remove(key)
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key, read)
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        self.0.for_each(visit);
    }
}
