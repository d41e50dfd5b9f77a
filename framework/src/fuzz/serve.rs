//! The process that executes inputs, and the one that watches it: libFuzzer's own has threads and cannot fork.

use std::time::Duration;

use mapcheck_machine::{ChoiceKind, Worker};

use super::INTERLEAVINGS;
use super::input::{Input, id_of, target_of};
use super::mutate::Kind;
use crate::campaign::{self, Seen, Subject};
use crate::report::Finding;
use crate::repro::{self, Repro};
use crate::scenario::Scenario;
use crate::scheduler::{Planned, splitmix};
use crate::settings::Settings;
use crate::worker::served::Service;
use crate::worker::watch::{self, KILLS, Outcome, Stall};
use crate::worker::{At, Look, Recording, Script, Setting, State, sees_races, start};

/// How often the watching process looks.
const LOOK: Duration = Duration::from_micros(500);
/// And while nothing is to be done.
const IDLE: Duration = Duration::from_millis(5);

/// What is fuzzed, and how.
pub(super) struct Fuzzed<'a> {
    pub settings: Settings,
    pub subjects: Vec<Subject<'a>>,
    kinds: Vec<Kind>,
    look: Look,
}

impl<'s> Fuzzed<'s> {
    pub(super) fn new(settings: Settings, subjects: Vec<Subject<'s>>) -> Fuzzed<'s> {
        let off = std::env::var(INTERLEAVINGS).is_ok_and(|value| value == "0");
        let look = if off { Look::Branches } else { Look::Everything };
        let kinds = subjects.iter().map(|subject| kind_of(subject, &settings)).collect();
        Fuzzed { settings, subjects, kinds, look }
    }

    /// What an input says, and for which subject it is.
    pub(super) fn read(&self, bytes: &[u8]) -> Option<(Input, usize)> {
        let target = target_of(bytes)?;
        let at = self.kinds.iter().position(|kind| kind.id == target)?;
        Some((self.kinds[at].legal(Input::decode(bytes).ok()?), at))
    }

    /// The same of an input with a byte before it.
    fn read_request(&self, request: &[u8]) -> Option<(Input, usize)> {
        self.read(request.get(1..)?)
    }

    /// Whether an input is executed: not if it asks for too much work. A closure's work is its own.
    pub(super) fn is_executed(&self, input: &Input, at: usize) -> bool {
        input.is_reasonable() || self.subjects[at].shapes.is_none()
    }

    /// What the execution of an input is a function of, besides its decisions.
    pub(super) fn setting<'a>(&'a self, input: &'a Input, at: usize) -> Setting<'a> {
        let (settings, subject) = (&self.settings, &self.subjects[at]);
        Setting {
            code: subject.code(),
            scenario: &input.scenario,
            faults: &settings.faults,
            mutant: subject.mutant,
            random: splitmix(input.random.into()),
            max_steps: settings.max_steps,
            races: u64::from(subject.races && sees_races() && self.judges_races(input)),
            judging: true,
            leaks: settings.leaks,
            stack_at: None,
            log: false,
            patience: settings.patience,
        }
    }

    /// A share of the inputs is judged for data races; which ones depends on them alone.
    fn judges_races(&self, input: &Input) -> bool {
        let random = splitmix(repro::hash_bytes(&input.encode()));
        self.settings.races > 0 && random.is_multiple_of(self.settings.races)
    }

    /// The repro of what the execution of an input has found.
    pub(super) fn repro(
        &self,
        input: &Input,
        at: usize,
        finding: &Finding,
        recording: &Recording,
    ) -> Repro {
        let seen = Seen {
            class: finding.class,
            random: splitmix(input.random.into()),
            decisions: recording.decisions(),
            scenario: &input.scenario,
        };
        seen.repro(&self.subjects[at], &self.settings).with_sites_of(finding)
    }
}

fn kind_of(subject: &Subject<'_>, settings: &Settings) -> Kind {
    let injected = settings.faults.iter().filter(|f| !subject.excludes.contains(f));
    let mut offered: Vec<ChoiceKind> = injected.filter_map(|f| f.choice()).collect();
    offered.sort_unstable();
    offered.dedup();
    let shapes = subject.shapes.map(|(profile, collides)| (profile(), collides));
    let (profile, collides) =
        shapes.map_or((None, true), |(profile, collides)| (Some(profile), collides));
    Kind::new(id_of(&subject.target), profile, collides, offered)
}

/// Executes inputs, and tells of each when it is asked for.
struct Serving<'a> {
    fuzzed: &'a Fuzzed<'a>,
    recording: &'a Recording,
}

impl Service for Serving<'_> {
    fn next(&self, execute: &mut dyn FnMut(Setting<'_>, Planned, Look) -> bool) -> bool {
        let request = self.recording.next_request();
        let remembers = request.first() == Some(&1);
        let reusable = self.fuzzed.read_request(&request).is_none_or(|(input, at)| {
            execute(self.fuzzed.setting(&input, at), input.plan(remembers), self.fuzzed.look)
        });
        if reusable {
            self.recording.answer(State::Finished);
        }
        true
    }
}

/// The side of libFuzzer's process.
pub(super) struct Server {
    fuzzed: &'static Fuzzed<'static>,
    recording: &'static Recording,
    /// Ends with this process.
    _watching: Worker,
}

impl Server {
    /// Forks: no other thread may run yet.
    pub(super) fn start(
        settings: Settings,
        subjects: Vec<Subject<'static>>,
    ) -> Result<Server, String> {
        // They live as long as the process.
        let fuzzed: &Fuzzed<'_> = Box::leak(Box::new(Fuzzed::new(settings, subjects)));
        let recording: &Recording = Box::leak(Box::new(Recording::new()?));
        let watching = Worker::fork(&mut || {
            loop {
                let answer = watch_one(fuzzed, recording);
                recording.answer(answer);
            }
        });
        let _watching =
            watching.map_err(|e| format!("no process for executions could be started: {e}"))?;
        Ok(Server { fuzzed, recording, _watching })
    }

    pub(super) fn kinds(&self) -> &'static [Kind] {
        &self.fuzzed.kinds
    }

    pub(super) fn read(&self, bytes: &[u8]) -> Option<(Input, usize)> {
        self.fuzzed.read(bytes)
    }

    pub(super) fn is_executed(&self, input: &Input, at: usize) -> bool {
        self.fuzzed.is_executed(input, at)
    }

    /// Has an input executed, and waits for the end of that. `remembers` is whether its points are wanted.
    pub(super) fn execute(&self, bytes: &[u8], remembers: bool) -> State {
        self.recording.ask(&[&[u8::from(remembers)], bytes].concat());
        self.recording.await_answer()
    }

    pub(super) fn shown(&self) -> impl Iterator<Item = u64> {
        self.recording.shown()
    }

    pub(super) fn passed(&self) -> impl Iterator<Item = At> {
        self.recording.passed()
    }

    pub(super) fn made(&self) -> Option<Vec<(At, u32)>> {
        self.recording.made()
    }

    pub(super) fn text(&self) -> String {
        self.recording.text()
    }

    /// What the last execution has found.
    pub(super) fn repro(&self, input: &Input, at: usize) -> Result<(Repro, Finding), String> {
        let finding = self.recording.finding()?;
        let repro = self.fuzzed.repro(input, at, &finding, self.recording);
        Ok((repro, finding))
    }
}

/// Has a worker execute what is asked for until it ends, and says what the request that it ended with came to.
fn watch_one(fuzzed: &Fuzzed<'_>, recording: &Recording) -> State {
    for _ in 0..KILLS {
        match work(fuzzed, recording) {
            // It is asked for still, and another worker does it.
            Ok(Outcome::Killed) => {}
            Ok(Outcome::Finished | Outcome::Spent) => return State::Finished,
            Ok(Outcome::Found(finding)) => {
                return settle(fuzzed, recording, finding)
                    .unwrap_or_else(|what| broken(recording, &what));
            }
            Err(what) => return broken(recording, &what),
        }
    }
    recording.publish(&watch::killed(&Scenario::default()));
    State::Found
}

fn broken(recording: &Recording, what: &str) -> State {
    recording.tell(what);
    State::Broken
}

/// What libFuzzer is told of a finding.
fn settle(fuzzed: &Fuzzed<'_>, recording: &Recording, finding: Finding) -> Result<State, String> {
    let read = fuzzed.read_request(&recording.next_request());
    let (input, at) = read.ok_or("what was asked for cannot be read any more")?;
    let repro = fuzzed.repro(&input, at, &finding, recording);
    if campaign::is_accepted(&fuzzed.subjects[at], &finding, &|| repro.clone())? {
        return Ok(State::Finished);
    }
    recording.publish(&finding);
    Ok(State::Found)
}

/// Runs a worker to its end.
fn work(fuzzed: &Fuzzed<'_>, recording: &Recording) -> Result<Outcome, String> {
    // There is nothing to do before something is asked for.
    recording.next_request();
    recording.enter(State::Running);
    let service = Serving { fuzzed, recording };
    let (input, scenario) = (Input::decode(&[]), Scenario::default());
    let input = input.map_err(|e| e.to_string())?;
    let setting = Setting { scenario: &scenario, ..fuzzed.setting(&input, 0) };
    let mut worker = start(setting, &Script::Served(&service), recording)?;
    let mut stall = Stall::new();
    loop {
        if let Some(exit) = worker.poll() {
            return watch::outcome(recording, exit, &scenario);
        }
        let asked = recording.is_asked();
        let executions = recording.totals().executions;
        if let Some(how) = stall.hangs(executions, !asked, worker.cpu_time()) {
            worker.kill();
            return Ok(Outcome::Found(watch::hung(how, &scenario)));
        }
        std::thread::sleep(if asked { LOOK } else { IDLE });
    }
}
