//! Where the map grows, splits and leaves tombstones, and what it refuses.

use std::collections::BTreeSet;
use std::sync::Arc;

use mapcheck::model::{Layout, Native, Ptr};

use super::group::{Groups, h1};
use super::table::{Table, max_growth_left};
use super::*;
use crate::go::runtime::Runtime;

type Map = SwissMap<Native>;

const PLAIN: Kind = Kind { pointers: false };

fn map(max_table_slots: usize) -> Map {
    SwissMap::with_max_table_slots(Arc::new(Runtime::new()), PLAIN, max_table_slots)
}

fn put(map: &Map, key: u64) {
    map.assign(&map.runtime.frame(), key, key + 100).unwrap();
}

fn delete(map: &Map, key: u64) {
    map.delete(&map.runtime.frame(), key).unwrap();
}

fn get(map: &Map, key: u64) -> Option<u64> {
    map.lookup(&map.runtime.frame(), key).unwrap()
}

fn tables(map: &Map) -> Vec<Table> {
    let locals = map.locals();
    let mut tables = Vec::new();
    directory::for_each_table(map.header, &locals, |table| tables.push(table));
    tables
}

fn dir_len(map: &Map) -> usize {
    map.header.dir_len(&map.locals())
}

/// Capacity and growthLeft of the only table.
fn only_table(map: &Map) -> (usize, u64) {
    let (locals, tables) = (map.locals(), tables(map));
    assert_eq!(tables.len(), 1);
    (tables[0].capacity(&locals), tables[0].growth_left(&locals))
}

/// Full slots and tombstones of a table.
fn full_and_deleted(locals: &Locals<'_, Native>, table: Table) -> (u64, u64) {
    let controls = table.groups(locals).all().map(|group| group.controls(locals));
    controls.fold((0, 0), |(full, deleted), controls| {
        (full + controls.full().count() as u64, deleted + controls.deleted().count() as u64)
    })
}

/// What must hold between operations.
fn check_invariants(map: &Map) {
    let locals = map.locals();
    let (mut entries, mut used) = (0, 0);
    for table in tables(map) {
        assert_eq!(table.index(&locals), entries);
        let width = directory::entries_of(map.header, &locals, table);
        for index in entries..entries + width {
            assert_eq!(directory::table_at(map.header, &locals, index), table);
        }
        entries += width;
        let (full, deleted) = full_and_deleted(&locals, table);
        let growth_left = table.growth_left(&locals);
        assert_eq!(full + deleted + growth_left, max_growth_left(table.capacity(&locals)));
        assert_eq!(full, table.used(&locals));
        used += full;
    }
    assert_eq!(entries, dir_len(map));
    if entries > 0 {
        assert_eq!(used as usize, map.len());
        assert_eq!(entries, 1 << map.header.global_depth(&locals));
    }
}

/// Keys that begin their probe in the first of two groups.
fn keys_of_first_group(map: &Map) -> impl Iterator<Item = u64> {
    let (header, locals) = (map.header, map.locals());
    (0..1000).filter(move |&key| h1(header.hash(&locals, key)).is_multiple_of(2))
}

#[test]
fn eight_elements_fit_the_small_map_and_the_ninth_makes_a_table_of_16_slots() {
    let map = map(1024);
    (0..8).for_each(|key| put(&map, key));
    assert_eq!(dir_len(&map), 0);
    put(&map, 8);
    assert_eq!((dir_len(&map), only_table(&map)), (1, (16, 14 - 9)));
    assert!((0..9).all(|key| get(&map, key) == Some(key + 100)));
}

#[test]
fn a_table_doubles_at_seven_eighths_until_it_would_be_too_large_and_is_split_then() {
    let map = map(64);
    let grows_at = |key| {
        let before = (dir_len(&map), tables(&map).first().map(|t| t.capacity(&map.locals())));
        put(&map, key);
        let after = (dir_len(&map), tables(&map).first().map(|t| t.capacity(&map.locals())));
        (before != after).then_some((key + 1, after))
    };
    let growths: Vec<_> = (0..57).filter_map(grows_at).collect();
    let expected =
        [(9, (1, Some(16))), (15, (1, Some(32))), (29, (1, Some(64))), (57, (2, Some(64)))];
    assert_eq!(growths, expected);
}

#[test]
fn with_the_models_limit_the_fifteenth_element_splits_the_table_and_leaves_it_stale() {
    let map = map(MAX_TABLE_SLOTS);
    (0..14).for_each(|key| put(&map, key));
    let old = tables(&map)[0];
    put(&map, 14);
    let locals = map.locals();
    assert!(old.is_stale(&locals));
    assert_eq!(full_and_deleted(&locals, old), (14, 0));
    let places: Vec<_> = tables(&map)
        .into_iter()
        .map(|table| (table.index(&locals), table.local_depth(&locals)))
        .collect();
    assert_eq!(places, [(0, 1), (1, 1)]);
    check_invariants(&map);
}

#[test]
fn tables_and_directory_agree_after_every_operation() {
    let map = map(MAX_TABLE_SLOTS);
    let mut expected = BTreeSet::new();
    for step in 0..1500_u64 {
        let key = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
        match step % 5 {
            0 | 3 => {
                delete(&map, key / 2);
                expected.remove(&(key / 2));
            }
            _ => {
                put(&map, key);
                expected.insert(key);
            }
        }
        check_invariants(&map);
        let asked = if step % 100 == 0 { 0..256 } else { key..key + 1 };
        assert!(asked.into_iter().all(|key| get(&map, key).is_some() == expected.contains(&key)));
    }
    assert!(dir_len(&map) >= 8);
    map.clear(&map.runtime.frame()).unwrap();
    check_invariants(&map);
    assert_eq!((map.len(), get(&map, *expected.first().unwrap())), (0, None));
}

#[test]
fn a_probe_goes_on_over_a_tombstone_that_the_next_insert_takes() {
    let map = map(MAX_TABLE_SLOTS);
    let keys: Vec<u64> = keys_of_first_group(&map).take(10).collect();
    keys[..9].iter().for_each(|&key| put(&map, key));
    assert_eq!(only_table(&map), (16, 5));
    // The first group is full, so the ninth key is in the second.
    delete(&map, keys[3]);
    assert_eq!(only_table(&map), (16, 5));
    assert_eq!(full_and_deleted(&map.locals(), tables(&map)[0]), (8, 1));
    assert_eq!((get(&map, keys[8]), get(&map, keys[3])), (Some(keys[8] + 100), None));
    // It is found before the tombstone is taken for it.
    put(&map, keys[8]);
    assert_eq!(full_and_deleted(&map.locals(), tables(&map)[0]), (8, 1));
    put(&map, keys[9]);
    assert_eq!(full_and_deleted(&map.locals(), tables(&map)[0]), (9, 0));
    assert_eq!(only_table(&map), (16, 5));
}

#[test]
fn a_delete_from_a_group_that_is_not_full_leaves_no_tombstone() {
    let map = map(MAX_TABLE_SLOTS);
    let keys: Vec<u64> = keys_of_first_group(&map).take(9).collect();
    keys.iter().for_each(|&key| put(&map, key));
    delete(&map, keys[8]);
    assert_eq!(only_table(&map), (16, 6));
    assert_eq!(full_and_deleted(&map.locals(), tables(&map)[0]), (8, 0));
}

#[test]
fn while_somebody_writes_every_operation_is_refused_but_len() {
    let map = map(MAX_TABLE_SLOTS);
    put(&map, 1);
    let frame = map.runtime.frame();
    let mut range = map.range(&frame);
    map.header.toggle_writing(&map.locals());
    assert_eq!(map.assign(&frame, 1, 2), Err(Fatal::ConcurrentWrites));
    assert_eq!(map.delete(&frame, 1), Err(Fatal::ConcurrentWrites));
    assert_eq!(map.clear(&frame), Err(Fatal::ConcurrentWrites));
    assert_eq!(map.lookup(&frame, 1), Err(Fatal::ConcurrentReadAndWrite));
    assert_eq!(map.next(&frame, &mut range), Err(Fatal::ConcurrentIterationAndWrite));
    assert_eq!(map.len(), 1);
    map.header.toggle_writing(&map.locals());
    assert_eq!(map.next(&frame, &mut range), Ok(Some((1, 101))));
    assert_eq!(map.next(&frame, &mut range), Ok(None));
}

#[test]
fn a_writer_sees_at_its_end_that_another_has_cleared_its_flag() {
    let map = map(MAX_TABLE_SLOTS);
    let locals = map.locals();
    let section = map.write(&locals, || {
        map.header.toggle_writing(&locals);
        map.write_sections().current()
    });
    assert_eq!(section, Err(Fatal::ConcurrentWrites));
    assert_eq!(map.write(&locals, || ()), Ok(()));
}

#[test]
fn a_write_section_is_open_while_the_map_writes() {
    let map = map(MAX_TABLE_SLOTS);
    let during = map.write(&map.locals(), || map.write_sections().current());
    assert_eq!((during, map.write_sections().current()), (Ok(Some(1)), None));
}

/// A pointer to an object with this id.
fn object(frame: &Frame<'_, Native>, id: u64) -> u64 {
    let object = frame.allocate(Layout { cells: 2, ..Layout::default() });
    frame.runtime().heap().write(object, id);
    object.to_word()
}

#[test]
fn a_stale_table_lives_for_as_long_as_a_range_is_in_it() {
    let runtime = Arc::new(Runtime::new());
    let map = Map::new(runtime.clone(), Kind { pointers: true });
    let put = |key| {
        let frame = runtime.frame();
        map.assign(&frame, object(&frame, key), object(&frame, key)).unwrap();
    };
    (0..14).for_each(put);
    let old = tables(&map)[0];
    let groups: Groups = old.groups(&map.locals());
    let frame = runtime.frame();
    let mut range = map.range(&frame);
    let mut visited: Vec<(u64, u64)> = map.next(&frame, &mut range).unwrap().into_iter().collect();
    put(14);
    runtime.collect();
    assert!(runtime.heap().is_live(old.block()) && runtime.heap().is_live(groups.block()));
    while let Some(next) = map.next(&frame, &mut range).unwrap() {
        assert_eq!(
            runtime.heap().read(Ptr::from_word(next.0)),
            runtime.heap().read(Ptr::from_word(next.1))
        );
        visited.push(next);
    }
    assert_eq!(visited.len(), 14);
    drop(frame);
    runtime.collect();
    assert!(!runtime.heap().is_live(old.block()) && !runtime.heap().is_live(groups.block()));
}
