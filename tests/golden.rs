//! What each class of finding looks like to its reader, word for word. `INSTA_UPDATE=always cargo test -p
//! mapcheck-tests --test golden` writes the snapshots anew.

use mapcheck_tests::{Run, mapcheck_in, normalised, subject, tempdir};

/// The report of a broken map, without what changes from build to build.
fn report(target: &str) -> String {
    let out = tempdir().unwrap();
    let mut command = mapcheck_in(&subject("broken"), ["check", target, "--out"]);
    let run = Run::of(command.arg(out.path())).code(2);
    let wide: Vec<&str> = run.stdout.lines().filter(|l| l.chars().count() > 100).collect();
    let wide: Vec<&&str> = wide.iter().filter(|l| !l.starts_with("replay: ")).collect();
    assert!(wide.is_empty(), "wider than 100 columns: {wide:#?}");
    let report = run.stdout.split("\nchecked ").next().unwrap_or_default();
    normalised(report)
}

macro_rules! golden {
    ($($test:ident: $target:literal),* $(,)?) => {$(
        #[test]
        fn $test() {
            insta::assert_snapshot!(stringify!($test), report($target));
        }
    )*};
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
}
