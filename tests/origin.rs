//! The claims of `docs/origin.md` that are about one mistake each: seen with the mistake, not without it.

use mapcheck_tests::{Run, mapcheck, root, tempdir};

/// Explores a scenario of `docs/origin` on the model of Go's map, with a mutant of it or none.
fn check(scenario: &str, mutant: Option<&str>) -> Run {
    let out = tempdir().unwrap();
    let path = root().join("docs/origin").join(scenario).with_extension("toml");
    let mut command = mapcheck(root(), ["check", "go-map", "--format", "json", "--scenario"]);
    command.arg(path).arg("--out").arg(out.path()).args(["--executions", "20000"]);
    if let Some(mutant) = mutant {
        command.args(["--fault", mutant]);
    }
    Run::of(&mut command)
}

/// The mutant shows this class of finding, and without it there is none.
#[track_caller]
fn shows(mutant: &str, scenario: &str, class: &str) {
    let run = check(scenario, Some(mutant)).code(2);
    assert_eq!(run.only("finding")["class"], class, "{}", run.stdout);
    check(scenario, None).code(0);
}

#[test]
fn an_element_deleted_without_the_barrier_is_swept_while_one_goroutine_still_uses_it() {
    shows("delete-without-barrier", "held-across-a-delete", "premature-reclamation");
}

#[test]
fn clear_that_recycles_overflow_buckets_under_an_iterator_shows_an_element_twice() {
    shows("F20", "clear-and-refill", "duplicate-element");
}

#[test]
fn clear_that_leaves_the_old_array_s_marks_shows_elements_that_are_gone() {
    shows("F21", "clear-while-growing", "ghost-element");
}

#[test]
fn a_deleted_cell_taken_for_the_end_of_its_bucket_makes_the_iterator_skip() {
    shows("F10", "delete-the-current", "missed-element");
}

#[test]
fn an_iterator_that_forgets_its_own_size_skips_after_two_doublings() {
    shows("F7", "two-doublings", "missed-element");
}

#[test]
fn a_second_look_that_passes_over_the_old_array_skips_after_two_doublings() {
    shows("F9", "two-doublings", "missed-element");
}
