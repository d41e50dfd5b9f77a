//! What happens in a worker process: a batch of executions, or one that is replayed.
//!
//! The parent sees a worker through shared memory alone, so whatever kills the worker leaves the
//! decisions behind.

mod batch;
mod recording;
pub(crate) mod served;
pub(crate) mod survey;
pub(crate) mod tape;
pub(crate) mod trial;
pub(crate) mod watch;

use std::cell::RefCell;
use std::fs::File;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex};

use mapcheck_machine::{
    self as machine, Decider, Earlier, Edge, Execution, Fact, Found, Observer, Options, Stack,
    Stamp, Touch, Worker,
};

pub use batch::Learnt;
use batch::scheduler_of;
pub(crate) use batch::{Batch, LOOK, Words, random_of, recall, words};
use recording::{ACCEPTED, DONE, FREED, OUTLIVED, POINTS, SWITCHES, UNJUDGED};
pub(crate) use recording::{At, BatchResult, Recording, State, Totals};

use crate::coverage::Coverage;
use crate::decision::{Decisions, Recorder};
use crate::element;
use crate::engine::{self, Engine, Event, Limits};
use crate::fault::{self, Fault};
use crate::log::{self, Heard, Log, Teller};
use crate::mutant::{self, Mutant, Mutants};
use crate::oracle::race::{self, Races};
use crate::oracle::{self, Class, Past, Violation};
use crate::report::{self, Diagnosis, PanicNote, Trace, short_file};
use crate::repro::Repro;
use crate::scenario::{self, Scenario};
use crate::scheduler::{Ended, Scheduler};

/// The code under test.
#[derive(Clone, Copy)]
pub(crate) struct Code<'a> {
    /// Runs a scenario on it.
    pub run: &'a dyn Fn(&Scenario),
    /// The map's crate: findings are told by the place in it. Empty where there is none.
    pub home: &'a str,
    /// The mutants it has.
    pub mutants: Mutants,
    /// Whether data races are looked for.
    pub races: bool,
    /// Functions in which a data race is accepted, by a part of their names.
    pub accepts: &'a [String],
}

impl Code<'_> {
    /// The mutant of this name.
    pub(crate) fn mutant(&self, name: &str) -> Option<&'static Mutant> {
        self.mutants.iter().find(|m| m.is_named(name)).copied()
    }
}

/// What an execution is a function of, without its decisions.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub code: Code<'a>,
    pub scenario: &'a Scenario,
    pub faults: &'a [Fault],
    pub mutant: Option<&'static Mutant>,
    /// Seed of the randomness that the code under test asks for.
    pub random: u64,
    pub max_steps: u64,
    pub patience: u64,
    /// Data races are looked for in every so many'th execution; 0 for in none.
    pub races: u64,
    /// Whether histories are judged.
    pub judging: bool,
    /// Whether leaks are looked for.
    pub leaks: bool,
    /// The step of which the stack is wanted, for the earlier of two accesses that race.
    pub stack_at: Option<u64>,
    /// Whether the log of an execution that is recorded is printed, if the environment asks for one.
    pub log: bool,
}

/// Whether data races can be seen: without callbacks, what orders the threads cannot.
pub(crate) fn sees_races() -> bool {
    machine::instrumented()
}

impl<'a> Setting<'a> {
    /// A repro's.
    pub(crate) fn of(code: Code<'a>, repro: &'a Repro) -> Setting<'a> {
        Setting {
            code,
            scenario: &repro.scenario,
            faults: &repro.faults,
            mutant: repro.mutant.as_ref().and_then(|name| code.mutant(name)),
            random: repro.random,
            max_steps: repro.max_steps,
            // A race that is accepted must not stand before a finding of another class.
            races: u64::from(
                matches!(repro.class, Class::DataRace | Class::PrematureReclamation)
                    && code.races
                    && sees_races(),
            ),
            judging: true,
            leaks: repro.class == Class::Leak,
            stack_at: None,
            log: false,
            patience: repro.patience,
        }
    }
}

/// Executions that another engine runs, in the worker's process.
pub(crate) struct Foreign {
    pub engine: Engine,
    pub limits: Limits,
    /// The number of its first execution.
    pub first: u64,
    /// Runs a scenario on it.
    pub run: fn(&Scenario),
}

/// What a worker does.
pub(crate) enum Script<'a> {
    Foreign(&'a Foreign),
    /// One batch after the other, each under its setting, until something is found.
    Batches(&'a [(Setting<'a>, &'a Batch)]),
    /// One execution with these decisions, recorded in full or not.
    Replay(&'a Decisions, bool),
    /// One after the other, until one finds something.
    Trials(&'a [trial::Trial]),
    /// What somebody asks for, one after the other.
    Served(&'a dyn served::Service),
    /// One execution with these decisions, of which each step is told, and of these steps the places.
    Survey(&'a Decisions, &'a [u64]),
    /// One execution with these decisions, of which the tape is studied.
    Study(&'a tape::Study<'a>),
}

/// Forks a worker.
pub(crate) fn start<'a>(
    setting: Setting<'a>,
    script: &Script<'a>,
    recording: &'a Recording,
) -> Result<Worker, String> {
    let log = log::stderr().filter(|_| setting.log);
    let mut body = || {
        let (eyes, log) = (&RefCell::default(), log.as_ref());
        Child { setting, recording, eyes, log, stacks: true }.work(script);
    };
    Worker::fork(&mut body).map_err(|e| format!("no worker process could be started: {e}"))
}

/// The panics of the execution under way.
static PANICS: Mutex<Vec<PanicNote>> = Mutex::new(Vec::new());

fn first_panic() -> Option<PanicNote> {
    PANICS.lock().ok().and_then(|notes| notes.first().cloned())
}

/// What the last panic of the execution under way said, and where.
pub(crate) fn last_panic() -> Option<String> {
    let mut last = None;
    machine::outside(&mut || {
        last = PANICS.lock().ok().and_then(|notes| notes.last().map(|note| note.message.clone()));
    });
    last
}

/// Forgets the panics of the execution under way: they were as they should be.
pub(crate) fn forget_panics() {
    machine::outside(&mut || {
        if let Ok(mut notes) = PANICS.lock() {
            notes.clear();
        }
    });
}

/// Notes every panic with its stack, which unwinding takes away, and prints nothing.
fn listen_for_panics() {
    panic::set_hook(Box::new(|info| {
        if log::is_telling() {
            // What the map formats for the log has no part in the execution.
            return;
        }
        machine::outside(&mut || {
            let note =
                PanicNote { message: tidy(&info.to_string()), stack: machine::Stack::capture() };
            if let Ok(mut notes) = PANICS.lock() {
                notes.push(note);
            }
        });
    }));
}

/// The worker's side.
struct Child<'a> {
    setting: Setting<'a>,
    recording: &'a Recording,
    eyes: &'a RefCell<Eyes>,
    /// Where the log is printed.
    log: Option<&'a File>,
    /// Whether the place of a finding is asked for, which costs some milliseconds.
    stacks: bool,
}

/// What sees the steps of watched executions.
#[derive(Default)]
struct Eyes {
    /// Whether the oracle of data races sees this one.
    judges: bool,
    races: Races,
    /// What it is looked at for.
    looks: Look,
    coverage: Coverage,
    /// Whether the trace sees it too.
    tapes: bool,
    /// What was kept of the last execution, whose memory the next one uses.
    spare: Option<Arc<dyn Past>>,
}

/// What an execution is looked at for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Look {
    #[default]
    Nothing,
    /// The branches that were taken.
    Branches,
    /// These, and where threads communicated.
    Everything,
}

impl Eyes {
    /// An execution begins.
    fn open(&mut self, judges: bool, looks: Look) {
        (self.judges, self.looks) = (judges, looks);
        self.races.begin();
        if looks != Look::Nothing {
            self.coverage.begin();
        }
    }
}

/// Sees an execution: for the report, for the oracle of data races, and for what it shows.
struct Seer<'a> {
    trace: &'a mut dyn Observer,
    eyes: &'a mut Eyes,
    teller: Option<&'a RefCell<Teller<'a>>>,
}

impl Observer for Seer<'_> {
    fn event(&mut self, event: &machine::Event) {
        if let Some(teller) = self.teller {
            teller.borrow_mut().event(event);
        }
        self.trace.event(event);
    }

    fn touch(&mut self, touch: &Touch) -> Option<Earlier> {
        if self.eyes.looks == Look::Everything {
            self.eyes.coverage.touch(touch);
        }
        if self.eyes.tapes {
            self.trace.touch(touch);
        }
        if self.eyes.judges { self.eyes.races.touch(touch) } else { None }
    }

    fn order(&mut self, edge: &Edge) {
        if self.eyes.judges {
            self.eyes.races.order(edge);
        }
    }
}

impl<'a> Child<'a> {
    /// Does the work; a panic in it that is not one of the code under test is mapcheck's own.
    fn work(&mut self, script: &Script<'a>) {
        listen_for_panics();
        if panic::catch_unwind(AssertUnwindSafe(|| self.follow(script))).is_err() {
            let note = first_panic().map_or_else(|| "a panic".to_owned(), |p| p.message);
            self.recording.tell(&note);
            self.recording.enter(State::Broken);
        }
    }

    fn follow(&mut self, script: &Script<'a>) {
        machine::silence();
        if !matches!(script, Script::Foreign(_)) {
            // Engines emit events too, of which nobody wants to hear.
            log::install();
        }
        self.eyes.borrow_mut().races = Races::accepting(race::accepted());
        self.switch();
        match script {
            Script::Foreign(foreign) => self.foreign(foreign),
            Script::Batches(batches) => self.batches(batches),
            Script::Replay(decisions, record) => self.replay(decisions, *record),
            Script::Trials(trials) => self.trials(trials),
            Script::Served(service) => self.serve(*service),
            Script::Survey(decisions, at) => self.survey(decisions, at),
            Script::Study(study) => self.study(study),
        }
    }

    /// Makes the process do as the setting says.
    fn switch(&self) {
        mutant::switch(self.setting.mutant);
        oracle::promises::switch(self.setting.judging, self.setting.leaks);
        fault::switch(self.setting.faults);
    }

    fn foreign(&self, foreign: &Foreign) {
        let (scenario, run) = (self.setting.scenario.clone(), foreign.run);
        let body = Arc::new(move || run(&scenario));
        let first = foreign.first;
        let mut limits = foreign.limits.clone();
        if self.setting.scenario.threads.len() < 2 {
            // shuttle's PCT refuses what has no concurrency.
            limits.scheduler = "random".to_owned();
        }
        let mut tell = |event| match event {
            Event::Began => {
                self.recording.add(DONE, 1);
                self.recording.begin(first + self.recording.totals().executions - 1);
            }
            // At once: what is dropped after a finding may end the process.
            Event::Found(class, message) => {
                self.recording.publish(&report::told(class, &message, self.setting.scenario));
            }
        };
        let explored = engine::explore(foreign.engine, &limits, body, &mut tell);
        if explored.found.is_some() {
            return;
        }
        if explored.exhausted {
            self.recording.exhaust();
        }
        self.recording.tell(&explored.limit.unwrap_or_default());
        self.recording.enter(State::Finished);
    }

    fn batches(&self, batches: &[(Setting<'_>, &Batch)]) {
        for (i, (setting, batch)) in batches.iter().enumerate() {
            self.recording.turn_to(i);
            let Child { recording, eyes, log, stacks, .. } = *self;
            let child = Child { setting: *setting, recording, eyes, log, stacks };
            child.switch();
            if !child.batch(batch) {
                return;
            }
        }
        self.recording.enter(State::Finished);
    }

    /// False if the process can run no other.
    fn batch(&self, batch: &Batch) -> bool {
        let mut scheduler = scheduler_of(batch, self.setting.faults);
        self.eyes.borrow_mut().coverage.recall(&batch.learnt.features);
        let base = self.setting.random;
        for at in 0..batch.count {
            if scheduler.coverage().is_some_and(|c| c.is_over()) {
                self.recording.exhaust();
                break;
            }
            let execution = batch.first + at;
            let random = if batch.vary { random_of(base, execution) } else { base };
            self.watch(at, batch.look);
            let record = batch.record_last && at + 1 == batch.count;
            if !self.explore(&mut *scheduler, execution, random, record) {
                return false;
            }
        }
        self.recording.hand_on(&scheduler.learnt());
        true
    }

    /// One execution; false if there can be no other.
    fn explore(
        &self,
        scheduler: &mut dyn Scheduler,
        execution: u64,
        random: u64,
        record: bool,
    ) -> bool {
        self.recording.begin(execution);
        scheduler.begin(execution);
        let mut trace = Trace::default();
        let mut sink = |word| self.recording.keep(word);
        let mut recorder = Recorder { scheduler, sink: &mut sink };
        let (done, past) = self.execute(&mut recorder, &mut trace, random, record);
        scheduler.end(Ended { steps: done.steps, threads: done.threads, news: self.look() });
        self.count(&done);
        if done.found.is_none() && done.reusable {
            self.eyes.borrow_mut().spare = past;
            return true;
        }
        self.recording.hand_on(&scheduler.learnt());
        if done.found.is_some() {
            self.tell(&done, past.as_deref(), &trace, record);
        } else {
            self.recording.enter(State::Spent);
        }
        false
    }

    /// Decides what is seen of the execution that is so manieth of its batch.
    ///
    /// Which accesses nothing orders hardly depends on the schedule, so that a share of the executions shows nearly all
    /// races that all of them would.
    fn watch(&self, at: u64, look: u64) {
        let share = |every: u64| every > 0 && at.is_multiple_of(every);
        let eyes = &mut *self.eyes.borrow_mut();
        let looks = if share(look) { Look::Everything } else { Look::Nothing };
        eyes.open(share(self.setting.races), looks);
    }

    /// What the execution has shown for the first time, if it was looked at.
    fn look(&self) -> Option<u64> {
        let eyes = &mut *self.eyes.borrow_mut();
        if eyes.looks == Look::Nothing {
            return None;
        }
        machine::edges(&mut |branch| eyes.coverage.edge(branch));
        self.recording.show(&eyes.coverage);
        Some(eyes.coverage.news().len() as u64)
    }

    fn count(&self, done: &Execution) {
        self.recording.add(DONE, 1);
        self.recording.add(POINTS, done.steps);
        self.recording.add(SWITCHES, done.switches);
        self.recording.add(FREED, scenario::freed_by_map());
        self.recording.add(OUTLIVED, u64::from(done.outlived > 0));
        let races = &self.eyes.borrow().races;
        let unjudged = scenario::inconclusive() + u64::from(races.given_up());
        self.recording.add(UNJUDGED, unjudged);
        self.recording.add(ACCEPTED, races.met());
    }

    /// One execution, at whose end no other is to follow.
    fn replay(&self, decisions: &Decisions, record: bool) {
        if self.replay_once(decisions, record) || self.recording.state() == State::Spent {
            self.recording.enter(State::Finished);
        }
    }

    fn execute(
        &self,
        decider: &mut dyn Decider,
        trace: &mut dyn Observer,
        random: u64,
        record: bool,
    ) -> (Execution, Option<Arc<dyn Past>>) {
        let eyes = &mut *self.eyes.borrow_mut();
        let options = Options {
            record,
            stacks: self.stacks,
            watch: eyes.judges || eyes.tapes || eyes.looks == Look::Everything,
            stack_at: self.setting.stack_at,
            max_steps: self.setting.max_steps,
            patience: self.setting.patience,
            offers: fault::choices(self.setting.faults),
            seed: random,
            fresh_globals: true,
        };
        let Setting { code, scenario, .. } = self.setting;
        if let Ok(mut notes) = PANICS.lock() {
            notes.clear();
        }
        let log = self.log.filter(|_| record).map(|out| Log::new(scenario, out));
        let teller = log.as_ref().map(|_| RefCell::new(Teller::new(scenario, self.setting.faults)));
        let mut heard;
        let decider: &mut dyn Decider = match &teller {
            Some(teller) => {
                heard = Heard { decider, teller };
                &mut heard
            }
            None => decider,
        };
        let mut spare = eyes.spare.take();
        let mut seer = Seer { trace, eyes, teller: teller.as_ref() };
        let mut done = machine::execute(&options, decider, &mut seer, &mut || {
            // Globals were given back what they held before the first execution of this process.
            self.switch();
            oracle::promises::reuse(spare.take());
            log::begin(record, log.as_ref());
            (code.run)(scenario);
        });
        done.reusable &= !log::is_spent();
        // Taken in any case: globals are given back what they held before.
        let past = oracle::ended();
        if past.is_some() && self.setting.leaks {
            done.found = done.found.take().or_else(|| keys_left(&done, scenario));
        }
        (done, past)
    }

    /// Publishes what was found.
    fn tell(&self, done: &Execution, past: Option<&dyn Past>, trace: &Trace, recorded: bool) {
        let finding = self.diagnose(done, past, recorded.then_some(trace), |d| d.finding());
        if let Some(finding) = finding {
            self.recording.publish(&finding);
        }
    }

    /// Makes something of what was found, with all that is known of it.
    fn diagnose<R>(
        &self,
        done: &Execution,
        past: Option<&dyn Past>,
        trace: Option<&Trace>,
        make: impl FnOnce(&Diagnosis<'_>) -> R,
    ) -> Option<R> {
        let found = done.found.as_ref()?;
        // A panic that must not unwind aborts.
        let panicked = matches!(
            &found.fact,
            machine::Fact::Told { class: "panic", .. } | machine::Fact::Signal { signal: 6, .. }
        );
        let note = first_panic();
        Some(make(&Diagnosis {
            found,
            scenario: self.setting.scenario,
            home: self.setting.code.home,
            trace,
            threads: done.threads,
            steps: done.steps,
            panic: note.as_ref().filter(|_| panicked),
            past: past.map(Past::promises),
        }))
    }
}

/// Keys that are gone and were not dropped: where all memory was freed there can be none.
fn keys_left(done: &Execution, scenario: &Scenario) -> Option<Found> {
    let all_freed = done.allocated == done.freed && done.outlived == 0;
    let left = if all_freed { element::left().0 } else { 0 };
    let Violation { class, message } = oracle::leak::keys(left)?;
    let fact = Fact::Told { class: class.name(), message, addr: 0, block: None };
    let at = Stamp { thread: 0, label: scenario.last_label(), step: done.steps };
    Some(Found { fact, at, stack: Stack::default() })
}

/// A panic in a line: `src/map.rs:7:5: index out of bounds`.
fn tidy(text: &str) -> String {
    let text = text.strip_prefix("panicked at ").unwrap_or(text);
    match text.split_once(":\n") {
        Some((place, message)) => format!("{}: {message}", short_file(place)),
        None => text.to_owned(),
    }
}
