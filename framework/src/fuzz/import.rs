//! From what a fuzzer executed to a repro.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use super::input::{Input, id_of, target_of};
use super::serve::Fuzzed;
use crate::campaign::{self, Imported, Subject};
use crate::exit;
use crate::report::Object;
use crate::scheduler::Planned;
use crate::settings::{Format, Settings};
use crate::worker::served::Service;
use crate::worker::watch::{self, Outcome};
use crate::worker::{Look, Script, Setting};

/// Imports a file, and returns the exit code.
///
/// The error is an exit code and a sentence.
pub(crate) fn file(
    path: &Path,
    subjects: Vec<Subject<'_>>,
    settings: &Settings,
) -> Result<u8, (u8, String)> {
    let shown = path.display();
    let bytes = fs::read(path).map_err(|e| (exit::USAGE, format!("{shown}: {e}")))?;
    let fuzzed = Fuzzed::new(settings.clone(), subjects);
    let Some((input, at)) = fuzzed.read(&bytes) else {
        let what = format!("{shown} is no input of a fuzzer for a target that is here");
        return Err((exit::USAGE, what));
    };
    let imported = import(&fuzzed, &input, at).map_err(|what| (exit::INTERNAL, what))?;
    let (outcome, told, code) = match imported {
        Import::Found(Imported::Saved(_)) => return Ok(exit::FINDING),
        Import::Found(Imported::Known) => ("known", "what it finds is known", exit::FINDING),
        Import::Found(Imported::NotAgain) => {
            ("not-again", "what it found does not happen again", exit::INTERNAL)
        }
        Import::Nothing => ("nothing", "nothing found", exit::CLEAN),
        Import::Unreasonable => ("too-much", "it asks for too much work", exit::CLEAN),
    };
    let line = Object::of_type("input").text("file", &shown.to_string());
    match settings.format {
        Format::Json => {
            let line = line.text("target", &fuzzed.subjects[at].target).text("outcome", outcome);
            outln!("{}", line.line());
        }
        Format::Text => outln!("{shown}: {told}"),
    }
    Ok(code)
}

/// Prints a line of JSON for each file that is an input for one of these targets; returns the exit code.
///
/// The error is a sentence about a file that cannot be read.
pub(crate) fn whose(paths: &[PathBuf], names: &[&str]) -> Result<u8, String> {
    for path in paths {
        let bytes = fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        if let Some(target) = names.iter().find(|name| is_for(&bytes, name)) {
            let line = Object::of_type("input").text("file", &path.display().to_string());
            outln!("{}", line.text("target", target).line());
        }
    }
    Ok(exit::CLEAN)
}

/// Whether bytes are an input for a target of this name.
pub(crate) fn is_for(bytes: &[u8], name: &str) -> bool {
    target_of(bytes) == Some(id_of(name))
}

/// What became of an input.
#[derive(Debug, PartialEq, Eq)]
enum Import {
    /// Something is found with it.
    Found(Imported),
    /// Nothing is.
    Nothing,
    /// It asks for more work than fuzzers execute: what it would come to is no finding.
    Unreasonable,
}

/// Executes an input and, where that finds something, settles that, saves its repro and prints it.
fn import(fuzzed: &Fuzzed<'_>, input: &Input, at: usize) -> Result<Import, String> {
    if !fuzzed.is_executed(input, at) {
        return Ok(Import::Unreasonable);
    }
    let once = Once { fuzzed, input, at, done: Cell::new(false) };
    let (outcome, recording) = watch::run(fuzzed.setting(input, at), &Script::Served(&once))?;
    let Outcome::Found(finding) = outcome else { return Ok(Import::Nothing) };
    let repro = fuzzed.repro(input, at, &finding, &recording);
    campaign::import(&fuzzed.subjects[at], &fuzzed.settings, repro, &finding).map(Import::Found)
}

/// Executes one input.
struct Once<'a> {
    fuzzed: &'a Fuzzed<'a>,
    input: &'a Input,
    at: usize,
    done: Cell<bool>,
}

impl Service for Once<'_> {
    fn next(&self, execute: &mut dyn FnMut(Setting<'_>, Planned, Look) -> bool) -> bool {
        if self.done.replace(true) {
            return false;
        }
        execute(self.fuzzed.setting(self.input, self.at), self.input.plan(false), Look::Nothing);
        true
    }
}
