//! Running code under a lock of another engine.

use std::mem::ManuallyDrop;

/// Runs `body` and lets go of the lock, but not while it unwinds: a panic ends the execution, and an engine that is
/// asked to unlock after that may abort.
pub(super) fn under<G, R>(guard: G, body: impl FnOnce() -> R) -> R {
    let guard = ManuallyDrop::new(guard);
    let result = body();
    drop(ManuallyDrop::into_inner(guard));
    result
}
