//! crossbeam-skiplist 0.1.3 and crossbeam-skiplist-fd 0.1.5: elements that were removed without a search are leaked, if
//! an iteration follows.
//!
//! One thread. A list of each length from 1 to 100 is filled, and then cleared (both crates), or filled again (the
//! fork, where an insert over an element marks the old one and leaves it linked); then it is iterated, or not, and
//! dropped. What is left of its values when the collector has been driven is printed, with the iteration and without.

use mapcheck_reproductions::{Counted, live};

fn collect() {
    for _ in 0..200 {
        crossbeam_epoch::pin().flush();
    }
}

fn lists(what: &str, run: impl Fn(u64)) {
    let (mut leaking, mut lost) = (0, 0);
    for length in 1..=100 {
        let before = live();
        run(length);
        collect();
        let left = live() - before;
        leaking += i64::from(left > 0);
        lost += left;
    }
    println!("{what}: {leaking} of 100 lists lost {lost} values of 5050");
}

fn cleared(length: u64, iterates: bool) {
    let map = crossbeam_skiplist::SkipMap::new();
    for key in 0..length {
        map.insert(key, Counted::new(key));
    }
    map.clear();
    if iterates {
        assert_eq!(map.iter().count(), 0);
    }
}

fn fork_cleared(length: u64, iterates: bool) {
    let map = crossbeam_skiplist_fd::SkipMap::new();
    for key in 0..length {
        map.insert(key, Counted::new(key));
    }
    map.clear();
    if iterates {
        assert_eq!(map.iter().count(), 0);
    }
}

fn fork_replaced(length: u64, iterates: bool) {
    let map = crossbeam_skiplist_fd::SkipMap::new();
    for key in (0..length).chain(0..length) {
        map.insert(key, Counted::new(key));
    }
    if iterates {
        assert_eq!(map.iter().count() as u64, length);
    }
}

fn replaced(length: u64, iterates: bool) {
    let map = crossbeam_skiplist::SkipMap::new();
    for key in (0..length).chain(0..length) {
        map.insert(key, Counted::new(key));
    }
    if iterates {
        assert_eq!(map.iter().count() as u64, length);
    }
}

fn main() {
    for iterates in [false, true] {
        let then = if iterates { "then iterated" } else { "not iterated" };
        lists(&format!("cleared, {then}"), |length| cleared(length, iterates));
        lists(&format!("filled twice, {then}"), |length| replaced(length, iterates));
        lists(&format!("fork, cleared, {then}"), |length| fork_cleared(length, iterates));
        lists(&format!("fork, filled twice, {then}"), |length| fork_replaced(length, iterates));
    }
}
