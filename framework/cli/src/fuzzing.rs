//! The command's parsers, for those who fuzz them: each is private otherwise, since nobody else has a use for it, and
//! takes here what comes from outside of this program, as it comes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use serde_json::Value;

use crate::args::{self, Command};
use crate::commands;
use crate::corpus;
use crate::error::exit;
use crate::summary::Summary;
use crate::supervisor;

/// What the command makes of its arguments.
#[derive(Debug)]
pub enum Asked {
    /// What the runner of a check is handed, variables and their values; of another subcommand, nothing.
    Run(Vec<(OsString, OsString)>),
    /// What cargo's own test command is handed.
    Test(Vec<OsString>),
    /// What is said instead, and the exit code.
    Said(String, i32),
}

/// Reads a command line, the program's name first.
pub fn arguments(words: Vec<OsString>) -> Asked {
    let command = match args::parse(words) {
        Ok(cli) => cli.command,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { exit::CLEAN };
            return Asked::Said(error.to_string(), code);
        }
    };
    let mut runner = Process::new("runner");
    match &command {
        Command::Test(test) => return Asked::Test(test.args.clone()),
        Command::Check(check) => {
            if let Err(error) = commands::check_settings(&mut runner, check) {
                return Asked::Said(format!("error: {error}"), error.code());
            }
        }
        _ => {}
    }
    let set = runner.get_envs().filter_map(|(name, value)| Some((name.into(), value?.into())));
    Asked::Run(set.collect())
}

/// What the command reads of a repro file.
#[derive(Debug, PartialEq, Eq)]
pub struct Repro {
    /// The target's name, or the test's.
    pub target: String,
    /// The finding's class.
    pub class: String,
    /// The finding's site.
    pub site: String,
    /// The earlier access's, of a data race.
    pub earlier_site: String,
    /// The mutant that was switched on; empty if none was.
    pub mutant: String,
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's threads and operations.
    pub size: (usize, usize),
    /// How many decisions it has.
    pub decisions: usize,
    /// Executions that have to go before it.
    pub history: u64,
}

/// Reads the text of a repro file.
///
/// # Errors
/// A fragment that goes on after the file's name.
pub fn repro(text: &str) -> Result<Repro, String> {
    let read = corpus::Repro::parse(text, Path::new("file"))?;
    let corpus::Repro { target, class, site, earlier_site, mutant, scenario, .. } = read;
    let size = (read.size.threads, read.size.operations);
    let (decisions, history) = (read.decisions, read.history);
    Ok(Repro { target, class, site, earlier_site, mutant, scenario, size, decisions, history })
}

/// Reads the text of a scenario file: its name.
///
/// # Errors
/// What is wrong with it, as a sentence that begins with the file's name.
pub fn scenario(text: &str) -> Result<String, String> {
    let kept = corpus::Kept::parse(text, PathBuf::from("file").as_path(), "target");
    kept.map(|kept| kept.name).map_err(|error| error.to_string())
}

/// Reads the text of a runner's manifest: its targets.
///
/// # Errors
/// What is wrong with it, a fragment.
pub fn manifest(text: &str) -> Result<Vec<String>, String> {
    crate::runners::read_manifest(text, Path::new("file")).map(|runner| runner.targets)
}

/// Reads the text of a cargo configuration: the wrapper of rustc's that it names.
pub fn configuration(text: &str) -> Option<OsString> {
    crate::cargo::wrapper_in(text, Path::new("dir"))
}

/// Reads what runners print and write, as every reader of it does; what they would show of it.
pub fn lines(lines: &[u8]) -> String {
    let values: Vec<Value> =
        lines.split(|b| *b == b'\n').filter_map(|l| serde_json::from_slice(l).ok()).collect();
    let mut summary = Summary::default();
    values.iter().filter_map(Value::as_object).for_each(|told| summary.add(told));
    let mut shown = summary.json() + &summary.sentence(true);
    shown += &supervisor::progress_line(&values);
    shown += &commands::shown(&values);
    for (name, message) in commands::headlines(lines) {
        shown += &(name + &message);
    }
    shown
}
