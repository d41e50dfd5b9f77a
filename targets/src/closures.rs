//! Small programs on published maps, as their users write them: explored by a test each, and fuzzed.

use std::sync::Mutex;
use std::thread;

use crossbeam_skiplist::SkipMap;

/// Two threads count the same key through dashmap's entries: no count is lost.
pub fn entries_count_every_call() {
    let map = ::dashmap::DashMap::with_shard_amount(2);
    thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| *map.entry(1_u32).or_insert(0_u32) += 1);
        }
    });
    assert_eq!(map.get(&1).map(|n| *n), Some(2));
}

/// Two threads update the same key of a papaya map, one of them while another key makes it grow: no update is lost.
pub fn updates_survive_growth() {
    let map = ::papaya::HashMap::with_capacity(1);
    let add = |key: u32| *map.pin().update_or_insert(key, |n: &u32| n + 1, 1);
    thread::scope(|s| {
        s.spawn(|| add(1));
        s.spawn(|| (2..5).for_each(|key| _ = add(key)));
        s.spawn(|| add(1));
    });
    assert_eq!(map.pin().get(&1), Some(&2));
    assert_eq!(map.pin().len(), 4);
}

/// Two threads take elements off the front of a skip list: each element goes to one of them.
pub fn the_front_is_taken_once() {
    let map: SkipMap<u32, u32> = (0..3).map(|i| (i, i)).collect();
    let taken = Mutex::new(Vec::new());
    thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                while let Some(entry) = map.pop_front() {
                    taken.lock().unwrap().push(*entry.key());
                }
            });
        }
    });
    let mut taken = taken.into_inner().unwrap();
    taken.sort_unstable();
    assert_eq!(taken, [0, 1, 2]);
}
