//! moka 0.12.16: an insert that is only made if nobody else was first leaks its value when somebody else was.
//!
//! Needs threads that call `get_with` for one key at once, or write to one key of a cache with an eviction listener:
//! both put a lock into a hash table unless there is one. Shows how many bytes are left when the cache has been dropped,
//! and all threads have ended.
//!
//! Usage: `moka_leaks_waiters [ROUNDS]`. Ends with 1 if the second half of the rounds left more than a kilobyte.

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};
use std::thread;

struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);

// SAFETY: it is the system's, but for a number that it keeps.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, Relaxed);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, Relaxed);
        // SAFETY: passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that are left after so many rounds with a cache of their own.
fn left_by(rounds: u32) -> isize {
    let before = LIVE.load(Relaxed);
    let cache = moka::sync::Cache::builder().build();
    let barrier = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..rounds {
                    barrier.wait();
                    cache.get_with(round, || round);
                    cache.invalidate(&round);
                }
            });
        }
    });
    drop(cache);
    LIVE.load(Relaxed) - before
}

fn main() -> ExitCode {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    // What is allocated once, and what waits for the end of an epoch, is the same each time.
    let left = [left_by(rounds), left_by(rounds)];
    println!("bytes left after {rounds} rounds of four threads, twice: {left:?}");
    if left[1] > 1024 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
