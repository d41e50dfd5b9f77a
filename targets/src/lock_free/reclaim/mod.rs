//! When what was taken out of the map may be freed: pluggable, behind one trait.
//!
//! Nothing here uses a fence. Where one thread announces and then looks, and another changes and then scans the
//! announcements, both touch the announcement by read-modify-write: whichever comes second in that word's order has
//! seen what the other did before. That holds in the C11 model, whatever it says of sequentially consistent accesses.

mod epochs;
mod hazards;

use std::sync::atomic::Ordering::AcqRel;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mapcheck::model::{Engine, Heap, Layout, Ptr};

pub use epochs::Epochs;
pub use hazards::Hazards;

/// What a guard may hold at once, each in a place of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The table that an operation works on.
    Table,
    /// The table that this one is being copied to.
    Next,
    /// The value that was read last.
    Value,
    /// The table that an iteration goes over.
    Home,
}

/// Places of a guard.
const PLACES: usize = 4;

/// A scheme of memory reclamation.
pub trait Reclaim<E: Engine>: Send + Sync + Sized + 'static {
    /// How many values, at most, a thread that has stalled keeps from being freed; `None` if there is no bound.
    const BOUND: Option<usize>;

    /// A scheme for the blocks of this heap.
    fn new(heap: &Heap<E>) -> Self;

    /// Begins a guard. What it returns stands for the guard until [`Reclaim::unpin`].
    fn pin(&self, heap: &Heap<E>) -> Ptr;

    /// Ends a guard: what it held may be freed.
    fn unpin(&self, heap: &Heap<E>, guard: Ptr);

    /// Keeps a block from being freed until the guard ends or holds another block in the same place, and returns true.
    ///
    /// `still` tells whether the block could be reached when it was called. If it could not, the block may be freed
    /// already, and this returns false; a scheme whose guards hold all that could be reached since they began need not
    /// ask.
    fn hold(
        &self,
        heap: &Heap<E>,
        guard: Ptr,
        place: Place,
        block: Ptr,
        still: impl Fn() -> bool,
    ) -> bool;

    /// Frees a block when no guard can hold it any more. Nobody may be able to reach it from now on.
    fn retire(&self, heap: &Heap<E>, block: Ptr);

    /// Frees what can be freed now.
    fn collect(&self, heap: &Heap<E>);
}

/// The announcements of all guards: a block each, used again by later guards.
///
/// The lists are ordinary memory, and locked only between two accesses of the modelled one.
#[derive(Debug)]
struct Records {
    layout: Layout,
    /// A word that orders a new record with those who look at all of them.
    order: Ptr,
    all: Mutex<Vec<Ptr>>,
    free: Mutex<Vec<Ptr>>,
}

impl Records {
    fn new<E: Engine>(heap: &Heap<E>, layout: Layout) -> Records {
        let order = heap.allocate(Layout { atomics: 1, ..Layout::default() });
        Records { layout, order, all: Mutex::default(), free: Mutex::default() }
    }

    /// A record for a guard that begins.
    fn take<E: Engine>(&self, heap: &Heap<E>) -> Ptr {
        if let Some(record) = heap.exclusively(|| locked(&self.free).pop()) {
            return record;
        }
        let record = heap.allocate(self.layout);
        heap.exclusively(|| locked(&self.all).push(record));
        heap.fetch_add(self.order, 0, AcqRel);
        record
    }

    /// Takes back the record of a guard that has ended.
    fn give<E: Engine>(&self, heap: &Heap<E>, record: Ptr) {
        heap.exclusively(|| locked(&self.free).push(record));
    }

    /// All records there are. Whose is not among them has seen all that the caller did before.
    fn all<E: Engine>(&self, heap: &Heap<E>) -> Vec<Ptr> {
        heap.fetch_add(self.order, 0, AcqRel);
        heap.exclusively(|| locked(&self.all).clone())
    }
}

/// Locks ordinary memory, for as long as no modelled memory is accessed.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
