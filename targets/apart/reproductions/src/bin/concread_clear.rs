//! concread 0.5.12, `HashTrie`: `clear` gives up the root and what hangs right under it. What is deeper is never freed,
//! and its elements are never dropped.
//!
//! One thread.
//!
//! It failed in 1 of 1 runs; no chance is in it.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use concread::hashtrie::HashTrie;

static LIVE: AtomicUsize = AtomicUsize::new(0);

/// A value that is counted.
struct Counted;

impl Counted {
    fn new() -> Counted {
        LIVE.fetch_add(1, Relaxed);
        Counted
    }
}

impl Clone for Counted {
    fn clone(&self) -> Counted {
        Counted::new()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Relaxed);
    }
}

fn main() {
    for elements in [10, 100, 1000, 10_000] {
        let before = LIVE.load(Relaxed);
        let map = HashTrie::new();
        let mut txn = map.write();
        txn.extend((0..elements).map(|key: u64| (key, Counted::new())));
        txn.commit();
        let mut txn = map.write();
        txn.clear();
        txn.commit();
        drop(map);
        println!("of {elements} values, {} were never dropped", LIVE.load(Relaxed) - before);
    }
}
