//! concread 0.5.12, `HashMap`: a leaf that takes over its right sibling counts the sibling's elements, and not its
//! slots. Where two keys of the sibling hash alike, the leaf counts more slots than it has, and what it then takes for
//! a hash and a bucket was never written.
//!
//! One thread, and no `unsafe` in here. Without debug assertions concread goes on, with a program whose heap is no
//! longer sound; with them an assertion of its own, or of the standard library's, ends it.
//!
//! It ended by a signal in 20 of 20 runs in release mode, and in 20 of 20 in debug mode.

use std::hash::{Hash, Hasher};

use concread::hashmap::HashMap;

/// A key of which every two that follow each other hash alike, which `Hash` allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pair(u64);

impl Hash for Pair {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.0 / 2).hash(state);
    }
}

/// Fills a map and empties it, and tells whether it had what it must have had.
fn attempt(n: u64) -> bool {
    let map = HashMap::new();
    let mut txn = map.write();
    for key in 0..n {
        txn.insert(Pair(key), Box::new(key));
    }
    txn.commit();
    (0..n).all(|key| {
        let mut txn = map.write();
        let removed = txn.remove(&Pair(key));
        txn.commit();
        removed.as_deref() == Some(&key) && map.read().len() as u64 == n - key - 1
    })
}

fn main() {
    for n in (16..80).cycle().take(1000) {
        if !attempt(n) {
            println!("a map of {n} elements lost some, or made some up");
            std::process::exit(1);
        }
    }
    println!("all as it should be");
}
