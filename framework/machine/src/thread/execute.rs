//! Runs one execution.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::{ON_VIRTUAL_THREAD, Start, Status, context, create, donor};
use crate::api::*;
use crate::state::state;

static SPENT: AtomicBool = AtomicBool::new(false);
static PREPARED: Once = Once::new();

/// Forces the baton from now on; must be called before the first execution of the process.
pub(crate) fn prepare(switching: Switching) {
    PREPARED.call_once(|| {
        context::use_baton(switching == Switching::Baton);
        crate::heap::prepare();
        crate::signals::install();
    });
}

/// Runs `root` on virtual thread 0 until it and all threads it started have ended.
///
/// # Panics
/// If the process is spent (see [`Execution::reusable`]), or when called from within an execution.
#[inline(never)]
pub fn execute(
    options: &Options,
    decider: &mut dyn Decider,
    observer: &mut dyn Observer,
    root: &mut dyn FnMut(),
) -> Execution {
    assert!(!SPENT.load(Relaxed), "this process is spent: an earlier execution was stopped in it");
    assert!(!ON_VIRTUAL_THREAD.load(Relaxed), "an execution inside an execution");
    prepare(Switching::Auto);
    // SAFETY: the pointers are used only until this function returns, or never again once the process is spent.
    unsafe {
        begin(
            options,
            std::mem::transmute::<&mut dyn Decider, _>(decider),
            std::mem::transmute::<&mut dyn Observer, _>(observer),
        )
    };
    // SAFETY: as above.
    create(Start::Root(unsafe { std::mem::transmute::<&mut dyn FnMut(), *mut dyn FnMut()>(root) }));
    run_root();
    finish()
}

unsafe fn begin(options: &Options, decider: *mut dyn Decider, observer: *mut dyn Observer) {
    // SAFETY: no execution is under way, so nothing else uses the state.
    let s = unsafe { state() };
    s.options = options.clone();
    s.decider = Some(decider);
    s.observer = Some(observer);
    s.threads.clear();
    s.views.clear();
    s.current = 0;
    s.skipped = 0;
    s.timers = 0;
    s.random = options.seed;
    s.found = None;
    s.outlived = 0;
    s.root_ended_at = None;
    s.start_counting();
    crate::heap::begin(options.reuse);
}

fn run_root() {
    // SAFETY: thread 0 was just created, its donor waits to be switched to, and the carrier's context is this stack.
    unsafe {
        let s = state();
        s.carrier.adopt_caller();
        let (carrier, root) = (&raw mut s.carrier, &raw mut donor(0).context);
        ON_VIRTUAL_THREAD.store(true, Relaxed);
        crate::signals::watch(true);
        context::switch(carrier, root);
        crate::signals::watch(false);
    }
}

fn finish() -> Execution {
    // SAFETY: the execution has ended.
    let s = unsafe { state() };
    let (allocated, freed) = crate::heap::counts();
    let all_ended = s.threads.iter().all(|t| t.status == Status::Ended);
    let reusable = s.found.is_none() && all_ended;
    SPENT.store(!reusable, Relaxed);
    Execution {
        found: s.found.take(),
        steps: s.steps,
        switches: s.switches,
        threads: s.threads.len() as u32,
        allocated,
        freed,
        outlived: s.outlived,
        reusable,
    }
}
