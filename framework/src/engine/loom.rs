//! Searches with loom.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use ::loom::{MAX_THREADS, model::Builder, thread};

use super::{Engine, Limits, ThreadBody, listen, under_way};
use crate::model::loom::name_thread;

/// Words of a thread's stack: what loom calls bytes, it hands on as words. Only what is touched is used.
const STACK: usize = 1 << 17;

/// Branches of an execution. loom makes room for them all at the start.
const BRANCHES: usize = 100_000;

/// Preemptions of an execution, where the settings name no bound.
const BOUND: u64 = 2;

/// Threads that run at once: loom's own first one has too small a stack to run an execution, so it only starts the
/// one that does.
const THREADS: usize = MAX_THREADS - 1;

/// Runs executions until a limit is reached or there is no other. What they find they panic with.
pub(super) fn search(limits: &Limits, body: Arc<dyn Fn() + Send + Sync>) -> bool {
    let start = Instant::now();
    let mut builder = Builder::new();
    builder.max_threads = MAX_THREADS;
    builder.max_branches = BRANCHES;
    builder.preemption_bound = Some(limits.bound.unwrap_or(BOUND).min(u8::MAX.into()) as usize);
    // The other limits are looked at only this often.
    builder.checkpoint_interval = 1;
    // loom counts the execution it is about to run.
    builder.max_permutations =
        usize::try_from(limits.executions).ok().and_then(|n| n.checked_add(1));
    builder.max_duration = limits.time;
    builder.checkpoint_file = None;
    builder.location = false;
    builder.log = false;
    let (steps, seed) = (limits.max_steps, limits.seed);
    builder.check(move || {
        let body = body.clone();
        spawn(move || {
            under_way::begin(Engine::Loom, steps, seed);
            body();
            under_way::end();
        });
    });
    let in_time = limits.time.is_none_or(|time| start.elapsed() < time);
    in_time && under_way::BEGUN.load(Relaxed) < limits.executions
}

fn spawn(body: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    thread::Builder::new().stack_size(STACK).spawn(body).expect("loom always starts a thread")
}

/// Threads of the execution under way. The caller is the first of them, for loom has few.
pub(super) fn concurrently(n: usize, body: ThreadBody) {
    if n > THREADS {
        panic!("{}loom runs at most {THREADS} threads, and here are {n}", listen::LIMIT);
    }
    let start = |i| {
        let body = body.clone();
        spawn(move || {
            name_thread(i as u64);
            body(i);
        })
    };
    let threads: Vec<_> = (1..n).map(start).collect();
    if n > 0 {
        body(0);
    }
    for thread in threads {
        // A panic in a thread ends the execution, so there is none to take in.
        let _ = thread.join();
    }
}
