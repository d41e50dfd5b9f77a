//! crossbeam-skiplist 0.1.3: two threads remove one entry, and both are told that they have removed it.
//!
//! Needs two threads that call `remove` for one key at once, and so wait for each other without sleeping. Shows how
//! often both were given the entry, though it was inserted once.
//!
//! Usage: `crossbeam_skiplist_removes_twice [ROUNDS]`. Ends with 1 if it was seen.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

use crossbeam_skiplist::SkipMap;

/// Waits until a number is reached.
fn wait_for(number: &AtomicU32, reached: u32) {
    while number.load(SeqCst) < reached {
        std::hint::spin_loop();
    }
}

fn main() -> ExitCode {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(500_000_u32);
    let map = SkipMap::new();
    let (began, ended, removed) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    let remove = || u32::from(map.remove(&0).is_some());
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=rounds {
                wait_for(&began, round);
                removed.fetch_add(remove(), SeqCst);
                ended.store(round, SeqCst);
            }
        });
        for round in 1..=rounds {
            map.insert(0, round);
            began.store(round, SeqCst);
            removed.fetch_add(remove(), SeqCst);
            wait_for(&ended, round);
        }
    });
    let removed = removed.load(SeqCst);
    println!("{rounds} entries were inserted, and {removed} removed");
    if removed > rounds { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
