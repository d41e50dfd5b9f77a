//! The ways of deleting that `cargo mapcheck bench delete` measures leave the right elements, and no iteration breaks
//! its
//! map's contract, on plain threads and small maps.

#[path = "../benches/deleting/judge.rs"]
mod judge;
#[path = "../benches/deleting/maps.rs"]
mod maps;
#[path = "../benches/deleting/size.rs"]
#[expect(dead_code, reason = "the sizes of the benchmark are not those of the test")]
mod size;
#[path = "../benches/deleting/ways.rs"]
mod ways;
#[path = "../benches/deleting/workload.rs"]
#[expect(dead_code, reason = "what the benchmark alone looks at")]
mod workload;

use self::judge::{Broken, Judge};
use self::maps::{Subject, Value};
use self::size::{Fate, Size};
use self::ways::{Watch, Way};

const SMALL: Size = Size { keys: 2_000, readers: 2, writers: 2, deleters: 2 };

/// All ways of a map, on several threads.
fn each_way_keeps_the_contract<M: Subject>() {
    for &way in M::WAYS {
        let outcome = workload::measure::<M>(way, SMALL);
        let broken = outcome.broken.words(M::MAY_REPEAT);
        assert_eq!(broken, None, "{}, {}", M::NAME, way.name());
        assert_eq!(outcome.deletes.len(), SMALL.doomed(), "{}, {}", M::NAME, way.name());
        let sweeps = if way == Way::Mark { size::ROUNDS } else { 0 };
        assert_eq!(outcome.iterations, size::ROUNDS * SMALL.deleters + sweeps);
    }
}

macro_rules! maps {
    ($($name:ident: $map:ident,)*) => { $(
        #[test]
        fn $name() {
            each_way_keeps_the_contract::<maps::$map>();
        }
    )* };
}

maps! {
    dashmap_keeps_its_contract_however_it_is_deleted_from: DashMap,
    papaya_keeps_its_contract_however_it_is_deleted_from: Papaya,
    scc_hashmap_keeps_its_contract_however_it_is_deleted_from: SccHashMap,
    scc_hashindex_keeps_its_contract_however_it_is_deleted_from: SccHashIndex,
    scc_treeindex_keeps_its_contract_however_it_is_deleted_from: SccTreeIndex,
    flurry_keeps_its_contract_however_it_is_deleted_from: Flurry,
    crossbeam_skiplist_keeps_its_contract_however_it_is_deleted_from: SkipMap,
    rwlock_hashmap_keeps_its_contract_however_it_is_deleted_from: RwLockMap,
    tokio_rwlock_hashmap_keeps_its_contract_however_it_is_deleted_from: TokioRwLockMap,
}

/// An iteration after this many rounds that shows these keys.
fn judged(rounds: u64, shown: impl Iterator<Item = u64>) -> Broken {
    let mut judge = Judge::new(SMALL);
    judge.begin(rounds);
    shown.for_each(|key| judge.visit(key, &Value::new(key)));
    judge.end();
    judge.broken
}

fn stable() -> impl Iterator<Item = u64> {
    (0..SMALL.keys).step_by(2)
}

#[test]
fn an_iteration_that_shows_what_stays_once_is_right() {
    assert_eq!(judged(0, stable()), Broken::default());
    assert_eq!(judged(0, 0..SMALL.keys), Broken::default());
}

#[test]
fn an_iteration_that_misses_or_repeats_what_stays_is_broken() {
    assert_eq!(judged(0, stable().skip(1)), Broken { missed: 1, ..Broken::default() });
    assert_eq!(judged(0, stable().chain([4])), Broken { repeated: 1, ..Broken::default() });
}

#[test]
fn an_iteration_that_shows_what_was_deleted_before_is_broken() {
    let first =
        (0..SMALL.keys).find(|&key| matches!(SMALL.fate(key), Fate::Doomed { round: 0, .. }));
    let shown = || stable().chain(first);
    assert_eq!(judged(0, shown()).ghosts, 0);
    assert_eq!(judged(1, shown()).ghosts, 1);
    assert_eq!(judged(0, stable().chain(SMALL.gone().take(1))).ghosts, 1);
}

#[test]
fn a_map_with_too_many_or_too_few_elements_is_noticed() {
    let map = maps::DashMap::new();
    let right = stable().chain(SMALL.all_fresh());
    right.for_each(|key| map.insert(key));
    assert_eq!(judge::left(&map, SMALL).left, 0);
    map.insert(1);
    // By the iteration, by a read, and by their number.
    assert_eq!(judge::left(&map, SMALL).left, 3);
    map.remove(1);
    map.remove(2);
    assert_eq!(judge::left(&map, SMALL).left, 2);
}

#[test]
fn a_sweep_takes_out_what_is_marked_and_nothing_else() {
    let map = maps::Papaya::new();
    (0..100).for_each(|key| map.insert(key));
    (0..100).step_by(3).for_each(|key| assert!(map.get(key, Value::mark).is_some()));
    ways::sweep(&map, |_, _| (), &mut Watch::new());
    (0..100).for_each(|key| assert_eq!(map.get(key, |_| ()).is_some(), key % 3 != 0, "{key}"));
}
