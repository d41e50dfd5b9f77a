//! moka 0.12.16: a table grows as long as an insert is between its effect and the count of it.
//!
//! Needs two threads that write to one key: one inserts and updates no count yet, the other removes what was
//! inserted, and its count goes below zero. Read as a large number, that makes the next write double the table, again
//! and again. Shows the largest block that was asked for: a table of at most two elements needs one of 1024 bytes.
//!
//! Usage: `moka_grows_without_end [SECONDS]`. Ends with 1 once a block is larger than a hundred times that.

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

struct Largest;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it is the system's, but for a number that it keeps.
unsafe impl GlobalAlloc for Largest {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Relaxed);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Largest = Largest;

fn main() -> ExitCode {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(60);
    let cache = moka::sync::Cache::builder().build();
    let began = Instant::now();
    // After what the cache itself is made of.
    cache.insert(0, 0);
    LARGEST.store(0, Relaxed);
    let over = AtomicBool::new(false);
    let too_large = || LARGEST.load(Relaxed) > 100 * 1024;
    thread::scope(|scope| {
        for n in 0..8 {
            let (cache, over) = (&cache, &over);
            scope.spawn(move || {
                while !over.load(Relaxed) {
                    if n % 2 == 0 { cache.insert(0, n) } else { cache.invalidate(&0) }
                }
            });
        }
        while began.elapsed() < Duration::from_secs(seconds) && !too_large() {
            thread::sleep(Duration::from_millis(1));
        }
        over.store(true, Relaxed);
    });
    let (largest, took) = (LARGEST.load(Relaxed), began.elapsed());
    println!("after {took:?}, for at most one element: a block of {largest} bytes");
    if too_large() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
