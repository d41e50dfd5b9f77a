//! The adapters on one thread, and in the framework's own scenarios, which must find nothing.

use std::ops::ControlFlow;

use mapcheck::model::Native;
use mapcheck::{Key, Map, Previous, Profile, Unsupported, Value};

use super::{Adapted, GoMap, GoSwissMap, RacingGoMap, Synchronised};
use crate::go::Kind;
use crate::go::classic::ClassicMap;
use crate::go::swiss::SwissMap;

/// A map whose keys and elements are pointers. Outside executions the adapter would take words.
struct OfPointers<M>(Synchronised<Native, M>);

impl<M: Adapted<Native>> Map for OfPointers<M> {
    fn profile() -> Profile {
        Synchronised::<Native, M>::profile()
    }
    fn new() -> Self {
        OfPointers(Synchronised::of_kind(Kind { pointers: true }))
    }
    fn insert(&self, key: Key, value: Value) -> Previous {
        self.0.insert(key, value)
    }
    fn remove(&self, key: &Key) -> Previous {
        self.0.remove(key)
    }
    fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
        self.0.get(key, read)
    }
    fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
        self.0.for_each(visit);
    }
    fn len(&self) -> Result<usize, Unsupported> {
        self.0.len()
    }
    fn clear(&self) -> Result<(), Unsupported> {
        self.0.clear()
    }
    fn retain(&self, keep: &mut dyn FnMut(&Key, &Value) -> bool) -> Result<(), Unsupported> {
        self.0.retain(keep)
    }
    fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.reclaim()
    }
}

#[test]
fn the_adapters_do_what_their_methods_are_documented_to_do() {
    let checks = [
        mapcheck::map::self_check::<GoMap<Native>>,
        mapcheck::map::self_check::<OfPointers<ClassicMap<Native>>>,
        mapcheck::map::self_check::<GoSwissMap<Native>>,
        mapcheck::map::self_check::<OfPointers<SwissMap<Native>>>,
        mapcheck::map::self_check::<RacingGoMap<Native>>,
    ];
    assert_eq!(checks.map(|check| check()), [const { Ok(()) }; 5]);
}

fn a_value_that_is_held_outlives_its_deletion<M: Adapted<Native>>() {
    let map = OfPointers::<M>::new();
    map.insert(Key::new(1), Value::new(1 << 32 | 1));
    let found = map.get(&Key::new(1), &mut |value| {
        assert_eq!(map.remove(&Key::new(1)), Previous::Present(value.id()));
        assert_eq!(map.reclaim(), Ok(()));
    });
    assert!(found);
}

#[test]
fn a_value_that_is_held_outlives_its_deletion_and_a_collection() {
    a_value_that_is_held_outlives_its_deletion::<ClassicMap<Native>>();
    a_value_that_is_held_outlives_its_deletion::<SwissMap<Native>>();
}

fn live<M: Adapted<Native>>(map: &Synchronised<Native, M>) -> usize {
    let heap = map.runtime().heap();
    heap.blocks().filter(|block| heap.is_live(*block)).count()
}

fn a_collection_frees_what_was_removed<M: Adapted<Native>>() {
    let map = OfPointers::<M>::new();
    let insert = |keys: std::ops::Range<u64>| {
        for key in keys {
            map.insert(Key::new(key), Value::new(key << 32 | 1));
        }
    };
    insert(0..40);
    map.0.reclaim().unwrap();
    let full = live(&map.0);
    for key in 0..40 {
        map.remove(&Key::new(key));
    }
    map.0.reclaim().unwrap();
    // A key and an element for each, though an array of the map may stay.
    assert!(full - live(&map.0) >= 80, "{full} {}", live(&map.0));
}

#[test]
fn a_collection_frees_the_keys_and_elements_that_were_removed() {
    a_collection_frees_what_was_removed::<ClassicMap<Native>>();
    a_collection_frees_what_was_removed::<SwissMap<Native>>();
}

#[test]
fn a_racing_map_is_dead_rather_than_grown() {
    let map = RacingGoMap::<Native>::new();
    for key in 0..8 {
        map.insert(Key::new(key), Value::new(key << 32 | 1));
    }
    assert_eq!(map.insert(Key::new(7), Value::new(2)), Previous::Present(7 << 32 | 1));
    assert!(map.get(&Key::new(0), &mut |_| ()));
    map.insert(Key::new(8), Value::new(3));
    assert!(!map.get(&Key::new(0), &mut |_| ()));
    map.for_each(&mut |_, _| panic!("a dead map has no elements"));
}

mod classic {
    mapcheck::map_tests!(super::GoMap<mapcheck::model::Native>);
}

mod swiss {
    mapcheck::map_tests!(super::GoSwissMap<mapcheck::model::Native>);
}

mod racing {
    mapcheck::map_tests!(super::RacingGoMap<mapcheck::model::Native>);
}
