//! Growth: whoever meets a table that is being copied copies all of it before writing, so that nobody waits.
//!
//! Three rules make it safe to stop anywhere in the middle:
//!
//! 1. A slot is frozen, put into the next table, and only then marked as moved. So who sees the mark finds the key
//!    where it went.
//! 2. What is put into the next table goes only where nothing ever was, not even something that is removed by now. So
//!    who comes late changes nothing.
//! 3. The next table becomes the root when all slots are moved, and only then is it written to, let alone copied
//!    itself. So two tables are all that a key can be in, and who comes late still finds its slot in the second.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use mapcheck::model::{Engine, Ptr, note};
use tracing::debug;

use super::mutants::{F37, F38, F38B};
use super::table::{CLOSED, Held, Table, UNCLAIMED, claimer};
use super::{Guard, LockFreeMap, Reclaim};

/// The target of what it tells.
const TOLD: &str = "lock_free::resize";

impl<E: Engine, R: Reclaim<E>> LockFreeMap<E, R> {
    /// Begins to copy a table that has no slot left, if nobody has yet.
    pub(super) fn grow(&self, table: Table) {
        let none = Ptr::NULL.to_word();
        if self.heap.load(table.next(), Acquire) != none {
            return;
        }
        let entries =
            (0..table.capacity).filter(|&slot| self.held(table.held(slot)).entry().is_some());
        // Slots of keys that were removed are left behind, which may be room enough.
        let full = 2 * entries.count() >= table.capacity;
        let next = Table::allocate(&self.heap, table.capacity * if full { 2 } else { 1 });
        let linked = self.heap.compare_exchange(table.next(), none, next.at.to_word(), AcqRel);
        if linked.is_err() {
            // Nobody has seen it.
            self.heap.free(next.at);
            return;
        }
        note::<E>(|| {
            let [from, to] =
                [table, next].map(|table| format!("{:?}, {} slots", table.at, table.capacity));
            debug!(target: TOLD, "grows: {from}, is to be copied to {to}");
        });
    }

    /// Copies what is left to copy of a table that the guard holds, and makes the next one the root.
    ///
    /// Does nothing and returns false if the table is not being copied.
    pub(super) fn help(&self, guard: &Guard<'_, E, R>, table: Table) -> bool {
        let Some(next) = guard.next(table) else { return false };
        // Each helper begins elsewhere, so that they do not all do the same.
        let first = self.heap.fetch_add(table.cursor(), 1, Relaxed) as usize;
        for i in 0..table.capacity {
            self.copy(table, first.wrapping_add(i) % table.capacity, next);
        }
        let (old, new) = (table.at.to_word(), next.at.to_word());
        if self.heap.compare_exchange(self.root, old, new, AcqRel).is_ok() {
            note::<E>(
                || debug!(target: TOLD, "{:?} is the table now, and no longer {:?}", next.at, table.at),
            );
            if F37.on() {
                self.heap.free(table.at);
            } else {
                self.reclaim.retire(&self.heap, table.at);
            }
        }
        true
    }

    /// Moves one slot, whatever others do to it at the same time.
    fn copy(&self, table: Table, slot: usize, next: Table) {
        let Some(key) = self.close(table.key(slot)) else { return };
        let at = table.held(slot);
        loop {
            let held = self.held(at);
            if held == Held::MOVED {
                return;
            }
            let after = match held.entry() {
                Some(entry) if held.is_frozen() => {
                    self.put(next, key, entry);
                    Held::MOVED
                }
                Some(_) => held.frozen(),
                None => Held::MOVED,
            };
            // If somebody else was faster, there is less to do.
            let _ = self.heap.compare_exchange(at, held.0, after.0, AcqRel);
        }
    }

    /// Keeps a slot from being claimed, or returns the key that has claimed it.
    fn close(&self, at: Ptr) -> Option<u64> {
        match self.heap.load(at, Acquire) {
            UNCLAIMED => {
                let closed = self.heap.compare_exchange(at, UNCLAIMED, CLOSED, AcqRel);
                closed.err().and_then(claimer)
            }
            word => claimer(word),
        }
    }

    /// Puts an entry into the table that it is moved to, unless that was done before.
    fn put(&self, next: Table, key: u64, entry: Ptr) {
        // There is room: the table is as large as the old one, and has no other keys until all are moved.
        let Some(at) = next.claim(&self.heap, key) else { return };
        let held = self.held(at);
        let again = F38.on() && held.entry().is_some() && !held.is_frozen();
        if held == Held::NEVER || again || F38B.on() && held.is_removed() {
            // If somebody else was faster, it is done.
            let _ = self.heap.compare_exchange(at, held.0, held.with(entry).0, AcqRel);
        }
    }
}
