//! From what a fuzzer executed to a repro.

use std::cell::Cell;

use super::input::{Input, id_of, target_of};
use super::serve::Fuzzed;
use crate::campaign::{self, Imported, Subject};
use crate::scheduler::Planned;
use crate::settings::Settings;
use crate::worker::served::Service;
use crate::worker::watch::{self, Outcome};
use crate::worker::{Look, Script, Setting};

/// Whether bytes are an input for a target of this name.
pub(crate) fn is_for(bytes: &[u8], name: &str) -> bool {
    target_of(bytes) == Some(id_of(name))
}

/// Executes an input and, where that finds something, settles that, saves its repro and prints it. `None` where nothing
/// is found.
///
/// The error is a sentence.
pub(crate) fn import(
    bytes: &[u8],
    subject: Subject<'_>,
    settings: &Settings,
) -> Result<Option<Imported>, String> {
    let fuzzed = Fuzzed::new(settings.clone(), vec![subject]);
    let Some((input, at)) = fuzzed.read(bytes) else {
        return Err("these bytes are no input for this target".to_owned());
    };
    let setting = fuzzed.setting(&input, at);
    let once = Once { fuzzed: &fuzzed, input: &input, at, done: Cell::new(false) };
    let (outcome, recording) = watch::run(setting, &Script::Served(&once))?;
    let Outcome::Found(finding) = outcome else { return Ok(None) };
    let repro = fuzzed.repro(&input, at, &finding, &recording);
    campaign::import(&fuzzed.subjects[at], settings, repro, &finding).map(Some)
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
