//! scc 3.8.8: an iteration reads leaves that have been freed, if it comes while `TreeIndex::remove_range_async` waits
//! for a lock, or after its future was dropped there.
//!
//! Safe code, no sleeps. A thread is held in an insert, by the clone of a key, with a lock that the removal needs; the
//! removal is polled once by hand, by which it waits; the thread is let go. Then the tree is iterated: before the
//! removal is polled again, or with the argument `drop` after its future was dropped. To be run under AddressSanitizer
//! (`RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo run --release --target x86_64-unknown-linux-gnu --bin
//! scc_treeindex_range_async`), which ends it with heap-use-after-free: in 5 of 5 runs, and in 5 of 5 with `drop`.
//! Without, it shows keys and values that were never inserted, or crashes.

use std::pin::Pin;
use std::sync::Arc;

use mapcheck_reproductions::held::{At, Key, poll_once, run_until};
use scc::{Guard, TreeIndex};

fn main() {
    let tree = Arc::new(TreeIndex::<Key, String>::new());
    for k in 0..1000 {
        tree.insert_sync(Key(k), "value".to_owned()).unwrap();
    }
    let others = Arc::clone(&tree);
    let held = run_until(At::Clone, move || {
        // A leaf has 15 entries: one of these splits the last.
        for k in 1000..1016 {
            others.insert_sync(Key(k), "value".to_owned()).unwrap();
        }
    });

    let mut removal = Box::pin(tree.remove_range_async(..Key(999)));
    let poll = poll_once(Pin::as_mut(&mut removal));
    assert!(poll.is_pending(), "it waits for the node that is held");
    held.finish();
    let removal = (std::env::args().nth(1).as_deref() != Some("drop")).then_some(removal);
    for _ in 0..64 {
        Guard::new().accelerate();
    }
    println!("the first is {:?}, of {}", tree.iter(&Guard::new()).next(), tree.len());
    drop(removal);
}
