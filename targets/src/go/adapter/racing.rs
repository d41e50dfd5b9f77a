//! A wrong Go program: its writers take a lock, its readers and ranges take none. The map's own
//! checks answer.
//!
//! They are made on a best-effort basis, so little is promised; this is what is watched:
//!
//! 1. A lookup that finds something, or a step of a range, all of which lies within one write
//!    section (the writing flag was set all the time) ends in a fatal error.
//! 2. A range yields no key that was at no moment of its step in the map, or being inserted or
//!    removed: a key is in its cell before the cell says so.
//!
//! A fatal error is the end of a Go program, and what a reader sees who met a write unnoticed is
//! not specified. In both cases the map is dead from then on, and the execution is not judged.
//!
//! All keys and elements are plain words, since a delete that races sets pointers to nil, and
//! readers may see that. All are in one bucket: a reader that races with growth may index the old
//! array with the new size, and crash as in Go.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mapcheck::model::{Engine, Lock, abandon, fail};
use mapcheck::oracle::Class;
use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};

use super::object::Objects;
use crate::go::classic::ClassicMap;
use crate::go::runtime::Frame;
use crate::go::{Fatal, Kind, LanguageMap};

/// Entries of the one bucket.
const BUCKET: usize = 8;

/// A classic map whose readers take no lock.
pub struct RacingGoMap<E: Engine> {
    objects: Objects<E>,
    writers: E::Lock,
    map: ClassicMap<E>,
    ghost: Ghost,
}

/// What the program itself cannot know.
#[derive(Default)]
struct Ghost {
    /// Ends and begins of writes. A write lasts until the writer has stored the element, longer
    /// than its section.
    changes: AtomicU64,
    /// Keys that were ever inserted, with the number of the change since which they are gone.
    keys: Mutex<BTreeMap<u64, u64>>,
    /// The program is no more.
    dead: AtomicBool,
}

/// For a key that is in the map, or being inserted.
const NOT_GONE: u64 = u64::MAX;

impl Ghost {
    fn insert(&self, key: u64) {
        self.lock().insert(key, NOT_GONE);
    }

    fn remove(&self, key: u64) {
        let now = self.changes.load(SeqCst);
        self.lock().entry(key).and_modify(|gone| *gone = now);
    }

    /// Whether a key was in the map at that moment or has been since.
    fn was_there(&self, key: u64, since: &Moment) -> bool {
        self.lock().get(&key).is_some_and(|gone| *gone > since.changes)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, u64>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a reader's step lies to writes.
struct Moment {
    changes: u64,
    section: Option<u64>,
}

impl Moment {
    /// Whether some write was under way at some time between.
    fn met_a_write(&self, end: &Moment) -> bool {
        !self.changes.is_multiple_of(2) || self.changes != end.changes
    }

    /// Whether the same write section was open all the time between.
    fn lay_in_a_section(&self, end: &Moment) -> bool {
        self.section.is_some() && self.section == end.section
    }
}

/// A key as this map knows it: not zero, which is what a cell holds that no key was stored in.
fn word(key: &Key) -> u64 {
    key.id() + 1
}

impl<E: Engine> RacingGoMap<E> {
    fn moment(&self) -> Moment {
        E::quietly(|| {
            let changes = self.ghost.changes.load(SeqCst);
            Moment { changes, section: self.map.write_sections().current() }
        })
    }

    fn is_dead(&self) -> bool {
        E::quietly(|| self.ghost.dead.load(SeqCst))
    }

    fn die<T>(&self) -> Option<T> {
        E::quietly(|| self.ghost.dead.store(true, SeqCst));
        abandon();
        None
    }

    /// A write, after which `note` is taken of it; `None` if the program is dead.
    fn write<T>(
        &self,
        write: impl FnOnce(&Frame<'_, E>) -> Result<T, Fatal>,
        note: impl FnOnce(),
    ) -> Option<T> {
        if self.is_dead() {
            return None;
        }
        let frame = self.objects.runtime.frame();
        let result = self.writers.with(|| {
            E::quietly(|| self.ghost.changes.fetch_add(1, SeqCst));
            let result = write(&frame);
            E::quietly(|| {
                self.ghost.changes.fetch_add(1, SeqCst);
                note();
            });
            result
        });
        result.ok().or_else(|| self.die())
    }

    /// A reader's step, which finds something or nothing; `None` if the program is dead, too.
    fn read<T>(
        &self,
        step: impl FnOnce() -> Result<Option<T>, Fatal>,
        check: impl FnOnce(&T, &Moment),
    ) -> Option<T> {
        if self.is_dead() {
            return None;
        }
        let begin = self.moment();
        let result = step();
        let end = self.moment();
        let found = match result {
            Err(_) => return self.die(),
            Ok(found) => found,
        };
        if found.is_some() && begin.lay_in_a_section(&end) {
            fail(Class::DataRace, "a read in the middle of a write was not a fatal error");
        }
        if let Some(found) = &found {
            check(found, &begin);
        }
        if begin.met_a_write(&end) { self.die() } else { found }
    }

    fn check_key(&self, key: u64, begin: &Moment) {
        if !E::quietly(|| self.ghost.was_there(key, begin)) {
            let message = format!("a range yielded the word {key:#x} for a key, which is none");
            fail(Class::TornValue, &message);
        }
    }

    /// Whether an insert would begin a growth.
    fn is_full_without(&self, frame: &Frame<'_, E>, key: u64) -> Result<bool, Fatal> {
        Ok(self.map.len() >= BUCKET && self.map.lookup(frame, key)?.is_none())
    }
}

impl<E: Engine> Map for RacingGoMap<E> {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::Go,
            promised_by: "Go runtime, fatal errors of maps",
            // So that scenarios stay within the one bucket.
            grows_at: 4,
            write_in_visit: true,
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            knobs: "",
        }
    }

    fn new() -> RacingGoMap<E> {
        let kind = Kind { pointers: false };
        let objects = Objects::new(kind);
        let map = ClassicMap::new(Arc::clone(&objects.runtime), kind);
        RacingGoMap { objects, writers: E::Lock::new(), map, ghost: Ghost::default() }
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let key = word(&key);
        let insert = |frame: &Frame<'_, E>| {
            if self.is_full_without(frame, key)? {
                self.die::<()>();
                return Ok(0);
            }
            E::quietly(|| self.ghost.insert(key));
            self.map.replace(frame, key, self.objects.elem(frame, value))
        };
        let old = self.write(insert, || ());
        old.filter(|old| *old != 0).map_or(Previous::Absent, Previous::Present)
    }

    fn remove(&self, key: &Key) -> Previous {
        let key = word(key);
        let remove = |frame: &Frame<'_, E>| {
            let old = self.map.lookup(frame, key)?;
            self.map.delete(frame, key)?;
            Ok(old)
        };
        let old = self.write(remove, || self.ghost.remove(key));
        old.flatten().map_or(Previous::Absent, Previous::Present)
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let frame = self.objects.runtime.frame();
        let found = self.read(|| self.map.lookup(&frame, word(key)), |_, _| ());
        found.map(|elem| self.objects.read(elem, read)).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        if self.is_dead() {
            return;
        }
        let frame = self.objects.runtime.frame();
        // Beginning a range sets flags. Go does that atomically; here the lock keeps it apart from
        // the writers' flag.
        let mut range = self.writers.with(|| self.map.range(&frame));
        let mut next = || {
            self.read(
                || self.map.next(&frame, &mut range),
                |entry, begin| self.check_key(entry.0, begin),
            )
        };
        while let Some((key, elem)) = next() {
            if self.objects.visit((key - 1, elem), visit).is_break() {
                return;
            }
        }
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        self.objects.runtime.collect();
        Ok(())
    }
}
