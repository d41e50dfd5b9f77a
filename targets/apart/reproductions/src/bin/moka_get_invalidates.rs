//! moka 0.12.16 and mini-moka 0.10.3: a value is not found that was inserted after `invalidate_all` had returned,
//! because of a `get` that had begun before it.
//!
//! Needs that `get` to be between reading the clock and its effect; here a hash or a comparison of its key takes long,
//! which the caches call at that time. No other sleeps.
//!
//! Usage: `moka_get_invalidates`. Ends with 1 if a value is not found.

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use mini_moka::sync::ConcurrentCacheExt;

thread_local! {
    /// After how many more hashes, or comparisons, of this thread one takes long.
    static HASHES: Cell<u32> = const { Cell::new(u32::MAX) };
    static COMPARISONS: Cell<u32> = const { Cell::new(u32::MAX) };
}

fn callback(left: &Cell<u32>) {
    if left.get() == 0 {
        thread::sleep(Duration::from_millis(400));
    }
    left.set(left.get().wrapping_sub(1));
}

struct Key(u32);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        HASHES.with(callback);
        state.write_u32(self.0);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        COMPARISONS.with(callback);
        self.0 == other.0
    }
}

impl Eq for Key {}

/// Whether what `refill` inserts, beside a slow `get`, is found once both have returned.
fn is_found(
    name: &str,
    slow: impl FnOnce() -> Option<u32> + Send,
    refill: impl FnOnce(),
    get: impl Fn() -> Option<u32>,
) -> bool {
    println!("{name}");
    thread::scope(|scope| {
        let slow = scope.spawn(slow);
        thread::sleep(Duration::from_millis(100));
        refill();
        println!("  after the insert: {:?}", get());
        println!("  the slow get: {:?}", slow.join().unwrap());
    });
    let found = get();
    println!("  when all have returned: {found:?}");
    found.is_some()
}

fn main() -> ExitCode {
    let cache = moka::sync::Cache::new(100);
    cache.insert(Key(1), 1);
    let slow = || {
        COMPARISONS.set(0);
        cache.get(&Key(1))
    };
    let refill = || {
        cache.invalidate_all();
        cache.insert(Key(1), 2);
    };
    let moka = is_found("moka", slow, refill, || cache.get(&Key(1)));

    let cache = mini_moka::sync::Cache::new(100);
    let slow = || {
        HASHES.set(1);
        cache.get(&Key(1))
    };
    let refill = || {
        cache.invalidate_all();
        cache.insert(Key(1), 2);
    };
    // It takes note of a `get` when it is maintained.
    let mini_moka = is_found("mini-moka", slow, refill, || {
        cache.sync();
        cache.get(&Key(1))
    });
    if moka && mini_moka { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
