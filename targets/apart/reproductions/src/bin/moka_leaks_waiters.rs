//! moka 0.12.16: an insert that is only made if nobody else was first leaks its value when somebody else was.
//!
//! Needs threads that call `get_with` for one key at once, or write to one key of a cache with an eviction listener:
//! both put a lock into a hash table unless there is one. What must come between is another such insert while this
//! one allocates its bucket; here allocations give way to other threads, so that it does. Shows how many bytes are
//! left when the cache has been dropped, and all threads have ended: they grow with the rounds.
//!
//! Usage: `moka_leaks_waiters [ROUNDS]`. Ends with 1 if twice the rounds leave more than a kilobyte more.

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering::Relaxed};
use std::thread;

struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);
static GIVES_WAY: AtomicBool = AtomicBool::new(false);

// SAFETY: it is the system's, but for a number that it keeps, and that it may take its time.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, Relaxed);
        if GIVES_WAY.load(Relaxed) {
            thread::yield_now();
        }
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
                    GIVES_WAY.store(true, Relaxed);
                    cache.get_with(0, || round);
                    barrier.wait();
                    GIVES_WAY.store(false, Relaxed);
                    cache.invalidate(&0);
                }
            });
        }
    });
    drop(cache);
    LIVE.load(Relaxed) - before
}

fn main() -> ExitCode {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10_000);
    // What is allocated once.
    left_by(10);
    let (left, twice) = (left_by(rounds), left_by(2 * rounds));
    println!(
        "bytes left by {rounds} rounds of four threads: {left}; by {} rounds: {twice}",
        2 * rounds
    );
    if twice > left + 1024 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
