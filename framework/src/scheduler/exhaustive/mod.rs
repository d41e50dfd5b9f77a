//! The exhaustive scheduler: runs an execution for every order of steps that could matter, and says when it has.
//!
//! It is stateless model checking (Godefroid, *Model Checking for Programming Languages using VeriSoft*, POPL 1997):
//! each execution starts anew, repeats the choices of the one before up to the last at which another thread could
//! have gone on, and goes on with that. Two steps of different threads *conflict* if they touch a common byte and one
//! of them writes it, if both start threads, or if one calls an operation or starts a thread and in the other an
//! operation returns or a thread ends. Executions
//! in which all steps that conflict have the same order are *equivalent*: threads read and return the same, and
//! operations precede each other alike. One of each class is enough.
//!
//! # Without a bound
//!
//! Source sets and sleep sets, as in source-DPOR: Abdulla, Aronis, Jonsson and Sagonas, *Source Sets: A Foundation for
//! Optimal Dynamic Partial Order Reduction*, JACM 2017 (POPL 2014). When an execution has ended, each of its
//! races, two steps that conflict with nothing between them that orders them, puts a thread on the list of the node
//! before the first of the two, with which the second comes first. Executions that turn out to be equivalent to ones
//! made before are counted as redundant.
//!
//! # With a bound
//!
//! A bound on preemptions (Musuvathi and Qadeer, PLDI 2007) or on delays (Emmi, Qadeer and Rakamarić, *Delay-Bounded
//! Scheduling*, POPL 2011) is raised from 0 to the limit. Under a bound the sets above are not sound: the execution
//! they leave out may have been the one with few preemptions (Coons, Musuvathi and McKinley, *Bounded Partial-Order
//! Reduction*, OOPSLA 2013). What is left out is less, and for another reason. A thread is preempted, or delayed, only
//! before a step on *contended* memory, which two threads have touched in one execution of this search, one of them to
//! write; before a call of an operation; and before a thread is started.
//!
//! That loses nothing. Let a schedule within the bound preempt a thread before a step that is none of these. Let the
//! thread go on instead until just before the next step that is, or until it waits or ends, and then do what was
//! done at the preemption: this needs no more of them. If none of the steps moved conflicts with what other threads
//! do until the thread is resumed, the new schedule is equivalent to the old. By induction over the steps of the old
//! schedule, some execution that was made has run all of them so far, with some threads further ahead; if the next
//! step is the first to conflict with one that was moved ahead, then both are in one execution that was made, so the
//! memory was contended, and nothing would have been moved over it. Where in this argument returns of operations move
//! to before calls of others, more operations precede others than in the old schedule, so that what violated a promise
//! still does. Which memory is contended is learnt on the way, so the executions of a bound are made again until a
//! whole round of them has added nothing.
//!
//! A thread that yields may go on at once in some executions, even where another one could: those to which its yield
//! gave a turn may have taken their steps before, further ahead than in the old schedule.
//!
//! A step that is of no consequence to other threads, such as the first of a new thread, is no reason to choose: under
//! a bound on preemptions it is taken as soon as the running thread waits, ends, yields or comes to a choice.
//!
//! # What is not covered
//!
//! Choices other than of threads are always 0: no fault is injected, no data drawn. Memory is sequentially consistent.
//! Addresses depend on the order of allocations, which is not explored: what compares or hashes addresses may do
//! something else under another order. Virtual time passes with the steps of all threads, and where it is read, waited
//! for or slept, only the time of these executions is covered. Fences order nothing. Calls within one operation, of
//! several keys, are one call. What is explored of loops that wait for another thread is told in `spin.rs`. Threads
//! that nobody waits for are taken to end before those that wait for threads go on.

mod choose;
mod contended;
mod course;
mod coverage;
mod op;
mod races;
mod spin;
mod state;
mod tree;

#[cfg(test)]
mod programs;
#[cfg(test)]
mod tests;

use mapcheck_machine::{ChoiceKind, Consult, Reason, Slice, ThreadId};

use super::{Ended, Scheduler, UNBOUNDED};
use contended::Contended;
use course::Course;
pub use coverage::Coverage;
use op::{MOST_THREADS, Threads};
use tree::Tree;

/// Which executions are to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// All, up to equivalence.
    Unbounded,
    /// Those with at most so many preemptions.
    Preemptions(u64),
    /// Those in which at most so many times a thread is passed over that would go on by default.
    Delays(u64),
    /// Those with one fault each, see [`super::EachFault`].
    EachFault,
}

/// The scheduler; the module tells how it works.
///
/// The executions of a scenario must all be made by one such scheduler, one after the other, or by several that each
/// [recall] what the one before had [learnt]; all of them with the same randomness and the same faults, since whatever
/// else differs between them is taken for a divergence. The number of the execution is of no meaning to it. An
/// execution may end early because something was found in it: the search goes on with the next.
///
/// [recall]: Scheduler::recall
/// [learnt]: Scheduler::learnt
#[derive(Debug)]
pub struct Exhaustive {
    limit: Limit,
    /// The bound of the round under way.
    bound: u64,
    tree: Tree,
    contended: Contended,
    /// Whether an alternative of the round was left out because of the bound.
    cut: bool,
    executions: u64,
    /// Those of the round.
    in_round: u64,
    redundant: u64,
    unseen: u64,
    complete: bool,
    diverged: bool,
    crowded: bool,
    run: Run,
}

/// What is known of the execution under way.
#[derive(Debug, Default)]
struct Run {
    course: Course,
    /// Preemptions or delays so far.
    spent: u64,
    /// Threads of which it is no use to go on now.
    sleep: Threads,
    /// Those of them in whose next step an operation returns.
    responds: Threads,
    /// What the threads have done so far, as a number.
    trail: u64,
    /// The first event that no execution has had before.
    first_new: usize,
    /// Whether there is nothing to be learnt from the rest.
    idle: bool,
    /// Whether all that can go on has been found to be redundant.
    redundant: bool,
    /// The question that is still to be answered once a step without consequences has been taken.
    asked: Option<(ThreadId, Reason)>,
}

impl Exhaustive {
    /// A search that has made no execution.
    ///
    /// ```
    /// use mapcheck::scheduler::{Exhaustive, Limit};
    /// let coverage = Exhaustive::new(Limit::Preemptions(2)).coverage();
    /// assert_eq!((coverage.bound, coverage.executions, coverage.complete), (Some(0), 0, false));
    /// ```
    pub fn new(limit: Limit) -> Exhaustive {
        Exhaustive {
            limit,
            bound: 0,
            tree: Tree::default(),
            contended: Contended::default(),
            cut: false,
            executions: 0,
            in_round: 0,
            redundant: 0,
            unseen: 0,
            complete: false,
            diverged: false,
            crowded: false,
            run: Run::default(),
        }
    }

    /// What it has covered so far.
    pub fn coverage(&self) -> Coverage {
        let bounded = self.limit != Limit::Unbounded;
        let made = self.tree.made();
        let remaining = (self.in_round as f64 * (1.0 - made) / made).ceil() as u64;
        Coverage {
            limit: self.limit,
            bound: bounded.then_some(self.bound),
            executions: self.executions,
            redundant: self.redundant,
            complete: self.complete,
            remaining: (made > 0.0 && !self.complete).then_some(remaining),
            diverged: self.diverged,
            crowded: self.crowded,
            unseen: self.unseen,
            contended: self.contended.len() as u64,
        }
    }

    /// All executions of a round have been made: on to the next, if there is one.
    fn next_round(&mut self) {
        let again = std::mem::take(&mut self.contended.grew);
        let most = match self.limit {
            Limit::Unbounded | Limit::EachFault => 0,
            Limit::Preemptions(most) | Limit::Delays(most) => most,
        };
        if !again {
            if !self.cut || self.bound >= most {
                // What no bound has cut is the same under every larger one.
                self.bound = most;
                self.complete = true;
                return;
            }
            self.bound += 1;
        }
        self.cut = false;
        self.in_round = 0;
    }

    /// What is learnt from the event that has just been completed.
    fn learn(&mut self) {
        let Some(event) = self.run.course.events.last() else { return };
        if self.limit == Limit::Unbounded {
            self.wake();
        } else {
            self.contended.note(event.thread, &event.op);
        }
    }

    fn give_up(&mut self, consult: &Consult<'_>) -> Slice {
        self.run.idle = true;
        Slice::new(consult.default_thread(), UNBOUNDED)
    }
}

impl Scheduler for Exhaustive {
    fn begin(&mut self, _: u64) {
        self.run = Run::default();
        self.run.first_new = if self.tree.nodes.is_empty() { 0 } else { usize::MAX };
        self.tree.depth = 0;
        self.contended.begin();
    }

    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        self.crowded |= consult.threads.len() > MOST_THREADS;
        if self.run.idle || self.crowded || self.diverged {
            return self.give_up(consult);
        }
        if self.run.course.arrive(consult) {
            self.learn();
        }
        self.settle();
        match self.pick(consult) {
            Some(slice) => slice,
            None => self.give_up(consult),
        }
    }

    fn choose(&mut self, _: ChoiceKind, _: ThreadId, _: u64, _: u32) -> u32 {
        0
    }

    fn end(&mut self, _: Ended) {
        let stopped = self.run.course.is_open() && self.run.course.runnable().count_ones() > 1;
        if self.run.course.complete(None) {
            self.learn();
        }
        self.executions += 1;
        self.in_round += 1;
        self.redundant += u64::from(self.run.redundant);
        self.unseen += u64::from(self.run.course.missed);
        self.diverged |= !self.tree.is_new() && !self.crowded;
        if self.diverged || self.crowded {
            return;
        }
        if self.limit == Limit::Unbounded {
            self.turn_races_around(stopped);
        }
        if !self.tree.advance() {
            self.next_round();
        }
    }

    fn learnt(&self) -> Vec<u64> {
        self.pack()
    }

    fn recall(&mut self, learnt: &[u64]) {
        if let Some(search) = state::unpack(self.limit, learnt) {
            *self = search;
        }
    }

    fn coverage(&self) -> Option<Coverage> {
        Some(self.coverage())
    }
}
