//! concurrent-map 5.0.37: an iteration goes back, and shows elements again that it has shown.
//!
//! Part one, on one thread: a map without clones changes its leaves in place, under its own iterators. Part two, on
//! one thread as well, with a clone: a leaf that was merged into the one just shown is entered from its start. Keys
//! must ascend. Exit code 1 where they did not.

use std::process::ExitCode;

use concurrent_map::ConcurrentMap;

type Map = ConcurrentMap<u64, u64, 4, 1>;

fn of(keys: std::ops::Range<u64>) -> Map {
    keys.map(|key| (key, key)).collect()
}

/// The keys that an iteration shows which calls `change` after each.
fn shown(map: &Map, mut change: impl FnMut(u64)) -> Vec<u64> {
    let mut keys = Vec::new();
    for (key, _) in map.iter().take(20) {
        keys.push(key);
        change(key);
    }
    keys
}

fn main() -> ExitCode {
    let alone = of(1..4);
    let inserting = shown(&alone, |key| {
        if key == 2 {
            alone.insert(0, 0);
        }
    });
    println!("1, 2 and 3, with 0 inserted at 2: {inserting:?}");
    // As the shrunk finding has it: 0 to 3, less 2; then 4 comes after the first leaf was left.
    let (map, other) = {
        let map = of(0..4);
        let other = map.clone();
        (map, other)
    };
    map.remove(&2);
    let mut merging = Vec::new();
    let mut elements = map.iter();
    merging.extend(elements.next().map(|element| element.0));
    other.insert(4, 4);
    merging.extend(elements.by_ref().take(20).map(|element| element.0));
    println!("0, 1 and 3, with 4 inserted by a clone after 0: {merging:?}");
    let ascending = |keys: &[u64]| keys.is_sorted_by(|a, b| a < b);
    ExitCode::from(u8::from(!(ascending(&inserting) && ascending(&merging))))
}
