//! Running programs in the machine until all orders of their steps have been tried, or the budget is spent.

use std::collections::{BTreeSet, VecDeque};
use std::thread;
use std::time::Duration;

use mapcheck::decision::Recorder;
use mapcheck::scheduler::{self, Ended, Injecting, Scheduler};
use mapcheck_machine::{
    ChoiceKind, Choices, Exit, Fact, NoObserver, Options, Shared, Worker, execute,
};

use crate::model::Shown;
use crate::program::{DEADLOCK, Outcome, Program};
use crate::real;

/// Executions of a program in the exhaustive search, at most; and in the random one.
const EXHAUSTIVE: u64 = 1_000;
const RANDOM: u64 = 4_000;
/// Schedule points without progress after which threads take turns. A receiver of the standard library spins while a
/// sender is about to send, over words that tell no spinner to the machine: by default it could for long.
const PATIENCE: u64 = 1_500;
/// Processes of a program, at most: each deadlock takes one.
const PROCESSES: u64 = 200;

/// Counters of the shared memory, after the four words of the outcome.
const MADE: usize = 4;
const MADE_AT_RANDOM: usize = 5;
const STATE: usize = 6;
const COMPLETE: usize = 7;

/// Values of the counter `STATE`.
const RUNNING: u64 = 0;
const FINISHED: u64 = 1;
const SPENT: u64 = 2;
const BROKEN: u64 = 3;

/// What came of a program.
#[derive(Debug)]
pub struct Verdict {
    /// The program.
    pub program: &'static Program,
    /// What the model allows and no execution has shown.
    pub missing: Vec<Outcome>,
    /// What an execution has shown and the model does not allow.
    pub outside: Vec<Outcome>,
    /// What ended a process that should not have.
    pub trouble: Option<String>,
    /// Outcomes that the model allows.
    pub outcomes: usize,
    /// Whether one of them is a deadlock.
    pub may_deadlock: bool,
    /// Whether all orders of steps were tried.
    pub complete: bool,
    /// Executions.
    pub executions: u64,
    /// Processes.
    pub processes: u64,
}

/// A program under way.
struct Job {
    program: &'static Program,
    shown: Shown,
    seen: BTreeSet<Outcome>,
    learnt: Vec<u64>,
    processes: u64,
    worker: Option<Worker>,
}

/// One process at a time, and the memory that it shares with this one.
struct Lane {
    shared: &'static Shared,
    job: Option<Job>,
}

/// Processes side by side.
pub struct Lanes(Vec<Lane>);

impl Lanes {
    /// So many.
    ///
    /// # Panics
    /// When the system has no memory for them.
    pub fn new(count: usize) -> Lanes {
        let lane = |_| {
            let shared = Shared::new(&[1 << 16, 1 << 16], 1 << 12).expect("there is memory");
            Lane { shared: Box::leak(Box::new(shared)), job: None }
        };
        Lanes((0..count).map(lane).collect())
    }

    /// Runs the programs of these numbers, and tells of each what came of it, in the order in which they end.
    pub fn run(&mut self, numbers: impl IntoIterator<Item = u64>, tell: &mut dyn FnMut(Verdict)) {
        let mut numbers = numbers.into_iter();
        let mut drawn = VecDeque::new();
        let ahead = self.0.len();
        loop {
            // What comes next is enumerated while others run.
            let next = if drawn.len() < ahead { numbers.next() } else { None };
            let idle = next.is_none();
            drawn.extend(next.map(Job::new));
            let mut busy = false;
            for lane in &mut self.0 {
                if lane.job.is_none() {
                    lane.start(drawn.pop_front());
                }
                lane.look().into_iter().for_each(&mut *tell);
                busy |= lane.job.is_some();
            }
            if idle && !busy && drawn.is_empty() {
                return;
            }
            if idle {
                thread::sleep(Duration::from_micros(300));
            }
        }
    }
}

impl Job {
    fn new(number: u64) -> Job {
        let (program, shown) = Program::drawn(number);
        let program = Box::leak(Box::new(program));
        let (seen, learnt) = (BTreeSet::new(), Vec::new());
        Job { program, shown, seen, learnt, processes: 0, worker: None }
    }

    fn verdict(self, shared: &Shared) -> Verdict {
        let Job { program, shown, seen, processes, .. } = self;
        let trouble = (shared.counter(STATE) == BROKEN).then(|| shared.text());
        Verdict {
            program,
            missing: shown.outcomes.difference(&seen).copied().collect(),
            outside: seen.difference(&shown.outcomes).copied().collect(),
            trouble,
            outcomes: shown.outcomes.len(),
            may_deadlock: shown.outcomes.iter().any(|o| o[3] == DEADLOCK),
            complete: shared.counter(COMPLETE) == 1,
            executions: shared.counter(MADE) + shared.counter(MADE_AT_RANDOM),
            processes,
        }
    }
}

impl Lane {
    fn start(&mut self, job: Option<Job>) {
        self.job = job;
        if self.job.is_some() {
            (MADE..=COMPLETE).for_each(|counter| self.shared.set_counter(counter, 0));
            self.fork();
        }
    }

    fn fork(&mut self) {
        let Some(job) = &mut self.job else { return };
        self.shared.clear(0);
        self.shared.clear(1);
        self.shared.set_counter(STATE, RUNNING);
        job.processes += 1;
        let shared = self.shared;
        let worker = Worker::fork(&mut || Child { shared, job, seen: job.seen.clone() }.work());
        job.worker = Some(worker.expect("a process can be started"));
    }

    /// What came of the program, if it has ended.
    fn look(&mut self) -> Option<Verdict> {
        let job = self.job.as_mut()?;
        let exit = job.worker.as_mut()?.poll()?;
        let words = self.shared.words(0);
        job.seen.extend(words.chunks_exact(4).map(|w| [w[0], w[1], w[2], w[3]]));
        job.learnt = self.shared.words(1);
        if exit != Exit::Code(0) && self.shared.counter(STATE) != BROKEN {
            self.shared.set_counter(STATE, BROKEN);
            self.shared.set_text(&format!("the process ended with {exit:?}"));
        }
        if self.shared.counter(STATE) == SPENT && job.processes < PROCESSES {
            self.fork();
            return None;
        }
        self.job.take().map(|job| job.verdict(self.shared))
    }
}

/// The faults of a program.
fn faults(spurious: bool) -> Choices {
    if spurious { Choices::NONE.with(ChoiceKind::Wake) } else { Choices::NONE }
}

/// The side of the process that runs a program.
struct Child<'a> {
    shared: &'static Shared,
    job: &'a Job,
    seen: BTreeSet<Outcome>,
}

impl Child<'_> {
    fn work(&mut self) {
        mapcheck_machine::silence();
        if self.try_all() && self.try_at_random() {
            self.shared.set_counter(STATE, FINISHED);
        }
    }

    /// All orders; false if this process can run no other execution.
    fn try_all(&mut self) -> bool {
        let mut all = scheduler::by_name("exhaustive", 0).expect("there is one");
        all.recall(&self.job.learnt);
        while self.shared.counter(MADE) < EXHAUSTIVE && self.shared.counter(MADE_AT_RANDOM) == 0 {
            let coverage = all.coverage().expect("it knows what there is");
            if coverage.is_over() {
                self.shared.set_counter(COMPLETE, coverage.complete.into());
                break;
            }
            let goes_on = self.execution(&mut *all, MADE);
            if !goes_on {
                all.learnt().into_iter().for_each(|word| self.shared.push(1, word));
                return false;
            }
        }
        true
    }

    /// The same, until all is seen that may be.
    fn try_at_random(&mut self) -> bool {
        let Program { number, spurious, .. } = *self.job.program;
        let portfolio = scheduler::by_name("portfolio", number).expect("there is one");
        let mut any = Injecting::new(portfolio, faults(spurious), number);
        while (spurious || self.shared.counter(COMPLETE) == 0)
            && self.shared.counter(MADE_AT_RANDOM) < RANDOM
            && !self.job.shown.outcomes.is_subset(&self.seen)
        {
            if !self.execution(&mut any, MADE_AT_RANDOM) {
                return false;
            }
        }
        true
    }

    /// One execution; false if it is the last that this process can run.
    fn execution(&mut self, scheduler: &mut dyn Scheduler, counter: usize) -> bool {
        let shared = self.shared;
        let number = shared.counter(counter);
        shared.set_counter(counter, number + 1);
        (0..4).for_each(|word| shared.set_counter(word, 0));
        scheduler.begin(number);
        let options = Options {
            fresh_globals: true,
            patience: PATIENCE,
            offers: faults(self.job.program.spurious),
            ..Options::default()
        };
        let program = self.job.program;
        let mut sink = |_| {};
        let done = {
            let mut recorder = Recorder { scheduler: &mut *scheduler, sink: &mut sink };
            let mut root = || real::run(program, shared);
            execute(&options, &mut recorder, &mut NoObserver, &mut root)
        };
        scheduler.end(Ended { steps: done.steps, threads: done.threads, news: None });
        // Who waits for ever, and is woken again and again by nobody, gets nowhere either.
        let stuck = |fact: &Fact| match fact {
            Fact::Deadlock { .. } => true,
            Fact::Livelock { .. } => program.spurious,
            _ => false,
        };
        let deadlock = done.found.as_ref().is_some_and(|found| stuck(&found.fact));
        if deadlock {
            shared.set_counter(3, DEADLOCK);
        } else if let Some(found) = &done.found {
            shared.set_text(&format!("{:?}", found.fact));
            shared.set_counter(STATE, BROKEN);
            return false;
        }
        self.note();
        if !done.reusable {
            shared.set_counter(STATE, SPENT);
        }
        done.reusable
    }

    /// Notes the outcome.
    fn note(&mut self) {
        let outcome = [0, 1, 2, 3].map(|word| self.shared.counter(word));
        if self.seen.insert(outcome) {
            outcome.into_iter().for_each(|word| self.shared.push(0, word));
        }
    }
}
