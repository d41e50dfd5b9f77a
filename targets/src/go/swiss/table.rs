//! Tables: groups that are probed together, and how full they are.

use mapcheck::model::{Engine, Layout, Ptr};

use super::group::{Group, Groups, SLOTS};
use super::header::Header;
use super::locals::Locals;
use super::mutants::{E5, F33, F33B};
use super::probe::probe;

/// Words of a table, before the pointer to its groups.
const USED: usize = 0;
const CAPACITY: usize = 1;
const GROWTH_LEFT: usize = 2;
const LOCAL_DEPTH: usize = 3;
const INDEX: usize = 4;
const GROUPS: usize = 5;
const LAYOUT: Layout = Layout { cells: 0, atomics: GROUPS, pointers: 1 };

/// The index of a table that was replaced and is in no directory any more: −1.
const STALE: u64 = u64::MAX;

/// A table. It changes in place only until it is full; then others take its place, and it is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Table(Ptr);

impl Table {
    /// An empty table, to be first in the directory at `index`.
    pub(super) fn new<E: Engine>(
        locals: &Locals<'_, E>,
        capacity: usize,
        index: usize,
        local_depth: u64,
    ) -> Table {
        let table = Table(locals.allocate(LAYOUT));
        locals.write(table.0.at(CAPACITY), capacity as u64);
        locals.write(table.0.at(GROWTH_LEFT), max_growth_left(capacity));
        locals.write(table.0.at(LOCAL_DEPTH), local_depth);
        locals.write(table.0.at(INDEX), index as u64);
        let groups = Groups::new(locals, capacity / SLOTS);
        locals.store(table.0.at(GROUPS), groups.block());
        table
    }

    /// The table in this block.
    pub(super) fn in_block(block: Ptr) -> Table {
        Table(block)
    }

    /// The block that it is.
    pub(super) fn block(self) -> Ptr {
        self.0
    }

    /// Its slots.
    pub(super) fn capacity<E: Engine>(self, locals: &Locals<'_, E>) -> usize {
        locals.read(self.0.at(CAPACITY)) as usize
    }

    /// Its groups.
    pub(super) fn groups<E: Engine>(self, locals: &Locals<'_, E>) -> Groups {
        let length = self.capacity(locals) / SLOTS;
        Groups::in_block(locals.load(self.0.at(GROUPS)), length)
    }

    /// Its elements.
    #[cfg(test)]
    pub(super) fn used<E: Engine>(self, locals: &Locals<'_, E>) -> u64 {
        locals.read(self.0.at(USED))
    }

    /// How many more slots may become full before it is to grow.
    pub(super) fn growth_left<E: Engine>(self, locals: &Locals<'_, E>) -> u64 {
        locals.read(self.0.at(GROWTH_LEFT))
    }

    /// How many leading bits all hashes in it have in common.
    pub(super) fn local_depth<E: Engine>(self, locals: &Locals<'_, E>) -> u64 {
        locals.read(self.0.at(LOCAL_DEPTH))
    }

    /// The first of its directory entries.
    pub(super) fn index<E: Engine>(self, locals: &Locals<'_, E>) -> usize {
        locals.read(self.0.at(INDEX)) as usize
    }

    /// Changes the first of its directory entries.
    pub(super) fn set_index<E: Engine>(self, locals: &Locals<'_, E>, index: usize) {
        locals.write(self.0.at(INDEX), index as u64);
    }

    /// Whether it was replaced.
    pub(super) fn is_stale<E: Engine>(self, locals: &Locals<'_, E>) -> bool {
        locals.read(self.0.at(INDEX)) == STALE
    }

    /// Marks it as replaced, for ranges that are still in it. Its contents stay as they are from here on.
    pub(super) fn set_stale<E: Engine>(self, locals: &Locals<'_, E>) {
        locals.write(self.0.at(INDEX), STALE);
    }

    /// The slot of a key.
    pub(super) fn find<E: Engine>(
        self,
        locals: &Locals<'_, E>,
        hash: u64,
        key_id: u64,
    ) -> Option<(Group, usize)> {
        for group in probe(self.groups(locals), hash) {
            let controls = group.controls(locals);
            if let Some(slot) = group.find(locals, controls, hash, key_id) {
                return Some((group, slot));
            }
            if controls.first_empty().is_some() {
                break;
            }
        }
        None
    }

    /// The place of a key's elem; the key is put where it is missing. `None` if there is no room for it.
    pub(super) fn assign<E: Engine>(
        self,
        header: Header,
        locals: &Locals<'_, E>,
        hash: u64,
        key: u64,
    ) -> Option<Ptr> {
        let (group, slot) = match self.place(locals, hash, locals.id_of(key)) {
            Place::Present(group, slot) => return Some(group.elem_at(slot)),
            Place::Tombstone(group, slot) => {
                // It was counted when it became full for the first time.
                if !E5.on() {
                    locals.add(self.0.at(GROWTH_LEFT), 1);
                }
                (group, slot)
            }
            Place::Empty(group, slot) => (group, slot),
        };
        if self.growth_left(locals) == 0 {
            return None;
        }
        group.put_key(locals, slot, hash, key);
        locals.add(self.0.at(GROWTH_LEFT), -1);
        locals.add(self.0.at(USED), 1);
        header.add_used(locals, 1);
        Some(group.elem_at(slot))
    }

    /// Where a key is, or is to be put. The first tombstone on the way is taken again, but only when an empty slot has
    /// proved that the key is not further on.
    fn place<E: Engine>(self, locals: &Locals<'_, E>, hash: u64, key_id: u64) -> Place {
        let mut tombstone = None;
        for group in probe(self.groups(locals), hash) {
            let controls = group.controls(locals);
            if let Some(slot) = group.find(locals, controls, hash, key_id) {
                return Place::Present(group, slot);
            }
            if let Some(slot) = controls.first_empty() {
                return tombstone.unwrap_or(Place::Empty(group, slot));
            }
            if let Some(slot) = controls.deleted().next() {
                let first = tombstone.get_or_insert(Place::Tombstone(group, slot));
                if F33B.on() {
                    return *first;
                }
            }
        }
        unreachable!("probing goes round without end")
    }

    /// Deletes a key.
    pub(super) fn delete<E: Engine>(
        self,
        header: Header,
        locals: &Locals<'_, E>,
        hash: u64,
        key_id: u64,
    ) {
        let Some((group, slot)) = self.find(locals, hash, key_id) else { return };
        locals.add(self.0.at(USED), -1);
        header.add_used(locals, -1);
        // A group that never was full has ended all probes that came to it, so nothing lies behind it. Past a full one
        // probes may have gone on, and have to go on.
        let ended_probes = group.controls(locals).first_empty().is_some() || F33.on();
        group.remove(locals, slot, !ended_probes);
        if ended_probes {
            locals.add(self.0.at(GROWTH_LEFT), 1);
        }
    }

    /// Deletes all keys, and tombstones. The groups stay, so a range goes on in them.
    pub(super) fn clear<E: Engine>(self, locals: &Locals<'_, E>) {
        self.groups(locals).all().for_each(|group| group.clear(locals));
        locals.write(self.0.at(USED), 0);
        let growth_left = max_growth_left(self.capacity(locals));
        locals.write(self.0.at(GROWTH_LEFT), growth_left);
    }

    /// Copies a slot of a table that this one is to replace. Without tombstones and equal keys, the first empty slot on
    /// the way is right.
    pub(super) fn put_copy<E: Engine>(
        self,
        locals: &Locals<'_, E>,
        hash: u64,
        from: (Group, usize),
    ) {
        for group in probe(self.groups(locals), hash) {
            if let Some(slot) = group.controls(locals).first_empty() {
                group.put_copy(locals, slot, hash, from);
                locals.add(self.0.at(GROWTH_LEFT), -1);
                locals.add(self.0.at(USED), 1);
                return;
            }
        }
    }
}

/// Where a key is to be put.
#[derive(Clone, Copy)]
enum Place {
    Present(Group, usize),
    Tombstone(Group, usize),
    Empty(Group, usize),
}

/// How many slots may become full: seven of eight, and never all, since the empty ones are what ends a probe.
pub(super) fn max_growth_left(capacity: usize) -> u64 {
    if capacity <= SLOTS { capacity as u64 - 1 } else { capacity as u64 * 7 / 8 }
}
