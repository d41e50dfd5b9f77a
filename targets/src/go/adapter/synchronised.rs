//! A correct Go program: goroutines take a lock around each operation on the map and around each
//! step of a range.
//!
//! They do not hold it in the body of a range. So writes, the body's own and those of others, come
//! between two steps, which the language allows. The collector takes no lock: it runs beside
//! everything.

use std::ops::ControlFlow;
use std::sync::Arc;

use mapcheck::model::{Engine, Lock};
use mapcheck::{
    Atomic, Consistency, Fault, Iteration, Key, Map, Previous, Profile, Unsupported, Value,
};

use super::object::{Objects, certain};
use crate::go::classic::ClassicMap;
use crate::go::runtime::Frame;
#[cfg(test)]
use crate::go::runtime::Runtime;
use crate::go::swiss::{KNOBS, SwissMap};
use crate::go::{Fatal, Kind, LanguageMap};

/// A map and the lock that a program's goroutines take for it.
pub struct Synchronised<E: Engine, M> {
    objects: Objects<E>,
    lock: E::Lock,
    map: M,
}

/// What differs from map to map.
pub trait Adapted<E: Engine>: LanguageMap<E> {
    /// What is turned down in the map, in words.
    const KNOBS: &str;

    /// `old, m[key] = m[key], elem`, in one look for the cell, as `m[key] += elem` does it: what
    /// the cell held, kept in the frame where it is a pointer; zero where the key is new.
    ///
    /// # Errors
    /// When the map notices another goroutine's write.
    fn exchange(&self, frame: &Frame<'_, E>, key: u64, elem: u64) -> Result<u64, Fatal>;
}

impl<E: Engine> Adapted<E> for ClassicMap<E> {
    const KNOBS: &str = "";

    fn exchange(&self, frame: &Frame<'_, E>, key: u64, elem: u64) -> Result<u64, Fatal> {
        self.replace(frame, key, elem)
    }
}

impl<E: Engine> Adapted<E> for SwissMap<E> {
    const KNOBS: &str = KNOBS;

    fn exchange(&self, frame: &Frame<'_, E>, key: u64, elem: u64) -> Result<u64, Fatal> {
        self.replace(frame, key, elem)
    }
}

impl<E: Engine, M: Adapted<E>> Synchronised<E, M> {
    /// A map whose keys and elements are of this kind.
    pub fn of_kind(kind: Kind) -> Synchronised<E, M> {
        let objects = Objects::new(kind);
        let map = M::new(Arc::clone(&objects.runtime), kind);
        Synchronised { objects, lock: E::Lock::new(), map }
    }

    #[cfg(test)]
    pub(super) fn runtime(&self) -> &Runtime<E> {
        &self.objects.runtime
    }

    fn frame(&self) -> Frame<'_, E> {
        self.objects.runtime.frame()
    }

    /// An operation on the map.
    fn with<T>(&self, operate: impl FnOnce(&M) -> Result<T, Fatal>) -> T {
        certain(self.lock.with(|| operate(&self.map)))
    }

    fn previous(&self, old: Option<u64>) -> Previous {
        old.map_or(Previous::Absent, |elem| Previous::Present(self.objects.id(elem)))
    }

    fn delete(&self, id: u64) -> Previous {
        let frame = self.frame();
        let old = self.with(|map| {
            let old = map.lookup(&frame, id)?;
            map.delete(&frame, id)?;
            Ok(old)
        });
        self.previous(old)
    }

    /// `for key, elem := range m`
    fn range(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let frame = self.frame();
        let mut range = self.with(|map| Ok(map.range(&frame)));
        while let Some(entry) = self.with(|map| map.next(&frame, &mut range)) {
            if self.objects.visit(entry, visit).is_break() {
                return;
            }
        }
    }
}

impl<E: Engine, M: Adapted<E>> Map for Synchronised<E, M> {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::Go,
            promised_by: "Go language specification, For statements with range clause",
            grows_at: 8,
            write_in_visit: true,
            consistency: Consistency::Linearizable,
            // `retain` deletes within a range, one key after the other.
            atomic: Atomic { retain: false, ..Atomic::ALL },
            knobs: M::KNOBS,
        }
    }

    /// Keys and values panic in this adapter, not in the map, and would leave a goroutine in the midst of a write.
    fn excludes() -> &'static [Fault] {
        use Fault::*;
        &[PanicInHash, PanicInEq, PanicInClone, PanicInDrop, PanicInVisitor]
    }

    fn new() -> Synchronised<E, M> {
        Synchronised::of_kind(Kind { pointers: E::random() & 1 == 1 })
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let frame = self.frame();
        let (key, elem) = (self.objects.key(&frame, key.id()), self.objects.elem(&frame, value));
        let old = self.with(|map| map.exchange(&frame, key, elem));
        self.previous((old != 0).then_some(old))
    }

    fn remove(&self, key: &Key) -> Previous {
        self.delete(key.id())
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        let frame = self.frame();
        let found = self.with(|map| map.lookup(&frame, key.id()));
        found.map(|elem| self.objects.read(elem, read)).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        self.range(visit);
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.with(|map| Ok(map.len())))
    }

    fn clear(&self) -> Result<(), Unsupported> {
        let frame = self.frame();
        self.with(|map| map.clear(&frame));
        Ok(())
    }

    /// Deletes in the body of a range, which is how Go programs do it.
    fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        self.range(&mut |key, value| {
            if !keep(key, value) {
                self.delete(key.id());
            }
            ControlFlow::Continue(())
        });
        Ok(())
    }

    /// A whole collection, unless another goroutine's is under way.
    fn reclaim(&self) -> Result<(), Unsupported> {
        self.objects.runtime.collect();
        Ok(())
    }
}
