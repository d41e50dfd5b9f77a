//! indexset 0.18.0, feature `concurrent`: a key's `clone` that panics in an insert takes a whole node out of the map.
//!
//! One thread, no chance in it. For each n, ten keys are inserted into a map with nodes of four elements, where the nth
//! clone of a key panics, which is caught; then all keys are looked for whose insert had returned.

use std::cell::Cell;

use indexset::concurrent::map::BTreeMap;
use mapcheck_reproductions::{panicked, silence_panics};

thread_local! {
    /// After how many more clones one panics; none does below zero.
    static LEFT: Cell<i64> = const { Cell::new(-1) };
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u64);

impl Clone for Key {
    fn clone(&self) -> Key {
        let left = LEFT.get();
        LEFT.set(left - 1);
        assert!(left != 0, "a clone panics");
        Key(self.0)
    }
}

fn main() {
    silence_panics();
    let (mut panics, mut losses) = (0, 0);
    for n in 0..200 {
        let map = BTreeMap::<Key, u64>::with_maximum_node_size(4);
        let mut inserted = Vec::new();
        LEFT.set(n);
        for key in 0..10 {
            if panicked(|| _ = map.insert(Key(key), key)) {
                panics += 1;
            } else {
                inserted.push(key);
            }
        }
        LEFT.set(-1);
        let lost = |key: &u64| map.get(&Key(*key)).is_none();
        let lost: Vec<u64> = inserted.into_iter().filter(lost).collect();
        if !lost.is_empty() {
            losses += 1;
            println!(
                "clone {n} panicked; these keys, whose inserts had returned, are gone: {lost:?}"
            );
        }
    }
    println!("elements were lost after {losses} of {panics} panics");
}
