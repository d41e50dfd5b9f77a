//! sdd 4.8.11: after a guard that was forgotten in a thread that has ended, guards of another thread protect nothing.
//!
//! Safe code. One thread forgets a guard and ends; another begins, and reads from a `HashIndex` under a guard of its
//! own, while the entry is removed. To be run under AddressSanitizer (`RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address
//! cargo run --release --target x86_64-unknown-linux-gnu --bin sdd_forgotten_guard`), which ends the program at the
//! read of freed memory. `sdd_forgotten_guard kept` forgets nothing, and is to end well.

use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::mpsc;
use std::thread;

use scc::{Guard, HashIndex};

/// Lets the epochs pass, and what nobody can reach be freed.
fn collect() {
    for _ in 0..1000 {
        Guard::new().accelerate();
    }
}

fn main() {
    let forgets = std::env::args().nth(1).is_none_or(|how| how != "kept");
    // A hasher without a random seed: each run is the same.
    let index = HashIndex::<u64, String, BuildHasherDefault<DefaultHasher>>::default();
    index.insert_sync(1, "what is protected".to_owned()).unwrap();
    collect();
    // To join is to wait for the destructors of its thread-local variables, too.
    let ended = thread::spawn(move || {
        let guard = Guard::new();
        if forgets {
            std::mem::forget(guard);
        }
    });
    ended.join().unwrap();
    // What the thread has left behind is found, and given to the next one.
    collect();

    let (has_read, reads) = mpsc::channel();
    let (removed, is_removed) = mpsc::channel();
    thread::scope(|s| {
        let index = &index;
        s.spawn(move || {
            let guard = Guard::new();
            let value = index.peek(&1, &guard).unwrap();
            has_read.send(()).unwrap();
            is_removed.recv().unwrap();
            println!("under the guard that it was read by, the value is {value:?}");
        });
        reads.recv().unwrap();
        index.remove_sync(&1);
        // The slots of removed entries are emptied when the map grows.
        (2..2000).for_each(|key| _ = index.insert_sync(key, String::new()));
        collect();
        removed.send(()).unwrap();
    });
}
