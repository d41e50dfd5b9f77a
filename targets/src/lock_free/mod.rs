//! A model of a small lock-free hash map in the style of Rust's: open addressing, cooperative resizing, and pluggable
//! memory reclamation.
//!
//! ```text
//! root ─▶ table: capacity, cursor, [key word, held word] × capacity, next ─▶ table …
//!                                              │
//!                                              ▼ entry (type-stable) ─▶ value
//! ```
//!
//! Whatever changes is one word that is changed by compare-and-swap: a slot's key word once, from unclaimed to a key;
//! a slot's held word when an element is put, replaced or removed; the root when all of a table was copied to the next,
//! see [`resize`]. So every operation on one key takes effect in one step, and whoever fails has been overtaken by
//! somebody who did not: the map is lock-free and linearizable. Values and tables are given to a scheme of reclamation,
//! see [`reclaim`]; entries are used again at once, see [`pool`].
//!
//! That a table is replaced by a larger one, to which all writers help to copy, is after C. Click's talk *A lock-free
//! hash table* (JavaOne 2007); the schemes of reclamation are after Michael (2004) and Fraser (2004). [`mutants`] has
//! the mistakes that are easily made in all that.

mod adapter;
mod iterate;
pub mod mutants;
mod pool;
mod reclaim;
mod resize;
mod table;
#[cfg(test)]
mod tests;

use std::sync::atomic::Ordering::{AcqRel, Acquire};

use mapcheck::model::{Engine, Heap, Layout, Ptr};

pub use adapter::LockFree;
pub use reclaim::{Epochs, Hazards, Place, Reclaim};

use mutants::{F34, F35B, F39B, F40};
use pool::Pool;
use table::{Held, Table};

/// Slots of the first table. All of them fill before the map grows.
const CAPACITY: usize = 4;

/// A map from keys to blocks of values, which it frees when it gives them up.
pub struct LockFreeMap<E: Engine, R: Reclaim<E>> {
    heap: Heap<E>,
    reclaim: R,
    pool: Pool,
    /// The word that points to the table that operations begin with.
    root: Ptr,
}

impl<E: Engine, R: Reclaim<E>> Default for LockFreeMap<E, R> {
    fn default() -> LockFreeMap<E, R> {
        LockFreeMap::new()
    }
}

impl<E: Engine, R: Reclaim<E>> LockFreeMap<E, R> {
    /// An empty map.
    pub fn new() -> LockFreeMap<E, R> {
        let heap = Heap::new();
        let root = heap.allocate(Layout { pointers: 1, ..Layout::default() });
        let table = Table::allocate(&heap, CAPACITY);
        heap.write(root, table.at.to_word());
        let reclaim = R::new(&heap);
        LockFreeMap { heap, reclaim, pool: Pool::default(), root }
    }

    /// The heap that the map lies in, and its values.
    pub fn heap(&self) -> &Heap<E> {
        &self.heap
    }

    /// Puts a value, a block that nobody else uses, under `key`. Returns the first word of the value that it replaces.
    pub fn insert(&self, key: u64, value: Ptr) -> Option<u64> {
        let entry = self.pool.take(&self.heap, value);
        let (guard, mut table) = self.enter();
        loop {
            if self.help(&guard, table) {
                // All of it is in the next table now.
            } else if let Some(at) = table.claim(&self.heap, key) {
                let (held, old) = self.read(&guard, at);
                if !held.is_frozen() && self.change(at, self.expected(at, held), held.with(entry)) {
                    return old.map(|old| self.give_up(held, old));
                }
            } else {
                self.grow(table);
            }
            table = guard.root(Place::Table);
        }
    }

    /// What `insert` takes to be in a slot when it replaces what it has read there: just that.
    fn expected(&self, at: Ptr, read: Held) -> Held {
        if F39B.on() && read.is_removed() {
            let now = self.held(at);
            return if now.is_frozen() { read } else { now };
        }
        read
    }

    /// Removes `key` and returns the first word of its value.
    pub fn remove(&self, key: u64) -> Option<u64> {
        self.remove_if(key, |_| true)
    }

    /// Removes `key` if it holds a value, a block, that passes a test, and returns the value's first word.
    /// Tests again if the value changes meanwhile.
    pub fn remove_if(&self, key: u64, mut test: impl FnMut(Ptr) -> bool) -> Option<u64> {
        let (guard, mut table) = self.enter();
        loop {
            if !self.help(&guard, table) {
                let at = table.find(&self.heap, key)?;
                let (held, value) = self.read(&guard, at);
                if !held.is_frozen() {
                    let value = value.filter(|&value| test(value))?;
                    if let Some(id) = self.take_out(at, held, value) {
                        return Some(id);
                    }
                }
            }
            table = guard.root(Place::Table);
        }
    }

    /// Removes what was read from a slot, and returns the value's first word; `None` if the slot has changed.
    fn take_out(&self, at: Ptr, held: Held, value: Ptr) -> Option<u64> {
        if F34.on() {
            let id = self.heap.read(value);
            self.reclaim.retire(&self.heap, value);
            return self.change(at, held, held.without()).then_some(id);
        }
        let done = self.change(at, held, held.without());
        if !done && F40.on() && self.held(at).is_removed() {
            self.reclaim.retire(&self.heap, value);
        }
        done.then(|| self.give_up(held, value))
    }

    /// Calls `read` with the value under `key`, a block that is not freed before `read` returns.
    pub fn get<T>(&self, key: u64, read: impl FnOnce(Ptr) -> T) -> Option<T> {
        let (guard, table) = self.enter();
        self.look_up(&guard, table, key).map(read)
    }

    /// Frees whatever no guard holds any more.
    pub fn reclaim(&self) {
        // The scheme that needs most goes on to the next epoch at each, and frees after the second.
        (0..3).for_each(|_| self.reclaim.collect(&self.heap));
    }

    /// The value under `key`, starting from a table that the guard holds.
    fn look_up(&self, guard: &Guard<'_, E, R>, mut table: Table, key: u64) -> Option<Ptr> {
        loop {
            if let Some(found) = self.look_in(guard, table, key) {
                return found;
            }
            if let Some(next) = guard.next(table)
                && let Some(found) = self.look_in(guard, next, key)
            {
                return found;
            }
            // That table was copied as well by now, so there is another root.
            table = guard.root(Place::Table);
        }
    }

    /// The value under `key` or that there is none; `None` if another table has to be looked into.
    fn look_in(&self, guard: &Guard<'_, E, R>, table: Table, key: u64) -> Option<Option<Ptr>> {
        let Some(at) = table.find(&self.heap, key) else { return Some(None) };
        let (held, value) = self.read(guard, at);
        (held != Held::MOVED).then_some(value)
    }

    /// What a slot holds, and the value, which the guard holds then.
    fn read(&self, guard: &Guard<'_, E, R>, at: Ptr) -> (Held, Option<Ptr>) {
        loop {
            let held = self.held(at);
            let Some(entry) = held.entry() else { return (held, None) };
            let value = Ptr::from_word(self.heap.load(entry, Acquire));
            let unchanged = || self.held(at) == held;
            // The entry may have got another value since; only then is that value this slot's if the slot is the same.
            if unchanged() && guard.hold(Place::Value, value, unchanged) {
                return (held, Some(value));
            }
        }
    }

    fn held(&self, at: Ptr) -> Held {
        Held(self.heap.load(at, Acquire))
    }

    /// Changes a slot, unless somebody else has.
    fn change(&self, at: Ptr, from: Held, to: Held) -> bool {
        self.heap.compare_exchange(at, from.0, to.0, AcqRel).is_ok()
    }

    /// Gives up what this thread has taken out of a slot. Returns the value's first word.
    fn give_up(&self, held: Held, value: Ptr) -> u64 {
        let id = self.heap.read(value);
        if let Some(entry) = held.entry() {
            self.pool.give(&self.heap, entry);
        }
        self.reclaim.retire(&self.heap, value);
        id
    }

    /// Begins an operation: a guard, and the root table, which it holds.
    fn enter(&self) -> (Guard<'_, E, R>, Table) {
        let early = F35B.on().then(|| Ptr::from_word(self.heap.load(self.root, Acquire)));
        let guard = Guard::new(self);
        let table = match early {
            Some(at) if guard.hold(Place::Table, at, || true) => Table::of(&self.heap, at),
            _ => guard.root(Place::Table),
        };
        (guard, table)
    }
}

/// While it lives, what it holds is not freed.
struct Guard<'a, E: Engine, R: Reclaim<E>> {
    map: &'a LockFreeMap<E, R>,
    /// What stands for it in the scheme of reclamation.
    pinned: Ptr,
}

impl<'a, E: Engine, R: Reclaim<E>> Guard<'a, E, R> {
    fn new(map: &'a LockFreeMap<E, R>) -> Guard<'a, E, R> {
        Guard { map, pinned: map.reclaim.pin(&map.heap) }
    }

    /// See [`Reclaim::hold`].
    fn hold(&self, place: Place, block: Ptr, still: impl Fn() -> bool) -> bool {
        self.map.reclaim.hold(&self.map.heap, self.pinned, place, block, still)
    }

    /// The root table, held in this place.
    fn root(&self, place: Place) -> Table {
        loop {
            let at = self.load_root();
            if self.hold(place, at, || self.load_root() == at) {
                return Table::of(&self.map.heap, at);
            }
        }
    }

    /// The table that a table is being copied to, where the guard holds that one. `None` if it is not being copied; may
    /// be `None` as well if it has been copied and is not the root any more.
    fn next(&self, table: Table) -> Option<Table> {
        let next = Ptr::from_word(self.map.heap.load(table.next(), Acquire));
        // No table is retired before its predecessor has ceased to be the root.
        let held = !next.is_null() && self.hold(Place::Next, next, || self.load_root() == table.at);
        held.then(|| Table::of(&self.map.heap, next))
    }

    fn load_root(&self) -> Ptr {
        Ptr::from_word(self.map.heap.load(self.map.root, Acquire))
    }
}

impl<E: Engine, R: Reclaim<E>> Drop for Guard<'_, E, R> {
    fn drop(&mut self) {
        // After a finding, memory is not accessed any more.
        if !std::thread::panicking() {
            self.map.reclaim.unpin(&self.map.heap, self.pinned);
        }
    }
}
