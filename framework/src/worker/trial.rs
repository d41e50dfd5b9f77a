//! Executions that are tried one after the other until one of them finds something: what shrinking is made of.
//!
//! A process is spent by a finding only, and each execution starts from the same memory, so those that find nothing
//! share one.

use mapcheck_machine::ChoiceKind;

use super::watch::{self, Outcome};
use super::{Child, Code, Recording, Script, Setting, State};
use crate::decision::{DecisionKind, Decisions, Replayer};
use crate::fault::Fault;
use crate::report::{Finding, Trace};
use crate::repro::Repro;
use crate::scenario::Scenario;
use crate::scheduler::{self, After, Anchor, Near, Scheduler, Suspending};

/// Schedule points of a search of one scenario, at most.
const POINTS: u64 = 1_500_000;

/// An execution, or a few, to be tried.
#[derive(Clone, Debug)]
pub(crate) struct Trial {
    pub scenario: Scenario,
    pub faults: Vec<Fault>,
    pub random: u64,
    pub how: How,
}

/// How the threads of a trial are switched.
#[derive(Clone, Debug)]
pub(crate) enum How {
    /// As these decisions say; recorded in full, or not.
    Replay(Decisions, bool),
    /// Near an execution of another scenario, in so many executions; then in so many with priorities at random.
    Search { anchors: Vec<Anchor>, others: Decisions, near: u64, far: u64, seed: u64 },
    /// As these decisions say until so many steps are done, and then in the `nth` of several ways. What it finds is
    /// told by its class, without a place.
    Continue { prefix: Decisions, steps: u64, nth: u64 },
}

/// What trials have cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    pub executions: u64,
    pub points: u64,
    /// Processes.
    pub workers: u64,
}

/// A trial that found what was looked for.
#[derive(Debug)]
pub(crate) struct Hit {
    /// Its number among the trials.
    pub trial: usize,
    /// The decisions under which it did.
    pub decisions: Decisions,
    /// Whether nothing ran before it in its process.
    pub fresh: bool,
}

/// Tries one after the other; the first that finds what is wanted. `common` has what is the same for all.
pub(crate) fn first(
    code: Code<'_>,
    common: &Repro,
    trials: &[Trial],
    wanted: &dyn Fn(&Finding) -> bool,
    cost: &mut Cost,
) -> Result<Option<Hit>, String> {
    let mut from = 0;
    while from < trials.len() {
        let setting = Setting { scenario: &trials[from].scenario, ..Setting::of(code, common) };
        let (outcome, recording) = watch::run(setting, &Script::Trials(&trials[from..]))?;
        cost.add(&recording);
        let trial = from + recording.at();
        match outcome {
            Outcome::Finished => return Ok(None),
            Outcome::Found(found) if wanted(&found) => {
                let replayed = match &trials[trial].how {
                    How::Replay(decisions, _) => Some(decisions.clone()),
                    _ => recording.decisions(),
                };
                if let Some(decisions) = replayed {
                    let alone = matches!(trials[trial].how, How::Replay(..));
                    return Ok(Some(Hit { trial, decisions, fresh: alone && trial == from }));
                }
            }
            Outcome::Found(_) | Outcome::Spent | Outcome::Killed => {}
        }
        from = trial + 1;
    }
    Ok(None)
}

impl Cost {
    /// A process that died within an execution has not counted that.
    fn add(&mut self, recording: &Recording) {
        let totals = recording.totals();
        self.executions += totals.executions.max(1);
        self.points += totals.points;
        self.workers += 1;
    }
}

impl<'a> Child<'a> {
    pub(super) fn trials(&mut self, trials: &'a [Trial]) {
        for (i, trial) in (0..).zip(trials) {
            self.recording.turn_to(i);
            let Trial { scenario, faults, random, .. } = trial;
            self.setting = Setting { scenario, faults, random: *random, ..self.setting };
            self.switch();
            self.stacks = !matches!(trial.how, How::Continue { .. });
            if !self.attempt(trial) {
                return;
            }
        }
        self.recording.enter(State::Finished);
    }

    /// False if there can be no other in this process.
    fn attempt(&self, trial: &Trial) -> bool {
        match &trial.how {
            How::Replay(decisions, record) => self.replay_once(decisions, *record),
            How::Search { near, far, .. } => {
                let mut scheduler = trial.scheduler();
                let start = self.recording.totals().points;
                let spent = || self.recording.totals().points - start > POINTS;
                let random = trial.random;
                (0..near + far).take_while(|_| !spent()).all(|n| {
                    self.watch(n, 0);
                    self.explore(&mut *scheduler, n, random, false)
                })
            }
            How::Continue { nth, .. } => {
                self.watch(*nth, 0);
                self.explore(&mut *trial.scheduler(), *nth, trial.random, false)
            }
        }
    }

    /// False if there can be no other execution in this process.
    pub(super) fn replay_once(&self, decisions: &Decisions, record: bool) -> bool {
        self.recording.begin(0);
        self.watch(0, 0);
        let mut trace = Trace::default();
        let mut decider = Replayer::new(decisions);
        let (done, past) = self.execute(&mut decider, &mut trace, self.setting.random, record);
        self.count(&done);
        if done.found.is_some() {
            self.tell(&done, past.as_deref(), &trace, record);
            return false;
        }
        self.eyes.borrow_mut().spare = past;
        if !done.reusable {
            self.recording.enter(State::Spent);
        }
        done.reusable
    }
}

impl Trial {
    fn scheduler(&self) -> Box<dyn Scheduler> {
        match &self.how {
            How::Replay(decisions, _) => {
                Box::new(After::new(decisions, u64::MAX - 1, Box::new(scheduler::after::Default)))
            }
            How::Search { anchors, others, near, seed, .. } => {
                let pct: Box<dyn Scheduler> = Box::new(scheduler::Pct::new(*seed));
                let suspends =
                    others.0.iter().any(|d| d.kind == DecisionKind::Choice(ChoiceKind::Suspend));
                let inner = match suspends {
                    true => Box::new(Suspending::new(pct, *seed)),
                    false => pct,
                };
                Box::new(Near::new(anchors.clone(), others.clone(), *near, inner, *seed))
            }
            How::Continue { prefix, steps, nth } => {
                let rest: Box<dyn Scheduler> = match nth {
                    0 => Box::new(scheduler::after::Default),
                    n if n % 2 == 1 => Box::new(scheduler::Pct::new(self.random)),
                    _ => Box::new(scheduler::Random::new(self.random)),
                };
                Box::new(After::new(prefix, *steps, rest))
            }
        }
    }
}
