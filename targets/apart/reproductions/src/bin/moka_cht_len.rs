//! moka-cht 0.5.0: an insertion makes its element visible before it counts it. Whoever removes it in between counts
//! down from zero, to the largest number there is, and whoever then inserts finds more elements than any table holds:
//! it makes table after table, each of twice the size, until the first insertion has counted.
//!
//! At most 4 keys are ever in the map, which needs one table of 128 places.
//!
//! It failed in 11 of 13 runs in release mode, on 2 processors that had other work.

use std::thread;
use std::time::{Duration, Instant};

use moka_cht::HashMap;

fn main() {
    let map = HashMap::new();
    let end = Instant::now() + Duration::from_secs(20);
    thread::scope(|scope| {
        for thread in 0..8 {
            let map = &map;
            scope.spawn(move || {
                let mut round = thread;
                while Instant::now() < end && map.capacity() <= 64 {
                    round += 1;
                    if thread % 2 == 0 {
                        map.insert(round % 4, ());
                    } else {
                        map.remove(&(round % 4));
                    }
                }
            });
        }
    });
    println!("a map of at most 4 elements has a capacity of {}", map.capacity());
}
