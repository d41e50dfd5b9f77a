//! moka 0.12.16: `get_with` returns a value that the same thread has removed before, and does not make a new one.
//!
//! Needs another `get_with` of that key, which has inserted the value and not returned; here the value takes long to
//! clone, which moka does at that time.
//!
//! Usage: `moka_get_with_returns_removed`. Ends with 1 if the removed value is returned.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

/// Takes long to clone until it is in the cache, and not by those who get it.
#[derive(Debug)]
struct Slow(u32);

impl Clone for Slow {
    fn clone(&self) -> Slow {
        if thread::current().name() == Some("slow") {
            thread::sleep(Duration::from_millis(100));
        }
        Slow(self.0)
    }
}

fn main() -> ExitCode {
    let cache = moka::sync::Cache::builder().build();
    let got = thread::scope(|scope| {
        let slow = thread::Builder::new().name("slow".to_owned());
        slow.spawn_scoped(scope, || cache.get_with(0, || Slow(1))).expect("a thread");
        let removed = loop {
            if let Some(removed) = cache.remove(&0) {
                break removed;
            }
            thread::yield_now();
        };
        println!("removed:            {removed:?}, and now there is {:?}", cache.get(&0));
        cache.get_with(0, || Slow(2))
    });
    println!("`get_with` returns: {got:?}");
    if got.0 == 1 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
