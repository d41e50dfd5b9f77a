//! Searches with shuttle.

use std::sync::Arc;

use ::shuttle::scheduler::{PctScheduler, RandomScheduler, UrwRandomScheduler};
use ::shuttle::{Config, FailurePersistence, MaxSteps, Runner, thread};

use super::{Engine, Limits, ThreadBody, under_way};

/// Bytes of a thread's stack. Only what is touched is used.
const STACK: usize = 1 << 20;

/// How many changes of priority shuttle's PCT plans for, and one more.
const DEPTH: usize = 3;

/// Runs executions until a limit is reached. What they find they panic with.
pub(super) fn search(limits: &Limits, body: Arc<dyn Fn() + Send + Sync>) -> bool {
    let mut config = Config::new();
    config.stack_size = STACK;
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::FailAfter(count(limits.max_steps));
    config.max_time = limits.time;
    config.silence_warnings = true;
    let steps = limits.max_steps;
    let execution = move || {
        under_way::begin(Engine::Shuttle, steps, 0);
        body();
        under_way::end();
    };
    let (seed, executions) = (limits.seed, count(limits.executions));
    match &*limits.scheduler {
        "random" => {
            Runner::new(RandomScheduler::new_from_seed(seed, executions), config).run(execution)
        }
        // shuttle cannot select: its walk is uniform over all steps.
        "surw" => {
            Runner::new(UrwRandomScheduler::new_from_seed(seed, executions), config).run(execution)
        }
        _ => {
            let pct = PctScheduler::new_from_seed(seed, DEPTH, executions);
            Runner::new(pct, config).run(execution)
        }
    };
    false
}

fn count(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// Threads of the execution under way.
pub(super) fn concurrently(n: usize, body: &ThreadBody) {
    let start = |i| {
        let body = body.clone();
        thread::spawn(move || body(i))
    };
    let threads: Vec<_> = (0..n).map(start).collect();
    for thread in threads {
        // A panic in a thread ends the execution, so there is none to take in.
        let _ = thread.join();
    }
}
