//! One of the places in which processes of libFuzzer run, one after the other.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

use super::lines::{self, Line, Pulse};
use super::plan::Plan;
use crate::error::{Error, exit};

/// Processes in a row that may end without an input that is new.
const TRIES: u32 = 3;
/// Lines of a log that an error shows.
const LAST: usize = 12;

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It waits for what was found to be imported, so that its next process knows that.
    Waits,
    Runs,
    Ended,
}

/// What the end of a process means.
#[derive(Debug)]
pub enum End {
    /// It wrote this down.
    Artifact(PathBuf),
    /// Its executions are done.
    Done,
    /// Another may do better.
    Again,
    /// It wrote this down, once more: it is among the inputs that each process begins with.
    Stuck(PathBuf),
    /// Nothing will come of it.
    Broken(Error),
}

/// A worker.
#[derive(Debug)]
pub struct Worker {
    pub state: State,
    /// What its last process wrote down.
    pub artifact: Option<PathBuf>,
    pub pulse: Pulse,
    /// Processes that were started.
    pub starts: u64,
    /// Executions of processes that have ended.
    before: u64,
    path: PathBuf,
    log: Option<File>,
    reported: Option<PathBuf>,
    in_vain: u32,
}

impl Worker {
    /// One that is to begin.
    ///
    /// # Errors
    /// When its log cannot be written.
    pub fn new(path: PathBuf) -> Result<Self, Error> {
        let log = File::create(&path).map_err(|e| Error::write(&path, e))?;
        Ok(Self {
            state: State::Waits,
            artifact: None,
            pulse: Pulse::default(),
            starts: 0,
            before: 0,
            path,
            log: Some(log),
            reported: None,
            in_vain: 0,
        })
    }

    /// Executions of all its processes.
    pub fn executions(&self) -> u64 {
        self.before + self.pulse.executions
    }

    /// Executions a second.
    pub fn rate(&self) -> u64 {
        if self.state == State::Runs { self.pulse.rate } else { 0 }
    }

    /// Its process has printed this.
    pub fn line(&mut self, line: &[u8], plan: &Plan) {
        if self.log.as_mut().is_some_and(|log| log.write_all(line).is_err()) {
            // A full disk keeps it from nothing else.
            self.log = None;
        }
        match lines::parse(&String::from_utf8_lossy(line)) {
            Some(Line::Pulse(pulse)) => {
                // It tells of no features before it has read its inputs.
                let features = pulse.features.max(self.pulse.features);
                self.pulse = Pulse { features, ..pulse };
            }
            Some(Line::Executed(executions)) => self.pulse.executions = executions,
            // Who else prints this is not to have us read or move any other file.
            Some(Line::Artifact(path)) if path.parent() == Some(&plan.artifacts()) => {
                self.reported = Some(path);
            }
            Some(Line::Artifact(_)) | None => {}
        }
    }

    /// Its process has ended with this code, or minus the number of a signal. `is_new` says of an artifact whether it
    /// was not there before.
    pub fn ended(
        &mut self,
        code: Result<i32, Error>,
        plan: &Plan,
        is_new: impl Fn(&PathBuf) -> bool,
    ) -> End {
        self.before += std::mem::take(&mut self.pulse.executions);
        let reported = self.reported.take();
        self.in_vain = if reported.as_ref().is_some_and(is_new) { 0 } else { self.in_vain + 1 };
        let spent = self.in_vain >= TRIES;
        match (code, reported) {
            (Err(error), _) => End::Broken(error),
            (Ok(_), Some(path)) => {
                if spent {
                    End::Stuck(path)
                } else {
                    End::Artifact(path)
                }
            }
            (Ok(exit::CLEAN), None) => End::Done,
            (Ok(code), None) if spent => {
                let how = format!(
                    "ended {TRIES} times in a row without an input, at last {}",
                    ending(code)
                );
                End::Broken(self.broken(how, exit::INTERNAL, plan))
            }
            (Ok(code @ (exit::USAGE..=exit::ADAPTER | exit::INTERNAL)), None) => {
                End::Broken(self.broken(format!("ended {}", ending(code)), code, plan))
            }
            (Ok(_), None) => End::Again,
        }
    }

    fn broken(&self, how: String, code: i32, plan: &Plan) -> Error {
        let text = fs::read(&self.path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let mut last: Vec<String> =
            text.lines().rev().take(LAST).map(|l| format!("  {l}")).collect();
        last.reverse();
        let (log, last) = (self.path.clone(), last.join("\n"));
        Error::Fuzzer { bin: plan.bin.clone(), how, code, log, last }
    }
}

/// `with code 1`, `by signal 9`.
fn ending(code: i32) -> String {
    if code < 0 { format!("by signal {}", -code) } else { format!("with code {code}") }
}
