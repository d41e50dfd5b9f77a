//! scc 3.8.8: `insert_async` reads a bucket array that has been freed, after it has yielded to who moves the entries.
//!
//! Safe code, one thread, no luck: futures are polled by hand, in an order that a runtime may choose too. To be run
//! under AddressSanitizer (`RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo run --release --target
//! x86_64-unknown-linux-gnu --bin scc_insert_async`), which ends the program at the read of freed memory.

use std::hash::{BuildHasherDefault, DefaultHasher};
use std::pin::pin;

use mapcheck_reproductions::held::poll_once;
use scc::{Guard, HashMap};

fn main() {
    // A hasher without a random seed: each run is the same.
    let map = HashMap::<u64, u64, BuildHasherDefault<DefaultHasher>>::default();
    let (mut keys, mut removed) = (0.., 0..);
    let mut next = || keys.next().unwrap();
    map.insert_sync(next(), 0).unwrap();

    // The map grows while an entry is held: its bucket of the old array cannot be moved.
    let held = map.get_sync(&0).unwrap();
    let small = map.capacity();
    while map.capacity() == small {
        let mut waits_for_held = pin!(map.insert_async(next(), 0));
        let _ = poll_once(waits_for_held.as_mut());
    }
    let large = map.capacity();

    let mut moves = pin!(map.insert_async(next(), 0));
    assert!(
        poll_once(moves.as_mut()).is_pending(),
        "it has begun to move the buckets, and waits for that of the entry"
    );
    let mut yields = pin!(map.insert_async(next(), 0));
    assert!(
        poll_once(yields.as_mut()).is_pending(),
        "it found all buckets in the hands of another, and yielded"
    );
    drop(held);
    assert!(poll_once(moves.as_mut()).is_ready(), "the old array is empty");

    // A larger array takes the place of the one that `yields` knows, and one of the first's length comes after it. A
    // map may shrink to less than that first.
    while map.capacity() == large {
        map.insert_sync(next(), 0).unwrap();
    }
    while map.capacity() > large {
        map.remove_sync(&removed.next().unwrap());
    }
    while map.capacity() < large {
        map.insert_sync(next(), 0).unwrap();
    }
    assert_eq!(map.capacity(), large);
    for _ in 0..1000 {
        Guard::new().accelerate();
    }
    println!("the map has as many buckets as before, in another array; the first has been freed");
    while poll_once(yields.as_mut()).is_pending() {}
    println!("nothing was reported");
}
