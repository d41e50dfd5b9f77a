//! Entries that are used again.

use std::sync::Mutex;
use std::sync::atomic::Ordering::AcqRel;

use mapcheck::model::{Engine, Heap, Layout, Ptr};

use super::reclaim::locked;

/// A pool of entries: blocks of one word, which points to a value.
///
/// An entry is never freed before the map, and may get another value as soon as it is out of the map, without a grace
/// period. So who reads one must look again whether its slot still has the same word. The list is ordinary memory, and
/// locked only between two accesses of the modelled one.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<Ptr>>);

impl Pool {
    /// An entry for this value.
    pub(super) fn take<E: Engine>(&self, heap: &Heap<E>, value: Ptr) -> Ptr {
        let used = heap.exclusively(|| locked(&self.0).pop());
        let new = || heap.allocate(Layout { pointers: 1, ..Layout::default() });
        let entry = used.unwrap_or_else(new);
        // A read-modify-write, and one in `give`: who reads the new value here will see that the slot has changed.
        heap.swap(entry, value.to_word(), AcqRel);
        entry
    }

    /// Takes back an entry that this thread alone has taken out of the map.
    pub(super) fn give<E: Engine>(&self, heap: &Heap<E>, entry: Ptr) {
        heap.fetch_add(entry, 0, AcqRel);
        heap.exclusively(|| locked(&self.0).push(entry));
    }
}
