//! What the prose promises of the map's inside. Outside of executions all random numbers are 0.

use std::sync::Arc;

use mapcheck::model::{Native, Ptr};

use super::layout::{SLOTS, extra, flags, hmap, top};
use super::{Call, ClassicMap};
use crate::go::runtime::Runtime;
use crate::go::{Fatal, Kind, LanguageMap, hash};

type Map = ClassicMap<Native>;

fn map(pointers: bool) -> Map {
    ClassicMap::new(Arc::new(Runtime::new()), Kind { pointers })
}

fn put(map: &Map, key: u64) {
    let frame = map.runtime.frame();
    map.assign(&frame, key, key + 1000).unwrap();
}

fn delete(map: &Map, key: u64) {
    map.delete(&map.runtime.frame(), key).unwrap();
}

/// Keys that share a bucket of `2^b`.
fn keys_of(bucket: u64, b: u64) -> impl Iterator<Item = u64> {
    (1..).filter(move |&key| hash(0, key) & ((1 << b) - 1) == bucket)
}

/// A map that has just come to have 16 buckets, with its growth done and its entries gone.
fn sixteen_buckets(pointers: bool) -> Map {
    let map = map(pointers);
    let runtime = map.runtime.clone();
    let frame = runtime.frame();
    let object = |id| match pointers {
        true => frame.allocate_value(mapcheck::Value::new(id)).to_word(),
        false => id,
    };
    (1..=53).for_each(|key| map.assign(&frame, object(key), object(key)).unwrap());
    (1..=53).for_each(|key| map.delete(&frame, key).unwrap());
    assert_eq!((map.call().get(hmap::B), map.call().growing(), map.len()), (4, false, 0));
    map
}

fn next_overflow(call: &Call<'_, Native>) -> Ptr {
    call.load_from(call.load(hmap::EXTRA).at(extra::NEXT_OVERFLOW))
}

fn live(map: &Map) -> usize {
    let heap = map.runtime.heap();
    heap.blocks().filter(|block| heap.is_live(*block)).count()
}

#[test]
fn a_map_grows_at_inserts_9_14_27_53_and_105() {
    let map = map(false);
    let mut grew = Vec::new();
    for key in 1..=208 {
        let before = map.call().get(hmap::B);
        put(&map, key);
        if map.call().get(hmap::B) > before {
            grew.push(key);
        }
    }
    assert_eq!((grew, map.len()), (vec![9, 14, 27, 53, 105], 208));
}

#[test]
fn sixteen_overflow_buckets_on_sixteen_buckets_make_the_map_grow_to_the_same_size() {
    let map = sixteen_buckets(false);
    for bucket in 0..16 {
        assert!(map.call().get(hmap::NOVERFLOW) < 16);
        let chain = map.call().bucket(map.call().load(hmap::BUCKETS), bucket);
        let keys: Vec<u64> = keys_of(bucket, 4).take(SLOTS + 1).collect();
        keys.iter().for_each(|&key| put(&map, key));
        assert!(map.call().overflow(chain).is_some());
        keys.iter().for_each(|&key| delete(&map, key));
    }
    assert_eq!((map.call().get(hmap::NOVERFLOW), map.call().growing()), (16, false));
    put(&map, 1);
    assert!(map.call().growing() && map.call().has(flags::SAME_SIZE_GROW));
    (2..=20).for_each(|key| put(&map, key));
    assert!(!map.call().growing() && !map.call().has(flags::SAME_SIZE_GROW));
    assert_eq!((map.call().get(hmap::B), map.len()), (4, 20));
}

#[test]
fn preallocated_overflow_buckets_come_first_and_the_last_loses_its_sentinel() {
    for pointers in [false, true] {
        let map = map(pointers);
        let call = map.call();
        let (array, first) = call.make_bucket_array(5);
        call.store_extra(call.need_extra(), extra::NEXT_OVERFLOW, first);
        let base = call.bucket(array, 0);
        let taken: Vec<_> = (0..3).map(|_| call.new_overflow(base)).collect();
        assert_eq!([taken[0].0, taken[1].0], [first, call.bucket(array, 33).0]);
        assert_ne!(taken[2].0.base(), array);
        assert!(taken.iter().all(|b| call.overflow(*b).is_none()));
        assert!(next_overflow(&call).is_null() && call.overflow(base) == Some(taken[2]));
    }
}

#[test]
fn a_write_evacuates_its_own_old_bucket_and_one_more_and_a_read_none() {
    let map = map(false);
    (1..=53).for_each(|key| put(&map, key));
    let evacuated = || {
        let call = map.call();
        let old = call.load(hmap::OLDBUCKETS);
        (0..8).filter(|&n| call.evacuated(call.bucket(old, n))).count()
    };
    let before = evacuated();
    assert!((1..=2).contains(&before), "the insert that starts a growth is a write too");
    let frame = map.runtime.frame();
    assert!((1..=53).all(|key| map.lookup(&frame, key) == Ok(Some(key + 1000))));
    assert_eq!(evacuated(), before);
    delete(&map, 77); // Not there.
    assert!((before + 1..=before + 2).contains(&evacuated()));
}

#[test]
fn a_deletion_at_the_end_of_a_chain_makes_its_empty_cells_the_empty_rest() {
    let map = sixteen_buckets(false);
    let keys: Vec<u64> = keys_of(3, 4).take(10).collect();
    keys.iter().for_each(|&key| put(&map, key));
    let head = map.call().bucket(map.call().load(hmap::BUCKETS), 3);
    let next = map.call().overflow(head).unwrap();
    keys[2..9].iter().for_each(|&key| delete(&map, key));
    assert_eq!(map.call().tophash(head, 2), top::EMPTY_ONE);
    delete(&map, keys[9]);
    let states =
        [(head, 2), (head, 7), (next, 0), (next, 1)].map(|(b, i)| map.call().tophash(b, i));
    assert_eq!(states, [top::EMPTY_REST; 4]);
    assert!(map.call().tophash(head, 1) >= top::MIN_TOP_HASH);
}

#[test]
fn deletions_free_no_bucket() {
    let map = map(false);
    (1..=300).for_each(|key| put(&map, key));
    map.runtime.collect();
    let before = live(&map);
    (1..=300).for_each(|key| delete(&map, key));
    map.runtime.collect();
    assert_eq!((map.len(), live(&map)), (0, before));
}

#[test]
fn what_a_map_of_pointers_deletes_is_collected() {
    let map = sixteen_buckets(true);
    map.runtime.collect();
    let heap = map.runtime.heap();
    // The header, the buckets and the block beside them; and overflow buckets, of which there are
    // few.
    assert!(live(&map) < 6, "{}", live(&map));
    assert!(heap.is_live(map.h));
}

#[test]
fn an_evacuated_bucket_keeps_its_entries_while_there_may_be_an_iterator() {
    for iterated in [false, true] {
        let map = map(true);
        let frame = map.runtime.frame();
        let object = |id| frame.allocate_value(mapcheck::Value::new(id)).to_word();
        (1..=8).for_each(|key| map.assign(&frame, object(key), object(key)).unwrap());
        let old = map.call().bucket(map.call().load(hmap::BUCKETS), 0);
        if iterated {
            map.range(&frame);
        }
        map.assign(&frame, object(9), object(9)).unwrap();
        let call = map.call();
        assert!(call.evacuated(old) && top::is_moved(call.tophash(old, 0)));
        assert_eq!(call.word(call.key_at(old, 0)) != 0, iterated);
    }
}

#[test]
fn a_range_finds_all_entries_in_the_middle_of_a_growth() {
    for last in 50..=60 {
        let map = map(false);
        (1..=last).for_each(|key| put(&map, key));
        let frame = map.runtime.frame();
        let mut range = map.range(&frame);
        let mut keys: Vec<u64> = Vec::new();
        while let Some((key, elem)) = map.next(&frame, &mut range).unwrap() {
            assert_eq!(elem, key + 1000);
            keys.push(key);
        }
        keys.sort_unstable();
        assert_eq!(keys, (1..=last).collect::<Vec<_>>());
    }
}

#[test]
fn who_meets_an_open_write_section_ends_the_program() {
    let map = map(false);
    put(&map, 1);
    let frame = map.runtime.frame();
    let mut range = map.range(&frame);
    let writer = map.call();
    assert_eq!(map.write_sections().current(), None);
    writer.begin_write().unwrap();
    assert!(map.write_sections().current().is_some());
    assert_eq!(map.lookup(&frame, 1), Err(Fatal::ConcurrentReadAndWrite));
    assert_eq!(map.assign(&frame, 2, 2), Err(Fatal::ConcurrentWrites));
    assert_eq!(map.delete(&frame, 1), Err(Fatal::ConcurrentWrites));
    assert_eq!(map.clear(&frame), Err(Fatal::ConcurrentWrites));
    let next = map.next(&frame, &mut range);
    assert_eq!(next, Err(Fatal::ConcurrentIterationAndWrite));
    writer.end_write().unwrap();
    assert_eq!(map.write_sections().current(), None);
    assert_eq!(writer.end_write(), Err(Fatal::ConcurrentWrites));
    assert_eq!(map.next(&frame, &mut range), Ok(Some((1, 1001))));
}

#[test]
fn a_cleared_map_is_empty_to_lookups_and_to_ranges_that_go_on() {
    for keys in [8, 9, 60] {
        let map = map(false);
        let frame = map.runtime.frame();
        (1..=keys).for_each(|key| put(&map, key));
        let mut range = map.range(&frame);
        map.next(&frame, &mut range).unwrap().unwrap();
        map.clear(&frame).unwrap();
        assert_eq!(map.next(&frame, &mut range), Ok(None));
        assert!((1..=keys).all(|key| map.lookup(&frame, key) == Ok(None)) && map.len() == 0);
    }
}

/// Makes the chains of these buckets, of four, so long that they have an overflow bucket, and
/// empties them again.
fn lengthen_chains(map: &Map, seed: u64, buckets: std::ops::Range<u64>) {
    for bucket in buckets {
        let of_bucket = |key: &u64| hash(seed, *key) & 3 == bucket;
        let keys: Vec<u64> = (1..).filter(of_bucket).take(SLOTS + 1).collect();
        keys.iter().for_each(|&key| put(map, key));
        keys.iter().for_each(|&key| delete(map, key));
    }
}

#[test]
fn a_range_does_not_take_a_later_growth_to_the_same_size_for_its_own() {
    let (map, other_seed) = (map(false), 1);
    (1..=20).for_each(|key| put(&map, key));
    (1..=20).for_each(|key| delete(&map, key));
    // They are in the first bucket when the range begins, and in the last one later.
    let both = |key: &u64| hash(0, *key) & 3 == 0 && hash(other_seed, *key) & 3 == 3;
    let keys: Vec<u64> = (1..).filter(both).take(SLOTS + 1).collect();
    lengthen_chains(&map, 0, 1..4);
    keys.iter().for_each(|&key| put(&map, key));
    let frame = map.runtime.frame();
    let mut range = map.range(&frame);
    map.next(&frame, &mut range).unwrap().unwrap();
    // A growth to the same size, all of it; then the map is emptied, which gives it a new seed.
    let more = 1_000_000..1_000_004;
    more.clone().for_each(|key| put(&map, key));
    keys.iter().copied().chain(more).for_each(|key| delete(&map, key));
    assert_eq!((map.call().growing(), map.call().get(hmap::B), map.len()), (false, 2, 0));
    map.call().set(hmap::HASH0, other_seed);
    // Another one, which has not come to the last bucket yet. The map is not empty again in
    // between.
    put(&map, 2_000_000);
    lengthen_chains(&map, other_seed, 0..3);
    keys.iter().for_each(|&key| put(&map, key));
    put(&map, (1..).find(|&key| hash(other_seed, key) & 3 == 0).unwrap());
    assert!(map.call().growing() && map.call().has(flags::SAME_SIZE_GROW));
    let mut yielded = Vec::new();
    while let Some((key, _)) = map.next(&frame, &mut range).unwrap() {
        assert!(!yielded.contains(&key), "{key} comes twice");
        yielded.push(key);
    }
    assert!(!yielded.is_empty());
}
