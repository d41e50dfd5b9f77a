//! Virtual threads: what they are, how they start, end, wait and stop.

pub(crate) mod context;
mod donor;
pub(crate) mod execute;
mod tls;

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::api::*;
use crate::stack::Stack;
use crate::state::{arm, disarm, disarmed, give_way, grant, state};
use crate::watch::{ordered, watching};
use donor::Donor;
pub(crate) use donor::GUARD;

/// Whether a virtual thread can take a step, and if not, what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Runnable,
    /// In a futex wait on this address with this bit set.
    Futex(usize, u32),
    /// For the end of that thread.
    Join(usize),
    /// For time to pass.
    Asleep,
    /// For nothing: it has stalled, until no other thread can go on.
    Stalled,
    Ended,
}

/// What a virtual thread runs.
#[derive(Clone, Copy)]
pub(crate) enum Start {
    /// The closure of an execution.
    Root(*mut dyn FnMut()),
    /// One of the bodies of [`crate::concurrently`].
    Body(*const (dyn Fn(usize) + Sync), usize),
    /// A start routine given to `pthread_create`.
    Pthread(extern "C" fn(*mut c_void) -> *mut c_void, *mut c_void),
}

/// A destructor of a thread-local variable, registered through `__cxa_thread_atexit_impl`.
pub(crate) type Destructor = (unsafe extern "C" fn(*mut c_void), *mut c_void);

/// A thread of the execution under way.
pub(crate) struct VirtualThread {
    pub status: Status,
    /// Schedule points it has reached.
    pub local: u64,
    pub label: u32,
    /// Virtual nanoseconds at which a timed wait ends.
    pub deadline: Option<u64>,
    pub timed_out: bool,
    /// Whether its last weak compare-exchange has failed for nothing.
    pub weak_failed: bool,
    /// Which wait of the execution its last one was: those that came first are woken first.
    pub waits_since: u64,
    /// How many sections it is in that stand for one step.
    pub in_one_step: u32,
    /// The indices of its next choices, by [`ChoiceKind`].
    pub choices: [u64; ChoiceKind::ALL.len()],
    /// Whether it runs the framework's own code, in which no fault is injected.
    pub spared: bool,
    /// Its own step at which it stalls.
    pub stall_at: Option<u64>,
    pub start: Start,
    pub result: *mut c_void,
    pub handle: libc::pthread_t,
    pub joined: bool,
    /// Its stack while it waits, once it was asked for it.
    pub waiting: Stack,
}

/// Set while the running thread is a virtual one, armed or not.
#[unsafe(link_section = "mapcheck_kept")]
static ON_VIRTUAL_THREAD: AtomicBool = AtomicBool::new(false);

pub(crate) fn on_virtual_thread() -> bool {
    ON_VIRTUAL_THREAD.load(Relaxed)
}

struct Donors(std::cell::UnsafeCell<Vec<&'static mut Donor>>);
// SAFETY: only the running thread touches the donors, as with the state.
unsafe impl Sync for Donors {}
#[unsafe(link_section = "mapcheck_kept")]
static DONORS: Donors = Donors(std::cell::UnsafeCell::new(Vec::new()));

/// The donor of a virtual thread: always the same one for the same index, so that stack addresses repeat.
fn donor(thread: usize) -> &'static mut Donor {
    // SAFETY: only the running thread is here, disarmed, and no reference outlives its use.
    let donors = unsafe { &mut *DONORS.0.get() };
    while donors.len() <= thread {
        donors.push(donor::create(donors.len()));
    }
    donors[thread]
}

/// First byte and size of the stack of the virtual thread that has this handle.
pub(crate) fn stack_with(handle: libc::pthread_t) -> Option<(usize, usize)> {
    // SAFETY: as in `donor`.
    let donors = unsafe { &*DONORS.0.get() };
    donors.iter().find(|d| d.handle == handle).map(|d| (d.stack, donor::STACK))
}

/// First byte of the stack of a virtual thread.
pub(crate) fn stack_of(thread: usize) -> usize {
    donor(thread).stack
}

/// Whether these bytes lie on the stack of a virtual thread.
pub(crate) fn stacks_contain(addr: usize, size: usize) -> bool {
    // SAFETY: as in `donor`.
    let donors = unsafe { &*DONORS.0.get() };
    donors.iter().any(|d| addr >= d.stack && addr + size <= d.stack + donor::STACK)
}

/// The thread-local storage of all donors.
pub(crate) fn storage() -> Vec<std::ops::Range<usize>> {
    // SAFETY: as in `donor`.
    unsafe { (*DONORS.0.get()).iter().map(|donor| donor.storage()).collect() }
}

/// The operating system's number for the calling thread.
pub(crate) fn os_thread() -> i32 {
    // SAFETY: no preconditions. The C library's number would be that of the donor.
    unsafe { crate::shim::raw_syscall(libc::SYS_gettid, [0; 6]) as i32 }
}

thread_local! {
    /// What [`os_thread`] said on this thread, and how often this process had been forked then. Virtual threads have
    /// storage of their own and do not come here.
    static NUMBER: std::cell::Cell<(u32, i32)> = const { std::cell::Cell::new((u32::MAX, 0)) };
}

/// The operating system's number for the calling thread, which is no virtual one: asked for once.
pub(crate) fn carrier() -> i32 {
    let forks = crate::process::forks();
    let (known, number) = NUMBER.get();
    if known == forks {
        return number;
    }
    let number = os_thread();
    NUMBER.set((forks, number));
    number
}

/// The operating-system thread on which the current virtual thread runs.
pub(crate) fn running_os_thread() -> i32 {
    // SAFETY: read only, and only while a virtual thread runs.
    let s = unsafe { state() };
    if context::use_baton_in_force() { donor(s.current).task } else { s.carrier_task }
}

/// Whether donors exist whose operating-system threads a fork would leave behind.
pub(crate) fn needs_its_threads() -> bool {
    // SAFETY: as in `donor`.
    context::use_baton_in_force() && unsafe { !(*DONORS.0.get()).is_empty() }
}

/// Adds a thread to the execution. It starts when it is first scheduled.
pub(crate) fn create(start: Start) -> usize {
    // SAFETY: the caller is the running thread, disarmed.
    let s = unsafe { state() };
    let thread = s.threads.len();
    let donor = donor(thread);
    // What an execution has left that was stopped.
    donor.destructors.clear();
    let handle = donor.handle;
    s.threads.push(VirtualThread {
        status: Status::Runnable,
        local: 0,
        label: 0,
        deadline: None,
        timed_out: false,
        weak_failed: false,
        waits_since: 0,
        in_one_step: 0,
        choices: [0; ChoiceKind::ALL.len()],
        spared: false,
        stall_at: None,
        start,
        result: std::ptr::null_mut(),
        handle,
        joined: false,
        waiting: Stack::default(),
    });
    s.views.push(ThreadView::NEW);
    s.runnable.set(thread, true);
    s.ask_soon();
    if thread > 0 && watching() {
        ordered(Edge::Start { parent: s.current as ThreadId, child: thread as ThreadId });
    }
    s.progressed();
    thread
}

/// Continues as another virtual thread. Returns when the caller's thread is scheduled again.
pub(crate) fn switch_to(next: usize) {
    // SAFETY: the caller is the running thread; donors live for ever, so both contexts are valid, and `next` was saved
    // when it was created or last left.
    unsafe {
        let s = state();
        let from = &raw mut donor(s.current).context;
        s.current = next;
        context::switch(from, &raw mut donor(next).context);
        answer();
    }
}

/// Where a waiting thread was asked for its stack, captures it and goes back to who asked.
///
/// # Safety
/// As in `switch_to`.
unsafe fn answer() {
    // SAFETY: by the caller's promise; the asker waits in `stack_of_waiting`, whose context was saved there.
    unsafe {
        while let Some(asker) = state().asker.take() {
            let stack = Stack::capture();
            let s = state();
            s.threads[s.current].waiting = stack;
            let from = &raw mut donor(s.current).context;
            s.current = asker;
            context::switch(from, &raw mut donor(asker).context);
        }
    }
}

/// The stack of a thread that waits or was left, captured by that thread itself.
fn stack_of_waiting(thread: usize) -> Stack {
    // SAFETY: the running thread, disarmed. A thread that waits was left in `switch_to`, so it answers and comes back.
    unsafe {
        let s = state();
        if !(s.options.stacks || s.options.record) || s.threads[thread].status == Status::Ended {
            return Stack::default();
        }
        if thread == s.current {
            return Stack::capture();
        }
        if s.threads[thread].local == 0 {
            // It has not begun, so there is nobody to answer.
            return Stack::default();
        }
        let from = &raw mut donor(s.current).context;
        s.asker = Some(s.current);
        s.current = thread;
        context::switch(from, &raw mut donor(thread).context);
        std::mem::take(&mut state().threads[thread].waiting)
    }
}

/// Leaves the execution for the carrier; returns only if the donor is used again by a later execution.
fn leave() {
    // SAFETY: as in `switch_to`; the carrier's context was saved when the execution began.
    unsafe {
        let s = state();
        let from = &raw mut donor(s.current).context;
        ON_VIRTUAL_THREAD.store(false, Relaxed);
        context::switch(from, &raw mut s.carrier);
    }
}

/// The life of a donor after it gave itself away: one virtual thread after another.
fn run_for_ever() -> ! {
    loop {
        // SAFETY: this is the running thread, disarmed; the copies are taken before anything switches.
        let (me, start) = unsafe { (state().current, state().threads[state().current].start) };
        grant();
        arm();
        let result = run(start);
        run_destructors();
        disarm();
        end(me, result);
    }
}

fn run(start: Start) -> *mut c_void {
    match start {
        // SAFETY: `execute` outlives the execution, and so does the closure it was given.
        Start::Root(root) => catch(|| unsafe { (*root)() }),
        // SAFETY: `concurrently` waits for its threads, so the body outlives them.
        Start::Body(body, index) => catch(|| unsafe { (*body)(index) }),
        Start::Pthread(routine, argument) => return routine(argument),
    }
    std::ptr::null_mut()
}

/// A panic that nobody caught below the root or a body is a finding. The standard library catches those of its threads.
fn catch(body: impl FnOnce()) {
    let Err(payload) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)) else { return };
    disarm();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let message = text.or(payload.downcast_ref::<&str>().copied()).unwrap_or("not a text");
    stop(Fact::Told { class: "panic", message: message.into(), addr: 0, block: None })
}

/// Runs the destructors of thread-local variables and of thread-specific data, under the scheduler like a real exit.
fn run_destructors() {
    run_registered();
    crate::shim::keys::run_destructors();
    run_registered();
}

/// Registers a destructor of a thread-local variable of the running thread, for the machine.
pub(crate) fn at_exit(destructor: Destructor) {
    // SAFETY: the running thread, disarmed.
    donor(unsafe { state() }.current).destructors.push(destructor);
}

/// Runs the destructors of thread-local variables, last registered first.
fn run_registered() {
    while let Some((destructor, object)) = disarmed(|s| donor(s.current).destructors.pop()) {
        // SAFETY: the pair was registered by the code that owns the variable, which is still there.
        unsafe { destructor(object) };
    }
}

/// Ends the current thread: wakes its joiners, makes its storage fresh, and lets others go on.
fn end(me: usize, result: *mut c_void) {
    donor(me).tls.restore();
    let all_ended = {
        // SAFETY: the running thread, disarmed; the borrow ends before anything switches.
        let s = unsafe { state() };
        s.threads[me].result = result;
        s.set_status(me, Status::Ended);
        s.completed();
        if me == 0 {
            s.root_ended_at = Some(s.steps);
        }
        for i in 0..s.threads.len() {
            if s.threads[i].status == Status::Join(me) {
                s.wake(i);
            }
        }
        s.threads.iter().all(|t| t.status == Status::Ended)
    };
    if all_ended {
        // SAFETY: as above.
        unsafe { state() }.settle();
        leave();
    } else {
        give_way_ended();
    }
}

/// As [`give_way`], for a thread that never comes back: the donor's next virtual thread continues behind it.
fn give_way_ended() {
    give_way(Reason::Blocked, &Access::NONE);
    disarm();
}

/// Waits until `thread` has ended; the caller is armed.
pub(crate) fn join(thread: usize) {
    loop {
        let ended = disarmed(|s| {
            let ended = s.threads[thread].status == Status::Ended;
            if !ended {
                s.block(s.current, Status::Join(thread), None);
            }
            ended
        });
        if ended {
            if watching() {
                let joiner = disarmed(|s| s.current as ThreadId);
                ordered(Edge::Join { thread: joiner, ended: thread as ThreadId });
            }
            return;
        }
        give_way(Reason::Blocked, &Access { kind: Kind::Sync, ..Access::NONE });
    }
}

/// Called when no thread can ever run again: the end of the execution, or a deadlock.
pub(crate) fn nothing_can_run() -> ! {
    // SAFETY: the running thread, disarmed.
    let s = unsafe { state() };
    let waiting: Vec<usize> =
        (0..s.threads.len()).filter(|&i| s.threads[i].status != Status::Ended).collect();
    if s.threads[0].status == Status::Ended {
        s.outlived = waiting.len() as u32;
        leave();
        unreachable!("an execution that ended was resumed");
    }
    stop(Fact::Deadlock { waiting: waiting.into_iter().map(describe).collect() })
}

/// Where a thread stands that has not ended.
pub(crate) fn describe(index: usize) -> Waiting {
    let stack = stack_of_waiting(index);
    // SAFETY: the running thread, disarmed.
    let thread = unsafe { &state().threads[index] };
    let on = match thread.status {
        Status::Futex(addr, _) => WaitsFor::Futex(addr),
        Status::Join(other) => WaitsFor::End(other as ThreadId),
        Status::Asleep => WaitsFor::Time,
        Status::Runnable | Status::Stalled | Status::Ended => WaitsFor::Nothing,
    };
    Waiting { thread: index as ThreadId, label: thread.label, on, stack }
}

/// Ends the execution without one: the code under test has given up, as a fault allows.
pub(crate) fn give_up() -> ! {
    disarm();
    // SAFETY: the running thread, disarmed.
    let s = unsafe { state() };
    s.settle();
    s.gave_up = true;
    leave();
    unreachable!("an execution that was given up was resumed")
}

/// Ends the execution with a finding. The stacks of its threads are never resumed.
pub(crate) fn stop(fact: Fact) -> ! {
    disarm();
    // SAFETY: the running thread, disarmed.
    let s = unsafe { state() };
    let stack =
        if s.options.stacks || s.options.record { Stack::capture() } else { Stack::default() };
    s.settle();
    s.found = Some(Found { fact, at: s.stamp(), stack });
    leave();
    unreachable!("an execution that was stopped was resumed")
}
