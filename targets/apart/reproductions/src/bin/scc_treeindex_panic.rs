//! scc 3.8.8 `TreeIndex`: a comparison that panics while a leaf is split leaves elements with two owners.
//!
//! Safe code, one thread. The keys 0 to 14 are inserted, key 0 is removed, key 15 inserted with a comparison that panics;
//! that is caught, and the tree is dropped. Says after which comparison how many values were dropped twice.

use mapcheck_reproductions::{Counted, Key, live, panic_at, panicked, silence_panics};
use scc::{Guard, TreeIndex};

fn main() {
    silence_panics();
    for n in 0..24 {
        let before = live();
        let tree = TreeIndex::<Key, Counted>::new();
        for k in 0..15 {
            let _ = tree.insert_sync(Key(k), Counted::new(k));
        }
        tree.remove_sync(&Key(0));
        let cut_short = panicked(|| {
            panic_at(n);
            let _ = tree.insert_sync(Key(15), Counted::new(15));
        });
        drop(tree);
        for _ in 0..64 {
            Guard::new().accelerate();
        }
        let after = live() - before;
        if cut_short && after != 0 {
            let what = if after < 0 { "dropped twice" } else { "never dropped" };
            println!("a panic in comparison {}: {} values {what}", n + 1, after.abs());
        }
    }
}
