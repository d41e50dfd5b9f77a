//! Iteration: over the slots of one table, whatever becomes of it meanwhile.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering::Acquire;

use mapcheck::model::{Engine, Ptr};

use super::mutants::F36B;
use super::table::{Held, Table, claimer};
use super::{Guard, LockFreeMap, Place, Reclaim};

impl<E: Engine, R: Reclaim<E>> LockFreeMap<E, R> {
    /// Visits elements until `visit` breaks: the keys, and the values, blocks that are not freed before `visit`
    /// returns.
    ///
    /// Whatever is in the map from beginning to end is visited exactly once, and what is visited is in the map when the
    /// iteration comes to it; what is inserted meanwhile may be passed over. `visit` may use the map.
    pub fn for_each(&self, mut visit: impl FnMut(u64, Ptr) -> ControlFlow<()>) {
        // One guard for all of it: it holds the table.
        let (mut guard, first) = self.enter();
        let table = self.settled(&guard, first);
        for slot in 0..table.capacity {
            // A key has one slot, so it is come to once, even if its element is in another table by then.
            let Some(key) = claimer(self.heap.load(table.key(slot), Acquire)) else { continue };
            if let Some(value) = self.current(&guard, table.held(slot), key)
                && visit(key, value).is_break()
            {
                return;
            }
            if F36B.on() {
                drop(guard);
                guard = Guard::new(self);
            }
        }
    }

    /// The root table at a moment when it is not being copied, so that all elements are in it.
    fn settled(&self, guard: &Guard<'_, E, R>, mut table: Table) -> Table {
        loop {
            let still = || guard.load_root() == table.at;
            if guard.hold(Place::Home, table.at, still) {
                if self.heap.load(table.next(), Acquire) == Ptr::NULL.to_word() {
                    return table;
                }
                self.help(guard, table);
            }
            table = guard.root(Place::Table);
        }
    }

    /// The value that a key has now, where its slot was when the iteration began.
    fn current(&self, guard: &Guard<'_, E, R>, at: Ptr, key: u64) -> Option<Ptr> {
        let (held, value) = self.read(guard, at);
        if held == Held::MOVED {
            return self.look_up(guard, guard.root(Place::Table), key);
        }
        value
    }
}
