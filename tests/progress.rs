//! Progress, as `cargo mapcheck check` judges it: deadlocks and livelocks always, obstruction-freedom on request.

use std::fs;

use mapcheck_tests::{Run, mapcheck, mapcheck_in, root, subject, tempdir};

/// What twenty replays say.
const SAME: &str = "replayed 20 times, each time: the same finding";

#[test]
fn operations_behind_a_lock_are_not_obstruction_free() {
    let out = tempdir().unwrap();
    let args = ["check", "rwlock-hashmap", "--obstruction-freedom", "--format", "json", "--out"];
    let run = Run::of(mapcheck(root(), args).arg(out.path())).code(2);
    let finding = run.only("finding");
    assert_eq!(finding["class"], "livelock");
    let message = finding["message"].as_str().unwrap();
    assert!(message.contains("all other threads suspended"), "{message}");
    let site = finding["site"].as_str().unwrap();
    assert!(site.starts_with("targets/src/rwlock_hashmap.rs:"), "{site}");

    let repro = finding["repro"].as_str().unwrap();
    let text = fs::read_to_string(repro).unwrap();
    assert!(text.contains("suspend:0@0="), "where it was is a decision:\n{text}");
    let replayed = Run::of(&mut mapcheck(root(), ["replay", repro, "--times", "20"])).code(2);
    for said in ["  suspended  thread ", "  alone      thread ", SAME] {
        assert!(replayed.stdout.contains(said), "{said}:\n{}", replayed.stdout);
    }
}

#[test]
fn operations_of_a_lock_free_map_are_obstruction_free() {
    let targets = ["lock-free-map", "lock-free-map@hazards"];
    let args = ["--obstruction-freedom", "--executions", "20000", "--format", "json"];
    let run = Run::of(&mut mapcheck(root(), [&["check"], &targets[..], &args].concat())).code(0);
    assert_eq!(run.only("summary")["executions"], 40_000);
}

#[test]
fn nothing_is_asked_of_locks_unless_it_is_requested() {
    let args = ["check", "rwlock-hashmap", "--executions", "2000"];
    Run::of(&mut mapcheck(root(), args)).code(0);
}

#[test]
fn a_livelock_is_found_after_as_many_points_as_asked_for_and_replays_with_them() {
    let out = tempdir().unwrap();
    let args = ["check", "endless-spin", "--patience", "500", "--format", "json", "--out"];
    let run = Run::of(mapcheck_in(&subject("broken"), args).arg(out.path())).code(2);
    let finding = run.only("finding");
    let message = finding["message"].as_str().unwrap();
    assert!(message.contains("did not complete within 500 schedule points"), "{message}");
    assert!(finding["site"].as_str().unwrap().starts_with("src/bugs.rs:"), "{finding}");
    let repro = finding["repro"].as_str().unwrap();
    assert!(fs::read_to_string(repro).unwrap().contains("patience = 500"));
    let args = ["replay", repro, "--times", "20"];
    let replayed = Run::of(&mut mapcheck_in(&subject("broken"), args)).code(2);
    assert!(replayed.stdout.contains(SAME), "{}", replayed.stdout);
}

#[test]
fn a_deadlock_tells_in_json_who_waits_for_whom() {
    let out = tempdir().unwrap();
    let args = ["check", "visitor-deadlock", "--format", "json", "--out"];
    let run = Run::of(mapcheck_in(&subject("broken"), args).arg(out.path())).code(2);
    let finding = run.only("finding");
    let waits: Vec<&str> =
        finding["waits"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    // Shrinking has left no other thread.
    let [wait] = waits[..] else { panic!("{waits:?}") };
    let (start, end) = wait.split_once(", waits for the lock at 0x").unwrap();
    assert!(start.starts_with("setup, in `iterate"), "{start}");
    assert!(end.contains(", which it took itself in `iterate"), "{end}");
    assert!(end.ends_with("(src/map.rs:30)"), "{end}");
}
