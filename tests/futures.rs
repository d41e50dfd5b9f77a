//! Maps whose operations are futures, and futures that are dropped at an await.

use mapcheck_tests::{Run, mapcheck, mapcheck_in, root, subject, tempdir};

const DROPPED: [&str; 2] = ["--fault", "dropped-future"];
/// A map of scc that shrinks, and grows again, reads a freed array: docs/findings/scc.md.
const SHRINKS_NOT: [&str; 2] = ["--scenario", "delete-"];

fn check(broken: bool, targets: &[&str], more: &[&str]) -> Run {
    let out = tempdir().unwrap();
    let args = ["check", "--format", "json", "--out", out.path().to_str().unwrap()];
    let args = [&args[..], &["--executions", "2000"], targets, more].concat();
    Run::of(&mut if broken {
        mapcheck_in(&subject("broken"), args)
    } else {
        mapcheck(root(), args)
    })
}

#[test]
fn nothing_is_found_in_a_map_of_futures_as_long_as_none_is_dropped() {
    check(true, &["taken-out", "left-in", "busy-for-ever", "busy-guarded"], &[]).code(0);
    check(false, &["tokio-rwlock-hashmap"], &[]).code(0);
    check(false, &["scc-hashmap@async"], &SHRINKS_NOT).code(0);
}

#[test]
fn a_task_that_asks_again_and_again_for_a_lock_lets_those_go_on_who_have_it() {
    // A task that is polled on and on is taken for one that hogs the processor after more steps than these.
    check(true, &["asks-again"], &["--scenario", "delete-visited", "--steps", "20000"]).code(0);
}

#[test]
fn an_element_is_lost_when_a_future_is_dropped_that_had_taken_it_out() {
    let run = check(true, &["taken-out"], &DROPPED).code(2);
    let class = run.only("finding")["class"].clone();
    assert!(["missed-element", "not-linearizable"].contains(&class.as_str().unwrap()), "{class}");
}

#[test]
fn all_wait_for_ever_when_a_future_is_dropped_that_had_marked_the_map_as_busy() {
    let run = check(true, &["busy-for-ever"], &DROPPED).code(2);
    assert_eq!(run.only("finding")["class"], "deadlock");
}

#[test]
fn a_map_whose_guards_give_back_what_a_dropped_future_held_keeps_its_promises() {
    check(true, &["left-in", "busy-guarded"], &DROPPED).code(0);
    check(false, &["tokio-rwlock-hashmap"], &DROPPED).code(0);
    check(false, &["scc-hashmap@async"], &[DROPPED, SHRINKS_NOT].concat()).code(0);
}

#[test]
fn a_dropped_future_is_a_decision_that_shrinking_leaves_alone_and_a_replay_repeats() {
    let out = tempdir().unwrap();
    let dir = out.path().to_str().unwrap();
    let args = ["check", "busy-for-ever", "--format", "json", "--out", dir];
    let run = Run::of(&mut mapcheck_in(&subject("broken"), [&args[..], &DROPPED].concat())).code(2);
    let repro = run.only("finding")["repro"].as_str().unwrap().to_owned();
    let path = subject("broken").join(repro);
    assert!(mapcheck_tests::read(&path).contains("cancel:"), "{}", path.display());
    Run::of(&mut mapcheck_in(&subject("broken"), ["replay", path.to_str().unwrap()])).code(2);
}
