//! One runner process, and those that take its place.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};

use super::relay::Stream;
use super::{Asked, Event, Task};
use crate::error::{Error, exit};

/// Times that a runner is started anew, in a row, although its journal has not grown.
const TRIES: u32 = 3;
/// What a line of JSON on stderr begins with that tells of the progress.
const MARK: u8 = 0x1e;
/// How long a runner's output is waited for when it has ended: what it started may keep it open.
const DRAIN: Duration = Duration::from_secs(1);

type Events = mpsc::UnboundedSender<Event>;

/// Runs a task to its end, in as many processes as that takes, and tells of it.
pub(super) async fn supervise(
    number: usize,
    task: Task,
    events: Events,
    mut asked: watch::Receiver<Asked>,
) {
    let Task { command, runner, journals } = task;
    let program = command.get_program().to_string_lossy().into_owned();
    let mut command = prepared(command);
    let mut restarts = Restarts::default();
    let code = loop {
        match once(number, &mut command, &events, &mut asked).await {
            Err(e) => break Some(Err(Error::start(program, e))),
            Ok(status) => match status.code() {
                Some(code @ (0..=4 | exit::INTERNAL)) => break Some(Ok(code)),
                _ if *asked.borrow() > 1 => break None,
                _ if *asked.borrow() == 0 && restarts.allow(journals.as_deref()) => {
                    let what = format!(
                        "warning: runner `{runner}` ended with {status}; it goes on from its journal\n"
                    );
                    // Nobody listens only when this process ends.
                    let _ = events.send(Event::Line(number, Stream::Err, what.into_bytes()));
                    command.env("MAPCHECK_JOURNAL", "restart");
                }
                _ => {
                    break Some(Err(Error::Runner { runner, how: format!("ended with {status}") }));
                }
            },
        }
    };
    let _ = events.send(Event::Ended(number, code));
}

/// Runs one process to its end, and tells of it: what is not let end tells what ended it.
pub async fn run_once(
    number: usize,
    command: std::process::Command,
    events: Events,
    mut asked: watch::Receiver<Asked>,
) {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = once(number, &mut prepared(command), &events, &mut asked).await;
    let code = match status {
        Ok(status) => Ok(status.code().or(status.signal().map(|n| -n)).unwrap_or(exit::INTERNAL)),
        Err(e) => Err(Error::start(program, e)),
    };
    // Nobody listens only when this process ends.
    let _ = events.send(Event::Ended(number, Some(code)));
}

/// A command that ends with this process, and whose output comes here.
fn prepared(command: std::process::Command) -> Command {
    let mut command = Command::from(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // In a group of its own, so that a terminal asks this process alone to stop, and not both.
    command.process_group(0).kill_on_drop(true);
    command.env("MAPCHECK_SUPERVISOR", std::process::id().to_string());
    command
}

/// Runs one process to its end.
async fn once(
    number: usize,
    command: &mut Command,
    events: &Events,
    asked: &mut watch::Receiver<Asked>,
) -> io::Result<ExitStatus> {
    let mut child = command.spawn()?;
    let pipes = (child.stdout.take(), child.stderr.take());
    let out = tokio::spawn(relay(number, Stream::Out, pipes.0, events.clone()));
    let err = tokio::spawn(relay(number, Stream::Err, pipes.1, events.clone()));
    // Who asked before this process was there asks it, too.
    let before = *asked.borrow_and_update();
    if before > 0 {
        send(&child, before);
    }
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            Ok(()) = asked.changed() => send(&child, *asked.borrow_and_update()),
        }
    };
    let drained = async {
        let _ = tokio::join!(out, err);
    };
    let _ = tokio::time::timeout(DRAIN, drained).await;
    Ok(status)
}

/// Asks a process to stop, or ends it.
fn send(child: &Child, asked: Asked) {
    let signal = if asked == 1 { Signal::TERM } else { Signal::KILL };
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id as i32)) {
        // One that has ended needs no signal.
        let _ = kill_process(pid, signal);
    }
}

/// Hands on what a process prints, line by line.
async fn relay<R: AsyncRead + Unpin>(number: usize, stream: Stream, pipe: Option<R>, to: Events) {
    let Some(pipe) = pipe else { return };
    let mut pipe = BufReader::new(pipe);
    loop {
        let mut line = Vec::new();
        if !matches!(pipe.read_until(b'\n', &mut line).await, Ok(1..)) {
            return;
        }
        let event = match line.split_first() {
            Some((&MARK, json)) => match serde_json::from_slice(json) {
                Ok(value) => Event::Progress(number, value),
                Err(_) => continue,
            },
            _ => Event::Line(number, stream, line),
        };
        if to.send(event).is_err() {
            return;
        }
    }
}

/// Whether a runner that was killed is started anew: as long as each of its processes gets further.
#[derive(Default)]
struct Restarts {
    in_vain: u32,
    size: u64,
}

impl Restarts {
    fn allow(&mut self, journals: Option<&Path>) -> bool {
        let Some(folder) = journals else { return false };
        let size = size(folder);
        self.in_vain = if size > self.size { 0 } else { self.in_vain + 1 };
        self.size = self.size.max(size);
        self.in_vain < TRIES
    }
}

/// The bytes of the journals in a folder.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let journals = entries.filter(|e| e.file_name().to_string_lossy().ends_with(".jsonl"));
    journals.filter_map(|e| e.metadata().ok()).map(|m| m.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_is_started_anew_while_its_journal_grows_and_not_for_ever() {
        let dir = std::env::temp_dir().join(format!("mapcheck-restarts-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let mut restarts = Restarts::default();
        assert!(!restarts.allow(None), "without a journal it would begin anew");
        for lines in 1..10 {
            std::fs::write(dir.join("journal-0.jsonl"), "line\n".repeat(lines)).unwrap();
            assert!(restarts.allow(Some(&dir)));
        }
        assert!(restarts.allow(Some(&dir)) && restarts.allow(Some(&dir)));
        assert!(!restarts.allow(Some(&dir)));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
