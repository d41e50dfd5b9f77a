//! whirlwind 0.1.1: a panic in a key's `Hash`, `Eq` or `Drop` under a shard's lock poisons it, and whoever then asks
//! for that shard tries again for ever: the future takes a poisoned lock for one that is held.
//!
//! It shows by not ending: the second operation is polled a million times, and is still pending.
//!
//! It failed in 1 of 1 runs; no chance is in it.

use std::future::Future;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use whirlwind::ShardMap;

/// A key that cannot be compared with the other 7.
struct Key(u64);

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        assert!(self.0 != 7 || other.0 != 7, "two sevens");
        self.0 == other.0
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// How often a future is polled until it is ready, if it ever is in so many polls.
fn polls<F: Future>(future: F, most: u32) -> Option<u32> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (1..=most).find(|_| matches!(future.as_mut().poll(&mut context), Poll::Ready(_)))
}

fn main() {
    let map = ShardMap::with_shards(2);
    assert_eq!(polls(map.insert(Key(7), 0), 1), Some(1));
    let panicked = catch_unwind(AssertUnwindSafe(|| polls(map.insert(Key(7), 1), 1))).is_err();
    println!("an insertion panicked: {panicked}");
    // Nobody holds a lock any more.
    match polls(map.len(), 1_000_000) {
        Some(polls) => println!("`len` was ready after {polls} polls"),
        None => println!("`len` is pending after 1000000 polls, with no lock held"),
    }
}
