//! `fuzz`: explores the executions of targets with libFuzzer.

mod inputs;
mod lines;
mod plan;
mod session;
mod worker;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::args::Fuzz;
use crate::cargo::{self, Cargo};
use crate::commands::check::{absolute, distinct, is_watched, out_dir};
use crate::commands::list::wants_json;
use crate::commands::run_runner;
use crate::error::{Error, exit};
use crate::fuzzers::{self, Fuzzer};
use crate::out::{self, Earlier};
use crate::runners::{Runner, Runners};
use crate::summary::{counted, worse};
use crate::supervisor;

use plan::Plan;
pub use plan::known_beside;
use session::{Done, Session};

/// A target with what runs it.
type Subject<'a> = (&'a str, &'a Runner, Fuzzer);

/// Builds the fuzz targets and the runners, and fuzzes the targets one after the other.
///
/// # Errors
/// When a target is unknown, has no fuzz target or does not build, or another run has the out directory.
pub fn run(fuzz: &Fuzz) -> Result<i32, Error> {
    let metadata = cargo::metadata()?;
    let runners = Runners::find(&metadata)?.require()?;
    let subjects = subjects(fuzz, &runners, &metadata)?;
    if fuzz.list {
        return Ok(list(&subjects, wants_json(fuzz.budget.format)));
    }
    let cargo = Cargo::new(&metadata)?;
    if fuzz.build_only {
        return build_only(&subjects, &cargo, wants_json(fuzz.budget.format));
    }
    let out = absolute(&out_dir(fuzz.budget.out.as_ref()))?;
    for subject in &subjects {
        let refused = build(subject, fuzz, &cargo, &out)?;
        if refused != exit::CLEAN {
            // The runner has said what it does not like, and nothing was moved or written yet.
            return Ok(refused);
        }
    }
    let _lock = out::claim(&out, Earlier::Rotate)?;
    let mut code = exit::CLEAN;
    for (target, runner, fuzzer) in &subjects {
        let plan = Plan::new(fuzz, target, (runner, fuzzer), &cargo, &out)?;
        let ran = one(&plan, fuzz, subjects.len() > 1)?;
        code = worse(code, ran.code);
        if ran.interrupted {
            break;
        }
    }
    Ok(code)
}

/// What is named, targets and closures of tests; if nothing is, all that this workspace's members fuzz.
fn subjects<'a>(
    fuzz: &'a Fuzz,
    runners: &'a Runners,
    metadata: &'a Value,
) -> Result<Vec<Subject<'a>>, Error> {
    let mut names = distinct(&fuzz.targets);
    if fuzz.targets.is_empty() {
        let members = runners.0.iter().filter(|runner| runner.is_member());
        names.extend(members.flat_map(|runner| fuzzers::fuzzable(runner, metadata)));
    }
    names.into_iter().map(|name| subject(name, runners, metadata)).collect()
}

/// The subject of a name.
fn subject<'a>(
    name: &'a str,
    runners: &'a Runners,
    metadata: &Value,
) -> Result<Subject<'a>, Error> {
    if let Some((runner, fuzzer)) = fuzzers::of_closure(&runners.0, name, metadata)?
        && !runner.targets.iter().any(|known| known == name)
    {
        return Ok((name, runner, fuzzer));
    }
    let runner = runners.of_target(name)?;
    Ok((name, runner, fuzzers::of_target(runner, name, metadata)?))
}

/// Prints targets and their fuzz targets.
fn list(subjects: &[Subject<'_>], json: bool) -> i32 {
    for (target, runner, Fuzzer { bin, .. }) in subjects {
        let package = &runner.package;
        if json {
            let line = json!({"type": "fuzzable", "target": target, "bin": bin, "runner": package});
            outln!("{line}");
        } else {
            outln!("{target:24} {bin}");
        }
    }
    exit::CLEAN
}

/// Builds the fuzz targets of some targets, each once, and prints where they are.
fn build_only(subjects: &[Subject<'_>], cargo: &Cargo, json: bool) -> Result<i32, Error> {
    let mut built = BTreeSet::new();
    for (_, runner, Fuzzer { bin, features, .. }) in subjects {
        if !built.insert((&runner.package, bin)) {
            continue;
        }
        let command = runner.build_bin(cargo, &format!("fuzz target `{bin}`"), bin, features)?;
        let path = command.get_program().to_string_lossy();
        if json {
            outln!("{}", json!({"type": "fuzz-binary", "bin": bin, "path": path}));
        } else {
            outln!("{path}");
        }
    }
    Ok(exit::CLEAN)
}

/// Builds what a target needs, and asks its runner whether it can do what is wanted; the exit code of that.
fn build(subject: &Subject<'_>, fuzz: &Fuzz, cargo: &Cargo, out: &Path) -> Result<i32, Error> {
    let (target, runner, Fuzzer { bin, features, knows_alone }) = subject;
    let what = format!("fuzz target `{bin}`");
    if *knows_alone {
        return runner.build_bin(cargo, &what, bin, features).map(|_| exit::CLEAN);
    }
    let mut command = runner.build(cargo, &format!("target `{target}`"))?;
    command.arg("ready").arg(target);
    plan::settings(&mut command, fuzz, out)?;
    let refused = run_runner(command, runner)?;
    if refused == exit::CLEAN {
        runner.build_bin(cargo, &what, bin, features)?;
    }
    Ok(refused)
}

/// Fuzzes one target, and prints what has come of it.
fn one(plan: &Plan, fuzz: &Fuzz, named: bool) -> Result<Ran, Error> {
    let json = wants_json(fuzz.budget.format);
    let session = Session::new(plan, !json && is_watched(), named)?;
    let (mut done, kept) = supervisor::block_on(async |signals| {
        let done = session.run(signals).await;
        let kept = match &plan.kept {
            Some(into) if !done.interrupted && done.inputs > 0 => {
                Some(inputs::keep(plan, into, signals).await)
            }
            _ => None,
        };
        (done, kept)
    })?;
    let kept = kept.transpose()?;
    let mut code = if done.findings > 0 { exit::FINDING } else { exit::CLEAN };
    if done.interrupted || done.late {
        code = worse(code, exit::BUDGET);
    }
    if let Some(error) = done.error.take() {
        error.print();
        code = worse(code, error.code());
    }
    if done.killed {
        return Ok(Ran { code: exit::KILLED, interrupted: true });
    }
    outln!("{}", if json { line(plan, &done, kept) } else { sentence(plan, &done, kept, code) });
    Ok(Ran { code, interrupted: done.interrupted })
}

/// How the fuzzing of a target ended.
struct Ran {
    code: i32,
    interrupted: bool,
}

/// The summary for people. It says what was explored, and nothing of what was not.
fn sentence(plan: &Plan, done: &Done, kept: Option<usize>, code: i32) -> String {
    let left = match done.left {
        0 => String::new(),
        left => format!(", {} not explained", counted(left as u64, "artifact")),
    };
    let verdict = match code {
        _ if done.interrupted => "; interrupted",
        exit::CLEAN | exit::BUDGET if done.left == 0 => "; nothing found",
        _ => "",
    };
    let kept = kept.zip(plan.kept.as_ref()).map(|(kept, into)| {
        format!("\n{} added to {}", counted(kept as u64, "input"), into.display())
    });
    format!(
        "fuzzed {}: {}, {}, {}, {}{left} in {}.{} s{verdict}{}",
        plan.target,
        counted(done.executions, "execution"),
        counted(done.features, "feature"),
        counted(done.inputs as u64, "input"),
        counted(done.findings as u64, "finding"),
        done.took.as_secs(),
        done.took.subsec_millis() / 100,
        kept.unwrap_or_default(),
    )
}

/// The summary as a line of JSON.
fn line(plan: &Plan, done: &Done, kept: Option<usize>) -> String {
    json!({
        "type": "fuzz-summary",
        "target": plan.target,
        "executions": done.executions,
        "features": done.features,
        "inputs": done.inputs,
        "kept": kept,
        "findings": done.findings,
        "artifacts": done.left,
        "wall_ms": done.took.as_millis() as u64,
        "interrupted": done.interrupted,
    })
    .to_string()
}
