//! The one piece of global state, and the hot path: what happens at every schedule point.
//!
//! Only one thread runs at any moment (the carrier, or the holder of the baton), so the state needs no lock.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use crate::api::*;
use crate::granules;
use crate::heap;
use crate::progress::{Progress, peek};
use crate::runnable::Runnable;
use crate::stack::Stack;
use crate::thread::{Status, VirtualThread, context::Context};

/// What a callback has to look at before anything else, in one byte, so that most take one short way: some of the bits
/// below.
#[unsafe(link_section = "mapcheck_kept")]
pub(crate) static MODE: AtomicU8 = AtomicU8::new(0);

/// Set while code under test runs on a virtual thread: callbacks and interposed functions act only then.
pub(crate) const ARMED: u8 = 1;
/// Set while the observer is told of every access.
pub(crate) const WATCHING: u8 = 2;
/// Set while granules are looked up at every schedule point.
pub(crate) const LOOKED_UP: u8 = 4;

/// Schedule points that may be passed before [`consult`] runs.
#[unsafe(link_section = "mapcheck_kept")]
pub(crate) static LEFT: AtomicU64 = AtomicU64::new(u64::MAX);

/// Visible points that may be reached before [`consult`] runs.
#[unsafe(link_section = "mapcheck_kept")]
static VISIBLE_LEFT: AtomicU64 = AtomicU64::new(u64::MAX);

/// Virtual nanoseconds that pass at a schedule point.
const NANOS_A_STEP: u64 = 10;

/// Alternatives of a [`ChoiceKind::Stall`] choice.
const STALL: u32 = 1 << 15;

/// Schedule points after which a thread that never let go is treated as if it had yielded.
const FAIR: u64 = 50_000;

/// Schedule points that other threads may still pass once the root thread has ended.
const GRACE: u64 = 50_000;

/// Stacks of changes that a recorded execution keeps, at most: an endless one has no end of them.
const CHANGES: usize = 20_000;

/// An atomic access that the running thread is about to make, as a recorded execution needs to know it.
pub(crate) struct Attempt {
    at: Stamp,
    access: Access,
    before: u64,
    stack: Stack,
}

/// Everything about the execution that is under way.
pub(crate) struct State {
    pub options: Options,
    pub decider: Option<*mut dyn Decider>,
    pub observer: Option<*mut dyn Observer>,
    pub threads: Vec<VirtualThread>,
    pub views: Vec<ThreadView>,
    pub runnable: Runnable,
    pub current: usize,
    /// The thread that has asked the current one for its stack.
    pub asker: Option<usize>,
    /// Where the carrier's own stack continues when the execution ends.
    pub carrier: Context,
    /// The operating-system thread that called `execute`.
    pub carrier_task: i32,
    /// Executions begun in this process.
    executions: u64,
    /// What [`LEFT`] held when it was last settled.
    granted: u64,
    /// Schedule points the decider allowed and that are not passed yet.
    pub slice: u64,
    /// Ask the decider at the next point, because the set of runnable threads grew.
    pub recheck: bool,
    /// The step of the last switch.
    switched_at: u64,
    pub steps: u64,
    pub switches: u64,
    /// Waits begun so far.
    waits: u64,
    /// Virtual nanoseconds skipped while all threads waited.
    pub skipped: u64,
    pub timers: usize,
    pub random: u64,
    pub found: Option<Found>,
    /// The first race of the execution, and the stack of the step that may be its earlier access.
    pub race: Option<Found>,
    pub earlier: Option<(Stamp, Stack)>,
    pub outlived: u32,
    /// Whether an abort is no finding, because a fault may lead to it; and whether there was one.
    pub abort_excused: bool,
    /// Whether an allocation was made to fail.
    pub allocation_failed: bool,
    pub gave_up: bool,
    /// Whether it is a finding that threads cannot go on because another has stalled.
    pub stalls_judged: bool,
    /// Whether blocks that nothing refers to at the end are a finding.
    pub leaks_forbidden: bool,
    /// The step at which the root thread ended.
    pub root_ended_at: Option<u64>,
    pub progress: Progress,
    /// The step at which something is due that is no decision: the limit, or what [`Progress`] has in mind.
    pub alarm: u64,
    /// See [`Decider::asks_at_labels`].
    pub asks_at_labels: bool,
    /// What the running thread does, until its next schedule point.
    attempt: Option<Attempt>,
    /// Stacks captured for attempts.
    attempts: usize,
}

struct Global(UnsafeCell<State>);

// SAFETY: only the thread that runs the execution touches the state, and only one thread runs at a time: the carrier
// switches between stacks, and in baton mode a futex hand-over orders the accesses of the threads.
unsafe impl Sync for Global {}

#[unsafe(link_section = "mapcheck_kept")]
static STATE: Global = Global(UnsafeCell::new(State {
    options: Options {
        record: false,
        stacks: false,
        watch: false,
        stack_at: None,
        max_steps: 0,
        patience: 0,
        offers: Choices::NONE,
        seed: 0,
        fresh_globals: false,
    },
    decider: None,
    observer: None,
    threads: Vec::new(),
    views: Vec::new(),
    runnable: Runnable::NONE,
    current: 0,
    asker: None,
    carrier: Context::new(),
    carrier_task: 0,
    executions: 0,
    granted: 0,
    slice: 0,
    recheck: false,
    switched_at: 0,
    steps: 0,
    switches: 0,
    waits: 0,
    skipped: 0,
    timers: 0,
    random: 0,
    found: None,
    race: None,
    earlier: None,
    outlived: 0,
    abort_excused: false,
    allocation_failed: false,
    gave_up: false,
    stalls_judged: false,
    leaks_forbidden: false,
    root_ended_at: None,
    progress: Progress::new(),
    alarm: 0,
    asks_at_labels: false,
    attempt: None,
    attempts: 0,
}));

/// The global state.
///
/// # Safety
/// The caller must be the running thread, with callbacks disarmed, and must not hold the reference across a switch.
pub(crate) unsafe fn state() -> &'static mut State {
    // SAFETY: see above; the reference lives shorter than the caller's turn.
    unsafe { &mut *STATE.0.get() }
}

/// Whether this bit of the mode is set.
#[inline(always)]
pub(crate) fn is_on(bit: u8) -> bool {
    MODE.load(Relaxed) & bit != 0
}

/// Sets a bit of the mode, or clears it. No read-modify-write of the processor's: only the running thread does this.
#[inline(always)]
pub(crate) fn turn(bit: u8, on: bool) {
    let mode = MODE.load(Relaxed);
    MODE.store(if on { mode | bit } else { mode & !bit }, Relaxed);
}

#[inline(always)]
pub(crate) fn armed() -> bool {
    is_on(ARMED)
}

#[inline(always)]
pub(crate) fn arm() {
    turn(ARMED, true);
}

#[inline(always)]
pub(crate) fn disarm() {
    turn(ARMED, false);
}

/// Runs machine code: disarmed, with the state, and armed again afterwards.
#[inline]
pub(crate) fn disarmed<R>(f: impl FnOnce(&mut State) -> R) -> R {
    disarm();
    // SAFETY: the callers are on the running virtual thread, and `f` does not switch.
    let result = f(unsafe { state() });
    arm();
    result
}

/// A schedule point of the running thread, which must be armed: counts it, and asks the decider when the slice is used
/// up, or at a granule that it has named.
///
/// The access is not copied on the way: to read in one go what was just written in parts costs more than all the rest.
#[inline(always)]
pub(crate) fn step(access: &Access) {
    let left = LEFT.load(Relaxed) - 1;
    LEFT.store(left, Relaxed);
    let visible = VISIBLE_LEFT.load(Relaxed) - u64::from(access.is_visible());
    VISIBLE_LEFT.store(visible, Relaxed);
    if left == 0 || visible == 0 || granules::awaited(access.addr) {
        consult(Reason::Point, access);
    }
}

/// The short way of a schedule point at an access: all of it, if nothing but code under test is at work, nobody is to
/// be asked or told, and the access is to live memory. Otherwise nothing is done, and the result is false.
#[inline(always)]
pub(crate) fn step_lightly(addr: usize, size: usize) -> bool {
    // Outside executions there may be none left, and then it is not light.
    let left = LEFT.load(Relaxed).wrapping_sub(1);
    let light = MODE.load(Relaxed) == ARMED && left != 0 && heap::live(addr, size);
    if light {
        LEFT.store(left, Relaxed);
    }
    light
}

/// As [`step_lightly`], at a visible point.
#[inline(always)]
pub(crate) fn step_lightly_in_sight(addr: usize, size: usize) -> bool {
    let visible = VISIBLE_LEFT.load(Relaxed).wrapping_sub(1);
    let light = visible != 0 && step_lightly(addr, size);
    if light {
        VISIBLE_LEFT.store(visible, Relaxed);
    }
    light
}

/// A schedule point at which the thread yields or cannot go on. Returns, armed, when it is resumed.
#[cold]
#[inline(never)]
pub(crate) fn give_way(reason: Reason, access: &Access) {
    LEFT.store(LEFT.load(Relaxed) - 1, Relaxed);
    consult(reason, access);
}

/// Accounts for the points passed, lets the decider choose, switches, and grants the next slice.
#[cold]
#[inline(never)]
fn consult(reason: Reason, access: &Access) {
    disarm();
    // SAFETY: this is the running thread; the borrow ends before the switch.
    let next = unsafe { state() }.decide(reason, access);
    if let Some(next) = next {
        crate::atomic::not_spinning();
        crate::thread::switch_to(next);
    }
    // SAFETY: as above.
    let s = unsafe { state() };
    if s.options.record {
        s.attempt(access);
    }
    grant();
    arm();
}

/// Makes the slice that the decider allowed effective.
#[inline]
pub(crate) fn grant() {
    // SAFETY: this is the running thread, disarmed.
    let s = unsafe { state() };
    s.granted = s.points_until_asked();
    LEFT.store(s.granted, Relaxed);
    // Where the decider was not asked though it should have been, it is at the next chance.
    VISIBLE_LEFT.store(VISIBLE_LEFT.load(Relaxed).max(1), Relaxed);
}

impl State {
    /// Eight more bits of the randomness that the seed stands for.
    pub fn random_byte(&mut self) -> u8 {
        self.random =
            self.random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.random >> 56) as u8
    }

    /// Sixty-four of them.
    pub fn random(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.random_byte()))
    }

    /// Counts the points passed since the last grant.
    pub fn settle(&mut self) {
        let left = LEFT.load(Relaxed);
        let ran = self.granted - left;
        self.granted = left;
        self.threads[self.current].local += ran;
        self.steps += ran;
        self.slice = self.slice.saturating_sub(ran);
    }

    /// Clears the account for a new execution.
    pub fn start_counting(&mut self) {
        self.granted = 1;
        LEFT.store(1, Relaxed);
        VISIBLE_LEFT.store(u64::MAX, Relaxed);
        self.slice = 0;
        self.recheck = false;
        self.switched_at = 0;
        self.steps = 0;
        self.switches = 0;
        self.waits = 0;
        self.executions += 1;
        (self.attempt, self.attempts) = (None, 0);
        self.expect_progress();
    }

    /// A number that changes whenever a schedule point is passed or an execution begins.
    pub fn fingerprint(&self) -> u64 {
        let steps = self.exact_steps();
        steps.wrapping_add(self.switches << 40).wrapping_add(self.executions.rotate_right(12))
    }

    /// Schedule points of all threads, those since the last grant included.
    pub fn exact_steps(&self) -> u64 {
        self.steps + (self.granted - LEFT.load(Relaxed))
    }

    /// Virtual time in nanoseconds since the execution began.
    pub fn now(&self) -> u64 {
        self.skipped.saturating_add(self.steps * NANOS_A_STEP)
    }

    /// As [`State::now`], with the points passed since the last grant; for code under test that asks the time.
    pub fn exact_now(&self) -> u64 {
        self.now().saturating_add((self.granted - LEFT.load(Relaxed)) * NANOS_A_STEP)
    }

    /// The running thread's stamp at this step.
    pub fn stamp(&self) -> Stamp {
        let label = self.threads.get(self.current).map_or(0, |t| t.label);
        Stamp { thread: self.current as ThreadId, label, step: self.exact_steps() }
    }

    /// Tells the observer.
    pub fn tell(&mut self, event: Event) {
        if let (true, Some(observer)) = (self.options.record, self.observer) {
            // SAFETY: `execute` set the pointer from a reference that outlives the execution.
            unsafe { (*observer).event(&event) }
        }
    }

    /// Points since the last switch.
    fn since_switch(&self) -> u64 {
        self.steps - self.switched_at
    }

    #[inline]
    fn points_until_asked(&self) -> u64 {
        if self.options.record || self.recheck || self.progress.takes_turns() {
            return 1;
        }
        let timer = if self.timers == 0 { u64::MAX } else { self.steps_to_next_timer() };
        let limit = self.alarm.saturating_sub(self.steps);
        let fair = FAIR.saturating_sub(self.since_switch());
        let thread = &self.threads[self.current];
        let stall = thread.stall_at.map_or(u64::MAX, |at| at.saturating_sub(thread.local));
        self.slice.min(timer).min(limit).min(fair).min(stall).max(1)
    }

    fn steps_to_next_timer(&self) -> u64 {
        let now = self.now();
        self.next_deadline().map_or(u64::MAX, |d| d.saturating_sub(now).div_ceil(NANOS_A_STEP))
    }

    fn next_deadline(&self) -> Option<u64> {
        self.threads.iter().filter_map(|t| t.deadline).min()
    }

    /// What follows from reaching a schedule point: the thread to switch to, if it is another one.
    fn decide(&mut self, reason: Reason, access: &Access) -> Option<usize> {
        self.settle();
        self.views[self.current].pending.set(access);
        if self.options.record {
            self.attempted();
        }
        if self.steps >= self.alarm {
            self.alarmed();
        }
        if self.options.record {
            let at = self.stamp();
            self.tell(Event::Step { at, access: *access });
        }
        self.fire_timers();
        if self.root_ended_at.is_some_and(|end| self.steps > end + GRACE) {
            crate::thread::nothing_can_run();
        }
        if self.progress.someone_is_alone() {
            self.go_on_alone();
            return None;
        }
        self.watch(access);
        let reason = if self.stalls() { Reason::Blocked } else { self.fair_reason(reason) };
        let asks = || self.spent() || self.recheck || granules::awaited(access.addr);
        if reason == Reason::Point && !asks() {
            return None;
        }
        if !self.wait_for_runnable() && !self.release_stalled() {
            crate::thread::nothing_can_run();
        }
        if self.progress.takes_turns() { self.turn(reason) } else { self.ask(reason) }
    }

    /// The running thread is about to make an access of which a recorded execution tells what it changes.
    #[cold]
    fn attempt(&mut self, access: &Access) {
        let may_change = matches!(access.kind, Kind::AtomicStore | Kind::AtomicRmw | Kind::Sync);
        if !may_change || access.addr == 0 {
            return;
        }
        self.attempts += 1;
        let captures = self.options.stacks && self.attempts <= CHANGES;
        let stack = if captures { Stack::capture() } else { Stack::default() };
        let (at, before) = (self.stamp(), peek(access));
        self.attempt = Some(Attempt { at, access: *access, before, stack });
    }

    /// Tells what the access before this schedule point has changed.
    #[cold]
    fn attempted(&mut self) {
        let Some(Attempt { at, access, before, stack }) = self.attempt.take() else { return };
        let now = peek(&access);
        if now != before {
            self.tell(Event::Change { at, access, zero: now == 0, stack });
        }
    }

    /// A thread that hogs the machine while others could run is treated as if it yielded.
    fn fair_reason(&mut self, reason: Reason) -> Reason {
        if reason != Reason::Point || self.since_switch() < FAIR {
            return reason;
        }
        self.switched_at = self.steps;
        Reason::Yield
    }

    /// Whether the slice that the decider granted is used up.
    fn spent(&self) -> bool {
        self.slice == 0 || VISIBLE_LEFT.load(Relaxed) == 0
    }

    fn ask(&mut self, reason: Reason) -> Option<usize> {
        self.recheck = false;
        granules::look_up(|| self.runnable.count() > 1);
        let current = self.current;
        let consult = Consult {
            current: current as ThreadId,
            local_step: self.threads[current].local,
            step: self.steps,
            reason,
            spent: self.spent(),
            threads: &self.views,
            runnable: &self.runnable,
        };
        let decider = self.decider.expect("an execution is under way");
        // SAFETY: `execute` set the pointer from a reference that outlives the execution.
        let slice = unsafe { (*decider).schedule(&consult) };
        let next = slice.thread as usize;
        assert!(
            self.views.get(next).is_some_and(|v| v.runnable),
            "a decider chose a thread that cannot run"
        );
        self.slice = slice.points.max(1);
        VISIBLE_LEFT.store(slice.visible.max(1), Relaxed);
        self.switch(next, reason)
    }

    /// Accounts for a switch, if it is one.
    pub fn switch(&mut self, next: usize, reason: Reason) -> Option<usize> {
        if next == self.current {
            return None;
        }
        self.switches += 1;
        self.switched_at = self.steps;
        if self.options.record {
            let (from, to) = (self.current as ThreadId, next as ThreadId);
            self.tell(Event::Switch { from, to, step: self.steps, reason });
        }
        Some(next)
    }

    /// Lets virtual time pass until some thread can run; false if none ever can.
    fn wait_for_runnable(&mut self) -> bool {
        if self.runnable.count() > 0 {
            return true;
        }
        let Some(deadline) = self.next_deadline() else { return false };
        self.skipped += deadline.saturating_sub(self.now());
        self.fire_timers();
        true
    }

    pub fn fire_timers(&mut self) {
        if self.timers == 0 {
            return;
        }
        let now = self.now();
        for i in 0..self.threads.len() {
            if self.threads[i].deadline.is_some_and(|d| d <= now) {
                self.threads[i].timed_out = true;
                self.wake(i);
            }
        }
    }

    /// Makes a waiting thread runnable.
    pub fn wake(&mut self, thread: usize) {
        if self.threads[thread].deadline.take().is_some() {
            self.timers -= 1;
        }
        self.set_status(thread, Status::Runnable);
        self.ask_soon();
        self.woke();
    }

    /// Makes a thread wait, at most until `deadline` (virtual nanoseconds).
    pub fn block(&mut self, thread: usize, status: Status, deadline: Option<u64>) {
        self.waits += 1;
        self.threads[thread].waits_since = self.waits;
        self.threads[thread].timed_out = false;
        self.threads[thread].deadline = deadline;
        self.timers += usize::from(deadline.is_some());
        self.set_status(thread, status);
    }

    pub fn set_status(&mut self, thread: usize, status: Status) {
        let runnable = matches!(status, Status::Runnable);
        self.views[thread].runnable = runnable;
        self.runnable.set(thread, runnable);
        self.threads[thread].status = status;
    }

    /// The running thread has set its label.
    pub fn begin_operation(&mut self, label: u32) {
        let thread = &mut self.threads[self.current];
        thread.stall_at = None;
        if label == 0 {
            // Numbers go on, so that they ascend within a thread.
            return;
        }
        for kind in ChoiceKind::ALL.into_iter().filter(|kind| !kind.is_no_fault()) {
            thread.choices[kind as usize] = index_of(label.into(), 0);
        }
        if self.current > 0 && !self.progress.someone_is_alone() {
            let points = crate::border::choose_disarmed(ChoiceKind::Stall, STALL);
            let thread = &mut self.threads[self.current];
            let local = thread.local + (self.granted - LEFT.load(Relaxed));
            thread.stall_at = (points > 0).then_some(local + u64::from(points));
            if points > 0 {
                self.ask_soon();
            }
        }
    }

    /// The index of the running thread's next choice of this kind; `None` where it is not asked for.
    pub fn next_choice(&mut self, kind: ChoiceKind) -> Option<u64> {
        let thread = &mut self.threads[self.current];
        let next = &mut thread.choices[kind as usize];
        let index = *next;
        if !kind.is_no_fault() {
            let (operation, number) = operation_and_number(index);
            let full = number + 1 >= 1 << NUMBER_BITS || operation > MAX_LABEL.into();
            if full || !self.options.offers.has(kind) || thread.spared && kind.spares() {
                return None;
            }
        }
        *next += 1;
        Some(index)
    }

    /// Stalls the running thread, if its time has come.
    fn stalls(&mut self) -> bool {
        let thread = &mut self.threads[self.current];
        let due = thread.stall_at.is_some_and(|at| thread.local >= at);
        if !due || thread.in_one_step > 0 || thread.status != Status::Runnable {
            return false;
        }
        thread.stall_at = None;
        self.set_status(self.current, Status::Stalled);
        true
    }

    /// The first thread that has stalled.
    pub fn has_stalled(&self) -> Option<usize> {
        self.threads.iter().position(|t| t.status == Status::Stalled)
    }

    /// Nothing else can go on: a thread that has stalled does. False if there is none. If others wait for what it may
    /// have, and not just for its end, that may be a finding.
    pub fn release_stalled(&mut self) -> bool {
        let Some(stalled) = self.has_stalled() else { return false };
        let waits = |t: &VirtualThread| matches!(t.status, Status::Futex(..));
        if let (true, Some(waiting)) = (self.stalls_judged, self.threads.iter().position(waits)) {
            self.obstructed_by_stall(waiting);
        }
        self.wake(stalled);
        true
    }

    /// More threads can run: shortens the grant in force to one more point, at which the decider is asked.
    pub fn ask_soon(&mut self) {
        self.recheck = true;
        let left = LEFT.load(Relaxed);
        if left > 1 {
            self.granted -= left - 1;
            LEFT.store(1, Relaxed);
        }
    }
}
