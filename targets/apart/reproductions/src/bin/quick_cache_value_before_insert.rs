//! quick_cache 0.7.0: `get_value_or_guard` returns a value that `get` does not find yet.
//!
//! Needs a thread that inserts through a guard, and one that asks for the value meanwhile. Shows how often that one
//! was given the value, and found nothing when it asked again: nobody removes anything.
//!
//! Usage: `quick_cache_value_before_insert [ROUNDS]`. Ends with 1 if it was seen.

use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use quick_cache::sync::{Cache, GuardResult};

fn main() -> ExitCode {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(500_000_u32);
    let cache = Cache::<u32, u32>::new(1000);
    let (barrier, seen) = (Barrier::new(2), AtomicU32::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..rounds {
                let GuardResult::Guard(guard) = cache.get_value_or_guard(&0, None) else {
                    panic!("the key is absent");
                };
                barrier.wait();
                guard.insert(round).expect("nobody removes the placeholder");
                barrier.wait();
                cache.remove(&0);
            }
        });
        for _ in 0..rounds {
            barrier.wait();
            while !matches!(
                cache.get_value_or_guard(&0, Some(Duration::ZERO)),
                GuardResult::Value(_)
            ) {}
            seen.fetch_add(u32::from(cache.get(&0).is_none()), SeqCst);
            barrier.wait();
        }
    });
    let seen = seen.load(SeqCst);
    println!("in {seen} of {rounds} rounds the value was not found after it had been returned");
    if seen > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
