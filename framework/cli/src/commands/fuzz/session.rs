//! Fuzzes one target: starts processes of libFuzzer, has what they find imported, and ends them in time.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use owo_colors::OwoColorize as _;
use serde_json::json;
use tokio::sync::{mpsc, watch};

use super::lines::is_artifact;
use super::plan::{Plan, count};
use super::worker::{End, State, Worker};
use crate::commands::check::print;
use crate::error::{Error, exit};
use crate::supervisor::{Asked, Event, INTERRUPTED, Progress, Signals, Stream, TICK, run_once};

/// How long a process may take to end that was asked to.
const GRACE: Duration = Duration::from_secs(10);
/// The number of the process that imports.
const IMPORT: usize = usize::MAX;

/// What has come of it.
#[derive(Debug, Default)]
pub struct Done {
    pub executions: u64,
    /// Features that inputs have shown, of the worker that knows most.
    pub features: u64,
    pub inputs: usize,
    pub findings: usize,
    /// Artifacts that came to nothing.
    pub left: usize,
    pub took: Duration,
    /// Whether the time ended before the executions that were asked for.
    pub late: bool,
    pub interrupted: bool,
    /// Whether somebody asked twice, so that nothing was waited for.
    pub killed: bool,
    /// What kept it from going on.
    pub error: Option<Error>,
}

/// A target that is being fuzzed.
pub struct Session<'a> {
    plan: &'a Plan,
    workers: Vec<Worker>,
    /// Artifacts that wait for their import.
    queue: VecDeque<PathBuf>,
    /// The one under way, what was printed of it, and how many repros there were before.
    importing: Option<(PathBuf, Vec<Vec<u8>>, usize)>,
    seen: BTreeSet<PathBuf>,
    events: (mpsc::UnboundedSender<Event>, mpsc::UnboundedReceiver<Event>),
    asked: watch::Sender<Asked>,
    asked_import: watch::Sender<Asked>,
    started: Instant,
    /// When the end was asked for.
    ending: Option<Instant>,
    progress: Progress,
    named: bool,
    done: Done,
}

impl<'a> Session<'a> {
    /// `watched` says whether there may be a progress line, `named` whether it says which target it is about.
    ///
    /// # Errors
    /// When folders or logs cannot be made.
    pub fn new(plan: &'a Plan, watched: bool, named: bool) -> Result<Self, Error> {
        plan.prepare()?;
        let worker = |number: usize| Worker::new(plan.log(&number.to_string()));
        Ok(Self {
            plan,
            workers: (0..plan.workers).map(worker).collect::<Result<_, _>>()?,
            queue: VecDeque::new(),
            importing: None,
            seen: BTreeSet::new(),
            events: mpsc::unbounded_channel(),
            asked: watch::channel(0).0,
            asked_import: watch::channel(0).0,
            started: Instant::now(),
            ending: None,
            progress: Progress::new(1, watched),
            named,
            done: Done::default(),
        })
    }

    /// Fuzzes until the budget ends, something is found, or somebody asks for the end.
    pub async fn run(mut self, signals: &mut Signals) -> Done {
        let mut tick = tokio::time::interval(TICK);
        while !self.advance() {
            tokio::select! {
                Some(event) = self.events.1.recv() => self.take(event),
                () = signals.recv() => self.interrupt(),
                _ = tick.tick() => self.tick(),
            }
        }
        self.progress.clear();
        self.conclude()
    }

    /// Starts what is to be started; whether all is done.
    fn advance(&mut self) -> bool {
        for number in 0..self.workers.len() {
            if self.workers[number].state == State::Waits && !self.is_awaited(number) {
                self.start(number);
            }
        }
        if self.importing.is_some() {
            return false;
        }
        if let Some(artifact) = self.queue.pop_front() {
            self.import(artifact);
            return false;
        }
        if self.workers.iter().any(|worker| worker.state != State::Ended) {
            return false;
        }
        // Of one that was killed nobody has told.
        let mut left: Vec<PathBuf> = artifacts(&self.plan.artifacts());
        left.retain(|path| !self.done.killed && self.seen.insert(path.clone()));
        self.queue.extend(left);
        match self.queue.pop_front() {
            Some(artifact) => self.import(artifact),
            None => return true,
        }
        false
    }

    /// Whether what a worker's last process wrote down is still to be imported: the next is to know it.
    fn is_awaited(&self, number: usize) -> bool {
        let importing = self.importing.iter().map(|(artifact, ..)| artifact);
        let awaited = self.workers[number].artifact.as_ref();
        importing.chain(&self.queue).any(|artifact| awaited == Some(artifact))
    }

    /// Starts a worker's next process, if there is something left for it to do.
    fn start(&mut self, number: usize) {
        let (count, plan) = (self.workers.len() as u64, self.plan);
        let worker = &mut self.workers[number];
        let share = |all: u64| all / count + u64::from((number as u64) < all % count);
        let left = plan.executions.map(|all| share(all).saturating_sub(worker.executions()));
        if self.ending.is_some() || left == Some(0) {
            worker.state = State::Ended;
            return;
        }
        let command = plan.worker(number, worker.starts, left);
        worker.starts += 1;
        worker.state = State::Runs;
        tokio::spawn(run_once(number, command, self.events.0.clone(), self.asked.subscribe()));
    }

    fn take(&mut self, event: Event) {
        match (event, &mut self.importing) {
            (Event::Line(IMPORT, Stream::Out, line), Some((_, printed, _))) => printed.push(line),
            (Event::Line(IMPORT, Stream::Err, line), _) => {
                self.progress.clear();
                anstream::eprint!("{}", String::from_utf8_lossy(&line));
            }
            (Event::Ended(IMPORT, code), _) => self.imported(code),
            (Event::Line(number, _, line), _) => {
                if let Some(worker) = self.workers.get_mut(number) {
                    worker.line(&line, self.plan);
                }
            }
            (Event::Ended(number, code), _) => self.ended(number, code.unwrap_or(Ok(0))),
            (Event::Progress(..), _) => {}
        }
    }

    /// A process of libFuzzer has ended.
    fn ended(&mut self, number: usize, code: Result<i32, Error>) {
        let (worker, seen) = (&mut self.workers[number], &self.seen);
        worker.state = State::Waits;
        match worker.ended(code, self.plan, |path| !seen.contains(path)) {
            End::Artifact(path) => {
                worker.artifact = Some(path.clone());
                if self.seen.insert(path.clone()) {
                    self.queue.push_back(path);
                }
            }
            End::Stuck(path) => {
                worker.state = State::Ended;
                self.progress.clear();
                let what = "each process that begins with the inputs that there are ends with it";
                warning(&format!("{what}: {}", path.display()));
            }
            End::Done => worker.state = State::Ended,
            End::Again => {}
            // One that was asked to end may end in any way.
            End::Broken(_) if self.ending.is_some() => {}
            End::Broken(error) => {
                self.done.error = Some(error);
                self.end();
            }
        }
    }

    /// Has the runner make a repro of an artifact.
    fn import(&mut self, artifact: PathBuf) {
        if self.done.killed {
            return;
        }
        let command = self.plan.import(&artifact);
        let (events, asked) = (self.events.0.clone(), self.asked_import.subscribe());
        tokio::spawn(run_once(IMPORT, command, events, asked));
        self.importing = Some((artifact, Vec::new(), self.plan.repros()));
    }

    /// That has ended.
    fn imported(&mut self, code: Option<Result<i32, Error>>) {
        let Some((artifact, printed, before)) = self.importing.take() else { return };
        let new = self.plan.repros().saturating_sub(before);
        self.progress.clear();
        if !matches!(code, Some(Ok(exit::FINDING))) {
            self.done.left += 1;
            return warn(&artifact, code);
        }
        let to = self.plan.imported().join(artifact.file_name().unwrap_or_default());
        if let Err(e) = fs::rename(&artifact, &to) {
            warning(&Error::write(&to, e).to_string());
        }
        if new > 0 {
            printed.iter().for_each(|line| print(line));
            self.done.findings += new;
            if !self.plan.keep_going {
                self.end();
            }
        }
    }

    fn tick(&mut self) {
        let (now, time) = (self.started.elapsed(), self.plan.time);
        if self.ending.is_none() && time.is_some_and(|time| now >= time) {
            self.done.late = self.plan.executions.is_some();
            self.end();
        }
        if self.ending.is_some_and(|since| since.elapsed() > GRACE) {
            self.asked.send_replace(2);
        }
        let told = self.told();
        self.progress.take(0, told);
        self.progress.show();
    }

    /// What the progress line is made of.
    fn told(&self) -> serde_json::Value {
        let millis = |time: Duration| time.as_millis() as u64;
        json!({
            "name": self.named.then_some(&self.plan.target),
            "executions": self.sum(Worker::executions),
            "rate": self.sum(Worker::rate),
            "features": self.features(),
            "inputs": self.workers.iter().map(|w| w.pulse.inputs).max(),
            "findings": self.done.findings,
            "goal": self.plan.executions,
            "wall_ms": millis(self.started.elapsed()),
            "time_ms": self.plan.time.map(millis),
        })
    }

    fn sum(&self, of: impl Fn(&Worker) -> u64) -> u64 {
        self.workers.iter().map(of).sum()
    }

    fn features(&self) -> u64 {
        self.workers.iter().map(|worker| worker.pulse.features).max().unwrap_or(0)
    }

    /// Has all processes end that execute inputs.
    fn end(&mut self) {
        self.ending.get_or_insert_with(Instant::now);
        self.asked.send_if_modified(|asked| std::mem::replace(asked, 1.max(*asked)) == 0);
    }

    /// Somebody asks for the end.
    fn interrupt(&mut self) {
        self.progress.clear();
        if !self.done.interrupted {
            anstream::eprintln!("{INTERRUPTED}");
            self.done.interrupted = true;
            return self.end();
        }
        self.done.killed = true;
        self.queue.clear();
        self.asked.send_replace(2);
        self.asked_import.send_replace(2);
    }

    fn conclude(self) -> Done {
        Done {
            executions: self.sum(Worker::executions),
            features: self.features(),
            inputs: count(&self.plan.inputs()),
            took: self.started.elapsed(),
            ..self.done
        }
    }
}

/// What libFuzzer has written down and nobody has moved away.
fn artifacts(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut all: Vec<PathBuf> =
        entries.map(|e| e.path()).filter(|path| is_artifact(path)).collect();
    all.sort();
    all
}

/// Says that an artifact came to nothing.
fn warn(artifact: &Path, code: Option<Result<i32, Error>>) {
    let what = match code {
        Some(Ok(exit::CLEAN)) => "nothing is found with it any more".to_owned(),
        Some(Ok(exit::INTERNAL)) => "what it found does not happen again".to_owned(),
        Some(Ok(code)) => format!("its import ended with code {code}"),
        Some(Err(error)) => error.to_string(),
        None => "its import was not let end".to_owned(),
    };
    warning(&format!("{} stays there: {what}", artifact.display()));
}

fn warning(what: &str) {
    anstream::eprintln!("{} {what}", "warning:".yellow().bold());
}
