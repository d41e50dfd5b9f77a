//! The lifecycle table: an entry for every block, found by address. It lies outside the arena, where no wild write of
//! the code under test is likely to reach it.

use std::alloc::Layout;

use super::{ARENA, BASE, REDZONE, SLOT, SLOTS, Slot};
use crate::api::Stamp;

/// Blocks that one execution may allocate.
pub(super) const PER_SLOT: usize = 1 << 20;

const IDS: usize = 0x1200_0000_0000;
const ENTRIES: usize = 0x1300_0000_0000;
const UNIT: usize = 16;

/// A block.
pub(super) struct Entry {
    pub addr: usize,
    pub size: usize,
    pub align: usize,
    pub freed: bool,
    pub alloc: Stamp,
    pub free: Stamp,
}

impl Entry {
    pub fn new(addr: usize, layout: Layout, alloc: Stamp) -> Entry {
        Entry {
            addr,
            size: layout.size(),
            align: layout.align(),
            freed: false,
            alloc,
            free: Stamp::default(),
        }
    }

    pub fn layout(&self) -> Layout {
        Layout::from_size_align(self.size, self.align).expect("the layout that was allocated")
    }
}

pub(super) fn prepare() {
    super::map(IDS, ARENA / UNIT * size_of::<u32>());
    super::map(ENTRIES, SLOTS * PER_SLOT * size_of::<Entry>());
}

/// The id of a slot's `n`th block. Ids start at 1, so that an empty table reads as none.
pub(super) fn id(slot: usize, n: u32) -> u32 {
    (slot * PER_SLOT) as u32 + n + 1
}

pub(super) fn slot_of(id: u32) -> usize {
    (id as usize - 1) / PER_SLOT
}

pub(super) fn entry(id: u32) -> &'static mut Entry {
    // SAFETY: the table has room for every id; zeroed entries are valid; the running thread alone uses them, briefly.
    unsafe { &mut *(ENTRIES as *mut Entry).add(id as usize - 1) }
}

/// Notes that a block starts at this address.
pub(super) fn bind(addr: usize, id: u32) {
    // SAFETY: the table has a place for every unit of the arena.
    unsafe { *(IDS as *mut u32).add((addr - BASE) / UNIT) = id };
}

/// The block that starts at this address.
pub(super) fn at(addr: usize, slots: &[Slot; SLOTS]) -> Option<u32> {
    // SAFETY: as in `bind`; the address was checked to lie in the arena.
    let id = unsafe { *(IDS as *mut u32).add((addr - BASE) / UNIT) };
    let known = id != 0 && (id as usize - 1) % PER_SLOT < slots[slot_of(id)].blocks as usize;
    (known && entry(id).addr == addr).then_some(id)
}

/// The block an address lies in, else the one in whose redzone it lies. Searches the slot: for findings only.
pub(super) fn around(addr: usize, slots: &[Slot; SLOTS]) -> Option<u32> {
    if !super::contains(addr) {
        return None;
    }
    let slot = (addr - BASE) / SLOT;
    let ids = || (0..slots[slot].blocks).rev().map(|n| id(slot, n));
    let within = |id: &u32, margin: usize| {
        let e = entry(*id);
        addr + margin >= e.addr && addr < e.addr + e.size + margin
    };
    ids().find(|id| within(id, 0)).or_else(|| ids().find(|id| within(id, 2 * REDZONE)))
}
