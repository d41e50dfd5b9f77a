//! whirlwind 0.1.1: a `ShardMap` of one shard, or of an odd number of them, is made without complaint where debug
//! assertions are off, and then looks for its shards far outside of the slice of them, unchecked.
//!
//! One thread, and no `unsafe` in here. Run it with `--release`.
//!
//! It failed in 1 of 1 runs with each of 1, 3 and 5 shards.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use whirlwind::ShardMap;

/// Nothing waits here: there is one thread.
fn wait<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a lock was found taken that nobody takes"),
    }
}

fn main() {
    let shards = std::env::args().nth(1).map_or(3, |n| n.parse().expect("a number of shards"));
    let map = ShardMap::with_shards(shards);
    for key in 0..100 {
        wait(map.insert(key, key));
    }
    println!("{} of 100 elements are there", wait(map.len()));
}
