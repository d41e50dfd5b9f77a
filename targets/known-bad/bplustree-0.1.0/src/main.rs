//! bplustree 0.1.0: an iteration that goes from one leaf to the next misses or repeats elements when leaves are split
//! or merged meanwhile.
#![forbid(unsafe_code)]

use std::ops::ControlFlow;
use std::process::ExitCode;

use bplustree::GenericBPlusTree;
use mapcheck::{
    Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Target, Unsupported, Value,
};

const TARGET: Target =
    Target::of::<BPlusTree>("bplustree@0.1.0", "bplustree", include_str!("../Cargo.lock"))
        // Its readers look at a node without a lock and ask afterwards whether a writer was there.
        .accepting_races(&["bplustree::"]);

fn main() -> ExitCode {
    mapcheck::runner::main(&[TARGET])
}

/// Keys of an inner node.
const INNER: usize = 4;
/// Elements of a leaf.
const LEAF: usize = 4;

/// A [`GenericBPlusTree`] of small nodes, from numbers of keys to numbers of values.
///
/// Its readers compare keys in leaves that writers move at that moment, and throw away what came of it. A [`Key`] or a
/// [`Value`] that is read so could be found torn. So the tree holds numbers, and what is judged is which elements an
/// iteration shows, and not how long they live.
struct BPlusTree(GenericBPlusTree<u64, u64, INNER, LEAF>);

impl Map for BPlusTree {
    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "assumed",
            consistency: Consistency::Linearizable,
            atomic: Atomic::NONE,
            // The next one gives it a third level: an inner node is split, and not a leaf alone.
            grows_at: 16,
            // An iteration holds the lock of its leaf.
            write_in_visit: false,
            knobs: "leaves of 4 elements instead of 256, inner nodes of 4 instead of 128; the tree holds the \
                numbers of keys and values, since it reads them while they are written",
        }
    }

    fn new() -> BPlusTree {
        BPlusTree(GenericBPlusTree::new())
    }

    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key.id(), value.id()).map_or(Previous::Absent, Previous::Present)
    }

    fn remove(&self, key: &Key) -> Previous {
        self.0.remove(&key.id()).map_or(Previous::Absent, Previous::Present)
    }

    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.lookup(&key.id(), |&id| id).map(|id| read(&Value::new(id))).is_some()
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        let mut elements = self.0.raw_iter();
        elements.seek_to_first();
        while let Some((&key, &value)) = elements.next() {
            if visit(&Key::new(key), &Value::new(value)).is_break() {
                return;
            }
        }
    }

    fn len(&self) -> Result<usize, Unsupported> {
        Ok(self.0.len())
    }

    /// Each flush hands over this thread's garbage, tries to advance the epoch once, and frees what is two epochs old.
    fn reclaim(&self) -> Result<(), Unsupported> {
        for _ in 0..4 {
            crossbeam_epoch::pin().flush();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::TARGET;

    #[test]
    fn the_adapter_does_on_one_thread_what_the_trait_asks_for() {
        assert_eq!((TARGET.self_check)(), Ok(()));
    }

    #[test]
    fn the_lock_file_keeps_the_version_that_is_bad() {
        assert!(TARGET.versions().starts_with("bplustree 0.1.0, "), "{}", TARGET.versions());
    }
}
