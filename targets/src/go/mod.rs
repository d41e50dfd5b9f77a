//! Models of Go's maps, on a model of what Go's runtime does for them.
//!
//! | module | what it is |
//! |---|---|
//! | [`runtime`] | a heap with a concurrent collector, goroutines' stacks, write barriers |
//! | [`classic`] | the map of Go 1.23 and before |
//! | [`swiss`] | the map of Go 1.24 and later |
//! | [`adapter`] | the programs that use them: a correct one, and one with a race |
//!
//! What a Go map is to its users is [`LanguageMap`]: the language's operations, which take no lock,
//! and an iterator that lives through any change of the map. Programs have to synchronise; a map
//! that notices that they did not ends them with a [`Fatal`] error.
//!
//! # What is modelled
//!
//! The order of stores and loads in the maps, since races and the collector see it. Memory that is
//! given up by being unreachable, and freed by a tri-colour mark and sweep beside the program, with
//! Go's hybrid write barrier. Iterators that lie on stacks, and so are roots for as long as the
//! range runs. Interior pointers: a pointer to a bucket keeps the array of it.
//!
//! # What is not
//!
//! Words stand for bytes: a block is as many words as the structure has fields, and keys and
//! elements are a word each, an id or a pointer to an object. Goroutines are threads: there is no
//! scheduler and no stack that grows. A goroutine is scanned between any two steps, where Go waits
//! for a safe point; what a compiler guarantees is that loads of pointers are roots at once, and so
//! they are here. There is one collector, without assists, finalizers, or write-barrier buffers,
//! and it runs when it is asked to. Keys equal themselves, so NaNs are left out. Keys and elements
//! above 128 bytes, which Go stores indirectly, are too.

pub mod adapter;
pub mod classic;
pub mod runtime;
pub mod swiss;

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use mapcheck::Key;
use mapcheck::model::Engine;

use self::runtime::{Frame, Runtime};

/// What keys and elements of a map are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Pointers to objects of two words, an id and its complement; otherwise the ids themselves.
    pub pointers: bool,
}

/// An error that Go's runtime does not let a program recover from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fatal {
    /// A write met another write.
    ConcurrentWrites,
    /// A lookup met a write.
    ConcurrentReadAndWrite,
    /// A step of a range met a write.
    ConcurrentIterationAndWrite,
}

impl Fatal {
    /// What Go prints.
    pub fn message(self) -> &'static str {
        match self {
            Fatal::ConcurrentWrites => "fatal error: concurrent map writes",
            Fatal::ConcurrentReadAndWrite => "fatal error: concurrent map read and map write",
            Fatal::ConcurrentIterationAndWrite => {
                "fatal error: concurrent map iteration and map write"
            }
        }
    }
}

/// What the adapters need of a Go map: the operations of the language. None takes a lock.
///
/// Keys and elements are words: ids, or, where the kind says so, pointers to their objects. No
/// element is zero.
///
/// # Errors
/// Of all operations: when the map notices another goroutine's write.
#[expect(clippy::len_without_is_empty, reason = "what adapters need, not a collection's interface")]
pub trait LanguageMap<E: Engine>: Send + Sync + 'static {
    /// The iterator of a range, which lies on the goroutine's stack.
    type Range;
    /// An empty map.
    fn new(runtime: Arc<Runtime<E>>, kind: Kind) -> Self;
    /// `m[key] = elem`
    fn assign(&self, frame: &Frame<'_, E>, key: u64, elem: u64) -> Result<(), Fatal>;
    /// `m[key]`: the element, kept in the frame where it is a pointer.
    fn lookup(&self, frame: &Frame<'_, E>, key_id: u64) -> Result<Option<u64>, Fatal>;
    /// `delete(m, key)`
    fn delete(&self, frame: &Frame<'_, E>, key_id: u64) -> Result<(), Fatal>;
    /// `clear(m)`
    fn clear(&self, frame: &Frame<'_, E>) -> Result<(), Fatal>;
    /// `len(m)`
    fn len(&self) -> usize;
    /// `range m`, before its first step. What the iterator points to is kept in the frame.
    fn range(&self, frame: &Frame<'_, E>) -> Self::Range;
    /// The next key and element of a range, kept in the frame that the range began in, which is to
    /// be given again; `None` when it is over.
    fn next(
        &self,
        frame: &Frame<'_, E>,
        range: &mut Self::Range,
    ) -> Result<Option<(u64, u64)>, Fatal>;
}

/// The hash of a key under a map's seed.
pub fn hash(seed: u64, key_id: u64) -> u64 {
    let mut hasher = Mixer(seed);
    Key::new(key_id).hash(&mut hasher);
    hasher.finish()
}

struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, value: u64) {
        // Both ends of the hash are used: the low bits choose a bucket, the high ones tell keys in
        // it apart.
        let mixed = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

/// For [`adapter::RacingGoMap`] alone: which write sections of a map there have been. A map opens
/// one just after it has set its writing flag and closes it just before it clears the flag, so that
/// the flag is set for all of it.
///
/// No part of the map: the map never asks it.
#[derive(Debug, Default)]
pub struct WriteSections(AtomicU64);

impl WriteSections {
    /// The writing flag is set.
    pub fn open(&self) {
        self.0.fetch_add(1, SeqCst);
    }

    /// The writing flag will be cleared.
    pub fn close(&self) {
        self.0.fetch_add(1, SeqCst);
    }

    /// The number of the section that is open, if one is.
    pub fn current(&self) -> Option<u64> {
        let changes = self.0.load(SeqCst);
        (changes % 2 == 1).then_some(changes)
    }
}
