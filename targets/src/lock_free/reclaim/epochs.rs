//! Epochs, after K. Fraser, *Practical lock-freedom* (University of Cambridge, 2004).

use std::sync::Mutex;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};

use mapcheck::model::{Engine, Heap, Layout, Ptr, note};
use tracing::debug;

use super::super::mutants::{E7, F36};
use super::{Place, Reclaim, Records, locked};

/// Advances after which nobody can hold what was retired: guards of the epoch that was current then still run while the
/// next one is, so that it is the second advance that shows that they have ended.
const GRACE: u64 = 2;

/// The target of what it tells.
const TOLD: &str = "lock_free::epochs";

/// A guard announces the epoch in which it began, and the epoch advances when all guards have announced the current
/// one.
#[derive(Debug)]
pub struct Epochs {
    /// The word of the current epoch.
    current: Ptr,
    records: Records,
    /// What was retired, with the epoch that was current after it was taken out of the map.
    bag: Mutex<Vec<(u64, Ptr)>>,
}

const WORD: Layout = Layout { cells: 0, atomics: 1, pointers: 0 };
/// What the record of no guard holds; the record of one holds [`announcement`].
const UNPINNED: u64 = 0;

fn announcement(epoch: u64) -> u64 {
    epoch << 1 | 1
}

impl Epochs {
    /// Goes on to the next epoch, unless a guard of an earlier one runs.
    fn advance<E: Engine>(&self, heap: &Heap<E>) {
        let epoch = heap.load(self.current, Acquire);
        let passed = |record: &Ptr| {
            let announced = heap.fetch_add(*record, 0, AcqRel);
            let passed = announced == UNPINNED || announced == announcement(epoch);
            if !passed {
                note::<E>(|| {
                    let pinned = announced >> 1;
                    debug!(target: TOLD, "stays in epoch {epoch}: a thread is pinned in epoch {pinned}");
                });
            }
            passed
        };
        if F36.on() || self.records.all(heap).iter().all(passed) {
            // Whoever else advances has looked as well.
            let done = heap.compare_exchange(self.current, epoch, epoch + 1, AcqRel).is_ok();
            if done {
                note::<E>(|| debug!(target: TOLD, "advances from epoch {epoch} to {}", epoch + 1));
            }
        }
    }

    /// What was retired long enough before this epoch.
    fn due<E: Engine>(&self, heap: &Heap<E>, epoch: u64) -> Vec<(u64, Ptr)> {
        let grace = GRACE + u64::from(E7.on());
        let is_due = |retired: &mut (u64, Ptr)| retired.0 + grace <= epoch;
        heap.exclusively(|| locked(&self.bag).extract_if(.., is_due).collect())
    }

    /// Tells why a block is freed, as one sees it who knows all.
    fn tell<E: Engine>(&self, heap: &Heap<E>, (retired, block): (u64, Ptr), epoch: u64) {
        note::<E>(|| {
            let records = locked(&self.records.all);
            let pinned = records.iter().filter_map(|record| heap.peek(*record));
            let earliest = pinned.filter(|word| *word != UNPINNED).map(|word| word >> 1).min();
            let pinned = earliest.map_or_else(
                || "no thread is pinned".to_owned(),
                |earliest| format!("all pinned threads are at {earliest} or later"),
            );
            debug!(target: TOLD, "frees {block:?}: retired in epoch {retired}, it is {epoch}, {pinned}");
        });
    }
}

impl<E: Engine> Reclaim<E> for Epochs {
    /// A guard keeps all that is retired from then on.
    const BOUND: Option<usize> = None;

    fn new(heap: &Heap<E>) -> Epochs {
        let records = Records::new(heap, WORD);
        Epochs { current: heap.allocate(WORD), records, bag: Mutex::default() }
    }

    fn pin(&self, heap: &Heap<E>) -> Ptr {
        let record = self.records.take(heap);
        let epoch = heap.load(self.current, Acquire);
        heap.swap(record, announcement(epoch), AcqRel);
        note::<E>(|| debug!(target: TOLD, "is pinned in epoch {epoch}"));
        record
    }

    fn unpin(&self, heap: &Heap<E>, guard: Ptr) {
        heap.store(guard, UNPINNED, Release);
        note::<E>(|| debug!(target: TOLD, "is no longer pinned"));
        self.records.give(heap, guard);
    }

    /// The guard holds everything.
    fn hold(&self, _: &Heap<E>, _: Ptr, _: Place, _: Ptr, _: impl Fn() -> bool) -> bool {
        true
    }

    fn retire(&self, heap: &Heap<E>, block: Ptr) {
        // Not a load, which might return an epoch that is over: then a guard that has just begun would not be waited
        // for.
        let epoch = heap.fetch_add(self.current, 0, AcqRel);
        heap.exclusively(|| locked(&self.bag).push((epoch, block)));
        note::<E>(|| debug!(target: TOLD, "retires {block:?} in epoch {epoch}"));
        heap.retired(block);
        self.collect(heap);
    }

    fn collect(&self, heap: &Heap<E>) {
        self.advance(heap);
        let epoch = heap.load(self.current, Acquire);
        for due in self.due(heap, epoch) {
            self.tell(heap, due, epoch);
            heap.free(due.1);
        }
    }
}
