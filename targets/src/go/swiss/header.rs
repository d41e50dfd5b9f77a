//! The map's header: the block that stays the same while everything behind it is replaced.

use mapcheck::model::{Engine, Layout, Ptr};

use super::locals::Locals;
use crate::go::hash;
use crate::go::runtime::Runtime;

/// Words of the header, before the pointer.
const USED: usize = 0;
const SEED: usize = 1;
const DIR_LEN: usize = 2;
const GLOBAL_DEPTH: usize = 3;
const GLOBAL_SHIFT: usize = 4;
const WRITING: usize = 5;
const CLEAR_SEQ: usize = 6;
const DIR_PTR: usize = 7;
const LAYOUT: Layout = Layout { cells: 0, atomics: DIR_PTR, pointers: 1 };

/// Bits of a hash.
const HASH_BITS: u64 = 64;

/// The header of a map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header(Ptr);

impl Header {
    /// That of a new map, a global root. It has no group yet: the first write makes one.
    pub(super) fn new<E: Engine>(runtime: &Runtime<E>) -> Header {
        let frame = runtime.frame();
        let header = Header(frame.allocate(LAYOUT));
        runtime.add_global(header.0);
        runtime.heap().write(header.0.at(SEED), E::random());
        header
    }

    /// The block that it is.
    pub(super) fn block(self) -> Ptr {
        self.0
    }

    /// Elements of the map, read as `len` does: without asking whether somebody is writing.
    pub(super) fn len<E: Engine>(self, runtime: &Runtime<E>) -> usize {
        runtime.heap().read(self.0.at(USED)) as usize
    }

    /// Elements of the map.
    pub(super) fn used<E: Engine>(self, locals: &Locals<'_, E>) -> u64 {
        locals.read(self.0.at(USED))
    }

    /// Counts elements that came, or went.
    pub(super) fn add_used<E: Engine>(self, locals: &Locals<'_, E>, change: i64) {
        locals.add(self.0.at(USED), change);
    }

    /// Counts no elements any more.
    pub(super) fn forget_used<E: Engine>(self, locals: &Locals<'_, E>) {
        locals.write(self.0.at(USED), 0);
    }

    /// The hash of a key in this map.
    pub(super) fn hash<E: Engine>(self, locals: &Locals<'_, E>, key_id: u64) -> u64 {
        hash(locals.read(self.0.at(SEED)), key_id)
    }

    /// Draws another seed: what is in the map can no longer be found.
    pub(super) fn reseed<E: Engine>(self, locals: &Locals<'_, E>) {
        let seed = locals.read(self.0.at(SEED));
        locals.write(self.0.at(SEED), hash(seed, E::random()));
    }

    /// Entries of the directory. None: the map is small, and its one group is where a directory would be.
    pub(super) fn dir_len<E: Engine>(self, locals: &Locals<'_, E>) -> usize {
        locals.read(self.0.at(DIR_LEN)) as usize
    }

    /// The directory, or a small map's group; null before the first write.
    pub(super) fn dir_ptr<E: Engine>(self, locals: &Locals<'_, E>) -> Ptr {
        locals.load(self.0.at(DIR_PTR))
    }

    /// Installs a small map's first group.
    pub(super) fn set_small_group<E: Engine>(self, locals: &Locals<'_, E>, groups: Ptr) {
        locals.store(self.0.at(DIR_PTR), groups);
    }

    /// Installs a directory of 2^`global_depth` entries.
    pub(super) fn set_directory<E: Engine>(
        self,
        locals: &Locals<'_, E>,
        directory: Ptr,
        global_depth: u64,
    ) {
        locals.write(self.0.at(GLOBAL_DEPTH), global_depth);
        locals.write(self.0.at(GLOBAL_SHIFT), HASH_BITS - global_depth);
        locals.store(self.0.at(DIR_PTR), directory);
        locals.write(self.0.at(DIR_LEN), 1 << global_depth);
    }

    /// How many leading bits of a hash choose a directory entry.
    pub(super) fn global_depth<E: Engine>(self, locals: &Locals<'_, E>) -> u64 {
        locals.read(self.0.at(GLOBAL_DEPTH))
    }

    /// How far a hash is shifted to leave those bits.
    pub(super) fn global_shift<E: Engine>(self, locals: &Locals<'_, E>) -> u64 {
        locals.read(self.0.at(GLOBAL_SHIFT))
    }

    /// Whether somebody is writing.
    pub(super) fn is_writing<E: Engine>(self, locals: &Locals<'_, E>) -> bool {
        locals.read(self.0.at(WRITING)) != 0
    }

    /// Toggles the writing flag. A toggle and no plain set: of two writers that both passed the check, the second
    /// clears what the first has set, and the first sees it at its end.
    pub(super) fn toggle_writing<E: Engine>(self, locals: &Locals<'_, E>) {
        let writing = locals.read(self.0.at(WRITING));
        locals.write(self.0.at(WRITING), writing ^ 1);
    }

    /// How many clears there were.
    pub(super) fn clear_seq<E: Engine>(self, locals: &Locals<'_, E>) -> u64 {
        locals.read(self.0.at(CLEAR_SEQ))
    }

    /// Counts a clear.
    pub(super) fn count_clear<E: Engine>(self, locals: &Locals<'_, E>) {
        locals.add(self.0.at(CLEAR_SEQ), 1);
    }
}
