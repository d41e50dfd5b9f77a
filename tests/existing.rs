//! Tests that are explored as they are: `#[mapcheck::test]` in place of `#[test]`, and random programs over the
//! primitives that such tests use.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use mapcheck_tests::{Run, cargo, mapcheck_in, read, root, subject, subjects_target, tempdir};

/// The instrumented run of the marked tests.
fn marked() -> &'static Run {
    static RUN: OnceLock<Run> = OnceLock::new();
    RUN.get_or_init(|| {
        let out = tempdir().unwrap();
        let words = ["test", "--test", "marked", "--", "--show-output"];
        Run::of(mapcheck_in(&subject("explored"), words).env("MAPCHECK_OUT", out.path()))
    })
}

/// The names of the tests of the subject that begin like this.
fn named(beginning: &str) -> Vec<String> {
    let text = read(&subject("explored").join("tests/marked.rs"));
    let names = text.split("fn ").skip(1).map(|rest| rest.split(['(', '<']).next().unwrap());
    let names: Vec<String> = names
        .filter(|n| n.starts_with(beginning) && *n != "ok_helper")
        .map(str::to_owned)
        .collect();
    assert!(!names.is_empty(), "{beginning}");
    names
}

#[track_caller]
fn ended(beginning: &str, result: &str) {
    for name in named(beginning) {
        let below = if name.contains("module_below") { "below::" } else { "" };
        let line = format!("test {below}{name} ... {result}");
        assert!(
            marked().stdout.contains(&line),
            "{line}\n{}\n{}",
            marked().stdout,
            marked().stderr
        );
    }
}

/// What a test that failed tells.
#[track_caller]
fn told(name: &str, words: &[&str]) {
    let text = &marked().stdout;
    let begin = text.find(&format!("---- {name} stdout ----")).expect("it has failed");
    let end = text[begin + 5..].find("\n---- ").map_or(text.len(), |n| begin + 5 + n);
    for word in words {
        assert!(text[begin..end].contains(word), "`{word}` is not in:\n{}", &text[begin..end]);
    }
}

#[test]
fn a_marked_test_passes_if_it_keeps_its_promise_in_every_execution() {
    ended("ok_", "ok");
    assert!(marked().stdout.contains("explored 33 executions"), "{}", marked().stdout);
    assert!(marked().stdout.contains("scheduler random, seed 5"), "{}", marked().stdout);
}

#[test]
fn a_marked_test_fails_if_it_breaks_its_promise_in_one_execution() {
    ended("found_", "FAILED");
    told("found_a_counter_loses_counts", &["error[panic]: tests/marked.rs:", "left: 1"]);
    let errs = "found_it_returns_an_error_if_a_count_is_lost";
    told(errs, &["error[panic]: tests/marked.rs:", "the test returned the error \"lost: 1\""]);
}

#[test]
fn a_test_that_should_panic_must_do_so_in_every_execution_and_with_the_text() {
    let seldom = "found_it_panics_only_if_a_count_is_lost";
    told(seldom, &["the test did not panic, as it should in every execution"]);
    let other = "found_it_panics_with_another_text_if_a_count_is_lost";
    told(other, &["left: 1", "(the test should panic with `left: 2`)"]);
}

#[test]
fn an_ignored_test_stays_ignored() {
    ended("ignored_", "ignored, only if it is asked for");
}

/// A crate whose tests are these lines, and what its compiler says.
fn compiled(tests: &str) -> String {
    let dir = tempdir().unwrap();
    let explored = subject("explored");
    let manifest = read(&explored.join("Cargo.toml"))
        .replace("mapcheck-explored", "mapcheck-refused")
        .replace("../../../framework", &root().join("framework").display().to_string());
    let lock = read(&explored.join("Cargo.lock")).replace("mapcheck-explored", "mapcheck-refused");
    fs::create_dir(dir.path().join("src")).unwrap();
    fs::create_dir(dir.path().join("tests")).unwrap();
    for (name, text) in [
        ("Cargo.toml", &*manifest),
        ("Cargo.lock", &lock),
        ("src/lib.rs", ""),
        ("tests/t.rs", tests),
    ] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let mut command = cargo();
    command.args(["test", "--no-run", "--test", "t"]).current_dir(dir.path());
    let run = Run::of(command.env("CARGO_TARGET_DIR", subjects_target()));
    assert_ne!(run.code, 0, "it compiles");
    run.stderr
}

#[test]
fn what_cannot_be_a_test_is_refused_at_its_place() {
    let cases = [
        ("#[mapcheck::test]\nasync fn a() {}", "an async function cannot be explored"),
        ("#[mapcheck::test]\nunsafe fn b() {}", "so it cannot be unsafe"),
        ("#[mapcheck::test]\nextern \"C\" fn c() {}", "so it cannot be extern"),
        ("#[mapcheck::test]\nfn d(n: u32) {}", "a test has no arguments"),
        ("#[mapcheck::test]\nfn e<T>() {}", "a test has no type parameters"),
        ("#[mapcheck::test]\n#[test]\nfn f() {}", "stands in place of `#[test]`"),
        ("#[mapcheck::test]\nstruct G;", "only a function with a body can be a test"),
        ("#[mapcheck::test(speed = 9)]\nfn h() {}", "the settings are `executions`"),
        ("#[mapcheck::test(seed)]\nfn i() {}", "a setting is written `name = value`"),
    ];
    let tests: Vec<&str> = cases.iter().map(|case| case.0).collect();
    let said = compiled(&tests.join("\n"));
    for (i, (_, message)) in cases.iter().enumerate() {
        assert!(said.contains(message), "`{message}` is not in:\n{said}");
        let lines = [
            format!("tests/t.rs:{}:", line_of(&cases, i)),
            format!("tests/t.rs:{}:", line_of(&cases, i) + 1),
        ];
        assert!(lines.iter().any(|line| said.contains(line.as_str())), "{lines:?}:\n{said}");
    }
}

#[test]
fn a_test_that_returns_what_tells_no_failure_is_refused() {
    let said = compiled("#[mapcheck::test]\nfn j() -> u32 { 7 }");
    assert!(
        said.contains("a test that is explored returns nothing, or a `Result<(), E>`"),
        "{said}"
    );
}

/// The line of the attribute of the `i`th case.
fn line_of(cases: &[(&str, &str)], i: usize) -> usize {
    1 + cases[..i].iter().map(|case| case.0.lines().count()).sum::<usize>()
}

#[test]
fn random_programs_over_the_primitives_of_std_do_what_their_model_allows() {
    let mut command: Command = mapcheck_in(&subject("primitives"), ["test", "--test", "agree"]);
    let run = Run::of(command.env("PRIMITIVES_COUNT", "1000")).code(0);
    let line = run.stdout.lines().find(|l| l.contains(" programs from ")).expect("it tells a sum");
    println!("{line}");
    assert!(line.starts_with("1000 programs") && line.contains(", 0 outside;"), "{line}");
}
