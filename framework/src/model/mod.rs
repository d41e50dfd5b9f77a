//! What models of maps are written against: modelled memory that is the same on every engine.
//!
//! A *model* is a map whose memory is not Rust's but a [`Heap`] of blocks of words. Every access is a schedule point,
//! and an access to a block that was freed, to a word outside of its block, or through [`Ptr::NULL`] ends the execution
//! with a finding. So one source shows the same mistakes on the machine, whose own oracle watches its memory, and on
//! engines that have no lifetime oracle.
//!
//! ```
//! use mapcheck::model::{Heap, Layout, Native};
//!
//! let heap = Heap::<Native>::new();
//! let node = heap.allocate(Layout { cells: 2, ..Layout::default() });
//! heap.write(node.at(1), 7);
//! assert_eq!(heap.read(node.at(1)), 7);
//! heap.free(node);
//! ```

mod block;
mod engine;
mod heap;
#[cfg(any(feature = "shuttle", feature = "loom"))]
mod lock;
#[cfg(feature = "loom")]
pub(crate) mod loom;
#[cfg(feature = "shuttle")]
mod shuttle;

pub use block::{Layout, Ptr};
pub use engine::{Engine, Lock, Native, Word};
pub use heap::Heap;
#[cfg(feature = "loom")]
pub use loom::{Loom, LoomLock, LoomWord};
pub use mapcheck_machine::Access;
#[cfg(feature = "shuttle")]
pub use shuttle::{Shuttle, ShuttleLock};

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::oracle::Class;

/// See [`abandon`].
static ABANDONED: AtomicBool = AtomicBool::new(false);

/// Tells that the execution is not to be judged any further: the program under test ended in a way that its
/// documentation allows. What the map returns and visits from now on is ignored.
#[inline(never)]
pub fn abandon() {
    ABANDONED.store(true, Relaxed);
}

/// Whether the execution under way is not to be judged any further.
#[inline(never)]
pub(crate) fn abandoned() -> bool {
    ABANDONED.load(Relaxed)
}

/// An execution begins, and is judged.
#[inline(never)]
pub(crate) fn judge_again() {
    ABANDONED.store(false, Relaxed);
}

/// Runs what is not part of the model but of how it is modelled, and stands for one step of it: where operations must
/// be obstruction-free, no thread is suspended in its midst. A panic in it ends the execution.
pub(crate) fn as_one_step<R>(body: impl FnOnce() -> R) -> R {
    mapcheck_machine::begin_one_step();
    let result = body();
    mapcheck_machine::end_one_step();
    result
}

/// Runs `tell`, which emits `tracing` events of a model, if somebody listens to this execution: as bookkeeping, so that
/// no engine explores anything else for it, and in the words of one who sees all, see [`Heap::peek`]. It must change
/// nothing. Nobody ever listens without the feature `tracing`, nor on shuttle and loom.
///
/// ```
/// use mapcheck::model::{Native, note};
///
/// note::<Native>(|| tracing::debug!(epoch = 3, "all threads have seen it"));
/// ```
pub fn note<E: Engine>(tell: impl FnOnce()) {
    if crate::log::listening() {
        E::quietly(tell);
    }
}

/// Ends the execution with a finding: for promises that only the model itself can watch.
///
/// # Panics
/// Outside executions of the machine, with the class and the message.
#[inline(never)]
pub fn fail(class: Class, message: &str) -> ! {
    mapcheck_machine::fail(class.name(), message.to_owned(), 0)
}
