//! Watches a map while a scenario runs, and ends the execution when it breaks a promise.
//!
//! It lives beside the execution and must not disturb it: its memory is not the modelled heap's, and it adds no
//! schedule point. Nothing here is generic, so that none of it is compiled into instrumented crates.

use std::sync::{Mutex, MutexGuard, PoisonError};

use mapcheck_machine as machine;

use super::Violation;
use super::iteration::{self, Contract, Told};
use super::linearizability::{self, Known, Verdict};
use crate::map::{Previous, Profile};
use crate::model;
use crate::scenario::Scenario;
use crate::scenario::history::{Answer, Call, Calls, Effect, Entry, History, Moment, Seen, Ticket};

/// The history of one run of a scenario, and what is promised about it.
pub(crate) struct Promises {
    scenario: Scenario,
    contract: Contract,
    history: Mutex<History<Known>>,
}

/// Of the last scenario that has ended in an execution, until it is asked for.
static ENDED: Mutex<Option<Promises>> = Mutex::new(None);

/// What was kept of the scenario of the execution that has ended.
pub(crate) fn ended() -> Option<Promises> {
    ENDED.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Ends the execution with what was found.
fn settle(violation: Option<Violation>) {
    if let Some(Violation { class, message }) = violation {
        machine::fail(class.name(), message, 0);
    }
}

/// Runs `f` as the framework's own code.
fn outside<R>(f: impl FnOnce() -> R) -> R {
    let (mut f, mut result) = (Some(f), None);
    machine::outside(&mut || result = f.take().map(|f| f()));
    result.expect("`outside` runs what it is given")
}

impl Promises {
    /// Of a map with this profile.
    #[inline(never)]
    pub(crate) fn new(scenario: &Scenario, profile: &Profile) -> Promises {
        let contract =
            Contract { iteration: profile.iteration, linearizable: profile.linearizable };
        outside(|| Promises {
            scenario: scenario.clone(),
            contract,
            history: Mutex::new(History::new()),
        })
    }

    /// What runs.
    pub(crate) fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Never held across a schedule point; a panic under it is mapcheck's own.
    fn history(&self) -> MutexGuard<'_, History<Known>> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call on one key begins.
    #[inline(never)]
    pub(crate) fn invoke(&self, label: u32, key: u64, effect: Effect) -> Ticket {
        outside(|| self.history().invoke(label, key, effect))
    }

    /// It returns.
    #[inline(never)]
    pub(crate) fn respond(&self, ticket: Ticket, answer: Answer) {
        settle(outside(|| {
            let mut history = self.history();
            let at = history.respond(ticket, answer);
            self.judge_key(&mut history, at)
        }));
    }

    /// The map was made from elements, of which this is one.
    #[inline(never)]
    pub(crate) fn made_with(&self, label: u32, key: u64, value: u64) {
        // Which of several values under a key stays is the map's choice.
        let ticket = self.invoke(label, key, Effect::Insert(value));
        self.respond(ticket, Answer::Wrote(Previous::Unknown));
    }

    /// An operation begins that removes all keys, or all odd ones.
    #[inline(never)]
    pub(crate) fn begin_wipe(&self, label: u32, odd_only: bool) -> Moment {
        outside(|| self.history().begin_wipe(label, odd_only))
    }

    /// It returns, having done so or nothing at all.
    #[inline(never)]
    pub(crate) fn end_wipe(&self, began: Moment, done: bool) {
        settle(outside(|| {
            let mut history = self.history();
            history.end_wipe(began, done);
            (0..history.entries().len()).find_map(|at| self.judge_key(&mut history, at))
        }));
    }

    /// An iteration begins.
    #[inline(never)]
    pub(crate) fn begin_iteration(&self, label: u32) -> usize {
        outside(|| self.history().begin_iteration(label))
    }

    /// The moment at which its first step begins, or, when the visitor returns, the next.
    #[inline(never)]
    pub(crate) fn step(&self) -> Moment {
        // The others may show what was there when they began.
        if !self.contract.current() {
            return 0;
        }
        outside(|| self.history().now())
    }

    /// It shows an element, in a step that began at this moment.
    #[inline(never)]
    pub(crate) fn visited(&self, number: usize, seen: Seen) {
        settle(outside(|| {
            let mut history = self.history();
            history.visit(number, seen);
            if model::abandoned() {
                return None;
            }
            iteration::visited(self.contract, self.told(&history, number), history.calls(seen.key))
        }));
    }

    /// It has run to its end.
    #[inline(never)]
    pub(crate) fn ended(&self, number: usize) {
        settle(outside(|| {
            let history = self.history();
            if model::abandoned() {
                return None;
            }
            let told = self.told(&history, number);
            let hidden =
                history.entries().iter().enumerate().filter(|e| !e.1.shown_last_by(number));
            hidden
                .map(|(at, entry)| (entry.key, history.calls_of(at)))
                .find_map(|(key, calls)| iteration::missed(self.contract, told, key, calls))
        }));
    }

    /// The scenario has ended. The number of keys on which no verdict was reached. In an execution it is kept for
    /// [`ended`].
    #[inline(never)]
    pub(crate) fn finish(self) -> u64 {
        let keep = machine::current_thread().is_some();
        outside(|| {
            let unjudged = self.unjudged();
            if keep {
                *ENDED.lock().unwrap_or_else(PoisonError::into_inner) = Some(self);
            }
            unjudged
        })
    }

    fn unjudged(&self) -> u64 {
        if model::abandoned() {
            return 0;
        }
        let left =
            |k: &&Entry<Known>| k.known.given_up || (self.contract.linearizable && k.recent > 0);
        self.history().entries().iter().filter(left).count() as u64
    }

    /// What `judge` makes of the calls on a key, the latest first.
    pub(crate) fn calls_on<R>(&self, key: u64, judge: impl FnOnce(Calls<'_>) -> R) -> R {
        judge(self.history().calls(key))
    }

    fn told<'a>(&'a self, history: &'a History<Known>, number: usize) -> Told<'a> {
        Told { scenario: &self.scenario, iterating: history.iteration(number) }
    }

    /// Judges the calls on a key since it was quiet last, if it is now.
    fn judge_key(&self, history: &mut History<Known>, at: usize) -> Option<Violation> {
        let entry = &history.entries()[at];
        let recent = entry.recent as usize;
        if entry.open > 0 || recent == 0 || !self.contract.linearizable || model::abandoned() {
            return None;
        }
        let mut calls = history.calls_of(at);
        let verdict = match (recent, calls.next()) {
            (_, _) if entry.known.given_up => Verdict::Inconclusive,
            // Most calls overlap no other of their key.
            (1, Some(call)) => linearizability::judge(&entry.known, &[*call]),
            _ => linearizability::judge(&entry.known, &in_order(history.calls_of(at).take(recent))),
        };
        let known = match verdict {
            Verdict::Holds(now) => now,
            Verdict::Inconclusive => Known::given_up(),
            Verdict::Violated => {
                let calls = in_order(history.calls_of(at).take(recent));
                return Some(linearizability::tell(
                    &self.scenario,
                    entry.key,
                    &entry.known,
                    &calls,
                ));
            }
        };
        let entry = history.entry_mut(at);
        (entry.recent, entry.known) = (0, known);
        None
    }
}

/// Calls in the order of their invocations.
fn in_order<'a>(calls: impl Iterator<Item = &'a Call>) -> Vec<Call> {
    let mut calls: Vec<Call> = calls.copied().collect();
    calls.sort_unstable_by_key(|call| call.invoked);
    calls
}
