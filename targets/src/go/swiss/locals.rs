//! What an operation has in its hands while it runs.

use mapcheck::model::{Engine, Layout, Ptr};

use crate::go::Kind;
use crate::go::runtime::{Frame, Runtime};

/// The local variables of an operation. Every pointer that is loaded or allocated through it is a root of the collector
/// until the operation returns, as on a goroutine's stack.
pub(super) struct Locals<'a, E: Engine> {
    frame: Frame<'a, E>,
    kind: Kind,
}

impl<'a, E: Engine> Locals<'a, E> {
    /// Those of an operation that begins.
    pub(super) fn new(runtime: &'a Runtime<E>, kind: Kind) -> Locals<'a, E> {
        Locals { frame: runtime.frame(), kind }
    }

    /// What the map's keys and elems are.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// A new block, all zero.
    pub(super) fn allocate(&self, layout: Layout) -> Ptr {
        self.frame.allocate(layout)
    }

    /// Reads a word that is no pointer.
    #[track_caller]
    pub(super) fn read(&self, at: Ptr) -> u64 {
        self.frame.runtime().heap().read(at)
    }

    /// Writes a word that is no pointer.
    #[track_caller]
    pub(super) fn write(&self, at: Ptr, value: u64) {
        self.frame.runtime().heap().write(at, value);
    }

    /// Adds to a word that is no pointer, in a load and a store, as Go does: two goroutines may lose an addition.
    pub(super) fn add(&self, at: Ptr, value: i64) {
        self.write(at, self.read(at).wrapping_add_signed(value));
    }

    /// Loads a pointer.
    #[track_caller]
    pub(super) fn load(&self, at: Ptr) -> Ptr {
        self.frame.load(at).1
    }

    /// Stores a pointer, with the write barrier.
    #[track_caller]
    pub(super) fn store(&self, at: Ptr, pointer: Ptr) {
        self.frame.runtime().write_pointer(at, pointer);
    }

    /// The id of a key. Where keys are pointers it lies in the first word of their object. A key that a racing delete
    /// has set to nil has an id too, of no other key: Go compares pointers, and does not follow them.
    pub(super) fn id_of(&self, key: u64) -> u64 {
        match self.kind.pointers {
            true if Ptr::from_word(key).is_null() => u64::MAX,
            true => self.read(Ptr::from_word(key)),
            false => key,
        }
    }

    /// Reads a key or an elem.
    #[track_caller]
    pub(super) fn read_word(&self, at: Ptr) -> u64 {
        if self.kind.pointers { self.load(at).to_word() } else { self.read(at) }
    }

    /// Writes a key or an elem.
    #[track_caller]
    pub(super) fn write_word(&self, at: Ptr, word: u64) {
        match self.kind.pointers {
            true => self.store(at, Ptr::from_word(word)),
            false => self.write(at, word),
        }
    }

    /// Copies a key or an elem from one array of groups to another, with the bulk barrier.
    pub(super) fn copy_word(&self, to: Ptr, from: Ptr) {
        match self.kind.pointers {
            true => self.frame.runtime().copy(to, from, 1),
            false => self.write(to, self.read(from)),
        }
    }

    /// Clears keys or elems that lie side by side, with the bulk barrier.
    pub(super) fn zero_words(&self, at: Ptr, words: usize) {
        match self.kind.pointers {
            true => self.frame.runtime().clear(at, words),
            false => (0..words).for_each(|i| self.write(at.at(i), 0)),
        }
    }
}
