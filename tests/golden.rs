//! What each class of finding looks like to its reader, word for word: its report, and its explanation.
//! `INSTA_UPDATE=always cargo test -p mapcheck-tests --test golden` writes the snapshots anew.

use std::collections::BTreeSet;

use mapcheck_tests::{
    Run, files, finding_classes, mapcheck_in, normalised, normalised_explanation, read, root,
    subject, tempdir, wide,
};

/// The report of a broken map, without what changes from build to build.
fn report(target: &str) -> String {
    let out = tempdir().unwrap();
    let mut command = mapcheck_in(&subject("broken"), ["check", target, "--out"]);
    let run = Run::of(command.arg(out.path())).code(2);
    assert_eq!(wide(&run.stdout), Vec::<&str>::new(), "wider than 100 columns");
    let report = run.stdout.split("\nchecked ").next().unwrap_or_default();
    normalised(report)
}

/// The explanation of the same, without what changes from build to build.
fn explanation(target: &str) -> String {
    let out = tempdir().unwrap();
    let in_broken = |args: &[&str]| Run::of(&mut mapcheck_in(&subject("broken"), args));
    let path = out.path().to_str().unwrap();
    let run = in_broken(&["check", target, "--format", "json", "--out", path]).code(2);
    let repro = run.of_type("finding")[0]["repro"].as_str().unwrap().to_owned();
    normalised_explanation(&in_broken(&["explain", &repro]).code(2).stdout)
}

macro_rules! golden {
    ($($test:ident: $target:literal),* $(,)?) => {$(
        #[test]
        fn $test() {
            insta::assert_snapshot!(stringify!($test), report($target));
        }
    )*};
}

/// The class, and the broken map that shows it.
macro_rules! explained {
    ($($class:ident: $target:literal),* $(,)?) => {
        mod explained {
            $(
                #[test]
                fn $class() {
                    insta::assert_snapshot!(stringify!($class), super::explanation($target));
                }
            )*
        }
    };
}

golden! {
    premature_reclamation_tells_who_read_who_freed_and_who_allocated: "use-after-free",
    double_free_tells_both_frees: "double-free",
    invalid_free_tells_both_layouts: "wrong-layout",
    out_of_bounds_tells_how_far_past_which_block: "redzone",
    leak_tells_how_much_is_live: "memory-hog",
    leak_tells_which_call_had_removed_what_was_lost: "lost-value",
    data_race_tells_both_accesses: "data-race",
    deadlock_tells_who_waits_for_what: "visitor-deadlock",
    deadlock_on_one_s_own_lock_tells_where_it_waits: "deadlock",
    livelock_tells_where_it_spins: "endless-spin",
    panic_tells_message_and_place: "panic-in-insert",
    crash_by_a_signal_tells_the_address: "segfault",
    crash_by_an_abort_tells_who_aborted: "abort",
    crash_by_an_exit_tells_the_code: "exit",
    torn_value_tells_whose_payload_it_is_not: "half-read",
    missed_element_tells_what_put_it_there: "filled-gap",
    duplicate_element_tells_both_visits: "newest-first",
    ghost_element_tells_what_had_removed_it: "old-list",
    not_linearizable_tells_the_calls_that_do_not_fit: "looks-first",
    not_sequential_tells_the_calls_of_all_threads: "old-copy",
}

explained! {
    premature_reclamation: "use-after-free",
    double_free: "double-free",
    invalid_free: "wrong-layout",
    out_of_bounds: "redzone",
    torn_value: "half-read",
    leak: "lost-value",
    deadlock: "deadlock",
    livelock: "endless-spin",
    panic: "panic-in-insert",
    crash: "segfault",
    missed_element: "filled-gap",
    duplicate_element: "newest-first",
    ghost_element: "old-list",
    not_linearizable: "looks-first",
    not_sequential: "old-copy",
    data_race: "data-race",
}

#[test]
fn every_class_of_finding_has_a_report_and_an_explanation_here() {
    let snapshots = files(&root().join("tests/snapshots"), ".snap");
    let texts: Vec<String> = snapshots.iter().map(|path| read(path)).collect();
    let of = |start: &str, ends: [char; 2]| -> BTreeSet<String> {
        let lines = texts.iter().flat_map(|text| text.lines());
        let told = lines.filter_map(|line| line.strip_prefix(start)?.split(ends).next());
        told.map(str::to_owned).collect()
    };
    let classes = finding_classes();
    assert!(classes.len() >= 16, "{classes:?}");
    assert_eq!(of("error[", [']', ' ']), classes, "classes with a report");
    assert_eq!(of("# ", [' ', '\n']), classes, "classes with an explanation");
}
