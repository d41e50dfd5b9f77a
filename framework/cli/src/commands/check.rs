//! `check`: explores the executions of targets.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::args::{Budget, Check};
use crate::cargo::{self, Cargo};
use crate::commands::list::wants_json;
use crate::commands::run_runner;
use crate::error::{Error, exit};
use crate::runners::{Runner, Runners};
use crate::summary::{Summary, worse};

/// Builds the runners the targets need, runs each, and prints one summary.
///
/// # Errors
/// When a target is unknown or does not build, or a runner goes wrong.
pub fn run(check: &Check) -> Result<i32, Error> {
    let metadata = cargo::metadata()?;
    let runners = Runners::find(&metadata)?.require()?;
    let shares = runners.share_out(&check.targets)?;
    let cargo = Cargo::new(&metadata)?;
    let mut built = Vec::new();
    for (runner, targets) in shares {
        let mut command = runner.build(&cargo, &described(&targets))?;
        command.arg("check").args(targets);
        settings(&mut command, check)?;
        built.push((command, runner));
    }
    let (mut summary, mut code) = (Summary::default(), exit::CLEAN);
    for (number, (command, runner)) in built.into_iter().enumerate() {
        let file = cargo.target_dir.join(format!("summary-{}-{number}.json", std::process::id()));
        code = worse(code, run_one(command, runner, &file, &mut summary)?);
    }
    if summary.findings() > 0 {
        code = worse(code, exit::FINDING);
    }
    if summary.is_empty() {
        // Nothing ran, and the runner has said why.
        return Ok(code);
    }
    if wants_json(check.budget.format) {
        anstream::println!("{}", summary.json());
    } else {
        anstream::println!("{}", summary.sentence(matches!(code, exit::CLEAN | exit::BUDGET)));
        if summary.findings() > 0 && !check.keep_going {
            anstream::println!(
                "each target stops at its first finding but a leak; --keep-going goes on for others"
            );
        }
    }
    Ok(code)
}

/// Some targets, for a message.
fn described(targets: &[&str]) -> String {
    let plural = if targets.len() == 1 { "" } else { "s" };
    format!("target{plural} `{}`", targets.join("`, `"))
}

/// Hands the user's settings on, and only those.
fn settings(command: &mut Command, check: &Check) -> Result<(), Error> {
    budget(command, &check.budget)?;
    let number = |value: Option<u64>| value.map(|n| n.to_string());
    let all = [
        ("MAPCHECK_SCHEDULER", check.scheduler.clone()),
        ("MAPCHECK_SCENARIO", check.scenario.clone()),
        ("MAPCHECK_ENGINE", check.engine.clone()),
        ("MAPCHECK_STEPS", number(check.steps)),
        ("MAPCHECK_PATIENCE", number(check.patience)),
        ("MAPCHECK_OBSTRUCTION_FREEDOM", check.obstruction_freedom.then(|| "1".to_owned())),
        ("MAPCHECK_BOUND", number(check.bound)),
        ("MAPCHECK_SHARD", check.shard.clone()),
        ("MAPCHECK_THREADS", check.threads.map(|n| n.to_string())),
        ("MAPCHECK_FAULTS", Some(check.faults.join(",")).filter(|faults| !faults.is_empty())),
        ("MAPCHECK_ACCEPT_RACE", Some(check.accept_races.join(",")).filter(|all| !all.is_empty())),
        ("MAPCHECK_KEEP_GOING", check.keep_going.then(|| "1".to_owned())),
    ];
    command.envs(all.into_iter().filter_map(|(key, value)| Some((key, value?))));
    Ok(())
}

/// Hands on how much is to be explored, where the user says.
pub fn budget(command: &mut Command, budget: &Budget) -> Result<(), Error> {
    let out = budget.out.as_deref().map(absolute).transpose()?;
    let number = |value: Option<u64>| value.map(|n| n.to_string());
    let all = [
        ("MAPCHECK_EXECUTIONS", number(budget.executions)),
        ("MAPCHECK_TIME", budget.time.clone()),
        ("MAPCHECK_SEED", number(budget.seed)),
        ("MAPCHECK_WORKERS", number(budget.workers)),
        ("MAPCHECK_FORMAT", budget.format.map(|format| format.name().to_owned())),
    ];
    command.envs(all.into_iter().filter_map(|(key, value)| Some((key, value?))));
    command.envs(out.map(|path| ("MAPCHECK_OUT", path)));
    Ok(())
}

/// The path from the root.
pub fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|e| Error::read(path, e))
}

/// Runs one runner, adds its summary, and returns its exit code.
fn run_one(
    mut command: Command,
    runner: &Runner,
    file: &Path,
    summary: &mut Summary,
) -> Result<i32, Error> {
    command.env("MAPCHECK_SUMMARY", file);
    let code = run_runner(command, runner);
    let text = std::fs::read_to_string(file).unwrap_or_default();
    // Left behind only if something else removed it first.
    let _ = std::fs::remove_file(file);
    let code = code?;
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    match serde_json::from_str(last) {
        Ok(object) => summary.add(&object),
        Err(_) if matches!(code, exit::CLEAN | exit::FINDING | exit::BUDGET) => {
            let how = format!("ended with code {code} and without a summary");
            return Err(Error::Runner { runner: runner.package.clone(), how });
        }
        // It has said what went wrong itself.
        Err(_) => {}
    }
    Ok(code)
}
