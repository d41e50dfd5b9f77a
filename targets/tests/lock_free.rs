//! The model of a lock-free map: nothing is found in it, and each of its mutants is.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use mapcheck::model::{Native, fail};
use mapcheck::mutant::{Mutant, switch_for_test};
use mapcheck::oracle::Class;
use mapcheck::scenario::{self, Scenario};
use mapcheck::{Key, Map, Previous, Settings, Value};
use mapcheck_targets::lock_free::{Epochs, Hazards, LockFree, mutants};

type WithEpochs = LockFree<Native, Epochs>;
type WithHazards = LockFree<Native, Hazards>;

mod nothing_is_found_with_epochs {
    mapcheck::map_tests!(super::WithEpochs);
}

mod nothing_is_found_with_hazard_pointers {
    mapcheck::map_tests!(super::WithHazards);
}

fn mutant(id: &str) -> &'static Mutant {
    mutants::ALL.iter().find(|m| m.id == id).unwrap_or_else(|| panic!("there is no mutant {id}"))
}

fn settings() -> Settings {
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    Settings { out, ..Settings::for_tests() }
}

/// Explores `body` with a mutant, which must be found and show this class.
#[track_caller]
fn is_found(id: &str, class: Class, body: impl Fn()) {
    let mutant = mutant(id);
    assert!(mutant.classes.contains(&class), "{id} is not documented to show {class}");
    let settings = settings().executions(20_000);
    let explored = catch_unwind(AssertUnwindSafe(|| {
        settings.explore(|| {
            switch_for_test(Some(mutant));
            body();
        });
    }));
    let report = *explored.expect_err("nothing was found").downcast::<String>().unwrap();
    println!("{id}{report}");
    assert!(report.contains(class.name()), "{report}");
}

fn scenario(setup: &[&str], threads: &[&[&str]], teardown: &[&str]) -> Scenario {
    let ops = |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect();
    Scenario {
        name: "small".to_owned(),
        family: "small".to_owned(),
        collide: 0,
        elements: false,
        setup: ops(setup),
        threads: threads.iter().map(|t| ops(t)).collect(),
        teardown: ops(teardown),
    }
}

/// Explores the least that exposes a mutant.
#[track_caller]
fn is_found_in<M: Map>(id: &str, class: Class, scenario: &Scenario) {
    is_found(id, class, || scenario::run::<M>(scenario));
}

/// Explores a scenario of everything with an equivalent mutant.
fn stays_silent<M: Map>(id: &str) {
    let mutant = mutant(id);
    assert!(mutant.equivalent(), "{id}");
    let threads: [&[&str]; 3] = [
        &["iterate hold remove-visited 2", "reclaim"],
        &["remove 0..2", "reclaim", "insert 0..2", "reclaim"],
        &["insert 4", "get 1 hold", "remove 3", "reclaim"],
    ];
    let small = scenario(&["insert 0..4"], &threads, &["reclaim", "reclaim"]);
    settings().explore(|| {
        switch_for_test(Some(mutant));
        scenario::run::<M>(&small);
    });
}

fn retired_before_unlinked<M: Map>() {
    let small = scenario(&["insert 0"], &[&["remove 0", "reclaim"], &["get 0 hold"]], &[]);
    is_found_in::<M>("F34", Class::PrematureReclamation, &small);
}

fn not_revalidated<M: Map>() {
    let small = scenario(&["insert 0"], &[&["remove 0", "reclaim"], &["get 0"]], &[]);
    is_found_in::<M>("F35", Class::PrematureReclamation, &small);
}

fn loaded_before_pinned<M: Map>() {
    let small = scenario(&["insert 0..4"], &[&["insert 4", "reclaim"], &["get 0"]], &[]);
    is_found_in::<M>("F35b", Class::PrematureReclamation, &small);
}

fn advanced_past_pinned<M: Map>() {
    let small = scenario(&["insert 0"], &[&["remove 0", "reclaim"], &["get 0 hold"]], &[]);
    is_found_in::<M>("F36", Class::PrematureReclamation, &small);
}

fn unpinned_across_next<M: Map>() {
    let small = scenario(&["insert 0..4"], &[&["iterate"], &["insert 4", "reclaim"]], &[]);
    is_found_in::<M>("F36b", Class::PrematureReclamation, &small);
}

fn freed_while_copied<M: Map>() {
    let small = scenario(&["insert 0..4"], &[&["insert 4"], &["insert 5"]], &[]);
    is_found_in::<M>("F37", Class::PrematureReclamation, &small);
}

fn copied_twice<M: Map>() {
    let threads: [&[&str]; 2] = [&["insert 4", "insert 0"], &["insert 5"]];
    let small = scenario(&["insert 0..4"], &threads, &["reclaim", "get 0"]);
    is_found_in::<M>("F38", Class::PrematureReclamation, &small);
}

fn copied_after_removal<M: Map>() {
    let threads: [&[&str]; 2] = [&["insert 4", "remove 0"], &["insert 5"]];
    let small = scenario(&["insert 0..4"], &threads, &["reclaim", "get 0"]);
    is_found_in::<M>("F38b", Class::PrematureReclamation, &small);
}

fn freed_by_visitor<M: Map>() {
    let small = scenario(&["insert 0"], &[&["iterate"], &["get 0 hold"]], &[]);
    is_found_in::<M>("F40b", Class::PrematureReclamation, &small);
}

/// A map of these keys; the values have the ids 0, 1 and so on.
fn filled<M: Map>(keys: u64) -> M {
    let map = M::new();
    (0..keys).for_each(|key| assert_eq!(insert(&map, key, key), Previous::Absent));
    map
}

fn insert<M: Map>(map: &M, key: u64, id: u64) -> Previous {
    map.insert(Key::new(key), Value::new(id))
}

fn remove<M: Map>(map: &M, key: u64) -> Previous {
    map.remove(&Key::new(key))
}

fn both<A: Send, B: Send>(
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    std::thread::scope(|s| {
        let other = s.spawn(other);
        let one = s.spawn(one);
        (one.join().unwrap(), other.join().unwrap())
    })
}

/// Tells what the operations of a small program returned, if no order of them explains it.
fn explained(by: bool, what: impl std::fmt::Debug) {
    if !by {
        fail(Class::NotLinearizable, &format!("no order explains {what:?}"));
    }
}

fn reused_entry<M: Map>() {
    is_found("F39", Class::DoubleFree, || {
        let map = filled::<M>(1);
        let again = || (remove(&map, 0), insert(&map, 0, 10));
        both(again, || remove(&map, 0));
        map.reclaim().unwrap();
    });
}

fn retired_twice<M: Map>() {
    is_found("F40", Class::DoubleFree, || {
        let map = filled::<M>(1);
        both(|| remove(&map, 0), || remove(&map, 0));
        map.reclaim().unwrap();
    });
}

fn replacement_undone<M: Map>() {
    is_found("F38", Class::NotLinearizable, || {
        let map = filled::<M>(4);
        let grow_and_replace = || (insert(&map, 4, 4), insert(&map, 0, 10));
        let returned = both(grow_and_replace, || insert(&map, 5, 5));
        let left = remove(&map, 0);
        explained(left == Previous::Present(10), (returned, left));
    });
}

fn removal_undone<M: Map>() {
    is_found("F38b", Class::NotLinearizable, || {
        let map = filled::<M>(4);
        let grow_and_remove = || (insert(&map, 4, 4), remove(&map, 0));
        let returned = both(grow_and_remove, || insert(&map, 5, 5));
        let left = remove(&map, 0);
        explained(left == Previous::Absent, (returned, left));
    });
}

fn wrong_value_removed<M: Map>() {
    is_found("F39", Class::NotLinearizable, || {
        let map = filled::<M>(1);
        let again = || (remove(&map, 0), insert(&map, 0, 10));
        let ((first, _), second) = both(again, || remove(&map, 0));
        explained(first != second, (first, second));
    });
}

fn inserted_twice<M: Map>() {
    is_found("F39b", Class::NotLinearizable, || {
        let map = filled::<M>(1);
        remove(&map, 0);
        let returned = both(|| insert(&map, 0, 10), || insert(&map, 0, 11));
        explained(returned.0 != returned.1, returned);
    });
}

/// Makes a test of each mutant that does not depend on how memory is reclaimed.
macro_rules! mutants_are_found {
    ($map:ty) => {
        #[test]
        fn a_table_loaded_before_the_guard_begins_is_not_protected() {
            super::loaded_before_pinned::<$map>();
        }
        #[test]
        fn an_iteration_that_lets_go_between_elements_loses_its_table() {
            super::unpinned_across_next::<$map>();
        }
        #[test]
        fn a_table_freed_at_once_is_still_copied() {
            super::freed_while_copied::<$map>();
        }
        #[test]
        fn a_slot_copied_twice_brings_a_retired_value_back() {
            super::copied_twice::<$map>();
        }
        #[test]
        fn a_slot_copied_twice_undoes_a_replacement() {
            super::replacement_undone::<$map>();
        }
        #[test]
        fn a_slot_copied_after_a_removal_brings_a_retired_value_back() {
            super::copied_after_removal::<$map>();
        }
        #[test]
        fn a_slot_copied_after_a_removal_undoes_it() {
            super::removal_undone::<$map>();
        }
        #[test]
        fn a_value_taken_out_by_way_of_a_reused_entry_is_freed_twice() {
            super::reused_entry::<$map>();
        }
        #[test]
        fn a_removal_by_way_of_a_reused_entry_takes_the_wrong_value() {
            super::wrong_value_removed::<$map>();
        }
        #[test]
        fn two_insertions_where_a_key_was_removed_both_find_it_absent() {
            super::inserted_twice::<$map>();
        }
        #[test]
        fn a_value_that_two_threads_remove_is_freed_twice() {
            super::retired_twice::<$map>();
        }
        #[test]
        fn a_value_that_a_visitor_frees_is_read_again() {
            super::freed_by_visitor::<$map>();
        }
    };
}

mod with_epochs {
    mutants_are_found!(super::WithEpochs);

    #[test]
    fn a_value_retired_before_it_is_unlinked_is_read_after_it_was_freed() {
        super::retired_before_unlinked::<super::WithEpochs>();
    }

    #[test]
    fn an_epoch_that_advances_past_a_guard_frees_what_it_reads() {
        super::advanced_past_pinned::<super::WithEpochs>();
    }

    #[test]
    fn an_epoch_more_than_needed_changes_nothing() {
        super::stays_silent::<super::WithEpochs>("E7");
    }
}

mod with_hazard_pointers {
    mutants_are_found!(super::WithHazards);

    #[test]
    fn a_hazard_that_is_not_revalidated_protects_nothing() {
        super::not_revalidated::<super::WithHazards>();
    }

    #[test]
    fn a_second_revalidation_changes_nothing() {
        super::stays_silent::<super::WithHazards>("E8");
    }
}
