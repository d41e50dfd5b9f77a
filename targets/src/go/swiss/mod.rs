//! The map of Go 1.24 and later.
//!
//! Elements lie in *groups* of eight slots. A word of eight *control bytes* tells which slots are empty, deleted or
//! full, and seven bits of the hash for those that are full, so that a lookup compares few keys. Up to eight elements
//! are one group, a *small map*. More are in *tables*, arrays of groups that are probed one after the other, behind a
//! *directory* that the leading bits of the hash choose from. A full table is replaced by one of twice the size, or
//! split in two. Growth is one table's alone, and done at once: never the whole map's, and never gradual.
//!
//! | file | what it is about |
//! |---|---|
//! | `group.rs` | control bytes and slots |
//! | `probe.rs` | the order in which groups are searched |
//! | `table.rs` | lookup, assignment and deletion in a table |
//! | `small.rs` | the small map |
//! | `directory.rs` | which table holds which hashes |
//! | `grow.rs` | replacing a table |
//! | `iterate.rs` | iteration, which has to live with all of that |
//! | `header.rs` | the fields of the map; the flag that tells of racing writes |
//! | `locals.rs` | reading and writing memory within an operation |
//! | `mutants.rs` | one-place mistakes |
//!
//! In two things the model differs from Go's map. Tables split early, see [`MAX_TABLE_SLOTS`]. And it keeps its hash
//! seed when it becomes empty, where Go draws a new one: a range in a stale table could then visit a key that is put
//! back both there and in the table that the new seed sends it to, see [`mutants::F41`]. Keys are such that each
//! equals itself, but where the rules for NaNs would be is shown.

mod directory;
mod group;
mod grow;
mod header;
mod iterate;
mod locals;
pub mod mutants;
mod probe;
mod small;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use mapcheck::model::{Engine, Ptr};

use self::group::Group;
use self::header::Header;
use self::iterate::Step;
use self::locals::Locals;
use self::mutants::{E6, F41};
use super::runtime::{Frame, Runtime};
use super::{Fatal, Kind, LanguageMap, WriteSections};

pub use self::iterate::Range;

/// Slots that a table has at most: one that would have to grow beyond is split. Go's have up to 1024, so that a map
/// splits at the 897th element; here the 15th does it, to bring splits into scenarios of few operations. It is also the
/// size of a first table: none ever doubles, see [`SwissMap::with_max_table_slots`].
pub const MAX_TABLE_SLOTS: usize = 16;

/// What is turned down from Go's map, for profiles.
pub const KNOBS: &str = "tables of at most 16 slots, not 1024";

/// A map of Go 1.24 or later.
pub struct SwissMap<E: Engine> {
    runtime: Arc<Runtime<E>>,
    kind: Kind,
    header: Header,
    max_table_slots: usize,
    /// No part of the map.
    sections: WriteSections,
}

impl<E: Engine> SwissMap<E> {
    /// An empty map whose tables have at most so many slots: a power of two, at least 16. From 32 on tables double
    /// before they split.
    ///
    /// # Panics
    /// If it is no such number.
    pub fn with_max_table_slots(
        runtime: Arc<Runtime<E>>,
        kind: Kind,
        max_table_slots: usize,
    ) -> SwissMap<E> {
        assert!(max_table_slots >= MAX_TABLE_SLOTS && max_table_slots.is_power_of_two());
        let header = Header::new(&runtime);
        SwissMap { runtime, kind, header, max_table_slots, sections: WriteSections::default() }
    }

    /// Not Go's: which write sections there have been, for the oracle of racing writes.
    pub fn write_sections(&self) -> &WriteSections {
        &self.sections
    }

    /// `old, m[key] = m[key], elem`, in one search for the slot: what it held, which is zero where the key is new.
    /// Where it is a pointer it is kept in the frame.
    ///
    /// # Errors
    /// When the map notices another goroutine's write.
    pub fn replace(&self, frame: &Frame<'_, E>, key: u64, elem: u64) -> Result<u64, Fatal> {
        let locals = self.locals();
        let elem_at = self.write(&locals, || {
            let hash = self.header.hash(&locals, locals.id_of(key));
            self.place(&locals, hash, key)
        })?;
        // Go's map only returns the place. The caller stores the elem, when the writing flag is clear again.
        let old = locals.read_word(elem_at);
        if self.kind.pointers {
            frame.keep(Ptr::from_word(old));
        }
        locals.write_word(elem_at, elem);
        Ok(old)
    }

    fn locals(&self) -> Locals<'_, E> {
        Locals::new(&self.runtime, self.kind)
    }

    /// The slot of a key.
    fn find(&self, locals: &Locals<'_, E>, key_id: u64) -> Option<(Group, usize)> {
        let hash = self.header.hash(locals, key_id);
        match self.header.dir_len(locals) {
            0 => small::find(self.header, locals, hash, key_id),
            _ => directory::table_of(self.header, locals, hash).find(locals, hash, key_id),
        }
    }

    /// The place of a key's elem. The key is put where it is missing, and the map grows as often as that takes.
    fn place(&self, locals: &Locals<'_, E>, hash: u64, key: u64) -> Ptr {
        let header = self.header;
        if header.dir_ptr(locals).is_null() {
            small::begin(header, locals);
        }
        if header.dir_len(locals) == 0 {
            // A full small map grows even where the key is in it already.
            if header.used(locals) < group::SLOTS as u64
                && let Some(elem) = small::assign(header, locals, hash, key)
            {
                return elem;
            }
            small::grow_to_table(header, locals);
        }
        loop {
            let table = directory::table_of(header, locals, hash);
            if let Some(elem) = table.assign(header, locals, hash, key) {
                return elem;
            }
            grow::rehash(header, locals, table, self.max_table_slots);
        }
    }

    /// Runs a write with the writing flag set. Like Go's, the check is cheap and misses most races: it is there to end
    /// programs that are wrong, not to make them right.
    fn write<R>(&self, locals: &Locals<'_, E>, body: impl FnOnce() -> R) -> Result<R, Fatal> {
        if self.header.is_writing(locals) {
            return Err(Fatal::ConcurrentWrites);
        }
        self.header.toggle_writing(locals);
        E::quietly(|| self.sections.open());
        let result = body();
        if !self.header.is_writing(locals) {
            return Err(Fatal::ConcurrentWrites);
        }
        E::quietly(|| self.sections.close());
        self.header.toggle_writing(locals);
        Ok(result)
    }

    /// Deletes a key from a map that is not empty.
    fn delete_key(&self, locals: &Locals<'_, E>, key_id: u64) {
        let hash = self.header.hash(locals, key_id);
        match self.header.dir_len(locals) {
            0 => small::delete(self.header, locals, hash, key_id),
            _ => {
                let table = directory::table_of(self.header, locals, hash);
                table.delete(self.header, locals, hash, key_id);
            }
        }
        self.become_empty(locals);
    }

    /// Deletes all keys.
    fn delete_all(&self, locals: &Locals<'_, E>) {
        match self.header.dir_len(locals) {
            0 => small::group(self.header, locals).clear(locals),
            _ => directory::for_each_table(self.header, locals, |table| table.clear(locals)),
        }
        self.header.forget_used(locals);
        if !E6.on() {
            self.header.count_clear(locals);
        }
        self.become_empty(locals);
    }

    /// Where Go changes the seed of a map that has become empty, so that nobody gathers keys whose hashes collide.
    fn become_empty(&self, locals: &Locals<'_, E>) {
        if F41.on() && self.header.used(locals) == 0 {
            self.header.reseed(locals);
        }
    }
}

impl<E: Engine> LanguageMap<E> for SwissMap<E> {
    type Range = Range;

    fn new(runtime: Arc<Runtime<E>>, kind: Kind) -> SwissMap<E> {
        SwissMap::with_max_table_slots(runtime, kind, MAX_TABLE_SLOTS)
    }

    fn assign(&self, frame: &Frame<'_, E>, key: u64, elem: u64) -> Result<(), Fatal> {
        self.replace(frame, key, elem).map(drop)
    }

    fn lookup(&self, frame: &Frame<'_, E>, key_id: u64) -> Result<Option<u64>, Fatal> {
        let locals = self.locals();
        if self.header.used(&locals) == 0 {
            return Ok(None);
        }
        if self.header.is_writing(&locals) {
            return Err(Fatal::ConcurrentReadAndWrite);
        }
        let Some((group, slot)) = self.find(&locals, key_id) else { return Ok(None) };
        let elem = group.elem(&locals, slot);
        if self.kind.pointers {
            frame.keep(Ptr::from_word(elem));
        }
        Ok(Some(elem))
    }

    fn delete(&self, _: &Frame<'_, E>, key_id: u64) -> Result<(), Fatal> {
        let locals = self.locals();
        if self.header.used(&locals) == 0 {
            return Ok(());
        }
        self.write(&locals, || self.delete_key(&locals, key_id))
    }

    fn clear(&self, _: &Frame<'_, E>) -> Result<(), Fatal> {
        let locals = self.locals();
        if self.header.used(&locals) == 0 {
            return Ok(());
        }
        self.write(&locals, || self.delete_all(&locals))
    }

    fn len(&self) -> usize {
        self.header.len(&self.runtime)
    }

    fn range(&self, frame: &Frame<'_, E>) -> Range {
        Range::new(self.header, &self.locals(), frame)
    }

    fn next(&self, frame: &Frame<'_, E>, range: &mut Range) -> Result<Option<(u64, u64)>, Fatal> {
        let locals = self.locals();
        Step { map: self, locals: &locals, frame }.next(range)
    }
}

impl<E: Engine> Drop for SwissMap<E> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.runtime.remove_global(self.header.block());
        }
    }
}
