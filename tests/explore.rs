//! `mapcheck::explore` and `map_tests!` in a crate's own tests, by plain `cargo test` and by `cargo mapcheck test`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use mapcheck_tests::{
    Run, TempDir, cargo, files, mapcheck_in, normalised, read, subject, subjects_target, tempdir,
};

/// How tests are built: with instrumentation or without.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Level {
    Plain,
    Instrumented,
}
use Level::{Instrumented, Plain};

impl Level {
    /// The command that runs tests of the subject.
    fn command(self, args: &[&str]) -> Command {
        let dir = subject("explored");
        if self == Instrumented {
            return mapcheck_in(&dir, [&["test"], args].concat());
        }
        let mut command = cargo();
        command.arg("test").args(args).current_dir(dir).env("CARGO_TARGET_DIR", subjects_target());
        command
    }
}

/// A run of the tests of one file, and the folder it wrote repros to.
struct Tested {
    run: Run,
    out: TempDir,
    took: Duration,
}

impl Tested {
    fn run(level: Level, file: &str) -> Tested {
        let out = tempdir().unwrap();
        let mut command = level.command(&["--test", file]);
        // Built first, so that the time is that of the tests.
        Run::of(level.command(&["--test", file, "--no-run"]).env("MAPCHECK_OUT", out.path()));
        let started = Instant::now();
        let run = Run::of(command.env("MAPCHECK_OUT", out.path()));
        Tested { run, out, took: started.elapsed() }
    }

    /// Whether a test passed.
    #[track_caller]
    fn passed(&self, test: &str) -> bool {
        let line = |result: &str| self.run.stdout.contains(&format!("test {test} ... {result}\n"));
        assert!(line("ok") != line("FAILED"), "{test}:\n{}\n{}", self.run.stdout, self.run.stderr);
        line("ok")
    }

    /// The report that a failed test shows.
    #[track_caller]
    fn report(&self, test: &str) -> String {
        let text = self.run.stdout.split_once(&format!("---- {test} stdout ----\n"));
        let text = text.unwrap_or_else(|| panic!("{test}:\n{}", self.run.stdout)).1;
        let text = text.split("\n---- ").next().unwrap();
        let end = text.find("replay: ").unwrap_or_else(|| panic!("{test}:\n{text}"));
        let line = text[end..].find('\n').map_or(text.len(), |n| end + n);
        text[text.find("error[").unwrap()..line].to_owned() + "\n"
    }

    /// The repro of a failed test.
    #[track_caller]
    fn repro(&self, test: &str) -> PathBuf {
        let report = self.report(test);
        let path = report.lines().last().unwrap().strip_prefix("replay: cargo mapcheck replay ");
        PathBuf::from(path.unwrap_or_else(|| panic!("{report}")))
    }
}

fn wrong(level: Level) -> &'static Tested {
    static RUNS: [OnceLock<Tested>; 2] = [OnceLock::new(), OnceLock::new()];
    RUNS[level as usize].get_or_init(|| Tested::run(level, "wrong"))
}

fn right(level: Level) -> &'static Tested {
    static RUNS: [OnceLock<Tested>; 2] = [OnceLock::new(), OnceLock::new()];
    RUNS[level as usize].get_or_init(|| Tested::run(level, "right"))
}

/// The names of the tests of a file of the subject, those of `map_tests!` included.
fn tests_of(file: &str) -> Vec<String> {
    let text = read(&subject("explored").join("tests").join(file));
    let marked = text.split("#[test]\nfn ").skip(1);
    let mut names: Vec<String> =
        marked.map(|rest| rest.split('(').next().unwrap().to_owned()).collect();
    if text.contains("map_tests!") {
        let families = [
            "delete_current",
            "delete_unvisited",
            "delete_visited",
            "concurrent_write",
            "bulk_build",
        ];
        names.extend(families.map(|f| format!("table::{f}")));
    }
    names
}

#[track_caller]
fn all_pass(level: Level) {
    let tested = right(level);
    let names = tests_of("right.rs");
    assert!(names.len() >= 16, "{names:?}");
    let failed: Vec<&String> = names.iter().filter(|name| !tested.passed(name)).collect();
    assert!(failed.is_empty(), "{failed:?}\n{}\n{}", tested.run.stdout, tested.run.stderr);
    assert_eq!(tested.run.code, 0, "{}", tested.run.stderr);
    assert_eq!(files(tested.out.path(), "").len(), 0, "nothing is found, so nothing is written");
}

#[test]
fn code_that_is_right_passes_by_plain_cargo_test() {
    all_pass(Plain);
}

#[test]
fn code_that_is_right_passes_instrumented() {
    all_pass(Instrumented);
}

#[test]
fn what_the_standard_library_keeps_apart_is_no_data_race() {
    let tested = Tested::run(Instrumented, "guarded");
    let failed = tests_of("guarded.rs").into_iter().filter(|name| !tested.passed(name));
    assert_eq!(failed.collect::<Vec<_>>(), Vec::<String>::new(), "{}", tested.run.stdout);
    assert_eq!(tested.run.code, 0, "{}", tested.run.stderr);
}

#[test]
fn sleeping_for_an_hour_takes_no_time() {
    for level in [Plain, Instrumented] {
        let took = right(level).took;
        assert!(took < Duration::from_secs(120), "{level:?}: {took:?}");
    }
}

#[test]
fn every_test_of_wrong_code_fails_with_the_finding_it_is_named_for_when_instrumented() {
    let tested = wrong(Instrumented);
    assert_eq!(tested.run.code, 2, "a finding:\n{}", tested.run.stderr);
    for name in tests_of("wrong.rs") {
        assert!(!tested.passed(&name), "{name} passed");
        let class = ["premature_reclamation", "deadlock", "livelock", "panic", "leak", "data_race"]
            .into_iter()
            .find(|c| name.starts_with(c));
        let headline = format!("error[{}]: ", class.unwrap().replace('_', "-"));
        let report = tested.report(&name);
        assert!(report.starts_with(&headline), "{name}:\n{report}");
        assert_eq!(mapcheck_tests::wide(&report), Vec::<&str>::new());
    }
}

#[test]
fn a_deadlock_tells_who_waits_for_whom_and_where_the_locks_were_taken() {
    let report = wrong(Instrumented).report("deadlock_because_two_locks_are_taken_in_two_orders");
    assert!(
        report.contains(": thread 1 waits for thread 2, and thread 2 for thread 1\n"),
        "{report}"
    );
    let words: String = report.split_whitespace().collect::<Vec<_>>().join(" ");
    for taken in ["which thread 1 took (tests/wrong.rs:", "which thread 2 took (tests/wrong.rs:"] {
        assert!(words.contains(taken), "{taken}:\n{report}");
    }
}

#[test]
fn a_livelock_tells_which_threads_go_on_and_what_they_do() {
    let report = wrong(Instrumented).report("livelock_because_each_lets_the_other_pass_first");
    let words: String = report.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "no operation completed within 100,000 schedule points although every thread got its turn: \
         thread 1, thread 2",
        "goes on thread 2",
        "mapcheck_explored::AfterYou::pass",
        "again loaded the 1 byte at 0x",
    ] {
        assert!(words.contains(said), "{said}:\n{report}");
    }
}

#[test]
fn a_large_block_that_another_thread_freed_is_guarded_by_plain_cargo_test() {
    let tested = wrong(Plain);
    let report = tested.report("premature_reclamation_of_a_large_block");
    assert!(report.starts_with("error[premature-reclamation]: "), "{report}");
    for word in ["freed ", "allocated ", "src/lib.rs:"] {
        assert!(report.contains(word), "{word}:\n{report}");
    }
}

#[test]
fn a_panic_is_found_by_plain_cargo_test() {
    let report = wrong(Plain).report("panic_in_a_thread_that_is_joined");
    assert!(report.starts_with("error[panic]: "), "{report}");
}

/// Replays a repro of the subject. What a replay in a test tells is the message of a panic, which goes to stderr.
fn replay(path: &Path, times: &str) -> Run {
    let args = ["replay", path.to_str().unwrap(), "--times", times];
    Run::of(&mut mapcheck_in(&subject("explored"), args))
}

#[test]
fn a_repro_of_an_instrumented_test_replays_each_time() {
    for name in tests_of("wrong.rs") {
        replay(&wrong(Instrumented).repro(&name), "20")
            .code(2)
            .says(&["replayed 20 times, each time: the same finding"]);
    }
}

#[test]
fn a_repro_of_a_plain_test_replays_each_time() {
    for name in ["premature_reclamation_of_a_large_block", "panic_in_a_thread_that_is_joined"] {
        replay(&wrong(Plain).repro(name), "20")
            .code(2)
            .says(&["replayed 20 times, each time: the same finding"]);
    }
}

#[test]
fn the_report_of_a_replay_is_the_report_of_the_test() {
    let name = "premature_reclamation_because_a_reader_is_not_waited_for";
    let tested = wrong(Instrumented);
    let report = tested.report(name);
    let body = report.split("target: ").next().unwrap();
    replay(&tested.repro(name), "1").code(2).says(&[body]);
}

/// The place of a line of the subject.
fn line_of(code: &str) -> String {
    let text = read(&subject("explored").join("src/lib.rs"));
    let before = text.split_once(code).unwrap_or_else(|| panic!("`{code}` is there")).0;
    format!("src/lib.rs:{}", before.matches('\n').count() + 1)
}

#[test]
fn a_lost_update_needs_each_thread_to_load_before_the_other_stores() {
    let name = "panic_because_a_counter_loses_counts";
    let repro = wrong(Instrumented).repro(name);
    let text = read(&repro);
    let decisions = text.lines().find_map(|l| l.strip_prefix("decisions = ")).unwrap();
    assert_eq!(decisions.matches('>').count(), 1, "one switch is the least: {text}");
    let load = line_of("let n = self.0.load");
    // The store is the last thing that `add` does: a jump, so that its place is where `add` was called.
    let after_load = format!(
        "order = [\"thread 2 goes on after thread 1 loaded at {load} and before it stored at "
    );
    let back = format!("; thread 1 goes on after thread 2 loaded at {load}\"]");
    let order = text.lines().find(|line| line.starts_with("order = ")).unwrap();
    assert!(order.starts_with(&after_load) && order.ends_with(&back), "{order}");
    let inflection = text.lines().find(|l| l.starts_with("inflection = ")).unwrap();
    let after_both_loads = format!("the last by thread 2, which loaded at {load}: ");
    assert!(inflection.contains(&after_both_loads), "{inflection}");
    let report = wrong(Instrumented).report(name);
    assert!(
        report.contains("\n  order:      thread 2 goes on after thread 1 loaded at "),
        "{report}"
    );
    assert!(report.contains("\n  inflection: after "), "{report}");
}

#[test]
fn a_repro_of_a_test_does_not_shrink_again() {
    for name in ["panic_because_a_counter_loses_counts", "premature_reclamation_of_a_large_block"] {
        let repro = wrong(Instrumented).repro(name);
        let run =
            Run::of(&mut mapcheck_in(&subject("explored"), ["shrink", repro.to_str().unwrap()]));
        let told = format!("{}{}", run.stdout, run.stderr);
        assert!(told.contains("it does not get smaller"), "{name}: {told}");
    }
}

#[test]
fn a_repro_of_a_test_that_is_gone_is_refused() {
    let path = wrong(Instrumented).repro("panic_because_a_counter_loses_counts");
    let dir = tempdir().unwrap();
    let edited = dir.path().join("gone.toml");
    std::fs::write(&edited, read(&path).replace("panic_because_a_counter_loses_counts", "gone"))
        .unwrap();
    replay(&edited, "1").code(1).says(&["has no test `gone`"]);
}

/// An instrumented run of one test of right code, with what it prints.
fn one_test_that_tells() -> Command {
    let words = ["--test", "right", "a_mutex_counts", "--", "--exact", "--nocapture"];
    Instrumented.command(&words)
}

#[test]
fn arguments_of_cargo_test_reach_cargo_test() {
    let out = tempdir().unwrap();
    let mut command = one_test_that_tells();
    let run = Run::of(command.env("MAPCHECK_OUT", out.path())).code(0);
    assert!(run.stdout.contains("test a_mutex_counts ... "), "{}", run.stdout);
    assert!(run.stdout.contains("explored 2000 executions"), "{}", run.stdout);
    assert!(run.stdout.contains("1 passed"), "{}", run.stdout);
}

#[test]
fn the_environment_sets_the_budget_of_a_test() {
    let mut command = one_test_that_tells();
    let run = Run::of(command.env("MAPCHECK_EXECUTIONS", "123").env("MAPCHECK_SEED", "9")).code(0);
    assert!(run.stdout.contains("explored 123 executions"), "{}", run.stdout);
    assert!(run.stdout.contains("seed 9"), "{}", run.stdout);
}

#[test]
fn a_test_binary_without_instrumentation_refuses_an_instrumented_repro() {
    let path = wrong(Instrumented).repro("panic_because_a_counter_loses_counts");
    let mut command = Plain.command(&["--test", "wrong", "panic_because_a_counter_loses_counts"]);
    let run = Run::of(command.env("MAPCHECK_REPLAY", &path));
    assert_ne!(run.code, 0);
    assert!(run.stdout.contains("was made with instrumentation"), "{}\n{}", run.stdout, run.stderr);
}

#[test]
fn this_is_what_a_failed_test_shows() {
    let name = "premature_reclamation_because_a_reader_is_not_waited_for";
    insta::assert_snapshot!("failed_test", normalised(&wrong(Instrumented).report(name)));
}
