//! Groups: eight slots and the eight control bytes that tell what is in them.

use mapcheck::model::{Engine, Layout, Ptr};

use super::locals::Locals;
use crate::go::Kind;

/// Slots of a group.
pub(super) const SLOTS: usize = 8;

/// The control byte of a slot that holds nothing. A probe ends at a group that has one.
const EMPTY: u8 = 0x80;
/// The control byte of a tombstone: it holds nothing, but probes go on past it.
const DELETED: u8 = 0xFE;
/// The bit that all control bytes have but those of full slots.
const NOT_FULL: u8 = 0x80;

/// The part of a hash that says where probing starts.
pub(super) fn h1(hash: u64) -> u64 {
    hash >> 7
}

/// The part of a hash that the control byte of a full slot holds: one key in 128 that is not the right one passes.
pub(super) fn h2(hash: u64) -> u8 {
    (hash & 0x7f) as u8
}

/// The control bytes of a group, as they were when they were read: one word, so one access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Controls(u64);

impl Controls {
    /// Those of a group that holds nothing.
    pub(super) const EMPTY: Controls = Controls(u64::from_ne_bytes([EMPTY; SLOTS]));

    fn bytes(self) -> [u8; SLOTS] {
        self.0.to_le_bytes()
    }

    fn with(self, slot: usize, byte: u8) -> Controls {
        let mut bytes = self.bytes();
        bytes[slot] = byte;
        Controls(u64::from_le_bytes(bytes))
    }

    fn slots(self, wanted: impl Fn(u8) -> bool) -> impl Iterator<Item = usize> {
        let bytes = self.bytes();
        (0..SLOTS).filter(move |&slot| wanted(bytes[slot]))
    }

    /// The full slots.
    pub(super) fn full(self) -> impl Iterator<Item = usize> {
        self.slots(|byte| byte & NOT_FULL == 0)
    }

    /// Whether a slot is full.
    pub(super) fn is_full(self, slot: usize) -> bool {
        self.bytes()[slot] & NOT_FULL == 0
    }

    /// The full slots whose key may have this hash.
    pub(super) fn matching(self, hash: u64) -> impl Iterator<Item = usize> {
        let h2 = h2(hash);
        self.slots(move |byte| byte == h2)
    }

    /// The first empty slot.
    pub(super) fn first_empty(self) -> Option<usize> {
        self.slots(|byte| byte == EMPTY).next()
    }

    /// The tombstones.
    pub(super) fn deleted(self) -> impl Iterator<Item = usize> {
        self.slots(|byte| byte == DELETED)
    }
}

/// An array of groups: one block. First all control words, then all keys, then all elems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Groups {
    block: Ptr,
    length: usize,
}

impl Groups {
    /// A new array whose slots are all empty.
    pub(super) fn new<E: Engine>(locals: &Locals<'_, E>, length: usize) -> Groups {
        let groups = Groups { block: locals.allocate(layout(length, locals.kind())), length };
        groups.all().for_each(|group| group.set_controls(locals, Controls::EMPTY));
        groups
    }

    /// The array of so many groups that is in this block.
    pub(super) fn in_block(block: Ptr, length: usize) -> Groups {
        Groups { block, length }
    }

    /// The block that it is.
    pub(super) fn block(self) -> Ptr {
        self.block
    }

    /// How many groups there are: a power of two.
    pub(super) fn length(self) -> usize {
        self.length
    }

    /// One group.
    pub(super) fn group(self, index: usize) -> Group {
        Group { groups: self, index }
    }

    /// All groups.
    pub(super) fn all(self) -> impl Iterator<Item = Group> {
        (0..self.length).map(move |index| self.group(index))
    }
}

/// The block of an array of groups. Keys and elems are what the collector follows, if they are pointers.
fn layout(length: usize, kind: Kind) -> Layout {
    let words = 2 * SLOTS * length;
    match kind.pointers {
        true => Layout { cells: 0, atomics: length, pointers: words },
        false => Layout { cells: 0, atomics: length + words, pointers: 0 },
    }
}

/// A group of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    groups: Groups,
    index: usize,
}

impl Group {
    /// The block that it is in.
    pub(super) fn block(self) -> Ptr {
        self.groups.block
    }

    /// Its control bytes.
    pub(super) fn controls<E: Engine>(self, locals: &Locals<'_, E>) -> Controls {
        Controls(locals.read(self.groups.block.at(self.index)))
    }

    fn set_controls<E: Engine>(self, locals: &Locals<'_, E>, controls: Controls) {
        locals.write(self.groups.block.at(self.index), controls.0);
    }

    /// Where the key of a slot is.
    fn key_at(self, slot: usize) -> Ptr {
        self.groups.block.at(self.groups.length + self.index * SLOTS + slot)
    }

    /// Where the elem of a slot is.
    pub(super) fn elem_at(self, slot: usize) -> Ptr {
        self.key_at(slot).at(self.groups.length * SLOTS)
    }

    /// The key in a slot.
    pub(super) fn key<E: Engine>(self, locals: &Locals<'_, E>, slot: usize) -> u64 {
        locals.read_word(self.key_at(slot))
    }

    /// The elem in a slot.
    pub(super) fn elem<E: Engine>(self, locals: &Locals<'_, E>, slot: usize) -> u64 {
        locals.read_word(self.elem_at(slot))
    }

    /// The slot that holds this key.
    pub(super) fn find<E: Engine>(
        self,
        locals: &Locals<'_, E>,
        controls: Controls,
        hash: u64,
        key_id: u64,
    ) -> Option<usize> {
        let is_key = |&slot: &usize| locals.id_of(self.key(locals, slot)) == key_id;
        controls.matching(hash).find(is_key)
    }

    /// Puts a key into a slot. The control byte comes last: no reader takes the slot for full before it is.
    pub(super) fn put_key<E: Engine>(
        self,
        locals: &Locals<'_, E>,
        slot: usize,
        hash: u64,
        key: u64,
    ) {
        locals.write_word(self.key_at(slot), key);
        self.set_controls(locals, self.controls(locals).with(slot, h2(hash)));
    }

    /// Copies a slot of another array into a slot of this one.
    pub(super) fn put_copy<E: Engine>(
        self,
        locals: &Locals<'_, E>,
        slot: usize,
        hash: u64,
        from: (Group, usize),
    ) {
        locals.copy_word(self.key_at(slot), from.0.key_at(from.1));
        locals.copy_word(self.elem_at(slot), from.0.elem_at(from.1));
        self.set_controls(locals, self.controls(locals).with(slot, h2(hash)));
    }

    /// Takes the contents out of a slot, which leaves it empty or, as a tombstone, deleted. A key that is no pointer
    /// keeps nothing alive, so it stays.
    pub(super) fn remove<E: Engine>(self, locals: &Locals<'_, E>, slot: usize, tombstone: bool) {
        if locals.kind().pointers {
            locals.write_word(self.key_at(slot), 0);
        }
        locals.write_word(self.elem_at(slot), 0);
        let byte = if tombstone { DELETED } else { EMPTY };
        self.set_controls(locals, self.controls(locals).with(slot, byte));
    }

    /// Empties all slots, tombstones too.
    pub(super) fn clear<E: Engine>(self, locals: &Locals<'_, E>) {
        locals.zero_words(self.key_at(0), SLOTS);
        locals.zero_words(self.elem_at(0), SLOTS);
        self.set_controls(locals, Controls::EMPTY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_byte_tells_full_from_empty_from_deleted() {
        let controls = Controls::EMPTY.with(2, h2(0x155)).with(5, DELETED);
        assert_eq!(controls.full().collect::<Vec<_>>(), [2]);
        assert_eq!(controls.matching(0x955).collect::<Vec<_>>(), [2]);
        assert_eq!(controls.matching(0x156).count(), 0);
        assert_eq!((controls.first_empty(), controls.deleted().next()), (Some(0), Some(5)));
        assert!(controls.is_full(2) && !controls.is_full(5) && !controls.is_full(0));
    }

    #[test]
    fn no_two_words_of_an_array_of_groups_lie_at_the_same_place() {
        for pointers in [false, true] {
            let groups = Groups::in_block(Ptr::NULL, 4);
            let mut offsets: Vec<usize> = (0..4).collect();
            for group in groups.all() {
                offsets.extend((0..SLOTS).map(|slot| group.key_at(slot).offset()));
                offsets.extend((0..SLOTS).map(|slot| group.elem_at(slot).offset()));
            }
            offsets.sort_unstable();
            let words = layout(4, Kind { pointers }).words();
            assert_eq!(offsets, (0..words).collect::<Vec<_>>());
        }
    }
}
