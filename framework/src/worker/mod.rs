//! What happens in a worker process: a batch of executions, or one that is replayed.
//!
//! The parent sees a worker through shared memory alone, so whatever kills the worker leaves the
//! decisions behind.

pub(crate) mod survey;
pub(crate) mod trial;
pub(crate) mod watch;

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex};

use mapcheck_machine::{
    self as machine, Decider, Earlier, Edge, Execution, Fact, Found, Observer, Options, Shared,
    Stack, Stamp, Touch, Worker,
};

use crate::decision::{Decision, Decisions, Recorder};
use crate::element;
use crate::engine::{self, Engine, Event, Limits};
use crate::fault::Fault;
use crate::mutant::{self, Mutant, Mutants};
use crate::oracle::race::{self, Races};
use crate::oracle::{self, Class, Promises, Violation};
use crate::report::{self, Diagnosis, Finding, PanicNote, Trace, short_file};
use crate::repro::{History, Repro};
use crate::scenario::{self, Scenario};
use crate::scheduler::{self, Bounded, Ended, Scheduler, Suspending, splitmix};
use crate::text::{self, Writer};

/// Decisions of one execution that are kept; a longer execution is replayed from its batch.
const WORDS: usize = 1 << 20;
const TEXT: usize = 1 << 18;

/// Numbers that a worker shares.
const EXECUTION: usize = 0;
const DONE: usize = 1;
const POINTS: usize = 2;
const SWITCHES: usize = 3;
const FREED: usize = 4;
const STATE: usize = 5;
const OUTLIVED: usize = 6;
const EXHAUSTED: usize = 7;
const UNJUDGED: usize = 8;
const ACCEPTED: usize = 9;
const TRIAL: usize = 10;

/// How far a worker has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is under way, or died.
    Running,
    /// It has done what it was asked to do.
    Finished,
    /// It found something; the text tells what.
    Found,
    /// It cannot go on, though nothing was found: another process must do the rest.
    Spent,
    /// mapcheck itself went wrong in it; the text tells how.
    Broken,
}

const STATES: [State; 5] =
    [State::Running, State::Finished, State::Found, State::Spent, State::Broken];

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
            patience: repro.patience,
        }
    }
}

/// A batch of executions under a scheduler, which learns within the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub scheduler: String,
    pub seed: u64,
    pub bound: Option<u64>,
    /// Whether all threads but one are suspended at some point.
    pub suspend: bool,
    pub first: u64,
    pub count: u64,
    /// Whether each execution gets randomness of its own, see [`random_of`], or all of them the setting's.
    pub vary: bool,
    /// Whether to record the last execution in full, and none of the others.
    pub record_last: bool,
}

/// Seed of the randomness of an execution of a batch that varies it.
pub(crate) fn random_of(base: u64, execution: u64) -> u64 {
    splitmix(base ^ splitmix(execution))
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
    Batch(&'a Batch),
    /// One execution with these decisions, recorded in full or not.
    Replay(&'a Decisions, bool),
    /// One after the other, until one finds something.
    Trials(&'a [trial::Trial]),
    /// One execution with these decisions, of which each step is told, and of these steps the places.
    Survey(&'a Decisions, &'a [u64]),
}

/// The shared memory of a worker, read by its parent.
pub(crate) struct Recording(Shared);

/// Sums over the executions of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub executions: u64,
    pub points: u64,
    pub switches: u64,
    /// Values that the map dropped before it was dropped itself.
    pub freed: u64,
    /// Executions that ended while threads they had started still waited.
    pub outlived: u64,
    /// Keys whose histories were too long to be judged.
    pub unjudged: u64,
    /// Times that an accepted race was met.
    pub accepted: u64,
}

impl Batch {
    /// What a repro's history tells of.
    fn of(history: &History, record_last: bool) -> Batch {
        Batch {
            scheduler: history.scheduler.clone(),
            seed: history.seed,
            bound: history.bound,
            suspend: history.suspend,
            first: history.first,
            count: history.executions,
            vary: true,
            record_last,
        }
    }
}

impl Totals {
    pub(crate) fn add(&mut self, other: Totals) {
        self.executions += other.executions;
        self.points += other.points;
        self.switches += other.switches;
        self.freed += other.freed;
        self.outlived += other.outlived;
        self.unjudged += other.unjudged;
        self.accepted += other.accepted;
    }
}

impl Recording {
    pub(crate) fn new() -> Result<Recording, String> {
        Shared::new(WORDS, TEXT)
            .map(Recording)
            .map_err(|e| format!("no memory to share with a worker: {e}"))
    }

    pub(crate) fn state(&self) -> State {
        STATES.get(self.0.counter(STATE) as usize).copied().unwrap_or(State::Broken)
    }

    /// The number of the execution under way or done last.
    pub(crate) fn execution(&self) -> u64 {
        self.0.counter(EXECUTION)
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals {
            executions: self.0.counter(DONE),
            points: self.0.counter(POINTS),
            switches: self.0.counter(SWITCHES),
            freed: self.0.counter(FREED),
            outlived: self.0.counter(OUTLIVED),
            unjudged: self.0.counter(UNJUDGED),
            accepted: self.0.counter(ACCEPTED),
        }
    }

    /// The decisions of that execution, or `None` if there were too many to keep.
    pub(crate) fn decisions(&self) -> Option<Decisions> {
        let words = self.0.words();
        let decisions = words.into_iter().filter_map(Decision::unpack).collect();
        (!self.0.words_full()).then_some(Decisions(decisions))
    }

    /// Whether an engine has made every execution there is, within its bound.
    pub(crate) fn exhausted(&self) -> bool {
        self.0.counter(EXHAUSTED) > 0
    }

    pub(crate) fn text(&self) -> String {
        self.0.text()
    }

    /// What it found, if it lived to tell.
    pub(crate) fn finding(&self) -> Result<Finding, String> {
        text::parse(&self.text(), Finding::read)
            .map_err(|e| format!("a worker told a finding that cannot be read: {e}"))
    }

    fn enter(&self, state: State) {
        let index = STATES.iter().position(|s| *s == state).unwrap_or_default();
        self.0.set_counter(STATE, index as u64);
    }

    fn add(&self, counter: usize, n: u64) {
        self.0.set_counter(counter, self.0.counter(counter) + n);
    }
}

/// Forks a worker.
pub(crate) fn start<'a>(
    setting: Setting<'a>,
    script: &Script<'a>,
    recording: &'a Recording,
) -> Result<Worker, String> {
    let mut body =
        || Child { setting, recording, races: RefCell::default(), stacks: true }.work(script);
    Worker::fork(&mut body).map_err(|e| format!("no worker process could be started: {e}"))
}

/// The panics of the execution under way.
static PANICS: Mutex<Vec<PanicNote>> = Mutex::new(Vec::new());

fn first_panic() -> Option<PanicNote> {
    PANICS.lock().ok().and_then(|notes| notes.first().cloned())
}

/// Notes every panic with its stack, which unwinding takes away, and prints nothing.
fn listen_for_panics() {
    panic::set_hook(Box::new(|info| {
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
    races: RefCell<Races>,
    /// Whether the place of a finding is asked for, which costs some milliseconds.
    stacks: bool,
}

/// Sees an execution for the report, and for the oracle of data races.
struct Seer<'a> {
    trace: &'a mut dyn Observer,
    races: &'a mut Races,
}

impl Observer for Seer<'_> {
    fn event(&mut self, event: &machine::Event) {
        self.trace.event(event);
    }

    fn touch(&mut self, touch: &Touch) -> Option<Earlier> {
        self.races.touch(touch)
    }

    fn order(&mut self, edge: &Edge) {
        self.races.order(edge);
    }
}

impl<'a> Child<'a> {
    /// Does the work; a panic in it that is not one of the code under test is mapcheck's own.
    fn work(&mut self, script: &Script<'a>) {
        listen_for_panics();
        if panic::catch_unwind(AssertUnwindSafe(|| self.follow(script))).is_err() {
            let note = first_panic().map_or_else(|| "a panic".to_owned(), |p| p.message);
            self.recording.0.set_text(&note);
            self.recording.enter(State::Broken);
        }
    }

    fn follow(&mut self, script: &Script<'a>) {
        machine::silence();
        mutant::switch(self.setting.mutant);
        oracle::promises::switch(self.setting.judging, self.setting.leaks);
        self.races.replace(Races::accepting(race::accepted()));
        element::allow_collisions(self.setting.faults.contains(&Fault::HashCollisions));
        match script {
            Script::Foreign(foreign) => self.foreign(foreign),
            Script::Batch(batch) => self.batch(batch),
            Script::Replay(decisions, record) => self.replay(decisions, *record),
            Script::Trials(trials) => self.trials(trials),
            Script::Survey(decisions, at) => self.survey(decisions, at),
        }
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
                self.recording.0.set_counter(EXECUTION, first + self.recording.0.counter(DONE) - 1);
            }
            // At once: what is dropped after a finding may end the process.
            Event::Found(class, message) => {
                self.publish(&report::told(class, &message, self.setting.scenario));
            }
        };
        let explored = engine::explore(foreign.engine, &limits, body, &mut tell);
        if explored.found.is_some() {
            return;
        }
        self.recording.0.set_counter(EXHAUSTED, u64::from(explored.exhausted));
        self.recording.0.set_text(&explored.limit.unwrap_or_default());
        self.recording.enter(State::Finished);
    }

    fn batch(&self, batch: &Batch) {
        let mut scheduler = scheduler_of(batch);
        for execution in batch.first..batch.first + batch.count {
            let last = execution + 1 == batch.first + batch.count;
            let base = self.setting.random;
            let random = if batch.vary { random_of(base, execution) } else { base };
            if !self.explore(&mut *scheduler, execution, random, batch.record_last && last) {
                return;
            }
        }
        self.recording.enter(State::Finished);
    }

    /// One execution; false if there can be no other.
    fn explore(
        &self,
        scheduler: &mut dyn Scheduler,
        execution: u64,
        random: u64,
        record: bool,
    ) -> bool {
        let shared = &self.recording.0;
        shared.clear_words();
        shared.set_counter(EXECUTION, execution);
        scheduler.begin(execution);
        let mut trace = Trace::default();
        let mut sink = |word| shared.push_word(word);
        let mut recorder = Recorder { scheduler, sink: &mut sink };
        let (done, past) = self.execute(&mut recorder, &mut trace, random, record);
        scheduler.end(Ended { steps: done.steps, threads: done.threads, news: None });
        self.count(&done);
        if done.found.is_some() {
            self.tell(&done, past.as_ref(), &trace, record);
            return false;
        }
        if !done.reusable {
            self.recording.enter(State::Spent);
        }
        done.reusable
    }

    fn count(&self, done: &Execution) {
        self.recording.add(DONE, 1);
        self.recording.add(POINTS, done.steps);
        self.recording.add(SWITCHES, done.switches);
        self.recording.add(FREED, scenario::freed_by_map());
        self.recording.add(OUTLIVED, u64::from(done.outlived > 0));
        let races = self.races.borrow();
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
    ) -> (Execution, Option<Promises>) {
        let options = Options {
            record,
            stacks: self.stacks,
            watch: self.watches(self.recording.execution()),
            stack_at: self.setting.stack_at,
            max_steps: self.setting.max_steps,
            patience: self.setting.patience,
            reuse: self.setting.faults.contains(&Fault::AddressReuse),
            seed: random,
            fresh_globals: true,
        };
        let Setting { code, scenario, .. } = self.setting;
        if let Ok(mut notes) = PANICS.lock() {
            notes.clear();
        }
        let races = &mut *self.races.borrow_mut();
        races.begin();
        let mut seer = Seer { trace, races };
        let mut done = machine::execute(&options, decider, &mut seer, &mut || (code.run)(scenario));
        // Taken in any case: globals are given back what they held before.
        let past = oracle::ended();
        if past.is_some() && self.setting.leaks {
            done.found = done.found.take().or_else(|| keys_left(&done, scenario));
        }
        (done, past)
    }

    /// Whether data races are looked for in an execution. Which accesses nothing orders hardly depends on the schedule,
    /// so that a share of the executions shows nearly all that all of them would.
    fn watches(&self, execution: u64) -> bool {
        let every = self.setting.races;
        every > 0 && execution.is_multiple_of(every)
    }

    /// Publishes what was found.
    fn tell(&self, done: &Execution, past: Option<&Promises>, trace: &Trace, recorded: bool) {
        let Some(found) = &done.found else { return };
        // A panic that must not unwind aborts.
        let panicked = matches!(
            &found.fact,
            machine::Fact::Told { class: "panic", .. } | machine::Fact::Signal { signal: 6, .. }
        );
        let note = first_panic();
        let diagnosis = Diagnosis {
            found,
            scenario: self.setting.scenario,
            home: self.setting.code.home,
            trace: recorded.then_some(trace),
            threads: done.threads,
            steps: done.steps,
            panic: note.as_ref().filter(|_| panicked),
            past,
        };
        self.publish(&diagnosis.finding());
    }

    fn publish(&self, finding: &Finding) {
        let mut text = Writer::default();
        finding.write(&mut text);
        self.recording.0.set_text(&text.0);
        self.recording.enter(State::Found);
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

/// The scheduler that a batch is explored with.
fn scheduler_of(batch: &Batch) -> Box<dyn Scheduler> {
    let scheduler = scheduler::by_name(&batch.scheduler, batch.seed);
    let scheduler = scheduler.expect("settings and repros name only schedulers there are");
    let scheduler = match batch.bound {
        Some(bound) => Box::new(Bounded::new(scheduler, bound)),
        None => scheduler,
    };
    if !batch.suspend {
        return scheduler;
    }
    Box::new(Suspending::new(scheduler, batch.seed))
}

/// A panic in a line: `src/map.rs:7:5: index out of bounds`.
fn tidy(text: &str) -> String {
    let text = text.strip_prefix("panicked at ").unwrap_or(text);
    match text.split_once(":\n") {
        Some((place, message)) => format!("{}: {message}", short_file(place)),
        None => text.to_owned(),
    }
}
