//! Shadow memory: one byte for every eight bytes of the arena, which tells how many of them, from the first, are
//! accessible.

use super::{ARENA, BASE};

const SHADOW: usize = 0x1100_0000_0000;
pub(super) const GRANULE: usize = 8;

pub(super) fn prepare() {
    super::map(SHADOW, ARENA / GRANULE);
}

#[inline(always)]
fn byte(addr: usize) -> *mut u8 {
    (SHADOW + (addr - BASE) / GRANULE) as *mut u8
}

/// Whether all bytes of an access are accessible; true for what lies outside the arena.
#[inline(always)]
pub(crate) fn live(addr: usize, size: usize) -> bool {
    if !super::contains(addr) {
        return true;
    }
    let end = addr % GRANULE + size;
    // SAFETY: the shadow of every address of the arena is mapped, and `prepare` ran before anything was armed.
    if end <= usize::from(unsafe { *byte(addr) }) {
        return true;
    }
    end > GRANULE && live_range(addr, size)
}

/// As [`live`], for accesses that span granules.
#[inline(never)]
fn live_range(addr: usize, size: usize) -> bool {
    let end = addr + size;
    let mut at = addr;
    while at < end && super::contains(at) {
        let next = (at / GRANULE + 1) * GRANULE;
        let needed = next.min(end) - (at / GRANULE) * GRANULE;
        // SAFETY: as in `live`.
        if needed > usize::from(unsafe { *byte(at) }) {
            return false;
        }
        at = next;
    }
    true
}

/// Marks a block accessible.
pub(super) fn allow(addr: usize, size: usize) {
    fill(addr, size - size % GRANULE, GRANULE as u8);
    if !size.is_multiple_of(GRANULE) {
        // SAFETY: the block lies in the arena, whose shadow is mapped.
        unsafe { *byte(addr + size) = (size % GRANULE) as u8 };
    }
}

/// Sets the shadow of every granule that the range touches.
pub(super) fn fill(addr: usize, size: usize, value: u8) {
    // SAFETY: the range lies in the arena, whose shadow is mapped.
    unsafe { std::ptr::write_bytes(byte(addr), value, size.div_ceil(GRANULE)) };
}
