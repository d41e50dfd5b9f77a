//! moka 0.12.16: a value is not found that was inserted after `invalidate_all` had returned, because of an insert
//! that had begun before it.
//!
//! Needs that earlier insert to be between reading the clock and its effect; here its value takes long to clone,
//! which moka does at that time. No other sleeps.
//!
//! Usage: `moka_insert_is_invalidated`. Ends with 1 if the value is not found.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

#[derive(Debug)]
struct Slow(u32, Duration);

impl Clone for Slow {
    fn clone(&self) -> Slow {
        thread::sleep(self.1);
        Slow(self.0, self.1)
    }
}

fn main() -> ExitCode {
    let cache = moka::sync::Cache::builder().build();
    thread::scope(|scope| {
        scope.spawn(|| cache.insert(0, Slow(1, Duration::from_millis(400))));
        thread::sleep(Duration::from_millis(100));
        cache.invalidate_all();
        cache.insert(0, Slow(2, Duration::ZERO));
        println!("after the second insert:   {:?}", cache.get(&0));
    });
    // Either of the two may be the last; nothing was invalidated since.
    let found = cache.get(&0);
    println!("when both have returned:   {found:?}");
    if found.is_none() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
