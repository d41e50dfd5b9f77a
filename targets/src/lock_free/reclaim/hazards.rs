//! Hazard pointers, after M. Michael, *Hazard pointers: safe memory reclamation for lock-free objects* (IEEE
//! Transactions on Parallel and Distributed Systems, 2004).

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::Ordering::{AcqRel, Release};

use mapcheck::model::{Engine, Heap, Layout, Ptr, note};
use tracing::debug;

use super::super::mutants::{E8, F35};
use super::{PLACES, Place, Reclaim, Records, locked};

/// The target of what it tells.
const TOLD: &str = "lock_free::hazards";

/// A guard announces each block before it uses it, and what is retired is freed once nobody announces it.
#[derive(Debug)]
pub struct Hazards {
    records: Records,
    /// A word that orders those who retire with those who free.
    order: Ptr,
    /// What was retired.
    bag: Mutex<Vec<Ptr>>,
}

impl Hazards {
    /// All blocks that guards announce.
    fn announced<E: Engine>(&self, heap: &Heap<E>) -> BTreeSet<Ptr> {
        let words =
            self.records.all(heap).into_iter().flat_map(|r| (0..PLACES).map(move |i| r.at(i)));
        words.map(|word| Ptr::from_word(heap.fetch_add(word, 0, AcqRel))).collect()
    }
}

impl<E: Engine> Reclaim<E> for Hazards {
    /// A guard holds one value and two tables, whose values belong to a table in use too. A visitor that operates on
    /// the map has another guard, and both may be about to put a value into the map or to retire one.
    const BOUND: Option<usize> = Some(6);

    fn new(heap: &Heap<E>) -> Hazards {
        let records = Records::new(heap, Layout { pointers: PLACES, ..Layout::default() });
        let order = heap.allocate(Layout { atomics: 1, ..Layout::default() });
        Hazards { records, order, bag: Mutex::default() }
    }

    fn pin(&self, heap: &Heap<E>) -> Ptr {
        self.records.take(heap)
    }

    fn unpin(&self, heap: &Heap<E>, guard: Ptr) {
        (0..PLACES).for_each(|i| heap.store(guard.at(i), Ptr::NULL.to_word(), Release));
        note::<E>(|| debug!(target: TOLD, "announces nothing any more"));
        self.records.give(heap, guard);
    }

    fn hold(
        &self,
        heap: &Heap<E>,
        guard: Ptr,
        place: Place,
        block: Ptr,
        still: impl Fn() -> bool,
    ) -> bool {
        heap.swap(guard.at(place as usize), block.to_word(), AcqRel);
        note::<E>(|| debug!(target: TOLD, "announces {block:?} as its {place:?}"));
        // Between the load of the pointer and the announcement, somebody may have retired the block and looked.
        F35.on() || still() && (!E8.on() || still())
    }

    fn retire(&self, heap: &Heap<E>, block: Ptr) {
        heap.fetch_add(self.order, 0, AcqRel);
        heap.exclusively(|| locked(&self.bag).push(block));
        note::<E>(|| debug!(target: TOLD, "retires {block:?}"));
        heap.retired(block);
        self.collect(heap);
    }

    fn collect(&self, heap: &Heap<E>) {
        heap.fetch_add(self.order, 0, AcqRel);
        let retired = heap.exclusively(|| std::mem::take(&mut *locked(&self.bag)));
        if retired.is_empty() {
            return;
        }
        let announced = self.announced(heap);
        let (held, free): (Vec<Ptr>, Vec<Ptr>) =
            retired.into_iter().partition(|block| announced.contains(block));
        note::<E>(|| {
            let all = announced.len();
            held.iter().for_each(|block| debug!(target: TOLD, "keeps {block:?}: it is announced"));
            debug!(target: TOLD, "has scanned the announcements of {all} blocks");
        });
        heap.exclusively(|| locked(&self.bag).extend(held));
        for block in free {
            note::<E>(|| debug!(target: TOLD, "frees {block:?}: retired, and nobody announced it"));
            heap.free(block);
        }
    }
}
