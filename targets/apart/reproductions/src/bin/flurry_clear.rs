//! flurry 0.5.2: `clear` leaves elements that were there when it began, while other threads move the table.
//!
//! A map is filled to just below the number at which it grows; then some threads insert other keys, so that the table is
//! moved by several of them, and one clears the map a little later. Nobody inserts the first keys anew, so none may be left
//! when all threads have ended.
//!
//! Says in how many of the rounds some were left. `flurry_clear ROUNDS` for another number than 300.

use std::sync::Barrier;
use std::time::{Duration, Instant};

/// Keys that are there when the clear begins: a table of 65,536 bins grows at 49,152.
const OWN: u64 = 49_140;
/// Threads that insert.
const OTHERS: u64 = 3;

/// How many elements survived a clear that began after their inserts had returned.
fn round(delay: Duration) -> usize {
    let map = flurry::HashMap::<u64, u64>::new();
    (0..OWN).for_each(|key| _ = map.pin().insert(key, key));
    let start = Barrier::new(OTHERS as usize + 1);
    std::thread::scope(|s| {
        for other in 1..=OTHERS {
            let (map, start) = (&map, &start);
            s.spawn(move || {
                start.wait();
                (0..400).for_each(|key| _ = map.pin().insert(other << 32 | key, key));
            });
        }
        start.wait();
        let began = Instant::now();
        while began.elapsed() < delay {
            std::hint::spin_loop();
        }
        map.pin().clear();
    });
    (0..OWN).filter(|key| map.pin().contains_key(key)).count()
}

fn main() {
    let rounds = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(300);
    let delay = |n: u64| Duration::from_micros(n * 37 % 2_000);
    let left: Vec<usize> = (0..rounds).map(|n| round(delay(n))).filter(|left| *left > 0).collect();
    println!(
        "in {} of {rounds} rounds, some of {OWN} elements were left, at most {}",
        left.len(),
        left.iter().max().unwrap_or(&0)
    );
}
