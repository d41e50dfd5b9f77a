//! Runs runner processes, several at a time: relays what they print, shows how far they have come, hands signals on,
//! and starts a runner anew that was killed.

mod process;
mod progress;
mod relay;
mod signals;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, watch};

use crate::error::Error;
use relay::Relay;

pub use process::run_once;
pub use progress::Progress;
pub use relay::Stream;
pub use signals::Signals;

/// What is said when somebody asks for the end.
pub const INTERRUPTED: &str =
    "interrupted: what was found is being saved; once more ends it at once";
/// How often the progress line changes.
pub const TICK: Duration = Duration::from_millis(250);

/// A runner process to be.
#[derive(Debug)]
pub struct Task {
    /// What starts it.
    pub command: Command,
    /// The runner's package.
    pub runner: String,
    /// Where its journals are, if it keeps any: then it may be started anew.
    pub journals: Option<PathBuf>,
}

/// How the tasks ended.
#[derive(Debug, Default)]
pub struct Report {
    /// The exit code of each; `None` for one that was not started, or not let end.
    pub codes: Vec<Option<Result<i32, Error>>>,
    /// Whether somebody asked for the end before it came.
    pub interrupted: bool,
    /// Whether they asked twice, so that the runners were killed.
    pub killed: bool,
}

/// What a task tells, by its number.
#[derive(Debug)]
pub enum Event {
    /// It printed a line.
    Line(usize, Stream, Vec<u8>),
    /// It says how far it has come.
    Progress(usize, Value),
    /// It ended, with this code.
    /// `None` if it was not let end.
    Ended(usize, Option<Result<i32, Error>>),
}

/// How to end: 0 not yet, 1 with what there is saved, 2 at once.
pub type Asked = u8;

/// Runs the tasks, so many at a time. What they print comes out as if they ran one after the other; lines of stdout go
/// to `on_line`, with their line feed. `watched` says whether there may be a progress line.
///
/// # Errors
/// When the system has no means for that.
pub fn run(
    tasks: Vec<Task>,
    at_once: usize,
    watched: bool,
    on_line: &mut dyn FnMut(&[u8]),
) -> Result<Report, Error> {
    block_on(async |signals| Supervisor::new(tasks, watched, on_line).run(at_once, signals).await)
}

/// Runs one task, with a line that says what it does if that takes longer than a second and somebody watches.
///
/// # Errors
/// As for [`run`].
pub fn run_one(
    task: Task,
    what: &str,
    watched: bool,
    on_line: &mut dyn FnMut(&[u8]),
) -> Result<Report, Error> {
    block_on(async |signals| {
        let mut supervisor = Supervisor::new(vec![task], watched, on_line);
        supervisor.progress = Progress::new(1, watched).of(what);
        supervisor.run(1, signals).await
    })
}

/// Runs to its end what heeds signals.
///
/// # Errors
/// When the system has no means for that.
pub fn block_on<T>(what: impl AsyncFnOnce(&mut Signals) -> T) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::start("the supervisor", e))?;
    runtime.block_on(async { Ok(what(&mut Signals::new()?).await) })
}

/// The progress line when the runners have told these, each the next one's.
pub fn progress_line(told: &[Value]) -> String {
    let mut progress = Progress::new(told.len(), true);
    told.iter().enumerate().for_each(|(number, value)| progress.take(number, value.clone()));
    progress.at_rate(0.1).line()
}

struct Supervisor<'a> {
    /// Those that are not started yet, the last one first.
    waiting: Vec<(usize, Task)>,
    under_way: usize,
    relay: Relay<'a>,
    progress: Progress,
    events: (mpsc::UnboundedSender<Event>, mpsc::UnboundedReceiver<Event>),
    asked: watch::Sender<Asked>,
    report: Report,
}

impl<'a> Supervisor<'a> {
    fn new(tasks: Vec<Task>, watched: bool, on_line: &'a mut dyn FnMut(&[u8])) -> Self {
        let count = tasks.len();
        Self {
            waiting: tasks.into_iter().enumerate().rev().collect(),
            under_way: 0,
            relay: Relay::new(count, on_line),
            progress: Progress::new(count, watched),
            events: mpsc::unbounded_channel(),
            asked: watch::channel(0).0,
            report: Report { codes: (0..count).map(|_| None).collect(), ..Report::default() },
        }
    }

    async fn run(mut self, at_once: usize, signals: &mut Signals) -> Report {
        let mut tick = tokio::time::interval(TICK);
        loop {
            self.start(at_once);
            if self.under_way == 0 {
                self.progress.clear();
                return self.report;
            }
            tokio::select! {
                Some(event) = self.events.1.recv() => self.take(event),
                () = signals.recv() => self.stop(),
                _ = tick.tick() => self.progress.show(),
            }
        }
    }

    /// Starts tasks while there are some and nobody has asked for the end.
    fn start(&mut self, at_once: usize) {
        while self.under_way < at_once.max(1) && *self.asked.borrow() == 0 {
            let Some((number, mut task)) = self.waiting.pop() else { return };
            if self.progress.is_shown() {
                task.command.env("MAPCHECK_PROGRESS", "1");
            }
            let (events, asked) = (self.events.0.clone(), self.asked.subscribe());
            tokio::spawn(process::supervise(number, task, events, asked));
            self.under_way += 1;
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Line(number, stream, line) => {
                self.progress.clear();
                if stream == Stream::Out {
                    self.progress.printed();
                }
                self.relay.line(number, stream, line);
            }
            Event::Progress(number, value) => self.progress.take(number, value),
            Event::Ended(number, code) => {
                self.progress.clear();
                self.relay.ended(number);
                self.progress.ended(number);
                self.report.codes[number] = code;
                self.under_way -= 1;
            }
        }
    }

    /// Somebody asks for the end.
    fn stop(&mut self) {
        self.progress.clear();
        self.report.killed = self.report.interrupted;
        if !self.report.interrupted {
            anstream::eprintln!("{INTERRUPTED}");
        }
        self.report.interrupted = true;
        self.asked.send_modify(|asked| *asked += 1);
    }
}
