//! The subcommands.

mod bench;
mod check;
mod compare;
mod explain;
mod export;
mod faults;
mod fuzz;
mod import;
mod list;
mod matrix;
pub mod repro;
mod review;
mod test;

use std::process::{Command, ExitStatus};

use serde_json::Value;

use crate::args;
use crate::completions;
use crate::error::{Error, exit};
use crate::runners::Runner;
use crate::supervisor::{self, Task};

pub use check::settings as check_settings;
pub use review::headlines;

/// Runs a subcommand and returns the exit code.
///
/// # Errors
/// Whatever keeps it from running.
pub fn run(command: args::Command) -> Result<i32, Error> {
    match command {
        args::Command::List(list) => list::run(&list),
        args::Command::Check(check) => check::run(&check),
        args::Command::Fuzz(fuzz) => fuzz::run(&fuzz),
        args::Command::Import(import) => import::run(&import),
        args::Command::Test(test) => test::run(&test.args),
        args::Command::Replay(replay) => repro::replay(&replay),
        args::Command::ExportTest(export) => export::run(&export),
        args::Command::Explain(explain) => explain::run(&explain),
        args::Command::Review(review) => review::run(&review),
        args::Command::Shrink(shrink) => repro::shrink(&shrink.repro),
        args::Command::Faults(faults) if faults.seeds.is_some() => compare::run(&faults),
        args::Command::Faults(faults) => faults::run(&faults),
        args::Command::Matrix(matrix) => matrix::run(&matrix),
        args::Command::Bench(bench) => bench::run(&bench),
        args::Command::Completions(completions) => Ok(completions::print(completions.shell)),
    }
}

/// Runs a built runner to its end and returns its exit code.
fn run_runner(mut command: Command, runner: &Runner) -> Result<i32, Error> {
    let status =
        command.status().map_err(|e| Error::start(command.get_program().to_string_lossy(), e))?;
    runner_code(status, runner)
}

/// The same of what may take long, with a line that says what is under way, if somebody watches.
fn run_runner_showing(command: Command, runner: &Runner, what: &str) -> Result<i32, Error> {
    if !check::is_watched() {
        return run_runner(command, runner);
    }
    let task = Task { command, runner: runner.package.clone(), journals: None };
    let report = supervisor::run_one(task, what, true, &mut check::print)?;
    match report.codes.into_iter().next().flatten() {
        _ if report.killed => Ok(exit::KILLED),
        Some(code) if !report.interrupted => code,
        _ => Ok(exit::BUDGET),
    }
}

/// How a runner that prints lines ended.
struct Ran {
    code: i32,
    /// Whether somebody asked for the end: no other runner is to be started.
    interrupted: bool,
}

/// Runs a built runner, or what else has a name, to its end, and hands each JSON line that it prints to `each`; `what`
/// says what it does.
fn run_for_lines(
    command: Command,
    name: &str,
    what: &str,
    each: &mut dyn FnMut(&Value),
) -> Result<Ran, Error> {
    let mut on_line = |line: &[u8]| {
        if let Ok(value) = serde_json::from_slice(line) {
            each(&value);
        }
    };
    let task = Task { command, runner: name.to_owned(), journals: None };
    let report = supervisor::run_one(task, what, check::is_watched(), &mut on_line)?;
    let code = match report.codes.into_iter().next().flatten() {
        _ if report.killed => exit::KILLED,
        Some(code) => code?,
        None => exit::BUDGET,
    };
    Ok(Ran { code, interrupted: report.interrupted })
}

/// What the subcommands that read a runner's lines show of these.
pub fn shown(lines: &[Value]) -> String {
    matrix::shown(lines)
        + &faults::shown(lines)
        + &compare::shown(lines)
        + &crate::bench::shown(lines)
}

/// A runner's exit code, if it is one a runner may end with.
fn runner_code(status: ExitStatus, runner: &Runner) -> Result<i32, Error> {
    match status.code() {
        Some(code @ (0..=4 | exit::INTERNAL)) => Ok(code),
        _ => Err(Error::Runner {
            runner: runner.package.clone(),
            how: format!("ended with {status}"),
        }),
    }
}
