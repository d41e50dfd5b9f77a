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

#[cfg(test)]
mod tests {
    use super::super::plan::tests::plan;
    use super::*;

    /// A worker with a log of this test alone, and its plan.
    fn worker(name: &str) -> (Worker, Plan) {
        let folder = std::env::temp_dir().join(format!("mapcheck-{name}-{}", std::process::id()));
        let plan = plan(&folder);
        plan.prepare().unwrap();
        (Worker::new(plan.log("0")).unwrap(), plan)
    }

    fn says(worker: &mut Worker, plan: &Plan, what: &str) {
        worker.line(format!("{what}\n").as_bytes(), plan);
    }

    #[test]
    fn a_process_that_dies_without_an_input_again_and_again_is_not_started_for_ever() {
        let (mut worker, plan) = worker("in-vain");
        says(&mut worker, &plan, "the reason");
        for _ in 1..TRIES {
            assert!(matches!(worker.ended(Ok(-9), &plan, |_| true), End::Again));
        }
        let End::Broken(error) = worker.ended(Ok(-9), &plan, |_| true) else { panic!("once more") };
        let said = error.to_string();
        assert!(said.contains("3 times in a row without an input, at last by signal 9"), "{said}");
        assert!(said.ends_with("ends with:\n  the reason"), "{said}");
        fs::remove_dir_all(&plan.folder).unwrap();
    }

    #[test]
    fn a_process_that_says_what_is_wrong_is_not_started_again() {
        let (mut worker, plan) = worker("refused");
        for code in [exit::USAGE, exit::ADAPTER, exit::INTERNAL] {
            let End::Broken(error) = worker.ended(Ok(code), &plan, |_| true) else {
                panic!("code {code}")
            };
            assert_eq!(error.code(), code);
            worker.in_vain = 0;
        }
        assert!(matches!(worker.ended(Ok(exit::CLEAN), &plan, |_| true), End::Done));
        fs::remove_dir_all(&plan.folder).unwrap();
    }

    #[test]
    fn an_input_that_ends_each_process_is_given_up() {
        let (mut worker, plan) = worker("stuck");
        let path = plan.artifacts().join("crash-1f");
        let line = format!("Test unit written to {}", path.display());
        for (is_new, is_stuck) in [(true, false), (false, false), (false, false), (false, true)] {
            says(&mut worker, &plan, &line);
            let end = worker.ended(Ok(77), &plan, |told| is_new && told == &path);
            assert_eq!(matches!(end, End::Stuck(_)), is_stuck, "{end:?}");
            assert_eq!(matches!(end, End::Artifact(_)), !is_stuck, "{end:?}");
        }
        fs::remove_dir_all(&plan.folder).unwrap();
    }

    #[test]
    fn files_elsewhere_are_no_artifacts_whoever_names_them() {
        let (mut worker, plan) = worker("elsewhere");
        says(&mut worker, &plan, "Test unit written to /etc/crash-1f");
        assert!(matches!(worker.ended(Ok(77), &plan, |_| true), End::Again));
        fs::remove_dir_all(&plan.folder).unwrap();
    }

    #[test]
    fn executions_of_all_processes_count() {
        let (mut worker, plan) = worker("counts");
        worker.state = State::Runs;
        says(&mut worker, &plan, "#64\tpulse  ft: 7 corp: 2/9b exec/s: 32 rss: 9Mb");
        assert_eq!((worker.executions(), worker.rate()), (64, 32));
        says(&mut worker, &plan, "stat::number_of_executed_units: 70");
        worker.ended(Ok(77), &plan, |_| true);
        says(&mut worker, &plan, "#2\tINITED exec/s: 0 rss: 9Mb");
        assert_eq!((worker.executions(), worker.pulse.features), (72, 7));
        fs::remove_dir_all(&plan.folder).unwrap();
    }
}
