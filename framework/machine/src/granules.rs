//! The granules at whose accesses the decider is asked, see [`crate::Decider::granules`].

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::api::GRANULE;
use crate::state::{LOOKED_UP, is_on, turn};

/// Granules are told apart by so many of their last bits.
const BITS: usize = 16;
const WORDS: usize = (1 << BITS) / 64;

/// A bit a granule.
#[unsafe(link_section = "mapcheck_kept")]
static AWAITED: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];

/// Whether any bit is set.
#[unsafe(link_section = "mapcheck_kept")]
static ANY: AtomicBool = AtomicBool::new(false);

#[inline(always)]
fn place(granule: usize) -> (usize, u64) {
    let bit = granule % (1 << BITS);
    (bit / 64, 1 << (bit % 64))
}

/// Forgets the granules of the execution before, and takes these.
pub(crate) fn begin(granules: &[usize]) {
    look_up(false);
    if ANY.load(Relaxed) {
        AWAITED.iter().for_each(|word| word.store(0, Relaxed));
    }
    for &granule in granules {
        let (word, bit) = place(granule);
        AWAITED[word].store(AWAITED[word].load(Relaxed) | bit, Relaxed);
    }
    ANY.store(!granules.is_empty(), Relaxed);
}

/// Switches the looking up on, if there is anything to be found, or off.
pub(crate) fn look_up(on: bool) {
    turn(LOOKED_UP, on && ANY.load(Relaxed));
}

/// Whether the decider is to be asked at an access to this address.
#[inline(always)]
pub(crate) fn awaited(addr: usize) -> bool {
    let (word, bit) = place(addr / GRANULE);
    is_on(LOOKED_UP) && AWAITED[word].load(Relaxed) & bit != 0
}
