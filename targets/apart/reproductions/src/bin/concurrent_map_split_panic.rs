//! concurrent-map 5.0.37: where the tree has one clone, a key's `clone` that panics in the split of a leaf loses what
//! was to go to the new leaf.
//!
//! One thread, no chance in it. For each n, eight keys are inserted, where the nth clone of a key panics, which is
//! caught; then all keys are looked for whose insert had returned.

use std::cell::Cell;

use concurrent_map::{ConcurrentMap, Minimum};
use mapcheck_reproductions::{panicked, silence_panics};

thread_local! {
    /// After how many more clones one panics; none does below zero.
    static LEFT: Cell<i64> = const { Cell::new(-1) };
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key(u64);

impl Clone for Key {
    fn clone(&self) -> Key {
        let left = LEFT.get();
        LEFT.set(left - 1);
        assert!(left != 0, "a clone panics");
        Key(self.0)
    }
}

impl Minimum for Key {
    const MIN: Key = Key(0);
}

fn main() {
    silence_panics();
    for n in 0..20 {
        let map = ConcurrentMap::<Key, u64, 4, 1>::new();
        let mut inserted = Vec::new();
        LEFT.set(n);
        for key in 1..9 {
            if panicked(|| _ = map.insert(Key(key), key)) {
                println!("clone {n} panicked in the insert of {key}");
            } else {
                inserted.push(key);
            }
        }
        LEFT.set(-1);
        let lost: Vec<u64> =
            inserted.into_iter().filter(|key| map.get(&Key(*key)).is_none()).collect();
        if !lost.is_empty() {
            println!("    and these keys, whose inserts had returned, are gone: {lost:?}");
        }
    }
}
