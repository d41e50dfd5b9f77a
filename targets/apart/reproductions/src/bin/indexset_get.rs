//! indexset 0.18.0, feature `concurrent`: `get` finds nothing under a key that is there while its node is split,
//! and an iteration shows nothing at all while a node gets a new greatest element.
//!
//! Part one: nodes of 4; one thread inserts more keys, the other gets one that was there before and stays. Part
//! two: one thread inserts ever greater keys, the other iterates: the first key was there before and stays. Exit
//! code 1 where a key was not found.

use std::process::ExitCode;
use std::sync::Barrier;
use std::thread;

use indexset::concurrent::map::BTreeMap;

const ROUNDS: u64 = 100_000;

/// Runs `read` beside the insertion of some keys into a map of `0..present`.
fn beside(present: u64, start: &Barrier, read: impl Fn(&BTreeMap<u64, u64>) -> bool) -> bool {
    let map = BTreeMap::<u64, u64>::with_maximum_node_size(4);
    (0..present).for_each(|key| _ = map.insert(key, key));
    thread::scope(|s| {
        s.spawn(|| {
            start.wait();
            (present..present + 4).for_each(|key| _ = map.insert(key, key));
        });
        start.wait();
        (0..8).all(|_| read(&map))
    })
}

fn main() -> ExitCode {
    let start = Barrier::new(2);
    let missed = |present, read: fn(&BTreeMap<u64, u64>) -> bool| {
        (0..ROUNDS).filter(|_| !beside(present, &start, read)).count()
    };
    let get = missed(4, |map| map.get(&3).is_some());
    println!("of {ROUNDS} rounds {get} had a get that did not find a key that was there");
    let iter = missed(1, |map| map.iter().any(|(&key, _)| key == 0));
    println!("of {ROUNDS} rounds {iter} had an iteration that passed over a key that was there");
    ExitCode::from(u8::from(get + iter != 0))
}
