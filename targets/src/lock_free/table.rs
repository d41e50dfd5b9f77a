//! A table: slots of two words, a key and what it holds.
//!
//! A key's slot is the first on its way that has the key, and no slot ever loses its key, so a key has at most one slot
//! in a table, and all threads find the same. What changes is the slot's second word, see [`Held`].

use std::hash::BuildHasher;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

use mapcheck::Key;
use mapcheck::model::{Engine, Heap, Layout, Ptr};

use super::mutants::F39;
use crate::Spread;

/// A key word that no key has claimed.
pub(super) const UNCLAIMED: u64 = 0;
/// A key word that no key can claim any more, because the table is being copied.
pub(super) const CLOSED: u64 = u64::MAX;

/// What the key word of this key's slot is.
pub(super) fn claimed_by(key: u64) -> u64 {
    key + 1
}

/// The key that has claimed a slot with this key word.
pub(super) fn claimer(word: u64) -> Option<u64> {
    (word != UNCLAIMED && word != CLOSED).then(|| word - 1)
}

/// The second word of a slot.
///
/// It holds an entry, or nothing, and a version that every change of it counts up. Entries are used again at once, so
/// that without the version a word could be the same and mean another value. The version lies in the bits of the
/// offset into the entry, which would be zero; the upper four bits are marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held(pub u64);

/// Set while the entry is being copied to the next table: nobody changes it here any more.
const FROZEN: u64 = 1 << 60;
/// Nothing: the entry was removed.
const REMOVED: u64 = 1 << 61;
const VERSION: u64 = (1 << 24) - 1;

impl Held {
    /// Nothing ever was here.
    pub(super) const NEVER: Held = Held(0);
    /// To be looked for in the next table, where there may be nothing.
    pub(super) const MOVED: Held = Held(1 << 62);

    /// The entry that it holds.
    pub(super) fn entry(self) -> Option<Ptr> {
        let holds = self.0 & REMOVED == 0 && self != Held::MOVED && self != Held::NEVER;
        holds.then(|| Ptr::from_word(self.0).base())
    }

    /// Whether an entry was removed from here, and none put since.
    pub(super) fn is_removed(self) -> bool {
        self.0 & REMOVED != 0
    }

    /// Whether nobody may change it but to [`Held::MOVED`].
    pub(super) fn is_frozen(self) -> bool {
        self.0 & FROZEN != 0 || self == Held::MOVED
    }

    /// The same entry, frozen.
    pub(super) fn frozen(self) -> Held {
        Held(self.0 | FROZEN)
    }

    /// What it becomes when this entry is put.
    pub(super) fn with(self, entry: Ptr) -> Held {
        Held(entry.to_word() | self.next_version())
    }

    /// What it becomes when its entry is removed.
    pub(super) fn without(self) -> Held {
        Held(REMOVED | self.next_version())
    }

    fn next_version(self) -> u64 {
        let changes = if F39.on() { 0 } else { 1 };
        (self.0 + changes) & VERSION
    }
}

/// Words before the slots: the capacity, and the cursor of those who copy.
const SLOTS: usize = 2;

/// A table, and its capacity, which never changes. One word after the slots points to the next table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub at: Ptr,
    pub capacity: usize,
}

impl Table {
    /// An empty table.
    pub(super) fn allocate<E: Engine>(heap: &Heap<E>, capacity: usize) -> Table {
        let at = heap.allocate(Layout { cells: 1, atomics: 1 + 2 * capacity, pointers: 1 });
        heap.write(at, capacity as u64);
        Table { at, capacity }
    }

    /// The table that a pointer points to; reads its capacity.
    pub(super) fn of<E: Engine>(heap: &Heap<E>, at: Ptr) -> Table {
        Table { at, capacity: heap.read(at) as usize }
    }

    /// Where those who copy it begin.
    pub(super) fn cursor(self) -> Ptr {
        self.at.at(1)
    }

    /// The key word of a slot.
    pub(super) fn key(self, slot: usize) -> Ptr {
        self.at.at(SLOTS + 2 * slot)
    }

    /// The other word of a slot.
    pub(super) fn held(self, slot: usize) -> Ptr {
        self.key(slot).at(1)
    }

    /// The pointer to the table that it is being copied to; null while it is not.
    pub(super) fn next(self) -> Ptr {
        self.key(self.capacity)
    }

    /// Its slots in the order in which this key looks at them.
    fn way(self, key: u64) -> impl Iterator<Item = usize> {
        let first = Spread::default().hash_one(Key::new(key)) as usize;
        (0..self.capacity).map(move |i| first.wrapping_add(i) % self.capacity)
    }

    /// The second word of a key's slot; `None` if it has none, so that it is not in this table.
    pub(super) fn find<E: Engine>(self, heap: &Heap<E>, key: u64) -> Option<Ptr> {
        for slot in self.way(key) {
            match heap.load(self.key(slot), Acquire) {
                UNCLAIMED | CLOSED => return None,
                word if word == claimed_by(key) => return Some(self.held(slot)),
                _ => {}
            }
        }
        None
    }

    /// As [`Table::find`], but claims a slot for a key that has none; `None` if there is no slot left to claim.
    pub(super) fn claim<E: Engine>(self, heap: &Heap<E>, key: u64) -> Option<Ptr> {
        for slot in self.way(key) {
            let mut word = heap.load(self.key(slot), Acquire);
            if word == UNCLAIMED {
                let mine = claimed_by(key);
                let claim = heap.compare_exchange(self.key(slot), UNCLAIMED, mine, AcqRel);
                word = claim.map_or_else(|other| other, |_| mine);
            }
            if word == claimed_by(key) {
                return Some(self.held(slot));
            }
            if word == CLOSED {
                return None;
            }
        }
        None
    }
}
