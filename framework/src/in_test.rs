//! Exploring from within `#[test]` functions.
//!
//! The harness of tests runs many threads, and a process that forks inherits every lock another
//! thread holds. So the test binary is started anew for the one test, and that process forks.

use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use mapcheck_machine as machine;

use crate::campaign::{self, Done, Subject, github};
use crate::exit;
use crate::explain::{self, Shown};
use crate::map::{self, Map};
use crate::regression;
use crate::replay;
use crate::report::Object;
use crate::repro::Repro;
use crate::scenario::{self, Scenario, families};
use crate::settings::Settings;

/// Executions of a test, unless it or the environment says otherwise.
const EXECUTIONS: u64 = 2000;
/// Names the test that this process was started for.
const NESTED: &str = "MAPCHECK_NESTED";
/// Stands between what the harness prints and what is for the parent.
const MARK: &str = "---- mapcheck ----";

/// Explores the executions of `body`: any code that uses plain `std` threads. Each runs the closure
/// anew, on virtual threads, under another schedule.
///
/// Budgets come from the environment, see [`Settings`]; without any, a test gets 2,000 executions.
/// Under `cargo mapcheck test` the code is instrumented and every access is a schedule point; under
/// plain `cargo test` only allocations, locks and thread starts are, and freed memory is guarded by
/// the processor.
///
/// ```no_run
/// # // A documentation test has no name to start it anew by.
/// #[test]
/// fn a_counter_counts() {
///     mapcheck::explore(|| {
///         let n = std::sync::Mutex::new(0);
///         std::thread::scope(|s| {
///             s.spawn(|| *n.lock().unwrap() += 1);
///             s.spawn(|| *n.lock().unwrap() += 1);
///         });
///         assert_eq!(n.into_inner().unwrap(), 2);
///     });
/// }
/// ```
///
/// # Panics
/// With the report, when something is found; with an explanation, when exploring is not possible.
#[track_caller]
pub fn explore(body: impl Fn()) {
    Settings::for_tests().explore(body);
}

/// Makes it a finding of class `leak` if this execution of an [`explore`]d closure ends with memory allocated that
/// nothing refers to any more. What a static refers to, directly or through other memory, is no leak.
///
/// Off unless it is called, since a test may leak on purpose. Scenarios on a [`Map`] are always held to it. Does
/// nothing outside of executions, nor in one that ends while a thread still waits.
///
/// ```no_run
/// # use std::sync::{Arc, Mutex};
/// #[test]
/// fn a_list_frees_its_nodes() {
///     mapcheck::explore(|| {
///         mapcheck::forbid_leaks();
///         let list = Arc::new(Mutex::new(vec![1]));
///         let pushing = std::thread::spawn({
///             let list = Arc::clone(&list);
///             move || list.lock().unwrap().push(2)
///         });
///         pushing.join().unwrap();
///     });
/// }
/// ```
pub fn forbid_leaks() {
    machine::forbid_leaks();
}

/// Explores the built-in scenarios of one family, see [`families::FAMILIES`], on the map `M`.
/// [`map_tests!`](crate::map_tests) makes a test of each family.
///
/// # Panics
/// As [`explore`]; and when there is no such family, or the adapter fails its self-check.
#[track_caller]
pub fn check<M: Map>(family: &str) {
    Settings::for_tests().check::<M>(family);
}

impl Settings {
    /// The settings of a test: 2,000 executions, overridden by the environment.
    ///
    /// # Panics
    /// With the variable's name, when the environment sets a malformed value.
    #[track_caller]
    pub fn for_tests() -> Settings {
        let settings = Settings { executions: EXECUTIONS, ..Settings::default() };
        settings.overridden().unwrap_or_else(|what| panic!("{what}"))
    }

    /// As the function [`explore`], with these settings.
    ///
    /// # Panics
    /// As [`explore`].
    #[track_caller]
    pub fn explore(&self, body: impl Fn()) {
        let scenario = Scenario {
            name: "closure".to_owned(),
            family: "closure".to_owned(),
            ..Scenario::default()
        };
        self.test(&Plan::of(vec![scenario], &|_| scenario::guarded(&body)));
    }

    /// As the function [`check`], with these settings.
    ///
    /// # Panics
    /// As [`check`].
    #[track_caller]
    pub fn check<M: Map>(&self, family: &str) {
        if let Err(what) = map::self_check::<M>() {
            panic!("the adapter is wrong: {what}");
        }
        let mut scenarios = families::all(&M::profile(), self.seed);
        scenarios.retain(|s| s.family == family);
        if scenarios.is_empty() && !families::FAMILIES.iter().any(|f| f.0 == family) {
            panic!("there is no scenario family `{family}`");
        }
        let adapter = Some(std::any::type_name::<M>());
        self.test(&Plan { adapter, ..Plan::of(scenarios, &scenario::run::<M>) });
    }

    /// Fails while the map `M` has the mistake that a repro tells of: a regression test, as `cargo mapcheck
    /// export-test` writes it. `repro` is the text of the repro's file.
    ///
    /// It replays the repro's decisions, and fails if they lead to a finding of the same class. They are those of one
    /// build: if they lead to nothing, it explores the repro's scenario, under the repro's faults and limits, with
    /// these settings, and fails if anything is found. Leaks are judged only if the repro is of class `leak`, and data
    /// races only if it is of class `data-race` or `premature-reclamation`.
    ///
    /// Start from [`Settings::default`], so that it does the same whatever the environment says, but for
    /// `MAPCHECK_OUT`.
    ///
    /// ```no_run
    /// # fn of<Adapter: mapcheck::Map>() {
    /// const REPRO: &str = r#"format = 1 …"#;
    /// mapcheck::Settings::default().executions(5_000).regression::<Adapter>(REPRO);
    /// # }
    /// ```
    ///
    /// # Panics
    /// With the report, when it fails; and when the text is no repro, the adapter fails its self-check, or the repro
    /// was made with instrumentation and this build has none: then the test would pass for what it does not see.
    #[track_caller]
    pub fn regression<M: Map>(&self, repro: &str) {
        let repro = Repro::from_text(repro).unwrap_or_else(|what| panic!("the text {what}"));
        if repro.instrumented && !machine::instrumented() {
            panic!(
                "the repro was made with instrumentation: run this test by `cargo mapcheck test`"
            );
        }
        if let Err(what) = map::self_check::<M>() {
            panic!("the adapter is wrong: {what}");
        }
        let plan = Plan {
            adapter: Some(std::any::type_name::<M>()),
            repro: Some(&repro),
            ..Plan::of(vec![repro.scenario.clone()], &scenario::run::<M>)
        };
        let out = std::env::var_os("MAPCHECK_OUT").filter(|out| !out.is_empty());
        let out = out.map_or_else(|| self.out.clone(), PathBuf::from);
        Settings { out, ..self.again(&repro) }.test(&plan);
    }

    #[track_caller]
    fn test(&self, plan: &Plan<'_>) {
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        let result = match std::env::var(NESTED) {
            Ok(nested) if nested == name => nested_main(self, &name, plan),
            _ if name.is_empty() || name == "main" => in_this_process(self, plan),
            _ => start_anew(&name),
        };
        if let Err(report) = result {
            panic!("\n{report}");
        }
    }
}

/// What a test explores.
struct Plan<'a> {
    scenarios: Vec<Scenario>,
    run: &'a dyn Fn(&Scenario),
    /// The name of the adapter's type, if there is one.
    adapter: Option<&'static str>,
    /// What is replayed first.
    repro: Option<&'a Repro>,
    /// Where the test asks for it.
    place: &'static Location<'static>,
}

impl<'a> Plan<'a> {
    #[track_caller]
    fn of(scenarios: Vec<Scenario>, run: &'a dyn Fn(&Scenario)) -> Plan<'a> {
        Plan { scenarios, run, adapter: None, repro: None, place: Location::caller() }
    }

    fn subject(&self, name: &str) -> Subject<'a> {
        subject(name, self.scenarios.clone(), self.run)
    }
}

/// Makes a `#[test]` of each scenario family for an adapter, in the module it stands in.
///
/// ```text
/// mod delete_while_iterating {
///     mapcheck::map_tests!(super::MyMap);
/// }
/// ```
#[macro_export]
macro_rules! map_tests {
    ($map:ty) => {
        #[test]
        fn delete_current() {
            $crate::check::<$map>("delete-current");
        }
        #[test]
        fn delete_unvisited() {
            $crate::check::<$map>("delete-unvisited");
        }
        #[test]
        fn delete_visited() {
            $crate::check::<$map>("delete-visited");
        }
        #[test]
        fn concurrent_write() {
            $crate::check::<$map>("concurrent-write");
        }
        #[test]
        fn single_delete() {
            $crate::check::<$map>("single-delete");
        }
        #[test]
        fn nested_ranges() {
            $crate::check::<$map>("nested-ranges");
        }
        #[test]
        fn deferred_delete() {
            $crate::check::<$map>("deferred-delete");
        }
        #[test]
        fn foreign_code() {
            $crate::check::<$map>("foreign-code");
        }
        #[test]
        fn bulk_build() {
            $crate::check::<$map>("bulk-build");
        }
        #[test]
        fn concurrent_growth() {
            $crate::check::<$map>("concurrent-growth");
        }
        #[test]
        fn generated() {
            $crate::check::<$map>("generated");
        }
    };
}

pub(crate) fn subject<'a>(
    name: &str,
    scenarios: Vec<Scenario>,
    run: &'a dyn Fn(&Scenario),
) -> Subject<'a> {
    let package = |key: &str| std::env::var(key).unwrap_or_default();
    Subject {
        target: name.to_owned(),
        versions: format!("{} {}", package("CARGO_PKG_NAME"), package("CARGO_PKG_VERSION")),
        home: String::new(),
        runner: package("CARGO_PKG_NAME"),
        test: Some(name.to_owned()),
        scenarios,
        shapes: None,
        run,
        foreign: None,
        mutants: &[],
        mutant: None,
        excludes: &[],
        races: true,
        accepts: Vec::new(),
    }
}

/// Starts the test binary anew for one test, and returns its report as the error if it found
/// something.
fn start_anew(name: &str) -> Result<(), String> {
    let me = std::env::current_exe().map_err(|e| format!("the test binary is gone: {e}"))?;
    let output = Command::new(me)
        .args([name, "--exact", "--nocapture", "--include-ignored", "--test-threads=1"])
        .env(NESTED, name)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("the test binary could not be started anew: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let Some((_, told)) = text.split_once(MARK) else {
        return Err(format!(
            "the test ended in its own process before it explored anything ({})",
            output.status
        ));
    };
    let told = told.trim_start();
    match output.status.code() {
        Some(0) => {
            print!("{told}");
            Ok(())
        }
        Some(_) => Err(told.to_owned()),
        None => Err(format!("{told}\nthe exploring process ended with {}", output.status)),
    }
}

/// The whole work, in the process that was started for it; does not return.
fn nested_main(settings: &Settings, name: &str, plan: &Plan<'_>) -> ! {
    machine::fix_addresses();
    machine::wait_until_others_sleep(Duration::from_secs(1));
    println!("\n{MARK}");
    let code = nested(settings, plan.subject(name), plan).unwrap_or_else(|what| {
        println!("{what}");
        exit::INTERNAL
    });
    std::process::exit(code.into())
}

fn nested(settings: &Settings, mut subject: Subject<'_>, plan: &Plan<'_>) -> Result<u8, String> {
    if let Some(path) = std::env::var_os("MAPCHECK_REPLAY").map(PathBuf::from) {
        return replay_in_test(&path, subject, plan);
    }
    if let Some(report) = again(&subject, plan)? {
        print!("{report}");
        return Ok(exit::FINDING);
    }
    let restricted = subject.restrict(settings);
    if let Some(what) = restricted.as_ref().err().filter(|_| !subject.scenarios.is_empty()) {
        return Err(what.clone());
    }
    if let Err(what) = restricted {
        // The environment names a scenario for all tests of a run, and this is not one that has it.
        println!("{what}: passed over");
        return Ok(exit::CLEAN);
    }
    let done = campaign::run(&subject, settings)?;
    if done.findings.is_empty() {
        println!("{}", sentence(settings, &done));
        return Ok(exit::CLEAN);
    }
    for reported in &done.findings {
        let replay = reported.repro.as_deref().map(campaign::replay_command);
        github::summarise(&reported.finding, &subject.target, &replay.unwrap_or_default());
    }
    Ok(exit::FINDING)
}

fn sentence(settings: &Settings, done: &Done) -> String {
    format!(
        "explored {} executions, {} schedule points, scheduler {}, seed {}, in {:.1} s: nothing found",
        done.totals.executions,
        done.totals.points,
        settings.scheduler,
        settings.seed,
        done.wall.as_secs_f64()
    )
}

/// Replays, shrinks or explains the repro if it is this test's; passes over it if it is another's.
fn replay_in_test(path: &Path, subject: Subject<'_>, plan: &Plan<'_>) -> Result<u8, String> {
    let repro = Repro::load(path)?;
    if repro.test.as_deref() != Some(&*subject.target) {
        println!("{} is not of this test", path.display());
        return Ok(exit::CLEAN);
    }
    replay::fits(&repro, path, &subject.versions)?;
    if std::env::var_os("MAPCHECK_REGRESSION").is_some() {
        return tell(subject, &repro, plan);
    }
    if std::env::var_os("MAPCHECK_SHRINK").is_some() {
        print!("{}", replay::shrink(&repro, subject.code(), path)?);
        return Ok(exit::CLEAN);
    }
    if let Some(to) = std::env::var_os("MAPCHECK_EXPLAIN").map(PathBuf::from) {
        return explain_in_test(&repro, path, &subject, &to);
    }
    let replayed = replay::run(&repro, subject.code(), replay::times()?)?;
    print!("{}", replayed.text(&repro));
    Ok(replayed.code())
}

/// Tells what a regression test of a repro has to do.
fn tell(subject: Subject<'_>, repro: &Repro, plan: &Plan<'_>) -> Result<u8, String> {
    let line = match plan.adapter {
        Some(adapter) => regression::told(subject, repro, adapter)?,
        None => Object::of_type("regression").text("adapter", ""),
    };
    println!("{}", line.text("file", plan.place.file()).line());
    Ok(exit::CLEAN)
}

/// The report, if what is replayed first still shows its finding.
fn again(subject: &Subject<'_>, plan: &Plan<'_>) -> Result<Option<String>, String> {
    plan.repro.map_or(Ok(None), |repro| regression::replayed(subject, repro))
}

/// Writes the explanation of a repro to a file, where the command reads it.
fn explain_in_test(
    repro: &Repro,
    path: &Path,
    subject: &Subject<'_>,
    to: &Path,
) -> Result<u8, String> {
    let shown = Shown { code: subject.code(), repro, path };
    let Some(told) = explain::tell(&shown)? else { return Ok(exit::CLEAN) };
    std::fs::write(to, told + "\n").map_err(|e| format!("{}: {e}", to.display()))?;
    Ok(exit::FINDING)
}

/// Without a test around it: in this process, if nothing else runs in it.
fn in_this_process(settings: &Settings, plan: &Plan<'_>) -> Result<(), String> {
    if !machine::single_threaded() {
        return Err("this thread is no test's: call it from a #[test], or from a process without \
                    other threads"
            .to_owned());
    }
    let mut subject = Subject { test: None, ..plan.subject("main") };
    if let Some(report) = again(&subject, plan)? {
        return Err(report);
    }
    subject.restrict(settings)?;
    let done = campaign::run(&subject, settings)?;
    done.findings.first().map_or(Ok(()), |reported| Err(reported.text.clone()))
}
