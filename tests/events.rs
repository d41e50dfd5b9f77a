//! What a map tells of itself by events of `tracing`: it changes nothing, and comes in order.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use mapcheck_tests::{Run, TempDir, cargo, files, mapcheck_in, subject, subjects_target, tempdir};

/// Exit codes of the command.
const FINDING: i32 = 2;
const USAGE: i32 = 1;
/// All that the map tells.
const ALL: &str = "mapcheck_events=trace";

fn events<const N: usize>(args: [&str; N]) -> Command {
    mapcheck_in(&subject("events"), args)
}

/// The map's mistake, found and shrunk, and the folder it is in.
fn found() -> &'static (TempDir, PathBuf) {
    static FOUND: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    FOUND.get_or_init(|| {
        let out = tempdir().unwrap();
        let path = out.path().to_str().unwrap();
        let run =
            Run::of(&mut events(["check", "told", "--seed", "1", "--out", path])).code(FINDING);
        assert!(run.stdout.contains("error[panic]") && run.stdout.contains("index out of bounds"));
        let repro = files(out.path(), ".toml").remove(0);
        (out, repro)
    })
}

fn replayed(filter: &str, args: &[&str]) -> Run {
    let repro = found().1.to_str().unwrap();
    let mut command = events(["replay", repro]);
    Run::of(command.args(args).env("MAPCHECK_LOG", filter)).code(FINDING)
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    step: u64,
    thread: u32,
    operation: String,
    target: String,
    text: String,
}

fn log(run: &Run) -> Vec<Line> {
    let line = |line: &str| {
        let (head, told) = line.split_once(" | ")?;
        let (target, text) = told.split_once(": ")?;
        let rest = head.strip_prefix("step ")?.trim_end();
        let (step, rest) = rest.split_once(' ')?;
        let rest = rest.trim_start().strip_prefix("thread ")?;
        let (thread, operation) = rest.split_once(' ').unwrap_or((rest, ""));
        let (step, thread) = (step.parse().ok()?, thread.parse().ok()?);
        let [operation, target, text] = [operation.trim(), target, text].map(str::to_owned);
        Some(Line { step, thread, operation, target, text })
    };
    run.stderr.lines().filter_map(line).collect()
}

#[test]
fn what_several_threads_tell_comes_in_order_with_thread_step_and_operation() {
    let run = replayed(ALL, &[]);
    let told = log(&run);
    assert!(told.is_sorted_by_key(|line| line.step), "{told:#?}");
    let of = |text: &str| {
        let found: Vec<&Line> = told.iter().filter(|line| line.text.starts_with(text)).collect();
        assert!(!found.is_empty(), "{text}: {told:#?}");
        found
    };
    let (grown, entered, removed) =
        (of("resize from=0 to=2"), of("> walk len="), of("taken out key="));
    assert_eq!((grown[0].thread, grown[0].target.as_str()), (0, "mapcheck_events"));
    assert!(grown[0].operation.starts_with("insert "));
    assert!(entered[0].operation.starts_with("iterate"));
    assert_eq!(removed[0].target, "mapcheck_events::remove");
    assert!(removed[0].operation.starts_with("remove"));
    assert_ne!(entered[0].thread, removed[0].thread);
    // A panic leaves the span too.
    assert_eq!(of("> walk").len(), of("< walk").len());
    let inside = of("there at=");
    let last = inside.last().unwrap();
    assert!(entered[0].step < last.step && last.step <= of("< walk").last().unwrap().step);
    assert!(run.stdout.contains("the same finding"), "{}", run.stdout);
}

#[test]
fn the_filter_lets_through_what_it_names_and_the_machine_speaks_on_the_same_timeline() {
    let targets = |filter: &str| {
        let mut targets: Vec<String> =
            log(&replayed(filter, &[])).into_iter().map(|line| line.target).collect();
        targets.sort();
        targets.dedup();
        targets
    };
    assert_eq!(targets("mapcheck_events::remove=trace"), ["mapcheck_events::remove"]);
    assert_eq!(targets("mapcheck_events=debug"), ["mapcheck_events"]);
    assert_eq!(targets("mapcheck::heap=debug"), ["mapcheck::heap"]);
    assert_eq!(targets("off"), [""; 0]);
    let all = log(&replayed("trace", &[]));
    assert!(all.is_sorted_by_key(|line| line.step), "{all:#?}");
    let has = |target: &str, text: &str| {
        let found = all.iter().any(|line| line.target == target && line.text.starts_with(text));
        assert!(found, "{target}: {text}\n{all:#?}");
    };
    has("mapcheck::schedule", "begins `");
    has("mapcheck::schedule", "is preempted after ");
    has("mapcheck::heap", "allocates block 1, ");
    has("mapcheck::heap", "frees block ");
    has("mapcheck::access", "changes ");
    has("mapcheck_events", "> walk len=");
    // What the map tells stands where it does without the rest.
    let alone = log(&replayed(ALL, &[]));
    let own: Vec<Line> =
        all.into_iter().filter(|line| line.target.starts_with("mapcheck_events")).collect();
    assert_eq!(own, alone);
}

/// The only execution of a run of what never ends well, not shrunk, and its repro.
fn falls(seed: u64, out: &Path, args: &[&str]) -> (Run, String) {
    let mut check = events(["check", "falls", "--executions", "1", "--format", "json"]);
    check.args(["--scheduler", "random", "--scenario", "concurrent-write", "--seed"]);
    check.arg(seed.to_string()).args(args).arg("--out").arg(out.join(seed.to_string()));
    let run = Run::of(check.env("MAPCHECK_SHRINK", "0")).code(FINDING);
    let repro = run.only("finding")["repro"].as_str().unwrap().to_owned();
    (run, repro)
}

#[test]
fn an_injected_fault_is_told() {
    let out = tempdir().unwrap();
    let injected = (0..10).find_map(|seed| {
        let (_, repro) = falls(seed, out.path(), &["--fault", "panic-in-eq"]);
        let mut replay = events(["replay", &repro]);
        let run = Run::of(replay.env("MAPCHECK_LOG", "mapcheck::fault=info"));
        log(&run).into_iter().next()
    });
    let line = injected.expect("one of ten executions has a fault");
    assert_eq!(line.target, "mapcheck::fault");
    assert!(line.text.ends_with("callback that may panic does"), "{line:?}");
    assert!(line.text.contains(&format!("in `{}` of ", line.operation)), "{line:?}");
}

/// Steps that the only execution of a run took while nobody listened, and that its report tells, for which it was
/// recorded.
fn lengths(seed: u64, out: &Path) -> (u64, u64) {
    let (run, repro) = falls(seed, out, &[]);
    let explored = run.only("summary")["schedule_points"].as_u64().unwrap();
    let report = Run::of(&mut events(["replay", &repro])).code(FINDING).stdout;
    let steps = report.split_once("schedule: ").unwrap().1.split_once(" steps").unwrap().0;
    (explored, steps.parse().unwrap())
}

#[test]
fn an_execution_takes_the_same_steps_whether_anybody_listens_or_not() {
    let out = tempdir().unwrap();
    let seen = Mutex::new(BTreeSet::new());
    // Each is two processes of one thread, for the most part.
    std::thread::scope(|scope| {
        for half in [0..50, 50..100] {
            scope.spawn(|| {
                for seed in half {
                    let (explored, recorded) = lengths(seed, out.path());
                    assert_eq!(explored, recorded, "seed {seed}");
                    seen.lock().unwrap().insert(explored);
                }
            });
        }
    });
    let seen = seen.into_inner().unwrap();
    assert!(seen.len() > 20, "they are different executions: {seen:?}");
}

#[test]
fn a_hundred_replays_give_the_same_report_with_and_without_a_log() {
    let with = replayed("trace", &["--times", "100"]);
    let without = replayed("", &["--times", "100"]);
    assert!(with.stdout.contains("replayed 100 times, each time: the same finding"));
    assert_eq!(with.stdout, without.stdout);
    assert!(log(&without).is_empty() && !log(&with).is_empty());
}

#[test]
fn a_bad_filter_is_refused_before_anything_runs() {
    let repro = found().1.to_str().unwrap();
    for filter in ["my_map=loud", "a=b=c", "a[b{c=d}]=debug", "my map"] {
        for args in [["check", "told"], ["replay", repro]] {
            let run = Run::of(events(args).env("MAPCHECK_LOG", filter)).code(USAGE);
            let start = format!("error: MAPCHECK_LOG: `{filter}` is no filter: ");
            run.says(&[&start, "such as in MAPCHECK_LOG=my_map=trace,mapcheck::heap=debug"]);
        }
    }
}

#[test]
fn a_runner_without_the_feature_says_how_it_is_switched_on() {
    let mut check = mapcheck_in(&subject("broken"), ["check", "healthy"]);
    let run = Run::of(check.env("MAPCHECK_LOG", "debug")).code(USAGE);
    run.says(&["MAPCHECK_LOG: `debug` asks for a log", "features = [\"tracing\"]"]);
}

/// The tests of the subject, by plain `cargo test` or instrumented.
fn tested(instrumented: bool, name: &str, variables: &[(&str, &str)]) -> Run {
    let args = ["test", "--test", "notes", name];
    let mut command = if instrumented { events(args) } else { cargo() };
    if !instrumented {
        command.args(args).current_dir(subject("events"));
        command.env("CARGO_TARGET_DIR", subjects_target());
    }
    static OUT: OnceLock<TempDir> = OnceLock::new();
    let out = OUT.get_or_init(|| tempdir().unwrap()).path().join(format!("{instrumented}-{name}"));
    Run::of(command.env("MAPCHECK_OUT", out).envs(variables.iter().copied()))
}

/// The notes that the test tells: thread, step, level, target and text.
fn notes(run: &Run) -> Vec<(u32, u64, String, String, String)> {
    let told = run.stdout.split_once("error[panic]: ").expect("it fails").1;
    let told = told.split_once("  panicked ").expect("it is a report").0;
    // The report breaks lines at spaces.
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    let told = told.splitn(4, ':').last().unwrap().trim();
    let note = |note: &str| {
        let (head, text) = note.split_once(" [").unwrap();
        let words: Vec<&str> = head.split(' ').collect();
        let [thread, step, level, target] = words[..] else { panic!("{note}") };
        let text = text.trim_end_matches(']').to_owned();
        let numbers = (thread.parse().unwrap(), step.parse().unwrap());
        (numbers.0, numbers.1, level.to_owned(), target.to_owned(), text)
    };
    told.split(" ; ").map(note).collect()
}

#[test]
fn a_recorded_execution_has_the_notes_of_all_its_threads() {
    for instrumented in [false, true] {
        let run = tested(instrumented, "notes_are_shown", &[]);
        let notes = notes(&run);
        assert!(notes.is_sorted_by_key(|note| note.1), "{notes:#?}");
        for thread in 1..=2 {
            let of: Vec<(&str, &str)> =
                notes.iter().filter(|n| n.0 == thread).map(|n| (&*n.2, &*n.4)).collect();
            assert_eq!(of.len(), 5, "{notes:#?}");
            assert!(of[0].1.starts_with("counted number="), "{of:?}");
            let number = of[0].1.split(['=', ' ']).nth(2).unwrap();
            let entered = format!("> work on={number}");
            assert_eq!(of[1], ("debug", &*entered));
            assert_eq!(of[2..4], [("info", "half done"), ("warn", r#"line\nbreak name="a\nb""#)]);
            assert_eq!(of[4], ("debug", "< work"));
        }
        let steps: Vec<u64> = notes.iter().map(|n| n.1).collect();
        assert!(steps.first() < steps.last() && notes.iter().all(|n| n.3 == "notes"), "{notes:?}");
    }
}

#[test]
fn a_subscriber_of_the_test_s_own_is_left_in_peace() {
    for instrumented in [false, true] {
        let run = tested(instrumented, "a_subscriber_of_one_s_own", &[]);
        assert!(run.stdout.contains("1 passed"), "{}\n{}", run.stdout, run.stderr);
    }
}

#[test]
fn formatting_that_panics_is_noted_and_no_finding() {
    let run = tested(true, "a_panic_while_the_log_formats", &[]);
    let report = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(report.contains("still alive (a panic while this was formatted)"), "{report}");
}

#[test]
fn a_test_s_repro_is_replayed_with_a_log_and_a_bad_filter_is_refused_there_too() {
    let run = tested(true, "notes_are_shown", &[]);
    let line = run.stdout.lines().find_map(|l| l.strip_prefix("replay: cargo mapcheck replay "));
    let repro = line.expect("it tells how it is replayed").to_owned();
    let mut replay = events(["replay", &repro]);
    let again = Run::of(replay.env("MAPCHECK_LOG", "notes=info"));
    let told: Vec<String> = log(&again).into_iter().map(|line| line.text).collect();
    assert_eq!(told.len(), 4, "{told:?}\n{}", again.stderr);
    let refused = tested(true, "notes_are_shown", &[("MAPCHECK_LOG", "notes=loud")]);
    assert!(
        refused.stdout.contains("MAPCHECK_LOG: `notes=loud` is no filter"),
        "{}",
        refused.stdout
    );
}
