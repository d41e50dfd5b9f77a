//! The map of Go 1.23 and before.
//!
//! An array of `2^B` buckets of eight cells each; the low bits of a key's hash choose the bucket. A
//! bucket that is full goes on in overflow buckets: a chain. Each cell has a *tophash*, the top
//! byte of its key's hash, or a state. When there are too many entries the map takes an array of
//! twice the size, and each write then moves a bucket or two of the old one over: it *evacuates*
//! them. Iterators stay in the array that they began with.
//!
//! | file | what it is about |
//! |---|---|
//! | `layout.rs` | where the fields lie |
//! | `call.rs` | reading and writing them; the flag that tells of racing writes |
//! | `write.rs` | assignment, deletion |
//! | `lookup.rs` | lookup |
//! | `overflow.rs` | arrays and overflow buckets |
//! | `grow.rs` | growth and evacuation |
//! | `iterate.rs` | iteration |
//! | `clear.rs` | clearing |
//! | `mutants.rs` | one-place mistakes |
//!
//! In two places the model is better than Go 1.23, so that it keeps what the language promises:
//! clearing takes a new array (see [`mutants::F20`]), and an iterator tells its own growth from a
//! later one to the same size. Keys are such that each equals itself: the rules for NaNs are left
//! out.

mod call;
mod clear;
mod grow;
mod iterate;
mod layout;
mod lookup;
pub mod mutants;
mod overflow;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;

use mapcheck::model::{Engine, Ptr};

use self::call::Call;
use self::iterate::Step;
use self::layout::{Shape, hmap};
use super::runtime::{Frame, Runtime};
use super::{Fatal, Kind, LanguageMap, WriteSections};

pub use self::iterate::Hiter;

/// A map, as a variable that a program holds it in.
pub struct ClassicMap<E: Engine> {
    runtime: Arc<Runtime<E>>,
    shape: Shape,
    /// The `hmap`.
    h: Ptr,
    sections: WriteSections,
}

impl<E: Engine> ClassicMap<E> {
    fn call(&self) -> Call<'_, E> {
        Call { map: self, frame: self.runtime.frame() }
    }

    /// Not Go's: which write sections there have been, for the oracle of racing writes. With two
    /// writers at once the flag may be clear though both write, as in Go, so it means something for
    /// one writer only.
    pub fn write_sections(&self) -> &WriteSections {
        &self.sections
    }

    /// `old, m[key] = m[key], elem`, in one look for the cell, as `m[key]++` does it: what the cell
    /// held, which is zero where the key is new. Where it is a pointer it is kept in the frame.
    ///
    /// # Errors
    /// When the map notices another goroutine's write.
    pub fn replace(&self, frame: &Frame<'_, E>, key: u64, elem: u64) -> Result<u64, Fatal> {
        let call = self.call();
        // By now the map takes the write for done: what follows is the caller's store.
        let at = call.mapassign(key)?;
        let old = self.word(frame, at);
        match self.shape.pointers {
            true => self.runtime.write_pointer(at, Ptr::from_word(elem)),
            false => self.runtime.heap().write(at, elem),
        }
        Ok(old)
    }

    /// The word of a key or an elem. A pointer is kept in the frame.
    fn word(&self, frame: &Frame<'_, E>, at: Ptr) -> u64 {
        match self.shape.pointers {
            true => frame.load(at).1.to_word(),
            false => self.runtime.heap().read(at),
        }
    }

    /// A new `hash0`, of 32 bits.
    fn random_seed(&self) -> u64 {
        E::random() >> 32
    }
}

impl<E: Engine> LanguageMap<E> for ClassicMap<E> {
    type Range = Hiter;

    fn new(runtime: Arc<Runtime<E>>, kind: Kind) -> ClassicMap<E> {
        let frame = runtime.frame();
        let h = frame.allocate(hmap::LAYOUT);
        runtime.add_global(h);
        drop(frame);
        let shape = Shape { pointers: kind.pointers };
        let map = ClassicMap { runtime, shape, h, sections: WriteSections::default() };
        map.call().set(hmap::HASH0, map.random_seed());
        map
    }

    fn assign(&self, frame: &Frame<'_, E>, key: u64, elem: u64) -> Result<(), Fatal> {
        self.replace(frame, key, elem).map(drop)
    }

    fn lookup(&self, frame: &Frame<'_, E>, key_id: u64) -> Result<Option<u64>, Fatal> {
        let call = self.call();
        let found = call.mapaccess(key_id)?;
        Ok(found.map(|(b, i)| self.word(frame, call.elem_at(b, i))))
    }

    fn delete(&self, _: &Frame<'_, E>, key_id: u64) -> Result<(), Fatal> {
        self.call().mapdelete(key_id)
    }

    fn clear(&self, _: &Frame<'_, E>) -> Result<(), Fatal> {
        self.call().mapclear()
    }

    fn len(&self) -> usize {
        self.runtime.heap().read(self.h.at(hmap::COUNT)) as usize
    }

    fn range(&self, frame: &Frame<'_, E>) -> Hiter {
        Step { call: &self.call(), frame }.mapiterinit()
    }

    fn next(&self, frame: &Frame<'_, E>, range: &mut Hiter) -> Result<Option<(u64, u64)>, Fatal> {
        Step { call: &self.call(), frame }.mapiternext(range)
    }
}

impl<E: Engine> Drop for ClassicMap<E> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.runtime.remove_global(self.h);
        }
    }
}
