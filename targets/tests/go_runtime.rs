//! What collections and missing locks make of mistakes in Go's maps: the framework's own scenarios
//! find each of these.

use std::ops::ControlFlow;
use std::panic::{UnwindSafe, catch_unwind};
use std::thread;

use mapcheck::model::Native;
use mapcheck::mutant::{Mutant, switch_for_test};
use mapcheck::{Key, Map, Previous, Profile, Settings, Unsupported, Value};
use mapcheck_targets::go::adapter::{GoMap, GoSwissMap, RacingGoMap};
use mapcheck_targets::go::classic::mutants;
use mapcheck_targets::go::runtime::F28;

fn mutant(number: u32) -> &'static Mutant {
    let id = format!("F{number}");
    let of_the_map = mutants::ALL.iter().find(|mutant| mutant.id == id).copied();
    of_the_map.unwrap_or(&F28)
}

/// A map that switches a mutant on.
struct Mutated<M, const NUMBER: u32>(M);

impl<M: Map, const NUMBER: u32> Map for Mutated<M, NUMBER> {
    fn profile() -> Profile {
        M::profile()
    }
    fn new() -> Self {
        switch_for_test(Some(mutant(NUMBER)));
        Mutated(M::new())
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
    fn reclaim(&self) -> Result<(), Unsupported> {
        self.0.reclaim()
    }
}

/// Runs what explores; the finding must be of one of the mutant's classes.
#[track_caller]
fn finds(mutant: &Mutant, explore: impl FnOnce(Settings) + UnwindSafe) {
    let settings = Settings::for_tests().executions(10_000);
    let explored = catch_unwind(|| explore(settings));
    let report = *explored.expect_err("nothing was found").downcast::<String>().unwrap();
    let classes = mutant.classes.iter().map(|class| class.name());
    assert!(classes.clone().any(|class| report.contains(class)), "{report}");
}

/// Explores a family.
#[track_caller]
fn found_in<M: Map, const NUMBER: u32>(family: &'static str) {
    finds(mutant(NUMBER), |settings| settings.check::<Mutated<M, NUMBER>>(family));
}

/// A range beside a goroutine that puts a new key.
fn range_beside_a_put<M: Map>() {
    let map = M::new();
    map.insert(Key::new(1), Value::new(1 << 32 | 1));
    thread::scope(|scope| {
        scope.spawn(|| map.for_each(&mut |_, _| ControlFlow::Continue(())));
        map.insert(Key::new(2), Value::new(2 << 32 | 2));
    });
}

/// Puts of new keys while another goroutine collects, and a collection after that.
fn puts_beside_a_collection<M: Map>() {
    let map = M::new();
    thread::scope(|scope| {
        scope.spawn(|| map.reclaim());
        for key in 6..9 {
            map.insert(Key::new(key), Value::new(key << 32 | 1));
        }
    });
    map.reclaim().expect("Go's map has a collector");
}

#[test]
fn f25_an_evacuation_without_barriers_is_found() {
    // The collection has to be at the new array, and not at the old one, when a write evacuates it.
    let check = |settings: Settings| {
        settings.executions(60_000).check::<Mutated<GoMap<Native>, 25>>("concurrent-write");
    };
    finds(mutant(25), check);
}

#[test]
fn f26_a_deletion_without_its_barrier_is_found() {
    found_in::<GoMap<Native>, 26>("delete-current");
}

#[test]
fn f27_a_key_stored_without_a_barrier_is_found() {
    // The stack has to be scanned, and the collection to end, between two steps of a put.
    let puts = puts_beside_a_collection::<Mutated<GoMap<Native>, 27>>;
    finds(mutant(27), |settings| settings.executions(60_000).explore(puts));
}

#[test]
fn f28_roots_out_of_date_are_found_under_the_classic_map() {
    found_in::<GoMap<Native>, 28>("concurrent-write");
}

#[test]
fn f28_roots_out_of_date_are_found_under_the_swiss_map() {
    found_in::<GoSwissMap<Native>, 28>("concurrent-write");
}

#[test]
fn f29_a_range_that_does_not_check_for_writes_is_found() {
    found_in::<RacingGoMap<Native>, 29>("concurrent-write");
}

#[test]
fn f30_a_key_that_is_published_too_early_is_found() {
    let put = range_beside_a_put::<Mutated<RacingGoMap<Native>, 30>>;
    // Two preemptions have to be in the very right places.
    finds(mutant(30), |settings| settings.executions(60_000).explore(put));
}

#[test]
fn puts_beside_a_collection_lose_nothing() {
    Settings::for_tests().executions(10_000).explore(puts_beside_a_collection::<GoMap<Native>>);
}

#[test]
fn a_range_that_races_with_a_put_breaks_no_promise() {
    Settings::for_tests().executions(10_000).explore(range_beside_a_put::<RacingGoMap<Native>>);
}
