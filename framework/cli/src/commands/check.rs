//! `check`: explores the executions of targets.

use std::fs::File;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use owo_colors::OwoColorize as _;
use serde_json::{Map, Value};

use crate::args::{Budget, Check};
use crate::cargo::{self, Cargo};
use crate::commands::list::wants_json;
use crate::commands::run_runner;
use crate::corpus::folder_name;
use crate::error::{Error, exit};
use crate::github::StepSummary;
use crate::out::{self, Earlier};
use crate::runners::{Runner, Runners};
use crate::summary::{Summary, worse};
use crate::supervisor::{self, Task};

/// Builds the runners the targets need, runs them, and prints one summary.
///
/// # Errors
/// When a target is unknown or does not build, another run has the out directory, or a runner goes wrong.
pub fn run(check: &Check) -> Result<i32, Error> {
    let metadata = cargo::metadata()?;
    let runners = Runners::find(&metadata)?.require()?;
    let shares = runners.share_out(&check.targets)?;
    warn_of_missing(&check.known);
    let cargo = Cargo::new(&metadata)?;
    for (runner, targets) in shares {
        let command = runner.build(&cargo, &described(&targets))?;
        let refused = ready(command, &targets, check, runner)?;
        if refused != exit::CLEAN {
            // It has said what it does not like, and nothing was moved or written yet.
            return Ok(refused);
        }
    }
    let out = Out::claim(check)?;
    let (at_once, workers) = share_workers(check);
    let mut tasks = Vec::new();
    for (number, target) in distinct(&check.targets).into_iter().enumerate() {
        let runner = runners.of_target(target)?;
        let mut command = runner.command(&cargo);
        command.arg("check").arg(target);
        settings(&mut command, check)?;
        out.settings(&mut command, check);
        command.env("MAPCHECK_WORKERS", workers(number).to_string());
        command.env("MAPCHECK_SUMMARY", summary_file(&cargo, number));
        tasks.push(Task {
            command,
            runner: runner.package.clone(),
            journals: out.journals(target),
        });
    }
    supervised(check, tasks, at_once, &cargo)
}

/// Asks a runner whether it can do what is wanted; its exit code.
fn ready(
    mut command: Command,
    targets: &[&str],
    check: &Check,
    runner: &Runner,
) -> Result<i32, Error> {
    command.arg("ready").args(targets);
    settings(&mut command, check)?;
    if check.resume {
        command.env("MAPCHECK_JOURNAL", "resume");
    }
    run_runner(command, runner)
}

/// The targets, each once.
pub fn distinct(targets: &[String]) -> Vec<&str> {
    let mut all: Vec<&str> = Vec::new();
    for target in targets {
        if !all.contains(&target.as_str()) {
            all.push(target);
        }
    }
    all
}

/// A variable of the environment that is not empty.
pub fn from_env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// How many workers there are.
pub fn workers(budget: &Budget) -> usize {
    let given = budget.workers.map(|n| n as usize);
    let given = given.or_else(|| from_env("MAPCHECK_WORKERS").and_then(|n| n.parse().ok()));
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    given.unwrap_or_else(processors).max(1)
}

/// How many runners run at a time, and how many workers each of them gets. A time is each target's with all workers, so
/// they take turns.
fn share_workers(check: &Check) -> (usize, impl Fn(usize) -> usize) {
    let workers = workers(&check.budget);
    let timed = check.budget.time.is_some() || from_env("MAPCHECK_TIME").is_some();
    let at_once = if timed { 1 } else { workers.min(distinct(&check.targets).len()) };
    (at_once, move |number| workers / at_once + usize::from(number % at_once < workers % at_once))
}

/// Where a runner writes its summary.
fn summary_file(cargo: &Cargo, number: usize) -> PathBuf {
    cargo.target_dir.join(format!("summary-{}-{number}.json", std::process::id()))
}

/// Runs the tasks, prints what they print, and the summary of all; the exit code.
fn supervised(
    check: &Check,
    tasks: Vec<Task>,
    at_once: usize,
    cargo: &Cargo,
) -> Result<i32, Error> {
    let names: Vec<String> = tasks.iter().map(|task| task.runner.clone()).collect();
    let json = wants_json(check.budget.format);
    let report = supervisor::run(tasks, at_once, !json && is_watched(), &mut print)?;
    // What a runner itself did not come to, its summary says.
    let cut_short = report.interrupted && report.codes.iter().any(Option::is_none);
    let (mut summary, mut code) = (Summary::default(), exit::CLEAN);
    let mut github = StepSummary::default();
    for (number, (ended, runner)) in report.codes.into_iter().zip(names).enumerate() {
        let told = summary_of(&summary_file(cargo, number));
        let ended = match (ended, &told) {
            (Some(Ok(code @ (exit::CLEAN | exit::FINDING | exit::BUDGET))), None) => {
                let how = format!("ended with code {code} and without a summary");
                Some(Err(Error::Runner { runner, how }))
            }
            (ended, _) => ended,
        };
        let told = told.map(|mut told| {
            github.add(&mut told);
            told
        });
        told.iter().for_each(|told| summary.add(told));
        code = worse(code, ended.map_or(exit::CLEAN, |ended| ended.unwrap_or_else(told_code)));
    }
    if report.killed {
        return Ok(exit::KILLED);
    }
    if cut_short {
        summary.interrupt();
        code = worse(code, exit::BUDGET);
    }
    github.write();
    Ok(conclude(check, &summary, code))
}

/// Prints an error that is one runner's only, and returns its code.
fn told_code(error: Error) -> i32 {
    error.print();
    error.code()
}

/// Whether somebody sees a progress line.
pub fn is_watched() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("CI").is_none_or(|value| value.is_empty())
}

pub fn print(line: &[u8]) {
    let mut stdout = std::io::stdout();
    // Nobody may be reading any more.
    let _ = stdout.write_all(line).and_then(|()| stdout.flush());
}

/// Prints the summary; the exit code with what it tells.
fn conclude(check: &Check, summary: &Summary, mut code: i32) -> i32 {
    if summary.found() {
        code = worse(code, exit::FINDING);
    }
    if summary.is_empty() {
        // Nothing ran, and the runner has said why.
        return code;
    }
    if wants_json(check.budget.format) {
        outln!("{}", summary.json());
        return code;
    }
    outln!("{}", summary.sentence(matches!(code, exit::CLEAN | exit::BUDGET)));
    if summary.findings() > 0 && !check.keep_going {
        outln!(
            "each target stops at its first finding but a leak; --keep-going goes on for others"
        );
    }
    code
}

/// The out directory, as far as it can be written to.
struct Out {
    dir: PathBuf,
    /// Keeps other runs out; `None` where nothing can be written, so that nothing is lost.
    lock: Option<File>,
}

impl Out {
    fn claim(check: &Check) -> Result<Self, Error> {
        let dir = absolute(&out_dir(check.budget.out.as_ref()))?;
        let earlier = if check.resume || check.add { Earlier::Keep } else { Earlier::Rotate };
        let lock = match out::claim(&dir, earlier) {
            Err(error @ Error::Write { .. }) => {
                warn(&format!("{error}; what is found is told, and not saved"));
                None
            }
            claimed => Some(claimed?),
        };
        Ok(Self { dir, lock })
    }

    /// What a runner must know of it.
    fn settings(&self, command: &mut Command, check: &Check) {
        if self.lock.is_some() {
            command.env("MAPCHECK_JOURNAL", if check.resume { "resume" } else { "add" });
        }
    }

    /// Where the journals of a target are.
    fn journals(&self, target: &str) -> Option<PathBuf> {
        self.lock.as_ref().map(|_| self.dir.join(folder_name(target)))
    }
}

/// The out directory: the one given, or the environment's, or the usual one.
pub fn out_dir(given: Option<&PathBuf>) -> PathBuf {
    let from_env = || std::env::var_os("MAPCHECK_OUT").filter(|dir| !dir.is_empty());
    let dir = given.cloned().or_else(|| from_env().map(PathBuf::from));
    dir.unwrap_or_else(|| "mapcheck.out".into())
}

/// Some targets, for a message.
fn described(targets: &[&str]) -> String {
    let plural = if targets.len() == 1 { "" } else { "s" };
    format!("target{plural} `{}`", targets.join("`, `"))
}

fn warn(what: &str) {
    anstream::eprintln!("{} {what}", "warning:".yellow().bold());
}

/// Says of which folders nothing can be known, since they are not there.
fn warn_of_missing(folders: &[PathBuf]) {
    for folder in folders.iter().filter(|folder| !folder.is_dir()) {
        warn(&format!(
            "--known: there is no folder {}, so nothing in it is known",
            folder.display()
        ));
    }
}

/// Hands the user's settings on, and only those.
pub fn settings(command: &mut Command, check: &Check) -> Result<(), Error> {
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
    known(command, &check.known)
}

/// Hands on the folders with what is known.
///
/// # Errors
/// When the name of one has what separates it from the next.
pub fn known(command: &mut Command, folders: &[PathBuf]) -> Result<(), Error> {
    let separated = |folder: &&PathBuf| std::env::join_paths([folder]).is_err();
    if let Some(folder) = folders.iter().find(separated) {
        let what = "a name with `:` cannot be handed to a runner";
        return Err(Error::read(folder, std::io::Error::other(what)));
    }
    if !folders.is_empty() {
        command.env("MAPCHECK_KNOWN", std::env::join_paths(folders).unwrap_or_default());
    }
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
        ("MAPCHECK_BATCH", number(budget.batch)),
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

/// What a runner wrote of its run, if it came to that. The file is gone then.
fn summary_of(file: &Path) -> Option<Map<String, Value>> {
    let text = std::fs::read_to_string(file).ok()?;
    // Left behind only if something else removed it first.
    let _ = std::fs::remove_file(file);
    let last = text.lines().rev().find(|line| !line.trim().is_empty())?;
    serde_json::from_str(last).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_handed_on_is_refused_and_not_forgotten() {
        let mut command = Command::new("runner");
        let folders = ["a", "b:c"].map(PathBuf::from);
        let refused = known(&mut command, &folders).unwrap_err().to_string();
        assert_eq!(refused, "b:c could not be read: a name with `:` cannot be handed to a runner");
        known(&mut command, &folders[..1]).unwrap();
        assert_eq!(command.get_envs().count(), 1);
    }
}
