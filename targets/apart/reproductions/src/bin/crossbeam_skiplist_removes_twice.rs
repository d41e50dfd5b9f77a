//! crossbeam-skiplist 0.1.3: two threads remove one entry, and both are told that they have removed it.
//!
//! Needs two threads that call `remove` for one key at once. Shows how often both were given the entry, though it was
//! inserted once.
//!
//! Usage: `crossbeam_skiplist_removes_twice [ROUNDS]`. Ends with 1 if it was seen.

use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

use crossbeam_skiplist::SkipMap;

fn main() -> ExitCode {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(500_000_u32);
    let map = SkipMap::new();
    let (barrier, removed) = (Barrier::new(2), AtomicU32::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..rounds {
                barrier.wait();
                removed.fetch_add(u32::from(map.remove(&0).is_some()), SeqCst);
                barrier.wait();
            }
        });
        for round in 0..rounds {
            map.insert(0, round);
            barrier.wait();
            removed.fetch_add(u32::from(map.remove(&0).is_some()), SeqCst);
            barrier.wait();
        }
    });
    let removed = removed.load(SeqCst);
    println!("{rounds} entries were inserted, and {removed} removed");
    if removed > rounds { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
