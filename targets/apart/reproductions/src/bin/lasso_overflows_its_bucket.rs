//! lasso 0.7.3: with a memory limit, a string is copied into a bucket that is too small for it.
//!
//! Needs one thread, safe code, and a build without debug assertions (with them an assertion fails). The allocator of
//! this program puts bytes behind each block, and looks whether they are still there when the block is freed.
//!
//! Usage: `lasso_overflows_its_bucket`. Ends with 1 if bytes behind a block were overwritten.

use std::alloc::{GlobalAlloc, Layout, System};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lasso::{Capacity, MemoryLimits, Rodeo, Spur, ThreadedRodeo};

/// Bytes behind a block.
const BEHIND: usize = 64;
const PATTERN: u8 = 0xa5;

struct Guarding;

static OVERWRITTEN: AtomicUsize = AtomicUsize::new(0);

fn larger(layout: Layout) -> Layout {
    Layout::from_size_align(layout.size() + BEHIND, layout.align()).expect("a small block")
}

// SAFETY: it is the system's, with more bytes than were asked for.
unsafe impl GlobalAlloc for Guarding {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the layout is not empty.
        let block = unsafe { System.alloc(larger(layout)) };
        if !block.is_null() {
            // SAFETY: the block has so many bytes.
            unsafe { block.add(layout.size()).write_bytes(PATTERN, BEHIND) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        let behind = unsafe { std::slice::from_raw_parts(block.add(layout.size()), BEHIND) };
        OVERWRITTEN.fetch_add(behind.iter().filter(|byte| **byte != PATTERN).count(), Relaxed);
        // SAFETY: it was allocated so.
        unsafe { System.dealloc(block, larger(layout)) }
    }
}

#[global_allocator]
static ALLOCATOR: Guarding = Guarding;

fn main() -> ExitCode {
    // A first bucket of 10 bytes, and no more than 14 together.
    let capacity = Capacity::new(1, NonZeroUsize::new(10).expect("some"));
    let limits = MemoryLimits::new(14);
    let threaded = ThreadedRodeo::<Spur>::with_capacity_and_memory_limits(capacity, limits);
    let single = Rodeo::<Spur>::with_capacity_and_memory_limits(capacity, limits);
    let (mut single, strings) = (single, ["0123456789", "nineteen more bytes"]);
    let interned = strings.map(|string| {
        (threaded.try_get_or_intern(string).is_ok(), single.try_get_or_intern(string).is_ok())
    });
    println!("interned, by ThreadedRodeo and Rodeo: {interned:?}");
    drop(threaded);
    let by_threaded = OVERWRITTEN.load(Relaxed);
    drop(single);
    let by_single = OVERWRITTEN.load(Relaxed) - by_threaded;
    println!(
        "bytes overwritten behind blocks: {by_threaded} by ThreadedRodeo, {by_single} by Rodeo"
    );
    if by_threaded + by_single > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
