//! concurrent-map 5.0.37, by stack-map 1.0.5: a removal in which a key's `drop` panics frees that element's value
//! twice.
//!
//! One thread, safe code. The program counts how often the value is dropped for each time that it was made; run it
//! with AddressSanitizer or valgrind to see the second free. Exit code 1 where there were more drops than values.

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

use concurrent_map::{ConcurrentMap, Minimum};

/// Values made less values dropped.
static LIVE: AtomicI64 = AtomicI64::new(0);
static PANICS: AtomicBool = AtomicBool::new(false);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u64);

impl Minimum for Key {
    const MIN: Key = Key(0);
}

impl Drop for Key {
    fn drop(&mut self) {
        assert!(!PANICS.swap(false, Relaxed), "a key's drop panics");
    }
}

struct Value;

impl Value {
    fn new() -> Value {
        LIVE.fetch_add(1, Relaxed);
        Value
    }
}

impl Clone for Value {
    fn clone(&self) -> Value {
        Value::new()
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Relaxed);
    }
}

fn main() -> ExitCode {
    panic::set_hook(Box::new(|_| ()));
    let map = ConcurrentMap::<Key, Value, 4, 1>::new();
    map.insert(Key(1), Value::new());
    let one = Key(1);
    PANICS.store(true, Relaxed);
    let removed = panic::catch_unwind(AssertUnwindSafe(|| map.remove(&one).is_some()));
    drop(map);
    let live = LIVE.load(Relaxed);
    println!(
        "the removal {}; {live} values live",
        if removed.is_err() { "panicked" } else { "returned" }
    );
    ExitCode::from(u8::from(live < 0))
}
