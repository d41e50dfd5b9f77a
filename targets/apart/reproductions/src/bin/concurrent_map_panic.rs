//! concurrent-map 5.0.37: a panic of a key's `clone` or `cmp` in a removal leaves a tree in which nobody gets
//! anywhere.
//!
//! One thread at a time. For each n, four elements are inserted and three removed, where the nth callback panics,
//! which is caught; then another thread reads, and gets five seconds. Fails in every run. Exit code 1 where a read
//! did not return.

use std::cell::Cell;
use std::cmp::Ordering;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use concurrent_map::{ConcurrentMap, Minimum};

thread_local! {
    /// After how many more callbacks one panics; none does below zero.
    static LEFT: Cell<i32> = const { Cell::new(-1) };
}

fn callback() {
    let left = LEFT.get();
    LEFT.set(left - 1);
    assert!(left != 0, "a callback panics");
}

#[derive(PartialEq, Eq)]
struct Key(u64);

impl Clone for Key {
    fn clone(&self) -> Key {
        callback();
        Key(self.0)
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        callback();
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Minimum for Key {
    const MIN: Key = Key(0);
}

/// Whether a read returns once the `n`th callback of a removal has panicked; `None` where there are fewer.
fn survives(n: i32) -> Option<bool> {
    let map = ConcurrentMap::<Key, u64, 4, 1>::new();
    (1..5).for_each(|key| _ = map.insert(Key(key), key));
    LEFT.set(n);
    let removals = || (2..5).for_each(|key| _ = map.remove(&Key(key)));
    let panicked = panic::catch_unwind(AssertUnwindSafe(removals)).is_err();
    LEFT.set(-1);
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        map.get(&Key(1));
        let _ = done.send(());
    });
    panicked.then(|| wait.recv_timeout(Duration::from_secs(5)).is_ok())
}

fn main() -> ExitCode {
    panic::set_hook(Box::new(|_| ()));
    let survived: Vec<bool> = (0..).map_while(survives).collect();
    let lost = survived.iter().filter(|&&survived| !survived).count();
    println!("after {lost} of {} panics a read did not return within 5 s", survived.len());
    ExitCode::from(u8::from(lost != 0))
}
