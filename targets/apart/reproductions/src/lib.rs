//! What the programs share: callbacks that panic when told to, values that are counted, and a clock.

pub mod held;

use std::cell::Cell;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::mpsc;
use std::time::Duration;

thread_local! {
    /// After how many more callbacks one panics; none does below zero.
    static LEFT: Cell<i64> = const { Cell::new(-1) };
}

/// Makes the `n`th callback of this thread from here panic; a negative number makes none.
pub fn panic_at(n: i64) {
    LEFT.set(n);
}

fn callback() {
    let left = LEFT.get();
    LEFT.set(left - 1);
    assert!(left != 0, "a callback of the user panics");
}

/// Whether a run of the closure ended in a panic of a callback. Says nothing of the panic.
pub fn panicked(run: impl FnOnce()) -> bool {
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    panic_at(-1);
    result.is_err()
}

/// Panics are expected and not told.
pub fn silence_panics() {
    std::panic::set_hook(Box::new(|_| ()));
}

/// A key whose comparison and hash are callbacks.
#[derive(Clone, Debug)]
pub struct Key(pub u64);

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        callback();
        self.0 == other.0
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        callback();
        self.0.cmp(&other.0)
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        callback();
        state.write_u64(self.0);
    }
}

/// Values made and not dropped.
static LIVE: AtomicI64 = AtomicI64::new(0);

/// A value that is counted; its drop counts again, so that a second one shows.
#[derive(Debug)]
pub struct Counted(pub u64);

impl Counted {
    /// Counts it.
    pub fn new(id: u64) -> Counted {
        LIVE.fetch_add(1, SeqCst);
        Counted(id)
    }
}

impl Clone for Counted {
    fn clone(&self) -> Counted {
        callback();
        Counted::new(self.0)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, SeqCst);
    }
}

/// Values made and not dropped: below zero, if some were dropped twice.
pub fn live() -> i64 {
    LIVE.load(SeqCst)
}

/// Whether the closure, on a thread of its own, comes to its end within a time. If not, the thread is left behind.
pub fn ends_within(time: Duration, run: impl FnOnce() + Send + 'static) -> bool {
    let (done, wait) = mpsc::channel();
    std::thread::spawn(move || {
        run();
        let _ = done.send(());
    });
    wait.recv_timeout(time).is_ok()
}
