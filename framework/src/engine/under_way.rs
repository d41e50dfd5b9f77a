//! Which execution of shuttle or loom the calling thread is in.
//!
//! Both run every thread of an execution on one thread of the operating system, which owns this state.

use std::cell::Cell;
use std::sync::atomic::AtomicU64;

use super::Engine;
#[cfg(any(feature = "shuttle", feature = "loom"))]
use crate::{model, oracle::Class};

/// Executions that have begun, of the one search there can be in a process at a time.
pub(super) static BEGUN: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static ENGINE: Cell<Option<Engine>> = const { Cell::new(None) };
    static STEPS_LEFT: Cell<u64> = const { Cell::new(0) };
    static DRAWN: Cell<u64> = const { Cell::new(0) };
}

/// The engine of the execution under way; `None` outside, on the machine, and once something was found: then the
/// engine is not to be called any more, since an operation of it may panic a second time, which would be an abort.
#[inline]
pub(crate) fn engine() -> Option<Engine> {
    ENGINE.get()
}

/// An execution begins, and may make so many accesses; what it draws begins at the seed.
#[cfg(any(feature = "shuttle", feature = "loom"))]
pub(super) fn begin(engine: Engine, steps: u64, seed: u64) {
    BEGUN.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    STEPS_LEFT.set(steps);
    DRAWN.set(seed);
    ENGINE.set(Some(engine));
}

/// The execution ends.
pub(super) fn end() {
    ENGINE.set(None);
}

/// Counts an access: loops that never come to a schedule point end here, too.
#[cfg(any(feature = "shuttle", feature = "loom"))]
#[inline]
pub(crate) fn step() {
    match STEPS_LEFT.get() {
        0 => endless(),
        left => STEPS_LEFT.set(left - 1),
    }
}

#[cfg(any(feature = "shuttle", feature = "loom"))]
#[cold]
#[inline(never)]
fn endless() -> ! {
    model::fail(Class::Livelock, "made more accesses than an execution may")
}

/// The next of a sequence of numbers that is the same in every execution.
#[cfg(feature = "loom")]
pub(crate) fn draw() -> u64 {
    let drawn = DRAWN.get() + 1;
    DRAWN.set(drawn);
    crate::scheduler::splitmix(drawn)
}
