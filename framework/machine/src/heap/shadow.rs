//! Shadow memory: one byte for every eight bytes of the arena, which tells how many of them, from the first, are
//! accessible.

use super::{ARENA, BASE};

pub(crate) const SHADOW: usize = 0x1100_0000_0000;
pub(super) const GRANULE: usize = 8;

pub(super) fn prepare() {
    // What follows is no part of the arena, and reads as dead.
    super::map(SHADOW, ARENA / GRANULE + super::PAGE);
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
    end > GRANULE && live_range(addr, end)
}

/// A granule of which all bytes are accessible, eight times over.
const WHOLE: u64 = 0x0808_0808_0808_0808;

/// As [`live`], for accesses that span granules: `end` is where they end, from the start of their first granule. The
/// shadow is read in words, since what moves memory spans many.
#[inline(never)]
fn live_range(addr: usize, end: usize) -> bool {
    let (mut at, mut whole) = (byte(addr).cast_const(), end / GRANULE);
    while whole > 0 {
        let n = whole.min(GRANULE);
        // SAFETY: the granules before are live, so that this one is in the arena or the first behind it, and a word
        // more is mapped.
        let word = unsafe { at.cast::<u64>().read_unaligned() };
        if u64::from_le(word ^ WHOLE) << (64 - 8 * n) != 0 {
            return false;
        }
        // SAFETY: as above.
        at = unsafe { at.add(n) };
        whole -= n;
    }
    // SAFETY: as above.
    end % GRANULE <= usize::from(unsafe { *at })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_to_any_bytes_is_live_if_each_of_them_is() {
        crate::heap::prepare();
        // A slot that no execution of these tests comes to.
        let block = BASE + ARENA - (1 << 20);
        for size in 0..150 {
            fill(block - 64, 400, 0);
            allow(block, size);
            for start in block - 9..block + size + 9 {
                for length in (1..=17).chain([31, 32, 64, 100, 144]) {
                    let within = start >= block && start + length <= block + size;
                    assert_eq!(live(start, length), within, "{size} {} {length}", start - block);
                }
            }
        }
        fill(block - 64, 400, 0);
    }
}
