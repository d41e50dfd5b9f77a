//! moka 0.12.16: `remove` returns a value that was invalidated, or has expired, and that `get` does not find.
//!
//! Needs one thread.
//!
//! Usage: `moka_remove_returns_invalidated`. Ends with 1 if it does.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

fn main() -> ExitCode {
    let cache = moka::sync::Cache::builder().build();
    cache.insert(0, "invalidated");
    cache.invalidate_all();
    let invalidated = (cache.get(&0), cache.remove(&0));
    let cache = moka::sync::Cache::builder().time_to_live(Duration::from_millis(10)).build();
    cache.insert(0, "expired");
    thread::sleep(Duration::from_millis(20));
    let expired = (cache.get(&0), cache.remove(&0));
    println!("`get`, then `remove`: {invalidated:?}, {expired:?}");
    match (invalidated.1, expired.1) {
        (None, None) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
