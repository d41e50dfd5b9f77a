//! Which thread goes on.

use mapcheck_machine::{Consult, Reason, Slice, ThreadId};

use super::op::{MOST_THREADS, Threads, members, only};
use super::tree::Node;
use super::{Exhaustive, Limit, UNBOUNDED};
use crate::scheduler::splitmix;

/// A question: who goes on?
struct Turn {
    current: usize,
    step: u64,
    /// Whether the current thread can go on and does not yield.
    goes_on: bool,
    /// Threads that can be chosen.
    enabled: Threads,
    /// The current thread, if it spins and may go on all the same.
    spinner: Threads,
}

impl Turn {
    /// The threads in the order in which they go on by default.
    fn order(&self) -> impl Iterator<Item = usize> {
        let (first, set) = (self.current + usize::from(!self.goes_on), self.enabled);
        (0..MOST_THREADS)
            .map(move |i| (first + i) % MOST_THREADS)
            .filter(move |&t| set & only(t) != 0)
    }
}

/// What the threads have done and are about to do, as a number that tells most of it apart.
fn sight(trail: u64, consult: &Consult<'_>) -> u64 {
    let asked = u64::from(consult.current) << 2 | consult.reason as u64;
    consult.threads.iter().fold(splitmix(trail ^ asked), |sight, view| {
        let access = view.pending;
        let word = (access.addr as u64) << 8 ^ (access.size as u64) << 1;
        let who = u64::from(view.label) << 8 | (access.kind as u64) << 1;
        splitmix(splitmix(sight ^ word) ^ who ^ u64::from(view.runnable))
    })
}

impl Exhaustive {
    /// The slice that answers a question; `None` if this execution need not be watched any longer.
    pub(super) fn pick(&mut self, consult: &Consult<'_>) -> Option<Slice> {
        self.run.trail = sight(self.run.trail, consult);
        let (me, course) = (consult.current as usize, &self.run.course);
        if course.runnable() == only(me) && self.run.sleep & only(me) == 0 && course.is_last(me) {
            return Some(Slice::new(consult.current, UNBOUNDED));
        }
        let (current, reason) = self.run.asked.unwrap_or((consult.current, consult.reason));
        let turn = self.turn(consult, current, reason);
        if let Some(thread) = self.of_no_consequence(&turn) {
            self.run.asked = Some((current, reason));
            return Some(self.go(thread, None, &turn));
        }
        self.run.asked = None;
        if turn.enabled.count_ones() == 1 {
            let asleep = turn.enabled & self.run.sleep != 0;
            self.run.redundant |= asleep;
            let thread = members(turn.enabled).next()?;
            return (!asleep).then(|| self.go(thread, None, &turn));
        }
        if self.tree.is_new() { self.explore(&turn) } else { self.repeat(&turn) }
    }

    fn turn(&self, consult: &Consult<'_>, current: ThreadId, reason: Reason) -> Turn {
        let (current, course) = (current as usize, &self.run.course);
        let mut enabled = course.enabled();
        let lane = &course.lanes[current];
        let yields = reason == Reason::Yield;
        let spins = yields && lane.spin.may_go_on() && course.runnable() & only(current) != 0;
        let spinner = if spins { only(current) } else { 0 };
        enabled |= spinner;
        if yields && lane.spin.goes_on() {
            enabled = only(current);
        }
        let goes_on = reason == Reason::Point && enabled & only(current) != 0;
        Turn { current, step: consult.step, goes_on, enabled, spinner }
    }

    /// A thread whose next step does not matter to the others, where there is a choice: it takes it at once.
    fn of_no_consequence(&self, turn: &Turn) -> Option<usize> {
        if !matches!(self.limit, Limit::Preemptions(_)) || turn.enabled.count_ones() == 1 {
            return None;
        }
        let others = turn.enabled & !only(turn.current);
        let lanes = &self.run.course.lanes;
        members(others).find(|&t| lanes[t].op().is_local() && !lanes[t].yielded)
    }

    /// Goes on where the execution before has been.
    fn repeat(&mut self, turn: &Turn) -> Option<Slice> {
        let node = *self.tree.next()?;
        if turn.step < node.step && self.limit != Limit::Unbounded {
            let thread = turn.order().next()?;
            self.run.spent += self.cost(turn, thread);
            return Some(self.go(thread, None, turn));
        }
        let thread = node.chosen as usize;
        let same = node.step == turn.step && node.sight == self.run.trail;
        self.diverged |= !same || turn.enabled & only(thread) == 0;
        if self.diverged {
            return None;
        }
        self.tree.depth += 1;
        if self.tree.is_new() {
            self.run.first_new = self.run.course.events.len();
        }
        Some(self.enter(self.tree.depth - 1, turn))
    }

    /// Goes on where no execution has been.
    fn explore(&mut self, turn: &Turn) -> Option<Slice> {
        let awake = |t: &usize| self.run.sleep & only(*t) == 0;
        let Some(chosen) = turn.order().find(awake) else {
            self.run.redundant = true;
            return None;
        };
        let todo = self.alternatives(turn, chosen);
        if self.limit != Limit::Unbounded && todo == only(chosen) {
            self.run.spent += self.cost(turn, chosen);
            return Some(self.go(chosen, None, turn));
        }
        self.tree.push(Node {
            step: turn.step,
            sight: self.run.trail,
            chosen: chosen as ThreadId,
            todo,
            done: 0,
            sleep: self.run.sleep,
            responds: self.run.responds,
        });
        Some(self.enter(self.tree.depth - 1, turn))
    }

    /// The threads that go on at a new node in some execution, as far as is known.
    fn alternatives(&mut self, turn: &Turn, chosen: usize) -> Threads {
        if self.limit == Limit::Unbounded {
            return only(chosen) | turn.spinner;
        }
        let op = self.run.course.lanes[turn.current].op();
        if turn.goes_on && !self.contended.by(&op) {
            return only(chosen);
        }
        let left = self.bound - self.run.spent.min(self.bound);
        let affordable = |t: &usize| self.cost(turn, *t) <= left;
        let todo = members(turn.enabled).filter(affordable).fold(0, |set, t| set | only(t));
        self.cut |= todo != turn.enabled;
        todo
    }

    /// Preemptions or delays that it takes to have this thread go on.
    fn cost(&self, turn: &Turn, thread: usize) -> u64 {
        match self.limit {
            Limit::Unbounded | Limit::EachFault => 0,
            Limit::Preemptions(_) => u64::from(turn.goes_on && thread != turn.current),
            Limit::Delays(_) => turn.order().position(|t| t == thread).unwrap_or(0) as u64,
        }
    }

    /// Takes the way of a node.
    fn enter(&mut self, index: usize, turn: &Turn) -> Slice {
        let node = self.tree.nodes[index];
        let thread = node.chosen as usize;
        self.run.spent += self.cost(turn, thread);
        // A spinner waits in the executions that were made of this node, so they cover none in which it goes on.
        let done = if turn.spinner & only(thread) == 0 { node.done } else { 0 };
        if self.limit == Limit::Unbounded {
            self.run.sleep = node.sleep | done;
            self.run.responds = node.responds;
        }
        if turn.spinner & only(thread) != 0 {
            self.run.course.lanes[thread].spin.go_on();
        }
        self.go(thread, Some(index), turn)
    }

    /// Lets a thread take one step.
    fn go(&mut self, thread: usize, node: Option<usize>, turn: &Turn) -> Slice {
        self.run.course.open(thread, turn.enabled, node, turn.step);
        Slice::new(thread as ThreadId, 1)
    }

    /// Nodes at which a thread only went on to spin need no alternatives.
    pub(super) fn settle(&mut self) {
        if self.limit == Limit::Unbounded {
            return;
        }
        for event in std::mem::take(&mut self.run.course.settled) {
            if let Some(node) = self.run.course.events[event].node {
                let node = &mut self.tree.nodes[node];
                node.todo &= node.done | only(node.chosen as usize);
            }
        }
    }
}
