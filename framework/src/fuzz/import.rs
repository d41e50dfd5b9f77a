//! From what a fuzzer executed to a repro.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use super::input::Input;
use super::serve::Fuzzed;
use crate::campaign::{self, Imported, Subject};
use crate::exit;
use crate::scheduler::Planned;
use crate::settings::Settings;
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
    let (code, told) = match imported {
        Some(Imported::Saved(_)) => return Ok(exit::FINDING),
        Some(Imported::Known) => (exit::CLEAN, "what it finds is known"),
        Some(Imported::NotAgain) => (exit::INTERNAL, "what it found does not happen again"),
        None => (exit::CLEAN, "nothing found"),
    };
    println!("{shown}: {told}");
    Ok(code)
}

/// Executes an input and, where that finds something, settles that, saves its repro and prints it.
fn import(fuzzed: &Fuzzed<'_>, input: &Input, at: usize) -> Result<Option<Imported>, String> {
    let once = Once { fuzzed, input, at, done: Cell::new(false) };
    let (outcome, recording) = watch::run(fuzzed.setting(input, at), &Script::Served(&once))?;
    let Outcome::Found(finding) = outcome else { return Ok(None) };
    let repro = fuzzed.repro(input, at, &finding, &recording);
    campaign::import(&fuzzed.subjects[at], &fuzzed.settings, repro, &finding).map(Some)
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
