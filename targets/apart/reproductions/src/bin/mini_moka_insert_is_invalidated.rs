//! mini-moka 0.10.3: a value is not found that was inserted after `invalidate_all` had returned, because of an insert
//! that had begun before it.
//!
//! Needs that earlier insert to be between reading the clock and its effect; here its weigher takes long, which
//! mini-moka calls at that time. No other sleeps.
//!
//! Usage: `mini_moka_insert_is_invalidated`. Ends with 1 if the value is not found.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

fn main() -> ExitCode {
    let weigher = |_: &u32, millis: &u64| {
        thread::sleep(Duration::from_millis(*millis));
        1
    };
    let cache = mini_moka::sync::Cache::builder().weigher(weigher).build();
    thread::scope(|scope| {
        scope.spawn(|| cache.insert(0, 400));
        thread::sleep(Duration::from_millis(100));
        cache.invalidate_all();
        cache.insert(0, 0);
        println!("after the second insert: {:?}", cache.get(&0));
    });
    // Either of the two may be the last; nothing was invalidated since.
    let found = cache.get(&0);
    println!("when both have returned: {found:?}");
    if found.is_none() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
