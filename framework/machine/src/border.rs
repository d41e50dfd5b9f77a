//! What code above the machine calls while an execution is under way.

use crate::api::*;
use crate::heap;
use crate::memory;
use crate::state::{State, arm, armed, disarm, disarmed, state, step};
use crate::thread::{self, Start, execute::prepare, on_virtual_thread, stop};
use crate::watch;

/// Alternatives of a [`ChoiceKind::Suspend`] choice.
const SUSPEND: u32 = 1 << 15;

/// Whether instrumented modules are linked in. Without any (*plain* level), schedule points are operations, allocator
/// calls, callbacks of keys and values, futexes and yields, and freed blocks are guarded by protected pages.
#[inline(never)]
pub fn instrumented() -> bool {
    memory::modules() > 0
}

/// Calls `each` with the number of every branch of the instrumented code that the execution just ended has taken. Only
/// between executions.
///
/// # Panics
/// Within an execution.
pub fn edges(each: &mut dyn FnMut(usize)) {
    assert!(!on_virtual_thread(), "the edges of an execution are known when it has ended");
    let counters = memory::counters();
    let (words, rest) = counters.as_chunks::<8>();
    let taken = |i: usize, bytes: &[u8], each: &mut dyn FnMut(usize)| {
        (i..).zip(bytes).filter(|(_, n)| **n > 0).for_each(|(i, _)| each(i));
    };
    for (i, word) in words.iter().enumerate() {
        // Most are not taken.
        if u64::from_ne_bytes(*word) != 0 {
            taken(8 * i, word, each);
        }
    }
    taken(8 * words.len(), rest, each);
}

/// Forgets the branches that the execution under way has taken so far, see [`edges`]: they were the framework's own,
/// and which of them it takes depends on what it finds of earlier executions. Does nothing outside executions.
#[inline(never)]
pub fn forget_edges() {
    if on_virtual_thread() {
        memory::forget_branches();
    }
}

/// Chooses how threads are switched, for the rest of the process. Call it before the first execution; later calls have
/// no effect.
#[inline(never)]
pub fn use_switching(switching: Switching) {
    prepare(switching);
}

/// Whether another execution can run in this process as far as the modelled heap is concerned: false once every slot
/// holds blocks that earlier executions never freed.
#[inline(never)]
pub fn heap_has_room() -> bool {
    heap::has_room()
}

/// Runs `body(0)` to `body(n - 1)` on fresh virtual threads and waits for all of them. Outside an execution it runs
/// them one after the other.
#[inline(never)]
pub fn concurrently(n: usize, body: &(dyn Fn(usize) + Sync)) {
    if !armed() || n == 0 {
        (0..n).for_each(body);
        return;
    }
    disarm();
    // SAFETY: the threads end before this function returns, or the process is spent and never resumes them.
    let body = unsafe {
        std::mem::transmute::<&(dyn Fn(usize) + Sync), *const (dyn Fn(usize) + Sync)>(body)
    };
    let first = thread::create(Start::Body(body, 0));
    for i in 1..n {
        thread::create(Start::Body(body, i));
    }
    let suspend = choose_disarmed(ChoiceKind::Suspend, SUSPEND);
    // SAFETY: the running thread, disarmed.
    unsafe { state() }.suspend_after(suspend);
    arm();
    (first..first + n).for_each(thread::join);
}

/// A schedule point that touches no memory.
#[inline(never)]
pub fn point() {
    if armed() {
        step(&Access::NONE);
    }
}

/// A schedule point, and the check that `size` bytes at `addr` are part of a live block if they lie in the arena.
#[inline(never)]
pub fn touch(addr: usize, size: usize, write: bool) {
    if armed() {
        let kind = if write { Kind::Write } else { Kind::Read };
        memory::plain_at(kind, addr, size, 0);
    }
}

/// A schedule point and a check as of [`touch`], for an access of any kind that code without callbacks makes next. It
/// says by [`touched`] what came of it.
#[inline(never)]
pub fn announce(access: Access) {
    if armed() {
        step(&access);
        memory::check(&access);
    }
}

/// See [`announce`].
#[inline(never)]
pub fn touched(access: Access, site: usize, change: Change) {
    if armed() && watch::watching() {
        watch::touched(&mut Touch { change, ..Touch::by(access, site) });
    }
}

/// Tells the observer of a recorded execution that words which refer to the block at this address hold one of `count`
/// numbers from `first` on, each for the next `unit` bytes: modelled memory has pointers of its own.
#[inline(never)]
pub fn known_as(addr: usize, first: u64, count: u64, unit: usize) {
    note(|_| Event::Known { addr, first, count, unit });
}

/// Tells the observer of a recorded execution that the block at this address was retired: it is to be freed when nobody
/// uses it any more.
#[inline(never)]
pub fn retired(addr: usize) {
    note(|at| Event::Retired { at, addr });
}

/// Tells the observer of a recorded execution.
fn note(event: impl FnOnce(Stamp) -> Event) {
    let was_armed = armed();
    disarm();
    if on_virtual_thread() {
        // SAFETY: the running thread, disarmed.
        let s = unsafe { state() };
        s.tell(event(s.stamp()));
    }
    if was_armed {
        arm();
    }
}

/// What the `size` bytes (1, 2, 4, 8 or 16) at an address hold now, folded to 64 bits as [`Change`] tells it; `None` if
/// it is not known whether that can be read: it is no live block, no global of the program and no thread's stack.
#[inline(never)]
pub fn peek(addr: usize, size: usize) -> Option<u64> {
    memory::peek(addr, size)
}

/// Sets the label of the current virtual thread: what it is doing, in the caller's numbering; 0 for nothing.
#[inline(never)]
pub fn set_label(label: u32) {
    if armed() {
        disarmed(|s| {
            s.threads[s.current].label = label;
            s.views[s.current].label = label;
            s.completed();
            let at = s.stamp();
            s.tell(Event::Label { at });
            s.begin_operation(label);
            if s.asks_at_labels {
                s.ask_soon();
            }
        });
    }
}

/// Tells whether the current thread runs the framework's own code from now on, in which nothing panics, no allocation
/// fails and so on. Returns whether it did so before. New threads do not.
#[inline(never)]
pub fn spare(own: bool) -> bool {
    let spare = |s: &mut State| std::mem::replace(&mut s.threads[s.current].spared, own);
    if armed() { disarmed(spare) } else { false }
}

/// From now on, an abort ends the execution without a finding: a fault was injected of which the code under test may
/// rid itself so. Does nothing outside executions.
#[inline(never)]
pub fn excuse_abort() {
    if armed() {
        disarmed(|s| s.abort_excused = true);
    }
}

/// Whether an allocation of this execution was made to fail.
#[inline(never)]
pub fn allocation_failed() -> bool {
    armed() && disarmed(|s| s.allocation_failed)
}

/// Stalls the current thread: it goes on when no other thread can.
#[inline(never)]
pub fn stall() {
    if armed() {
        disarmed(|s| {
            s.threads[s.current].stall_at = Some(0);
            s.ask_soon();
        });
        step(&Access::NONE);
    }
}

/// Whether a thread of this execution has stalled and not gone on since.
#[inline(never)]
pub fn someone_has_stalled() -> bool {
    armed() && disarmed(|s| s.has_stalled().is_some())
}

/// Makes it a finding, [`Fact::Obstructed`], when threads wait for one that has stalled, or get nowhere while it has.
/// Otherwise it goes on then. Does nothing outside executions.
#[inline(never)]
pub fn judge_stalls() {
    if armed() {
        disarmed(|s| s.stalls_judged = true);
    }
}

/// Tells that the current thread has come a step further in what its label stands for.
#[inline(never)]
pub fn progressed() {
    if armed() {
        disarmed(State::progressed);
    }
}

/// Tells that the current thread has completed an operation: what its label stands for, or one of several.
#[inline(never)]
pub fn completed() {
    if armed() {
        disarmed(State::completed);
    }
}

/// Begins a section of the current thread, in the midst of which it is not suspended for [`ChoiceKind::Suspend`]: one
/// that stands for one step. They may be nested.
#[inline(never)]
pub fn begin_one_step() {
    if armed() {
        disarmed(|s| s.threads[s.current].in_one_step += 1);
    }
}

/// Ends the section that [`begin_one_step`] began.
#[inline(never)]
pub fn end_one_step() {
    if armed() {
        disarmed(|s| s.threads[s.current].in_one_step -= 1);
    }
}

/// One of `0..n`, chosen by the decider; 0 outside executions.
#[inline(never)]
pub fn choose(kind: ChoiceKind, n: u32) -> u32 {
    if !armed() || n < 2 {
        return 0;
    }
    disarm();
    let choice = choose_disarmed(kind, n);
    arm();
    choice
}

/// Whether a fault that has two alternatives happens here, for machine code that is armed.
pub(crate) fn happens(kind: ChoiceKind) -> bool {
    choose(kind, 2) == 1
}

/// As [`choose`], for machine code.
pub(crate) fn choose_disarmed(kind: ChoiceKind, n: u32) -> u32 {
    // SAFETY: the running thread, disarmed.
    let s = unsafe { state() };
    let Some(index) = s.next_choice(kind) else { return 0 };
    let decider = s.decider.expect("an execution is under way");
    // SAFETY: `execute` set the pointer from a reference that outlives the execution.
    unsafe { (*decider).choose(kind, s.current as ThreadId, index, n) }.min(n - 1)
}

/// Runs `f` as the framework's own code: no schedule points, the system's heap, real time.
#[inline(never)]
pub fn outside(f: &mut dyn FnMut()) {
    let was_armed = armed();
    disarm();
    f();
    if was_armed {
        arm();
    }
}

/// Who runs, during what, and after how many steps: also in the framework's own code, within [`outside`]. `None`
/// outside executions.
#[inline(never)]
pub fn now() -> Option<Stamp> {
    let mut stamp = None;
    outside(&mut || {
        // SAFETY: this is the running thread, disarmed, and the borrow ends at once.
        stamp = on_virtual_thread().then(|| unsafe { state() }.stamp());
    });
    stamp
}

/// Ends the execution with [`Fact::Told`].
///
/// # Panics
/// Outside executions, with the message.
#[inline(never)]
pub fn fail(class: &'static str, message: String, addr: usize) -> ! {
    assert!(on_virtual_thread(), "{class}: {message}");
    disarm();
    stop(Fact::Told { class, message, addr, block: heap::describe(addr) })
}

/// Makes blocks a finding, [`Fact::Leaked`], that this execution has allocated and that nothing refers to any more when
/// all its threads have ended. Does nothing outside executions.
#[inline(never)]
pub fn forbid_leaks() {
    if armed() {
        disarmed(|s| s.leaks_forbidden = true);
    }
}

/// Takes [`forbid_leaks`] back: a fault was injected after which it is no mistake to leak.
#[inline(never)]
pub fn tolerate_leaks() {
    if armed() {
        disarmed(|s| s.leaks_forbidden = false);
    }
}

/// The current virtual thread; `None` outside executions and in the framework's own code.
#[inline(never)]
pub fn current_thread() -> Option<ThreadId> {
    armed().then(|| disarmed(|s| s.current as ThreadId))
}

/// The stack of the caller, resolved when asked for.
#[inline(never)]
pub fn capture_stack() -> crate::Stack {
    let mut stack = crate::Stack::default();
    outside(&mut || stack = crate::Stack::capture());
    stack
}

/// The label that the current virtual thread has set; 0 outside executions.
#[inline(never)]
pub fn current_label() -> u32 {
    if armed() { disarmed(|s| s.threads[s.current].label) } else { 0 }
}

/// A number that is a function of the execution's seed and of the randomness asked for before; 0 outside executions.
#[inline(never)]
pub fn random() -> u64 {
    if armed() { disarmed(State::random) } else { 0 }
}
