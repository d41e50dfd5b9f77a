//! The parent's side of a worker: how it ended, and what that means.

use std::time::{Duration, Instant};

use mapcheck_machine::{Exit, Worker};

use super::recording::State;
use super::{Batch, Code, Recording, Script, Setting, start};
use crate::oracle::{Class, race};
use crate::report::{self, Finding};
use crate::repro::Repro;
use crate::scenario::Scenario;

/// Wall time without progress after which a worker that hardly computes is taken for hung, whatever it waits for.
const HUNG: Duration = Duration::from_secs(30);
/// CPU time after which one that computes is. By CPU time, so that it is no matter of what else the machine does: the
/// longest executions, of millions of steps of which each is looked at, take some ten seconds.
const ENDLESS: Duration = Duration::from_secs(180);
/// The part of the wall time that one who waits does not use.
const COMPUTES: u32 = 50;
/// Times that the same work may be killed from outside before that counts as what the work does.
pub(crate) const KILLS: u32 = 5;

/// How a worker ended.
#[derive(Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each worker, and most are looked at once"
)]
pub(crate) enum Outcome {
    /// It has done what it was asked to do.
    Finished,
    /// It could not go on after an execution in which nothing was found.
    Spent,
    /// Something was found.
    Found(Finding),
    /// Somebody else killed it: what it did not tell is not known.
    Killed,
}

/// Tells a worker that hangs from one that works.
pub(crate) struct Stall {
    /// Executions when there was last one more, when that was, and the CPU time used until then.
    seen: (u64, Instant, Duration),
}

impl Stall {
    pub(crate) fn new() -> Stall {
        Stall { seen: (0, Instant::now(), Duration::ZERO) }
    }

    /// How it hangs, if there has been no execution more for too long while it was not idle: in words, what the process
    /// did. Its CPU time is what it has used so far.
    pub(crate) fn hangs(&mut self, done: u64, idle: bool, cpu: Duration) -> Option<&'static str> {
        if idle || self.seen.0 != done {
            self.seen = (done, Instant::now(), cpu);
        }
        how_it_hangs(self.seen.1.elapsed(), cpu.saturating_sub(self.seen.2))
    }
}

/// As [`Stall::hangs`], of the wall time and the CPU time since the last execution.
fn how_it_hangs(wall: Duration, cpu: Duration) -> Option<&'static str> {
    if cpu > ENDLESS {
        return Some("the process computed for 180 s within one execution");
    }
    (wall > HUNG && cpu < wall / COMPUTES).then_some("the process made no progress for 30 s")
}

/// How long one who waits for workers sleeps between two looks at them: short at first, so that what takes a moment is
/// not waited for longer, and longer the longer nothing happens, so that looking costs nothing beside what is waited
/// for.
pub(crate) struct Patience(Duration);

impl Patience {
    const SHORTEST: Duration = Duration::from_micros(100);
    const LONGEST: Duration = Duration::from_millis(5);

    pub(crate) fn new() -> Patience {
        Patience(Patience::SHORTEST)
    }

    /// Something has happened.
    pub(crate) fn renew(&mut self) {
        *self = Patience::new();
    }

    pub(crate) fn sleep(&mut self) {
        std::thread::sleep(self.0);
        self.0 = (self.0 * 5 / 4).min(Patience::LONGEST);
    }
}

/// A worker under watch.
pub(crate) struct Watched {
    worker: Worker,
    pub recording: Recording,
    stall: Stall,
}

impl Watched {
    pub(crate) fn start(setting: Setting<'_>, script: &Script<'_>) -> Result<Watched, String> {
        let recording = Recording::new()?;
        let worker = start(setting, script, &recording)?;
        Ok(Watched { worker, recording, stall: Stall::new() })
    }

    /// How it ended; `None` while it runs.
    ///
    /// The error is a sentence about mapcheck's own failure.
    pub(crate) fn poll(&mut self, scenario: &Scenario) -> Result<Option<Outcome>, String> {
        if let Some(exit) = self.worker.poll() {
            return outcome(&self.recording, exit, scenario).map(Some);
        }
        let executions = self.recording.totals().executions;
        if let Some(how) = self.stall.hangs(executions, false, self.worker.cpu_time()) {
            self.worker.kill();
            return Ok(Some(Outcome::Found(hung(how, scenario))));
        }
        Ok(None)
    }
}

/// What the end of a worker means.
///
/// The error is a sentence about mapcheck's own failure.
pub(crate) fn outcome(
    recording: &Recording,
    exit: Exit,
    scenario: &Scenario,
) -> Result<Outcome, String> {
    match (exit, recording.state()) {
        (Exit::Code(0), State::Finished) => Ok(Outcome::Finished),
        (Exit::Code(0), State::Spent) => Ok(Outcome::Spent),
        // What it told counts, however it ended after that.
        (_, State::Found) => recording.finding().map(Outcome::Found),
        (exit, _) if exit.from_outside() => Ok(Outcome::Killed),
        (_, State::Broken) => Err(format!("a worker failed: {}", recording.text())),
        (exit, _) => {
            let how = match exit {
                Exit::Code(n) => format!("the process exited with code {n} in mid-execution"),
                Exit::Signal(n) => format!("the process was killed by signal {n}"),
            };
            Ok(Outcome::Found(report::died(&how, scenario)))
        }
    }
}

/// What is told of a worker that hangs.
pub(crate) fn hung(how: &str, scenario: &Scenario) -> Finding {
    let finding = report::died(how, scenario);
    Finding { class: Class::Livelock, ..finding }
}

/// What is told of work whose worker is killed from outside each time.
pub(crate) fn killed(scenario: &Scenario) -> Finding {
    report::died("the process was killed by signal 9", scenario)
}

/// Starts a worker and waits for its end; where somebody else kills it, another.
pub(crate) fn run(
    setting: Setting<'_>,
    script: &Script<'_>,
) -> Result<(Outcome, Recording), String> {
    for _ in 1..KILLS {
        match run_once(setting, script)? {
            (Outcome::Killed, _) => {}
            ended => return Ok(ended),
        }
    }
    let (outcome, recording) = run_once(setting, script)?;
    let outcome = match outcome {
        Outcome::Killed => Outcome::Found(killed(setting.scenario)),
        other => other,
    };
    Ok((outcome, recording))
}

fn run_once(setting: Setting<'_>, script: &Script<'_>) -> Result<(Outcome, Recording), String> {
    let mut watched = Watched::start(setting, script)?;
    let mut patience = Patience::new();
    loop {
        if let Some(outcome) = watched.poll(setting.scenario)? {
            return Ok((outcome, watched.recording));
        }
        patience.sleep();
    }
}

/// Runs one batch in a worker, and waits for its end.
pub(crate) fn run_batch(
    setting: Setting<'_>,
    batch: &Batch,
) -> Result<(Outcome, Recording), String> {
    run(setting, &Script::Batches(&[(setting, batch)]))
}

/// Runs a repro in a fresh process and returns what it finds. A data race that is accepted counts as none; its earlier
/// access is told with its stack where `record` asks for the whole story.
pub(crate) fn replay(
    code: Code<'_>,
    repro: &Repro,
    record: bool,
) -> Result<Option<Finding>, String> {
    let mut setting = Setting::of(code, repro);
    loop {
        let found = replay_once(setting, repro, record)?;
        let Some(race) = found.as_ref().and_then(|f| f.race.as_ref()).filter(|_| record) else {
            return Ok(found);
        };
        // The step is known now, so a second time the stack is too.
        setting.stack_at = Some(race.earlier_step);
        let found = replay_once(setting, repro, record)?;
        match found.as_ref().and_then(|f| f.race.as_ref()) {
            Some(race) if race.is_accepted(code.accepts) => race::accept(race.pair),
            _ => return Ok(found),
        }
    }
}

/// Runs a repro in a fresh process that prints the log of it. What it finds is not told.
pub(crate) fn print_log(code: Code<'_>, repro: &Repro) -> Result<(), String> {
    let setting = Setting { log: true, ..Setting::of(code, repro) };
    replay_once(setting, repro, true).map(drop)
}

fn replay_once(
    setting: Setting<'_>,
    repro: &Repro,
    record: bool,
) -> Result<Option<Finding>, String> {
    let outcome = match &repro.history {
        None => run(setting, &Script::Replay(&repro.decisions, record))?.0,
        Some(history) => run_batch(setting, &Batch::of(history, record))?.0,
    };
    Ok(match outcome {
        Outcome::Found(finding) => Some(finding),
        Outcome::Finished | Outcome::Spent | Outcome::Killed => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_waits_hangs_by_the_clock_and_one_who_computes_by_what_it_has_used() {
        let hangs = |wall, cpu| how_it_hangs(Duration::from_secs(wall), Duration::from_secs(cpu));
        assert_eq!(hangs(29, 0), None);
        assert!(hangs(31, 0).unwrap().contains("no progress"));
        // A machine that is busy gives it a tenth of its time.
        assert_eq!(hangs(600, 60), None);
        assert!(hangs(1_800, 181).unwrap().contains("computed"));
    }
}
