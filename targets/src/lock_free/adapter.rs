//! The adapter.

use std::ops::ControlFlow;

use mapcheck::model::{Engine, Heap, Ptr, fail};
use mapcheck::oracle::Class;
use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value};

use super::mutants::F40B;
use super::{CAPACITY, LockFreeMap, Reclaim};

/// A [`LockFreeMap`] from keys to values.
pub struct LockFree<E: Engine, R: Reclaim<E>>(LockFreeMap<E, R>);

/// Calls `read` with the value that a block stands for, and reads the block before and after, since that is what a
/// reference to it would be used for.
fn show<E: Engine, T>(heap: &Heap<E>, block: Ptr, read: impl FnOnce(&Value) -> T) -> T {
    let words = || (heap.read(block), heap.read(block.at(1)));
    let before = words();
    if before.1 != !before.0 {
        fail(Class::TornValue, &format!("the words {before:x?} are no value"));
    }
    let result = read(&Value::new(before.0));
    let after = words();
    if after != before {
        fail(Class::TornValue, &format!("a value changed from {before:x?} to {after:x?}"));
    }
    result
}

fn previous(old: Option<u64>) -> Previous {
    old.map_or(Previous::Absent, Previous::Present)
}

impl<E: Engine, R: Reclaim<E>> Map for LockFree<E, R> {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "its own documentation",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            grows_at: CAPACITY as u32,
            write_in_visit: true,
            knobs: "4 slots; each object is retired on its own",
        }
    }

    fn nonblocking() -> bool {
        true
    }

    fn garbage_bound() -> Option<usize> {
        R::BOUND
    }

    fn new() -> LockFree<E, R> {
        LockFree(LockFreeMap::new())
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        let block = self.0.heap().allocate_value(value);
        previous(self.0.insert(key.id(), block))
    }

    fn remove(&self, key: &Key) -> Previous {
        previous(self.0.remove(key.id()))
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key.id(), |block| show(self.0.heap(), block, read)).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        self.0.for_each(|key, block| {
            let flow = show(self.0.heap(), block, |value| visit(&Key::new(key), value));
            if F40B.on() {
                self.0.heap().free(block);
            }
            flow
        });
    }

    /// Counts the elements, one after the other.
    fn len(&self) -> Result<usize, Unsupported> {
        let mut count = 0;
        self.0.for_each(|_, _| {
            count += 1;
            ControlFlow::Continue(())
        });
        Ok(count)
    }

    /// Removes the elements, one after the other.
    fn clear(&self) -> Result<(), Unsupported> {
        self.0.for_each(|key, _| {
            self.0.remove(key);
            ControlFlow::Continue(())
        });
        Ok(())
    }

    fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        self.0.for_each(|key, _| {
            // What has replaced the value by then is judged in its place, so that none stays that nobody has judged.
            self.0.remove_if(key, |block| !show(self.0.heap(), block, |v| keep(&Key::new(key), v)));
            ControlFlow::Continue(())
        });
        Ok(())
    }

    fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.reclaim();
        Ok(())
    }
}
