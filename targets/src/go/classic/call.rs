//! One call into the map: its stack frame, and the fields of the map's structures as it sees them.

use mapcheck::model::{Engine, Heap, Layout, Ptr};

use super::ClassicMap;
use super::layout::{Bmap, flags, hmap, top};
use crate::go::runtime::Frame;
use crate::go::{Fatal, hash};

/// A call into the map. What it loads or allocates stays rooted until it returns, like the
/// registers and the stack of the goroutine that runs it.
pub(super) struct Call<'m, E: Engine> {
    pub map: &'m ClassicMap<E>,
    pub frame: Frame<'m, E>,
}

impl<E: Engine> Call<'_, E> {
    pub fn heap(&self) -> &Heap<E> {
        self.map.runtime.heap()
    }

    /// A number of the map's header.
    #[track_caller]
    pub fn get(&self, field: usize) -> u64 {
        self.heap().read(self.map.h.at(field))
    }

    #[track_caller]
    pub fn set(&self, field: usize, value: u64) {
        self.heap().write(self.map.h.at(field), value);
    }

    /// A pointer of the map's header.
    #[track_caller]
    pub fn load(&self, field: usize) -> Ptr {
        self.load_from(self.map.h.at(field))
    }

    /// A pointer in memory.
    #[track_caller]
    pub fn load_from(&self, at: Ptr) -> Ptr {
        self.frame.load(at).1
    }

    #[track_caller]
    pub fn store(&self, field: usize, new: Ptr) {
        self.map.runtime.write_pointer(self.map.h.at(field), new);
    }

    pub fn allocate(&self, layout: Layout) -> Ptr {
        self.frame.allocate(layout)
    }

    #[track_caller]
    pub fn has(&self, flag: u64) -> bool {
        self.get(hmap::FLAGS) & flag != 0
    }

    #[track_caller]
    pub fn growing(&self) -> bool {
        !self.load(hmap::OLDBUCKETS).is_null()
    }

    pub fn bucket_mask(&self) -> u64 {
        (1 << self.get(hmap::B)) - 1
    }

    /// The number of old buckets.
    pub fn noldbuckets(&self) -> u64 {
        let b = self.get(hmap::B);
        if self.has(flags::SAME_SIZE_GROW) { 1 << b } else { 1 << b >> 1 }
    }

    pub fn hash(&self, key_id: u64) -> u64 {
        hash(self.get(hmap::HASH0), key_id)
    }

    /// Bucket `index` of an array.
    pub fn bucket(&self, array: Ptr, index: u64) -> Bmap {
        self.map.shape.nth(self.heap(), array, index)
    }

    #[track_caller]
    pub fn tophash(&self, b: Bmap, i: usize) -> u64 {
        self.heap().read(self.map.shape.tophash(b, i))
    }

    #[track_caller]
    pub fn set_tophash(&self, b: Bmap, i: usize, top: u64) {
        self.heap().write(self.map.shape.tophash(b, i), top);
    }

    pub fn key_at(&self, b: Bmap, i: usize) -> Ptr {
        self.map.shape.key(self.heap(), b, i)
    }

    pub fn elem_at(&self, b: Bmap, i: usize) -> Ptr {
        self.map.shape.elem(self.heap(), b, i)
    }

    /// The word of a key or an elem.
    #[track_caller]
    pub fn word(&self, at: Ptr) -> u64 {
        self.map.word(&self.frame, at)
    }

    /// What a key is told apart by.
    #[track_caller]
    pub fn key_id(&self, key: u64) -> u64 {
        if self.map.shape.pointers { self.heap().read(Ptr::from_word(key)) } else { key }
    }

    /// Whether the cell holds this key. A key that a racing delete has set to nil equals none.
    pub fn holds(&self, b: Bmap, i: usize, key_id: u64) -> bool {
        let key = self.word(self.key_at(b, i));
        !(self.map.shape.pointers && Ptr::from_word(key).is_null()) && self.key_id(key) == key_id
    }

    /// The bucket that goes on where this one ends.
    #[track_caller]
    pub fn overflow(&self, b: Bmap) -> Option<Bmap> {
        let next = Ptr::from_word(self.word(self.map.shape.overflow(self.heap(), b)));
        if !self.map.shape.pointers {
            self.frame.keep(next); // No pointer in memory, but one on the stack.
        }
        (!next.is_null()).then_some(Bmap(next))
    }

    /// Links a bucket. Where buckets hold no pointers the link is none to the collector either.
    #[track_caller]
    pub fn set_overflow(&self, b: Bmap, next: Ptr) {
        let at = self.map.shape.overflow(self.heap(), b);
        match self.map.shape.pointers {
            true => self.map.runtime.write_pointer(at, next),
            false => self.heap().write(at, next.to_word()),
        }
    }

    /// The first tophash tells whether the bucket was evacuated.
    pub fn evacuated(&self, b: Bmap) -> bool {
        let is = self.tophash(b, 0);
        !top::is_empty(is) && is < top::MIN_TOP_HASH
    }

    /// Announces a write. Best effort: the flag is no lock, and its test and its change are not one
    /// step.
    pub fn begin_write(&self) -> Result<(), Fatal> {
        if self.has(flags::HASH_WRITING) {
            return Err(Fatal::ConcurrentWrites);
        }
        self.set(hmap::FLAGS, self.get(hmap::FLAGS) ^ flags::HASH_WRITING);
        E::quietly(|| self.map.sections.open());
        Ok(())
    }

    /// Ends a write, unless another write has ended it already.
    pub fn end_write(&self) -> Result<(), Fatal> {
        let now = self.get(hmap::FLAGS);
        if now & flags::HASH_WRITING == 0 {
            return Err(Fatal::ConcurrentWrites);
        }
        E::quietly(|| self.map.sections.close());
        self.set(hmap::FLAGS, now & !flags::HASH_WRITING);
        Ok(())
    }
}
