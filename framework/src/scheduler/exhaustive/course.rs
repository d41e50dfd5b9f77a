//! The execution under way, as the search sees it: its steps, and which of them happen before which.

use std::collections::BTreeMap;

use mapcheck_machine::{Access, Consult, Kind, Reason, ThreadView};

use super::op::{MOST_THREADS, Op, Threads, members, only};
use super::spin::Spin;

/// Schedule points in a row after which the machine says that a thread yields which does not.
const FAIR: u64 = 50_000;
/// Bytes of which the events that touched them are kept together.
const UNIT: usize = 8;

/// For each thread, how many of its steps happen before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock([u32; MOST_THREADS]);

impl Clock {
    fn join(&mut self, other: &Clock) {
        for (mine, its) in self.0.iter_mut().zip(other.0) {
            *mine = its.max(*mine);
        }
    }

    pub(super) fn of(&self, thread: usize) -> u32 {
        self.0[thread]
    }
}

/// A step that was taken.
#[derive(Debug)]
pub(super) struct Event {
    pub thread: usize,
    /// Its number among the steps of its thread, from 1.
    pub number: u32,
    pub op: Op,
    /// Threads that could have gone on instead, and its own.
    pub enabled: Threads,
    /// The node at which it was chosen.
    pub node: Option<usize>,
    /// What happens before it, itself included.
    pub clock: Clock,
    /// Whether it is like another one, so that no alternative to it is needed.
    pub settled: bool,
}

/// A thread.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// What it does in its next step.
    pub op: Option<Op>,
    label: u32,
    /// What happens before its next step.
    clock: Clock,
    /// What must happen before it: what it was started or woken by, or has waited for.
    causes: Clock,
    steps: u32,
    runnable: bool,
    ended: bool,
    /// Whether its next step is to go on after it has waited for the end of a thread.
    meets: bool,
    /// Whether it stands where it yielded.
    pub yielded: bool,
    pub spin: Spin,
}

impl Lane {
    /// A thread that has not taken a step; the current one is asked what it does next.
    fn new(view: &ThreadView, current: bool) -> Lane {
        let invokes = view.pending.kind == Kind::None && view.label != 0;
        let op = Op { access: view.pending, invokes, responds: false };
        let label = if current { 0 } else { view.label };
        Lane { op: Some(op), label, ..Lane::default() }
    }

    pub(super) fn op(&self) -> Op {
        self.op.unwrap_or(Op::NONE)
    }
}

/// Whether a thread has ended, or sleeps.
fn is_over(consult: &Consult<'_>, thread: usize) -> bool {
    !consult.threads[thread].runnable && consult.threads[thread].pending.kind == Kind::None
}

/// The execution.
#[derive(Debug, Default)]
pub(super) struct Course {
    pub lanes: Vec<Lane>,
    pub events: Vec<Event>,
    /// Two events that conflict, with none between them in the order of what happens before what, so that the second
    /// could come first.
    pub races: Vec<(usize, usize)>,
    /// Whether steps were taken that nobody saw.
    pub missed: bool,
    /// The events that touched a unit of memory, in order.
    touched: BTreeMap<usize, Vec<usize>>,
    /// The events that conflict otherwise than in memory.
    others: Vec<usize>,
    /// The step of the event under way.
    open: Option<u64>,
    switched_at: u64,
    /// Events that are settled since this was last emptied.
    pub settled: Vec<usize>,
}

impl Course {
    /// Whether an event is under way.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Takes over what has happened up to this schedule point. Whether the event that was under way is complete now.
    pub(super) fn arrive(&mut self, consult: &Consult<'_>) -> bool {
        let current = consult.current as usize;
        let complete = self.complete(Some(consult));
        let waker = self.lanes.get(current).map(|lane| (lane.clock, lane.causes));
        let (clock, causes) = waker.unwrap_or_default();
        for (thread, view) in consult.threads.iter().enumerate() {
            if thread == self.lanes.len() {
                self.lanes.push(Lane::new(view, thread == current));
            }
            if view.runnable && !self.lanes[thread].runnable && thread != current {
                self.lanes[thread].clock.join(&clock);
                self.lanes[thread].causes.join(&causes);
            }
            self.lanes[thread].runnable = view.runnable;
        }
        self.stand(consult);
        complete
    }

    /// What the current thread does next.
    fn stand(&mut self, consult: &Consult<'_>) {
        let view = consult.threads[consult.current as usize];
        let pending = view.pending;
        let hogs = consult.reason == Reason::Yield && consult.step - self.switched_at >= FAIR;
        let stands_before_it = consult.reason == Reason::Point || hogs;
        let lane = &mut self.lanes[consult.current as usize];
        let invokes = pending.kind == Kind::None && view.label != 0 && view.label != lane.label;
        lane.op = Some(match stands_before_it {
            true => Op { access: pending, invokes, responds: false },
            false => Op::NONE,
        });
        lane.label = view.label;
        let waited = consult.reason == Reason::Blocked && pending.kind == Kind::Sync;
        lane.meets = waited && pending.addr == 0;
        lane.ended = is_over(consult, consult.current as usize);
        lane.yielded = consult.reason == Reason::Yield;
        if lane.yielded && !hogs {
            self.spin(consult.current as usize, pending);
        }
    }

    fn spin(&mut self, thread: usize, pending: Access) {
        let at = Some(pending).filter(|p| p.kind != Kind::None);
        for event in self.lanes[thread].spin.yielded(at) {
            self.events[event].settled = true;
            self.settled.push(event);
        }
    }

    /// Begins an event: the next step of this thread.
    pub(super) fn open(&mut self, thread: usize, enabled: Threads, node: Option<usize>, step: u64) {
        if self.events.last().is_none_or(|last| last.thread != thread) {
            self.switched_at = step;
        }
        let lane = &mut self.lanes[thread];
        lane.steps += 1;
        lane.yielded = false;
        let (op, number) = (lane.op(), lane.steps);
        let clock = Clock::default();
        self.events.push(Event { thread, number, op, enabled, node, clock, settled: false });
        self.open = Some(step);
    }

    /// Ends the event that is under way, if there is one.
    pub(super) fn complete(&mut self, consult: Option<&Consult<'_>>) -> bool {
        let Some(step) = self.open.take() else { return false };
        let event = self.events.len() - 1;
        let thread = self.events[event].thread;
        // Nobody is asked after the last thread's end.
        self.events[event].op.responds = true;
        if let Some(consult) = consult {
            self.missed |= consult.step != step + 1 || consult.current as usize != thread;
            let (before, now) = (self.lanes[thread].label, consult.threads[thread].label);
            let ends = consult.reason == Reason::Blocked && is_over(consult, thread);
            self.events[event].op.responds = before != 0 && before != now || ends;
        }
        self.order(event);
        self.tell_spinners(event);
        true
    }

    /// Finds what happens before an event, and with what it races.
    fn order(&mut self, event: usize) {
        let Event { thread, number, op, .. } = self.events[event];
        if self.lanes[thread].meets {
            self.meet(thread);
        }
        let mut clock = self.lanes[thread].clock;
        let before = self.conflicting(&op, thread);
        let before = before.into_iter().flatten();
        let before: Vec<usize> = before.filter(|&b| !self.happens_before(b, &clock)).collect();
        for &b in &before {
            let later = |&o: &usize| o != b && self.happens_before(b, &self.events[o].clock);
            if !before.iter().any(later) {
                self.races.push((b, event));
            }
        }
        before.iter().for_each(|&b| clock.join(&self.events[b].clock));
        clock.0[thread] = number;
        self.events[event].clock = clock;
        self.lanes[thread].clock = clock;
        self.lanes[thread].causes.0[thread] = number;
        self.enter(event, &op);
    }

    /// All that has ended happens before what a thread does that waits for an end.
    fn meet(&mut self, thread: usize) {
        for other in 0..self.lanes.len() {
            if self.lanes[other].ended {
                let (clock, causes) = (self.lanes[other].clock, self.lanes[other].causes);
                self.lanes[thread].clock.join(&clock);
                self.lanes[thread].causes.join(&causes);
            }
        }
    }

    fn happens_before(&self, event: usize, clock: &Clock) -> bool {
        let Event { thread, number, .. } = self.events[event];
        clock.of(thread) >= number
    }

    /// For each other thread, the last of its events that conflicts with a step of this one.
    fn conflicting(&self, op: &Op, thread: usize) -> [Option<usize>; MOST_THREADS] {
        let mut latest = [None; MOST_THREADS];
        let bytes = op.bytes();
        let units = bytes.start / UNIT..bytes.end.div_ceil(UNIT);
        let lists = self.touched.range(units).map(|(_, list)| list);
        for list in lists.chain([&self.others]) {
            let mut found = only(thread);
            for &e in list.iter().rev() {
                let event = &self.events[e];
                if found & only(event.thread) == 0 && event.op.conflicts(op) {
                    found |= only(event.thread);
                    latest[event.thread] = latest[event.thread].max(Some(e));
                }
                if found.count_ones() as usize == self.lanes.len() {
                    break;
                }
            }
        }
        latest
    }

    fn enter(&mut self, event: usize, op: &Op) {
        let bytes = op.bytes();
        for unit in bytes.start / UNIT..bytes.end.div_ceil(UNIT) {
            self.touched.entry(unit).or_default().push(event);
        }
        if op.starts() || op.invokes || op.responds {
            self.others.push(event);
        }
        let thread = self.events[event].thread;
        self.lanes[thread].spin.note(op, event);
    }

    /// Threads that wait for what this event has written go on.
    fn tell_spinners(&mut self, event: usize) {
        let Event { thread, op, clock, .. } = self.events[event];
        for (other, lane) in self.lanes.iter_mut().enumerate() {
            if other != thread && lane.spin.seen(&op) {
                lane.clock.join(&clock);
            }
        }
    }

    /// Threads that can take a step.
    pub(super) fn runnable(&self) -> Threads {
        let runnable = self.lanes.iter().enumerate().filter(|(_, lane)| lane.runnable);
        runnable.fold(0, |set, (thread, _)| set | only(thread))
    }

    /// Of these, the ones that do not spin; all of them, if all do.
    pub(super) fn enabled(&self) -> Threads {
        let runnable = self.runnable();
        let waits = |t: &usize| self.lanes[*t].spin.waits();
        let spins = members(runnable).filter(waits).fold(0, |set, t| set | only(t));
        if runnable == spins { runnable } else { runnable & !spins }
    }

    /// Whether all that other threads have done must happen before what this one does next.
    pub(super) fn is_last(&self, thread: usize) -> bool {
        let mut causes = self.lanes[thread].causes;
        if self.lanes[thread].meets {
            let ended = self.lanes.iter().filter(|lane| lane.ended);
            ended.for_each(|lane| causes.join(&lane.causes));
        }
        self.lanes.iter().enumerate().all(|(t, lane)| t == thread || causes.of(t) >= lane.steps)
    }

    /// The threads whose first step among those that neither are the event nor happen after it, up to `until`, and then
    /// of `until`, depends on none of these: each of them can go first where both are to be turned around.
    pub(super) fn initials(&self, event: usize, until: usize) -> Threads {
        let mut firsts = [None; MOST_THREADS];
        for (index, later) in self.events.iter().enumerate().take(until + 1).skip(event + 1) {
            let after = self.happens_before(event, &later.clock);
            if (index == until || !after) && firsts[later.thread].is_none() {
                firsts[later.thread] = Some(index);
            }
        }
        let first = |t: usize| firsts[t].map(|index: usize| &self.events[index]);
        let depends = |e: &Event| {
            let earlier = |t| first(t).is_some_and(|f: &Event| e.clock.of(t) >= f.number);
            (0..MOST_THREADS).any(|t| t != e.thread && earlier(t))
        };
        let initial = |t: &usize| first(*t).is_some_and(|e| !depends(e));
        (0..self.lanes.len()).filter(initial).fold(0, |set, t| set | only(t))
    }
}
