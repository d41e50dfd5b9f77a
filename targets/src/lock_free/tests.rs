use std::collections::HashMap;
use std::ops::ControlFlow;
use std::thread;

use mapcheck::model::Native;
use mapcheck::{Key, Map, Previous, Value};

use super::{Epochs, Hazards, LockFree, LockFreeMap, Reclaim};

/// A generator of numbers, so that the tests do the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

fn inserted<M: Map>(map: &M, key: u64, id: u64) -> Option<u64> {
    known(map.insert(Key::new(key), Value::new(id)))
}

fn removed<M: Map>(map: &M, key: u64) -> Option<u64> {
    known(map.remove(&Key::new(key)))
}

fn known(previous: Previous) -> Option<u64> {
    match previous {
        Previous::Present(id) => Some(id),
        Previous::Absent => None,
        other => panic!("{other:?}"),
    }
}

fn found<M: Map>(map: &M, key: u64) -> Option<u64> {
    let mut id = None;
    map.get(&Key::new(key), &mut |value| id = Some(value.id()));
    id
}

fn elements<M: Map>(map: &M) -> Vec<(u64, u64)> {
    let mut all = Vec::new();
    map.for_each(&mut |key, value| {
        all.push((key.id(), value.id()));
        ControlFlow::Continue(())
    });
    all.sort_unstable();
    all
}

/// Iterates, and writes at each visit. What is there from beginning to end must be visited once, with its value.
fn iterate_and_write<M: Map>(
    map: &M,
    reference: &mut HashMap<u64, u64>,
    random: &mut Random,
    keys: u64,
) {
    let mut stay = reference.clone();
    let mut seen = HashMap::new();
    map.for_each(&mut |key, value| {
        let (key, id) = (key.id(), value.id());
        assert_eq!(reference.get(&key), Some(&id), "key {key} is visited with its value");
        assert_eq!(seen.insert(key, id), None, "key {key} is visited once");
        let (other, new) = (random.below(keys), random.0 >> 8);
        match random.below(3) {
            0 => assert_eq!(removed(map, other), reference.remove(&other)),
            1 => assert_eq!(inserted(map, other, new), reference.insert(other, new)),
            _ => assert_eq!(found(map, other), reference.get(&other).copied()),
        }
        stay.retain(|key, _| reference.contains_key(key));
        ControlFlow::Continue(())
    });
    let missed: Vec<&u64> = stay.keys().filter(|key| !seen.contains_key(key)).collect();
    assert!(missed.is_empty(), "{missed:?} stayed and were not visited");
}

fn agrees_with_a_reference<R: Reclaim<Native>>(seed: u64) {
    let map = <LockFree<Native, R>>::new();
    let (mut reference, mut random) = (HashMap::new(), Random(seed));
    for round in 0..300 {
        let keys = 4 + round / 10;
        let (key, new) = (random.below(keys), random.0 >> 8);
        match random.below(10) {
            0..5 => assert_eq!(inserted(&map, key, new), reference.insert(key, new)),
            5..8 => assert_eq!(removed(&map, key), reference.remove(&key)),
            8 => iterate_and_write(&map, &mut reference, &mut random, keys),
            _ => assert_eq!(found(&map, key), reference.get(&key).copied()),
        }
        let mut wanted: Vec<(u64, u64)> = reference.clone().into_iter().collect();
        wanted.sort_unstable();
        assert_eq!(elements(&map), wanted);
    }
}

/// Three threads write; then each key has a value that one of them wrote last there, or none.
fn survives_threads<R: Reclaim<Native>>() {
    let map = <LockFree<Native, R>>::new();
    let last: Vec<HashMap<u64, Option<u64>>> = thread::scope(|s| {
        let work = |thread: u64| {
            let map = &map;
            s.spawn(move || work(map, thread))
        };
        let threads: Vec<_> = (1..4).map(work).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    for key in 0..KEYS {
        let candidates: Vec<Option<u64>> =
            last.iter().filter_map(|l| l.get(&key).copied()).collect();
        let now = found(&map, key);
        assert!(candidates.contains(&now), "key {key}: {now:?} is none of {candidates:?}");
    }
}

const KEYS: u64 = 12;

/// What a thread wrote last under each key.
fn work<M: Map>(map: &M, thread: u64) -> HashMap<u64, Option<u64>> {
    let (mut random, mut last) = (Random(thread), HashMap::new());
    for n in 0..2000 {
        let (key, id) = (random.below(KEYS), thread << 32 | n);
        match random.below(8) {
            0..3 => {
                inserted(map, key, id);
                last.insert(key, Some(id));
            }
            3..6 => {
                removed(map, key);
                last.insert(key, None);
            }
            6 => drop(found(map, key)),
            _ => {
                let seen = elements(map);
                assert!(seen.windows(2).all(|w| w[0].0 < w[1].0), "a key twice in {seen:?}");
            }
        }
    }
    last
}

/// Blocks that are not freed, when a map of two elements was written to, grew, and shrank again.
fn live_blocks<R: Reclaim<Native>>() -> usize {
    let map = LockFreeMap::<Native, R>::new();
    let put = |key: u64| map.insert(key, map.heap().allocate_value(Value::new(key)));
    (0..40).for_each(|key| assert_eq!(put(key), None));
    (2..40).for_each(|key| assert_eq!(map.remove(key), Some(key)));
    (0..100).for_each(|_| assert_eq!(put(0), Some(0)));
    map.reclaim();
    let values = map.heap().blocks().filter(|&b| {
        let cells = map.heap().layout(b).is_some_and(|l| l.words() == 2 && l.cells == 2);
        cells && map.heap().is_live(b)
    });
    assert_eq!(values.count(), 2, "the values of removed elements are freed");
    map.heap().blocks().filter(|&b| map.heap().is_live(b)).count()
}

#[test]
fn with_epochs_it_agrees_with_a_reference() {
    (1..20).for_each(agrees_with_a_reference::<Epochs>);
}

#[test]
fn with_hazard_pointers_it_agrees_with_a_reference() {
    (1..20).for_each(agrees_with_a_reference::<Hazards>);
}

#[test]
fn with_epochs_it_survives_threads() {
    survives_threads::<Epochs>();
}

#[test]
fn with_hazard_pointers_it_survives_threads() {
    survives_threads::<Hazards>();
}

#[test]
fn what_it_gives_up_is_freed() {
    // Besides the 40 entries and the two values: a table, the root, and a few words of the scheme.
    assert!(live_blocks::<Epochs>() < 50, "{}", live_blocks::<Epochs>());
    assert!(live_blocks::<Hazards>() < 50, "{}", live_blocks::<Hazards>());
}

#[test]
fn it_grows_where_its_profile_says() {
    let map = LockFreeMap::<Native, Epochs>::new();
    let capacity = |map: &LockFreeMap<Native, Epochs>| map.enter().1.capacity;
    let put = |key: u64| map.insert(key, map.heap().allocate_value(Value::new(key)));
    let grows_at = <LockFree<Native, Epochs> as Map>::profile().grows_at;
    (0..u64::from(grows_at)).for_each(|key| assert_eq!(put(key), None));
    let before = capacity(&map);
    assert_eq!(put(u64::from(grows_at)), None);
    assert_eq!((before, capacity(&map)), (4, 8));
}

#[test]
fn a_table_full_of_removed_keys_is_replaced_by_one_of_the_same_size() {
    let map = LockFreeMap::<Native, Hazards>::new();
    for key in 0..100 {
        map.insert(key, map.heap().allocate_value(Value::new(key)));
        map.remove(key);
    }
    assert_eq!(map.enter().1.capacity, 4);
}
