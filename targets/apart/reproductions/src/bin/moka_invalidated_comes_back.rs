//! moka 0.12.16: `get` returns a value that `invalidate_all` has invalidated, while another thread inserts a new one.
//!
//! Needs an insert over the invalidated value beside a `get`. Shows how often `get` returned the old value after
//! `invalidate_all` had returned, and nobody had inserted it since.
//!
//! Usage: `moka_invalidated_comes_back [ROUNDS]`. Ends with 1 if it was seen.

use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::thread;

const OLD: u32 = 1;
const NEW: u32 = 2;

fn main() -> ExitCode {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(200_000);
    let cache = moka::sync::Cache::builder().build();
    let (barrier, inserted) = (Barrier::new(2), AtomicBool::new(false));
    let seen = AtomicU32::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..rounds {
                barrier.wait();
                cache.insert(0, NEW);
                inserted.store(true, SeqCst);
                barrier.wait();
            }
        });
        for _ in 0..rounds {
            cache.insert(0, OLD);
            cache.invalidate_all();
            assert_eq!(cache.get(&0), None);
            inserted.store(false, SeqCst);
            barrier.wait();
            while !inserted.load(SeqCst) {
                seen.fetch_add(u32::from(cache.get(&0) == Some(OLD)), SeqCst);
            }
            barrier.wait();
        }
    });
    let seen = seen.load(SeqCst);
    println!("an invalidated value was returned {seen} times in {rounds} rounds");
    if seen > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
