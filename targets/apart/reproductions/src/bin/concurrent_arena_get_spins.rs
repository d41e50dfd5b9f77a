//! concurrent_arena 0.1.12: `get` of a slot that is being freed never returns, unless the slot is used again.
//!
//! Needs a `get` that has seen that the slot is taken, while the last reference to the removed element is dropped.
//!
//! Usage: `concurrent_arena_get_spins [SECONDS]`. Ends with 1 if a `get` did not return within two seconds in which
//! nothing else was done.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use concurrent_arena::{Arena, ArenaArc};

fn main() -> ExitCode {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(60);
    let arena: Arc<Arena<u64, 1, 64>> = Arc::new(Arena::with_capacity(1));
    let (slot, gets) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU64::new(0)));
    let reader = (Arc::clone(&arena), Arc::clone(&slot), Arc::clone(&gets));
    thread::spawn(move || {
        loop {
            reader.0.get(reader.1.load(SeqCst));
            reader.2.fetch_add(1, SeqCst);
        }
    });
    let began = Instant::now();
    let mut rounds = 0_u64;
    while began.elapsed() < Duration::from_secs(seconds) {
        rounds += 1;
        let element = arena.insert(rounds);
        slot.store(ArenaArc::slot(&element), SeqCst);
        ArenaArc::remove(&element);
        drop(element);
        // The reader gets on within a moment, or never.
        let (before, waited) = (gets.load(SeqCst), Instant::now());
        while gets.load(SeqCst) == before {
            if waited.elapsed() > Duration::from_secs(2) {
                println!("a `get` does not return, after {before} that did, in round {rounds}");
                return ExitCode::FAILURE;
            }
            thread::yield_now();
        }
    }
    println!("{rounds} rounds, and every `get` returned");
    ExitCode::SUCCESS
}
