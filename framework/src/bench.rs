//! Measuring what executions cost.

use std::cell::Cell;
use std::fs;
use std::time::Duration;

use mapcheck_machine::{self as machine, Shared};

use crate::Target;
use crate::engine::{Engine, Limits};
use crate::scenario::Scenario;
use crate::settings::{PATIENCE, RACES, Settings};
use crate::worker::watch::{self, Outcome};
use crate::worker::{Batch, Code, Foreign, LOOK, Learnt, Recording, Script, Setting};

/// What some executions took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// Executions made.
    pub executions: u64,
    /// Schedule points passed.
    pub points: u64,
    /// Switches between threads.
    pub switches: u64,
    /// CPU time of the worker process that made them, user and system, its start included.
    pub cpu: Duration,
    /// Whether there is no other execution, within the bound: only schedulers that exhaust know.
    pub exhausted: bool,
    /// The most memory that the worker process had resident, in bytes, when half of the executions had been made, and
    /// at the end of the last; zeros where it made fewer.
    pub peaks: [u64; 2],
    /// CPU time of the worker process in the second half of the executions, if there were two.
    pub steady: Option<Duration>,
    /// Allocations that the framework made of the system's heap in the second half of the executions.
    pub allocations: Option<u64>,
}

impl Sample {
    /// Nanoseconds of CPU time that an execution took: in the second half of them, which has nothing of the worker's
    /// start in it, or in all, if there was only one.
    pub fn each(&self) -> f64 {
        match self.steady {
            Some(steady) => steady.as_nanos() as f64 / (self.executions / 2) as f64,
            None => self.cpu.as_nanos() as f64 / self.executions as f64,
        }
    }
}

/// Which oracles look on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oracles {
    /// Only that of pointers: it is part of every access.
    Pointers,
    /// That, and the one of data races, in every execution.
    Races,
    /// All of them, as in any run: races in a share of the executions.
    All,
}

/// What is to be measured.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    /// A name of [`crate::scheduler::NAMES`].
    pub scheduler: &'a str,
    /// Preemptions of an execution, at most.
    pub bound: Option<u64>,
    /// Executions, at most.
    pub executions: u64,
    /// What `body` is given.
    pub scenario: &'a Scenario,
    /// Who looks on.
    pub oracles: Oracles,
    /// One execution.
    pub body: &'a dyn Fn(&Scenario),
}

impl std::fmt::Debug for Plan<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} executions under {}", self.executions, self.scheduler)
    }
}

/// Makes executions of one scenario in one worker process, on one core, and says what they took.
///
/// # Errors
/// A sentence, when something is found or the worker fails.
///
/// # Panics
/// When there is no scheduler of that name.
pub fn sample(plan: &Plan<'_>) -> Result<Sample, String> {
    let scheduler = crate::scheduler::by_name(plan.scheduler, 0);
    assert!(scheduler.is_some(), "no scheduler `{}`", plan.scheduler);
    let marks = Marks::new(plan.executions)?;
    let body = |scenario: &Scenario| {
        (plan.body)(scenario);
        marks.count();
    };
    let batch = batch(plan);
    let setting = setting(plan, &body);
    let before = machine::cpu_time();
    let (outcome, recording) = watch::run_batch(setting, &batch)?;
    let cpu = machine::cpu_time().saturating_sub(before);
    if let Outcome::Found(finding) = outcome {
        return Err(format!("{}: {}", finding.class, finding.message));
    }
    Ok(marks.read(Sample { cpu, ..told(&recording) }))
}

/// Makes executions of a target's form for shuttle or loom in one process, and says what they took: executions, CPU
/// time and whether they were all there are. Of shuttle there are `random`, `surw` and `pct`.
///
/// # Errors
/// A sentence, when something is found, the worker fails, the engine cannot go on, or the target has no such form.
pub fn sample_on(engine: Engine, target: &Target, plan: &Plan<'_>) -> Result<Sample, String> {
    let run = target.foreign(engine).ok_or_else(|| format!("no form for {engine}"))?;
    let limits = Limits {
        executions: plan.executions,
        time: None,
        seed: 0,
        scheduler: plan.scheduler.to_owned(),
        bound: plan.bound,
        max_steps: Settings::default().max_steps,
    };
    let foreign = Foreign { engine, limits, first: 0, run };
    let before = machine::cpu_time();
    let (outcome, recording) = watch::run(setting(plan, plan.body), &Script::Foreign(&foreign))?;
    let cpu = machine::cpu_time().saturating_sub(before);
    if let Outcome::Found(finding) = outcome {
        return Err(format!("{}: {}", finding.class, finding.message));
    }
    match recording.text() {
        limit if limit.is_empty() => Ok(Sample { cpu, ..told(&recording) }),
        limit => Err(limit),
    }
}

/// Runs `body(0)` to `body(n - 1)` on threads at once, as a scenario runs its threads, and waits for them. Outside of
/// executions it runs one after the other.
pub fn threads(n: usize, body: &(dyn Fn(usize) + Sync)) {
    machine::concurrently(n, body);
}

/// Whether the calling program is instrumented: what is measured natively must not be.
pub fn instrumented() -> bool {
    machine::instrumented()
}

/// CPU time that this process and its ended children used so far, user and system.
pub fn cpu_time() -> Duration {
    machine::cpu_time()
}

/// The most memory that the calling process had resident so far, in bytes; 0 where the system does not say.
pub fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or_default() * 1024
}

fn told(recording: &Recording) -> Sample {
    let totals = recording.totals();
    Sample {
        executions: totals.executions,
        points: totals.points,
        switches: totals.switches,
        exhausted: recording.results().iter().any(|result| result.exhausted),
        ..Sample::default()
    }
}

fn batch(plan: &Plan<'_>) -> Batch {
    Batch {
        scheduler: plan.scheduler.to_owned(),
        seed: 0,
        bound: plan.bound,
        suspend: false,
        first: 0,
        count: plan.executions,
        vary: false,
        record_last: false,
        look: if plan.oracles == Oracles::All { LOOK } else { 0 },
        learnt: Learnt::default(),
    }
}

fn setting<'a>(plan: &Plan<'a>, body: &'a dyn Fn(&Scenario)) -> Setting<'a> {
    let exhausts = crate::scheduler::limit(plan.scheduler, plan.bound).is_some();
    Setting {
        code: Code { run: body, home: "", mutants: &[], races: true, accepts: &[] },
        scenario: plan.scenario,
        faults: &[],
        mutant: None,
        random: 0,
        max_steps: u64::MAX >> 1,
        races: match plan.oracles {
            Oracles::Pointers => 0,
            Oracles::Races => 1,
            Oracles::All => RACES,
        },
        judging: plan.oracles == Oracles::All,
        leaks: plan.oracles == Oracles::All,
        stack_at: None,
        log: false,
        // Threads that only yield to each other are measured, too. Who exhausts must end each execution.
        patience: if exhausts { PATIENCE } else { u64::MAX },
    }
}

/// What is noted in the worker process when half of its executions have been made, and at the end of the last.
struct Marks {
    shared: Shared,
    left: Cell<u64>,
    half: u64,
}

/// Words of a mark: allocations before it, CPU time in nanoseconds, the peak, allocations after it.
const MARK: usize = 4;

impl Marks {
    fn new(executions: u64) -> Result<Marks, String> {
        let shared = Shared::new(&[2 * MARK], 0);
        let shared = shared.map_err(|e| format!("no memory to share with a worker: {e}"))?;
        Ok(Marks { shared, left: Cell::new(executions), half: executions / 2 })
    }

    /// An execution comes to its end. Not inlined, so that it is no access of the code under test.
    #[inline(never)]
    fn count(&self) {
        let left = self.left.get() - 1;
        self.left.set(left);
        if left == self.half || left == 0 {
            machine::outside(&mut || {
                let (before, cpu) = (machine::allocations(), machine::cpu_time());
                let words = [before, cpu.as_nanos() as u64, peak(), machine::allocations()];
                words.into_iter().for_each(|word| self.shared.push(0, word));
            });
        }
    }

    fn read(&self, sample: Sample) -> Sample {
        match self.shared.words(0)[..] {
            [_, then, half, from, to, now, end, _] => Sample {
                peaks: [half, end],
                steady: Some(Duration::from_nanos(now - then)),
                allocations: Some(to - from),
                ..sample
            },
            _ => sample,
        }
    }
}
