//! The explanation of a pointer finding names the mistake among the first three lines that it tells to look at: for
//! every mutant of the catalogue that shows by a pointer, the function that was changed; for every known-bad release,
//! the function that `docs/findings.md` says is wrong.

use std::path::{Path, PathBuf};

use mapcheck_tests::{Run, corpus, mapcheck, read, root, tempdir};
use serde_json::Value;

/// Lines that are looked at.
const FIRST: usize = 3;

/// What a repro's explanation tells.
fn explained(repro: &Path) -> Value {
    let dir = tempdir().unwrap();
    let file = dir.path().join("told.json");
    let args = ["explain".as_ref(), repro.as_os_str(), "-o".as_ref(), file.as_os_str()];
    Run::of(&mut mapcheck(root(), args)).code(2);
    serde_json::from_str(&read(&file)).unwrap()
}

/// The functions of the first lines, each with those that called it.
fn named(told: &Value) -> Vec<String> {
    let suspects = told["suspects"].as_array().unwrap().iter().take(FIRST);
    let places = suspects.flat_map(|suspect| suspect["places"].as_array().unwrap());
    places.map(|place| place["function"].as_str().unwrap().to_owned()).collect()
}

/// Whether one of the functions has this name.
fn has(named: &[String], function: &str) -> bool {
    named.iter().any(|name| {
        let parts = name.split("::").filter(|part| *part != "{closure}");
        parts.last() == Some(function)
    })
}

/// The repros in a folder of the corpus whose name has this in it.
fn repros(target: &str, name: &str) -> Vec<PathBuf> {
    let folder = root().join("corpus").join(target);
    let of = |path: &PathBuf| {
        path.parent() == Some(&folder) && path.file_name().unwrap().to_string_lossy().contains(name)
    };
    let found: Vec<PathBuf> = corpus().into_iter().filter(of).collect();
    assert!(!found.is_empty(), "corpus/{target} has no repro with {name}");
    found
}

/// Fails unless each explanation names one of these functions.
#[track_caller]
fn names(target: &str, name: &str, functions: &[&str]) {
    for repro in repros(target, name) {
        let named = named(&explained(&repro));
        let any = functions.iter().any(|function| has(&named, function));
        assert!(any, "{}: none of {functions:?} in {named:#?}", repro.display());
    }
}

#[test]
fn the_function_that_a_mutant_of_the_go_map_changes_is_named() {
    for (mutant, function) in [
        ("evacuate-clears-under-iterator", "evacuate"),
        ("not-marked-evacuated", "evacuate_cell"),
        ("wrap-at-current-b", "enter_next_bucket"),
        ("free-one-bucket-early", "advance_evacuation_mark"),
        ("oldoverflow-dropped", "hand_over_overflow"),
        ("delete-without-barrier", "clear_word"),
        ("assign-key-without-barrier", "store_key"),
        ("iterator-root-inaccurate", "scan_stack"),
    ] {
        names("go-map", mutant, &[function]);
    }
}

/// These leave something out in a function that then touches no memory, or decide something in one that touches none:
/// no access tells of it. The function that called it is named.
#[test]
fn of_a_mutant_that_does_nothing_the_caller_is_named() {
    for (mutant, function) in [
        // `set_flags`
        ("init-sets-no-flag", "mapiterinit"),
        // `iterators_grow_old`
        ("grow-drops-old-iterator", "hash_grow"),
        // `end_growth`
        ("same-size-flag-kept", "advance_evacuation_mark"),
        // `record_overflow`
        ("overflow-unrecorded", "new_overflow"),
        // `keep_overflow`
        ("iterator-lacks-overflow-references", "mapiterinit"),
        // `without_barrier`
        ("evacuate-unbarriered", "copy"),
    ] {
        names("go-map", mutant, &[function]);
    }
}

#[test]
fn the_function_that_a_mutant_of_the_lock_free_map_changes_is_named() {
    for (mutant, function) in [
        ("retire-before-unlink", "take_out"),
        ("table-loaded-before-pin", "enter"),
        ("epoch-advances-past-pinned", "advance"),
        ("iterator-unpinned-across-next", "for_each"),
        ("old-table-freed-while-copied", "help"),
        ("recopied-after-delete", "put"),
        ("retired-twice", "take_out"),
        ("foreign-free-of-owned-node", "for_each"),
    ] {
        names("lock-free-map", mutant, &[function]);
    }
    names("lock-free-map@hazards", "hazard-without-revalidation", &["hold"]);
}

#[test]
fn the_function_that_a_mutant_of_the_map_in_c_changes_is_named() {
    names("c-map", "foreign-free-under-iteration", &["take_out"]);
    names("c-map", "foreign-free-of-visited-handle", &["visit_one"]);
    names("c-map", "foreign-free-of-refused-handle", &["cmap_insert"]);
    names("c-map", "growth-trusts-malloc", &["new_link"]);
}

/// seize 0.2.1's guards do not nest: whoever drops one, or retires beside one, ends the protection of the iteration.
/// And what a failed compare-exchange returns is not protected at all.
#[test]
fn what_is_wrong_in_flurry_0_4_0_is_named() {
    names(
        "flurry@0.4.0",
        "premature-reclamation",
        &["leave", "next", "iter", "get", "guard", "retire", "compare_exchange"],
    );
    names("flurry@0.4.0", "data-race", &["next", "for_each", "boxed"]);
}

#[test]
fn what_is_wrong_in_other_known_bad_releases_is_named() {
    names("papaya@0.1.2", "premature-reclamation", &["try_promote"]);
    names("papaya@0.2.4", "deadlock", &["help_copy_blocking"]);
    names("leapfrog@0.3.3", "duplicate-element", &["next"]);
    names("leapfrog@0.3.3", "missed-element", &["next"]);
    names("bplustree@0.1.0", "duplicate-element", &["find_nearest_leaf"]);
    names("bplustree@0.1.0", "missed-element", &["seek_for_prev"]);
}

#[test]
fn an_explanation_is_the_same_each_time() {
    let repro = &repros("lock-free-map", "iterator-unpinned")[0];
    let first = explained(repro).to_string();
    for _ in 0..5 {
        assert_eq!(explained(repro).to_string(), first);
    }
}
