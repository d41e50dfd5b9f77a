//! Whether an execution gets anywhere. When nothing has come to an end for a while, the threads take turns, whatever
//! the decider would say; when nothing comes to an end then either, and nothing is new any more, it is a livelock.
//!
//! All of this is a function of the execution, so it needs no decisions, and a replay repeats it.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::*;
use crate::heap;
use crate::state::{State, arm, disarm};
use crate::thread::{Status, describe, stop};

/// Schedule points of the shortest turn; each round's are twice as long as those of the one before.
const SHORTEST: u64 = 16;
/// Rounds until turns are short again. The longest turn is long enough for an operation that needs to be alone.
const ROUNDS: u32 = 8;
/// Patiences in which there were wake-ups and nothing else, after which the threads take turns all the same. A lock
/// whose waiters are woken, and lose it again to a thread that the decider prefers, would starve them for ever.
const WAKES: u64 = 4;

/// The account of an execution.
pub(crate) struct Progress {
    /// When the threads begin to take turns, unless there is progress before.
    due: u64,
    /// From when on it is no progress that a thread is woken.
    wakes_until: u64,
    turns: Option<Turns>,
    /// The step from which the next thread within an operation is to be left alone.
    suspend_from: u64,
    alone: Option<Alone>,
}

/// A phase in which every thread that can run gets its turn.
struct Turns {
    began: u64,
    /// When the turn under way ends.
    end: u64,
    turn: u32,
    /// Digests of what was accessed and read.
    seen: BTreeSet<u64>,
    /// Whether the second half of the phase brought anything that the first had not.
    news: bool,
    /// How often each thread has made the same access.
    repeated: BTreeMap<(ThreadId, usize), (u64, Access)>,
}

/// A thread that goes on while all others stay where they are.
struct Alone {
    thread: usize,
    /// When its operation must have ended.
    end: u64,
}

impl Progress {
    pub const fn new() -> Progress {
        let never = u64::MAX;
        Progress { due: never, wakes_until: never, turns: None, suspend_from: never, alone: None }
    }

    pub fn takes_turns(&self) -> bool {
        self.turns.is_some()
    }

    pub fn someone_is_alone(&self) -> bool {
        self.alone.is_some()
    }
}

impl State {
    /// Clears the account for a new execution.
    pub fn expect_progress(&mut self) {
        self.progress = Progress::new();
        self.progressed();
    }

    /// Something came to an end, or began: the threads need not take turns.
    pub fn progressed(&mut self) {
        let (now, patience) = (self.exact_steps(), self.options.patience);
        self.progress.wakes_until = now.saturating_add(patience.saturating_mul(WAKES));
        self.be_patient(now);
    }

    /// A thread was woken: progress, unless that is all there has been for long. Then it is news.
    pub fn woke(&mut self) {
        let now = self.exact_steps();
        if now < self.progress.wakes_until {
            self.be_patient(now);
        } else {
            self.news();
        }
    }

    fn be_patient(&mut self, now: u64) {
        let due = now.saturating_add(self.options.patience);
        self.progress.due = due.min(self.progress.wakes_until);
        self.progress.turns = None;
        self.set_alarm();
    }

    /// The running thread has completed an operation.
    pub fn completed(&mut self) {
        if self.progress.alone.as_ref().is_some_and(|a| a.thread == self.current) {
            self.progress.alone = None;
        }
        self.progressed();
    }

    /// Something new was seen that is no access: the time, say.
    pub fn news(&mut self) {
        if let Some(turns) = &mut self.progress.turns {
            turns.news = true;
        }
    }

    /// The decider chose that a thread is left alone so many schedule points from now; not at all for 0.
    pub fn suspend_after(&mut self, points: u32) {
        if points > 0 {
            self.progress.suspend_from = self.exact_steps() + u64::from(points);
            self.set_alarm();
            self.ask_soon();
        }
    }

    fn set_alarm(&mut self) {
        let Progress { due, suspend_from, alone, .. } = &self.progress;
        let end = alone.as_ref().map_or(*due, |a| a.end);
        self.alarm = self.options.max_steps.min(*suspend_from).min(end);
    }

    /// What is due at this step.
    #[cold]
    #[inline(never)]
    pub fn alarmed(&mut self) {
        if self.steps >= self.options.max_steps {
            stop(Fact::StepLimit { steps: self.steps });
        }
        if self.steps >= self.progress.suspend_from {
            self.leave_alone();
        }
        match &self.progress.alone {
            Some(alone) if self.steps >= alone.end => self.obstructed(),
            None if self.steps >= self.progress.due => self.take_turns(),
            _ => {}
        }
    }

    fn take_turns(&mut self) {
        self.progress.turns = Some(Turns {
            began: self.steps,
            end: self.steps,
            turn: 0,
            seen: BTreeSet::new(),
            news: false,
            repeated: BTreeMap::new(),
        });
        self.progress.due = u64::MAX;
        self.slice = 0;
        self.set_alarm();
    }

    /// A schedule point while the threads take turns. At the end of the phase it is a livelock, or all was new enough.
    pub fn watch(&mut self, access: &Access) {
        if !self.progress.takes_turns() {
            return;
        }
        let value = peek(access);
        let (thread, now, timers) = (self.current as ThreadId, self.steps, self.timers);
        let bound = self.options.patience;
        let Some(turns) = &mut self.progress.turns else { return };
        let key = digest(access.addr, value);
        let new = access.kind == Kind::Alloc || timers > 0 || turns.seen.insert(key);
        turns.news |= new && now - turns.began >= bound / 2;
        if access.addr != 0 {
            turns.repeated.entry((thread, access.addr)).or_insert((0, *access)).0 += 1;
        }
        if now - turns.began < bound {
            return;
        }
        let news = turns.news;
        if !self.stalls_judged && self.release_stalled() {
            // That one had stalled may be why no operation ends. Of who sleeps and looks again, all is new for ever.
            return;
        }
        if news {
            self.progressed();
        } else {
            self.livelock();
        }
    }

    /// Nothing gets anywhere.
    fn livelock(&mut self) {
        let turns = self.progress.turns.take();
        let repeated = turns.map_or_else(BTreeMap::new, |t| t.repeated);
        let mut most: BTreeMap<ThreadId, Repeated> = BTreeMap::new();
        for ((thread, _), (times, access)) in repeated {
            let block = None;
            let this = Repeated { thread, access, times, block };
            let best = most.entry(thread).or_insert_with(|| this.clone());
            if best.times < times {
                *best = this;
            }
        }
        let repeated =
            most.into_values().map(|r| Repeated { block: heap::describe(r.access.addr), ..r });
        let (points, repeated) = (self.options.patience, repeated.collect());
        stop(Fact::Livelock { points, threads: unended(self), repeated })
    }

    /// The thread whose turn it is, if it is another one.
    pub fn turn(&mut self, reason: Reason) -> Option<usize> {
        let (current, now) = (self.current, self.steps);
        let threads = self.views.len();
        let turns = self.progress.turns.as_mut().expect("the threads take turns");
        if reason == Reason::Point && now < turns.end && self.views[current].runnable {
            return None;
        }
        let next = (1..=threads).map(|i| (current + i) % threads).find(|&t| self.views[t].runnable);
        let next = next.expect("the caller waited for one");
        let round = turns.turn / threads as u32 % ROUNDS;
        turns.turn += 1;
        turns.end = now + (SHORTEST << round);
        self.switch(next, Reason::Yield)
    }

    /// Suspends all threads but the running one, if it and all others that run are within operations.
    fn leave_alone(&mut self) {
        let within = |t: usize| self.threads[t].label > 0 && self.threads[t].in_one_step == 0;
        let current = self.current;
        let others = (1..self.threads.len()).filter(|&t| {
            let thread = &self.threads[t];
            t != current && thread.status != Status::Ended && thread.local > 0
        });
        if current == 0 {
            if self.threads[1..].iter().all(|t| t.status == Status::Ended) {
                // The root thread goes on alone for good.
                self.progress.suspend_from = u64::MAX;
            }
        } else if self.threads[current].label > 0
            && others.clone().next().is_some()
            && others.clone().all(within)
        {
            self.progress.suspend_from = u64::MAX;
            let end = self.steps.saturating_add(self.options.patience);
            self.progress.alone = Some(Alone { thread: current, end });
            self.progress.turns = None;
        }
        self.set_alarm();
    }

    /// A schedule point of the thread that is left alone: it goes on, if it can.
    pub fn go_on_alone(&mut self) {
        let current = self.current;
        if self.views[current].runnable {
            return;
        }
        let Some(deadline) = self.threads[current].deadline else { self.obstructed() };
        self.skipped += deadline.saturating_sub(self.now());
        self.fire_timers();
    }

    /// A thread cannot go on because another one has stalled.
    pub fn obstructed_by_stall(&mut self, thread: usize) -> ! {
        let (thread, points) = (thread as ThreadId, self.options.patience);
        let stalled = self.has_stalled().map(|t| t as ThreadId);
        stop(Fact::Obstructed { thread, points, waits: true, stalled, threads: unended(self) })
    }

    fn obstructed(&mut self) -> ! {
        let (thread, points) = (self.current as ThreadId, self.options.patience);
        let waits = !self.views[self.current].runnable;
        stop(Fact::Obstructed { thread, points, waits, stalled: None, threads: unended(self) })
    }
}

/// All threads that have not ended.
fn unended(s: &State) -> Vec<Waiting> {
    let ended = |t: usize| s.threads[t].status == Status::Ended;
    let threads: Vec<usize> = (0..s.threads.len()).filter(|&t| !ended(t)).collect();
    threads.into_iter().map(describe).collect()
}

/// The value at the address of an access that is about to be made, or was just made; 0 where there is none. The access
/// may be one that faults: then this faults in its place, as armed code does.
pub(crate) fn peek(access: &Access) -> u64 {
    let Access { addr, size, .. } = *access;
    let touches = !matches!(access.kind, Kind::None | Kind::Fence | Kind::Alloc | Kind::Free);
    if !touches || addr == 0 || size == 0 || !heap::live(addr, size) {
        return 0;
    }
    arm();
    let mut value = 0_u64;
    for at in (addr..addr + size).take(16) {
        // SAFETY: live, or outside of the modelled heap, where code under test is about to access it itself.
        let byte = unsafe { (at as *const u8).read_volatile() };
        value = value.rotate_left(8) ^ u64::from(byte);
    }
    disarm();
    value
}

/// A number that tells most pairs apart.
fn digest(addr: usize, value: u64) -> u64 {
    let mixed = (addr as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ value;
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(31)
}
