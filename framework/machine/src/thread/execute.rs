//! Runs one execution.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::{ON_VIRTUAL_THREAD, Start, Status, context, create, donor};
use crate::api::*;
use crate::stack::Stack;
use crate::state::state;

#[unsafe(link_section = "mapcheck_kept")]
static SPENT: AtomicBool = AtomicBool::new(false);
#[unsafe(link_section = "mapcheck_kept")]
static PREPARED: Once = Once::new();

/// Forces the baton from now on; must be called before the first execution of the process.
pub(crate) fn prepare(switching: Switching) {
    PREPARED.call_once(|| {
        context::use_baton(switching == Switching::Baton);
        crate::heap::prepare();
        crate::signals::install();
        report_panics_outside();
        crate::globals::save();
    });
}

/// Panic hooks take locks of the standard library and may resolve a backtrace: no virtual thread may be left in the
/// midst of that, and the modelled heap is no place for debug information.
fn report_panics_outside() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| crate::border::outside(&mut || hook(info))));
}

/// Runs `root` on virtual thread 0 until it and all threads it started have ended.
///
/// No other thread of the process may run meanwhile: what it allocates or waits for would be taken for the code under
/// test. A panic that leaves `root` is a finding of class `panic`.
///
/// # Panics
/// If the process is spent (see [`Execution::reusable`]), when called from within an execution, or if the machine
/// cannot map its memory or start its threads.
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
    if options.fresh_globals {
        crate::globals::restore();
        crate::shim::keys::forget();
    }
    crate::memory::forget_branches();
    // SAFETY: no execution is under way, so nothing else uses the state.
    let s = unsafe { state() };
    s.options = options.clone();
    s.decider = Some(decider);
    // SAFETY: by the caller's promise, the decider outlives the execution.
    crate::granules::begin(unsafe { (*decider).granules() });
    // SAFETY: as above.
    s.asks_at_labels = unsafe { (*decider).asks_at_labels() };
    s.observer = Some(observer);
    s.threads.clear();
    s.views.clear();
    s.runnable.clear();
    s.current = 0;
    s.skipped = 0;
    s.timers = 0;
    s.random = options.seed;
    s.found = None;
    (s.race, s.earlier) = (None, None);
    s.outlived = 0;
    (s.abort_excused, s.allocation_failed) = (false, false);
    (s.gave_up, s.stalls_judged) = (false, false);
    s.leaks_forbidden = false;
    s.root_ended_at = None;
    s.carrier_task = super::carrier();
    s.start_counting();
    crate::atomic::not_spinning();
    crate::heap::begin(options.offers.has(ChoiceKind::Reuse), options.fresh_globals);
    crate::watch::watch(options.watch);
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
    crate::watch::watch(false);
    // SAFETY: the execution has ended.
    let s = unsafe { state() };
    // What the execution left behind may be freed later, when nobody listens any more.
    (s.decider, s.observer, s.options.record) = (None, None, false);
    let (allocated, freed) = crate::heap::counts();
    let all_ended = s.threads.iter().all(|t| t.status == Status::Ended);
    if s.leaks_forbidden && all_ended && s.found.is_none() {
        s.found = crate::heap::leaks::find().map(|fact| Found {
            fact,
            at: Stamp { step: s.steps, ..Stamp::default() },
            stack: Stack::default(),
        });
    }
    s.found = s.found.take().or(s.race.take());
    // What threads that are left behind have told the standard library, such as where their stacks are, stays there.
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
        gave_up: s.gave_up,
        reusable,
    }
}
