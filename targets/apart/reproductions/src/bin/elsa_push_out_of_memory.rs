//! elsa 1.11.2: after a `push` to a `LockFreeFrozenVec` that got no memory, and panics, every later one waits for ever.
//!
//! The allocator refuses one request, as one may that has a limit. No chance in it.

use elsa::sync::LockFreeFrozenVec;
use mapcheck_reproductions::{ends_within, panicked, silence_panics};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

/// Blocks of this size are refused; 0: none.
static REFUSED: AtomicUsize = AtomicUsize::new(0);

struct Limited;

// SAFETY: the system's allocator, or null, which says that there is no memory.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() == REFUSED.load(SeqCst) {
            return std::ptr::null_mut();
        }
        // SAFETY: as the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller's.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Limited = Limited;

fn main() {
    silence_panics();
    let vec: &'static LockFreeFrozenVec<[u64; 1009]> =
        Box::leak(Box::new(LockFreeFrozenVec::new()));
    REFUSED.store(3 * 1009 * 8, SeqCst);
    let refused = panicked(|| {
        let _ = vec.push([0; 1009]);
    });
    REFUSED.store(0, SeqCst);
    let ended = ends_within(Duration::from_secs(1), || {
        let _ = vec.push([0; 1009]);
    });
    println!(
        "push without memory panicked: {refused}; the next, with memory, came to its end within a second: {ended}"
    );
    std::process::exit(0);
}
