//! kovan-map 0.2.0, `HopscotchMap`: 32 places are all that keys have that hash alike. The insertion of the thirty-third
//! never returns: it makes the table twice as large, in which the 32 collide as before, and so on.
//!
//! One thread inserts, another tells what the capacity is, and ends the program after ten doublings.
//!
//! It failed in 1 of 1 runs; no chance is in it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use kovan_map::HopscotchMap;

/// A key of which all hash alike, which `Hash` allows.
#[derive(Clone, PartialEq, Eq)]
struct Alike(u64);

impl Hash for Alike {
    fn hash<H: Hasher>(&self, state: &mut H) {
        0.hash(state);
    }
}

fn main() {
    let map = Arc::new(HopscotchMap::with_capacity(64));
    let inserting = Arc::clone(&map);
    let inserter = thread::spawn(move || {
        for key in 0..33 {
            inserting.insert(Alike(key), key);
        }
    });
    for _ in 0..100 {
        thread::sleep(Duration::from_millis(100));
        if inserter.is_finished() {
            println!("33 elements are in, capacity {}", map.capacity());
            return;
        }
        let kib = resident_kib();
        println!("{} elements are in, capacity {}, {kib} KiB resident", map.len(), map.capacity());
        if kib > 1 << 20 {
            break;
        }
    }
    println!("the thirty-third insertion has not returned");
}

/// What the program has of memory.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its size");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}
