//! Measuring what executions cost.

use std::time::Duration;

use mapcheck_machine as machine;

use crate::scenario::Scenario;
use crate::settings::RACES;
use crate::worker::watch::{self, Outcome};
use crate::worker::{Batch, Code, LOOK, Learnt, Setting};

/// What some executions took.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Executions made.
    pub executions: u64,
    /// Schedule points passed.
    pub points: u64,
    /// Switches between threads.
    pub switches: u64,
    /// CPU time of the worker process that made them, its start included.
    pub cpu: Duration,
}

/// Which oracles look on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oracles {
    /// Only that of pointers: it is part of every access.
    Pointers,
    /// All of them, as in any run: races in a share of the executions.
    All,
}

/// Makes `executions` executions of `body` with a scenario in one worker process, one core, and says
/// what they took.
///
/// # Errors
/// A sentence, when something is found or the worker fails.
///
/// # Panics
/// When there is no scheduler of that name.
pub fn sample(
    scheduler: &str,
    executions: u64,
    scenario: &Scenario,
    oracles: Oracles,
    body: &dyn Fn(&Scenario),
) -> Result<Sample, String> {
    assert!(crate::scheduler::by_name(scheduler, 0).is_some(), "no scheduler `{scheduler}`");
    let batch = Batch {
        scheduler: scheduler.to_owned(),
        seed: 0,
        bound: None,
        suspend: false,
        first: 0,
        count: executions,
        vary: false,
        record_last: false,
        look: if oracles == Oracles::All { LOOK } else { 0 },
        learnt: Learnt::default(),
    };
    let setting = Setting {
        code: Code { run: body, home: "", mutants: &[], races: true, accepts: &[] },
        scenario,
        faults: &[],
        mutant: None,
        random: 0,
        max_steps: u64::MAX >> 1,
        races: match oracles {
            Oracles::Pointers => 0,
            Oracles::All => RACES,
        },
        judging: oracles == Oracles::All,
        leaks: oracles == Oracles::All,
        stack_at: None,
        log: false,
        // Threads that only yield to each other are measured, too.
        patience: u64::MAX,
    };
    let before = machine::cpu_time();
    let (outcome, recording) = watch::run_batch(setting, &batch)?;
    let cpu = machine::cpu_time().saturating_sub(before);
    match outcome {
        Outcome::Found(finding) => Err(format!("{}: {}", finding.class, finding.message)),
        Outcome::Finished | Outcome::Spent | Outcome::Killed => {
            let totals = recording.totals();
            let (executions, points) = (totals.executions, totals.points);
            Ok(Sample { executions, points, switches: totals.switches, cpu })
        }
    }
}
