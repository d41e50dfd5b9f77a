//! arc-interner 0.7.0: a value whose last two handles are dropped at once stays for ever.
//!
//! Needs two threads that drop a handle each.
//!
//! Usage: `arc_interner_keeps_values [ROUNDS]`. Ends with 1 if values are left when all handles are gone.

use std::process::ExitCode;
use std::sync::Barrier;
use std::thread;

use arc_interner::ArcIntern;

fn main() -> ExitCode {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(200_000_u64);
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for round in 0..rounds {
                    let handle = ArcIntern::new(round);
                    barrier.wait();
                    drop(handle);
                }
            });
        }
    });
    let left = ArcIntern::<u64>::num_objects_interned();
    println!("{left} values are left of {rounds}, and no handle");
    if left > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
