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
use crate::scenario::history::{Answer, Call, Effect, Entry, History, Moment, Ticket};

/// The history of one run of a scenario, and what is promised about it.
pub(crate) struct Promises {
    scenario: Scenario,
    contract: Contract,
    history: Mutex<History<Known>>,
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

    /// It shows an element.
    #[inline(never)]
    pub(crate) fn visited(&self, number: usize, key: u64, value: u64) {
        settle(outside(|| {
            let mut history = self.history();
            history.visit(number, key, value);
            if model::abandoned() {
                return None;
            }
            iteration::visited(self.contract, self.told(&history, number), history.calls(key))
        }));
    }

    /// Its visitor returns.
    #[inline(never)]
    pub(crate) fn visitor_returned(&self, number: usize) {
        outside(|| self.history().step(number));
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
            let mut shown: Vec<u64> = told.iterating.seen.iter().map(|seen| seen.key).collect();
            shown.sort_unstable();
            let missing = |at: &usize| shown.binary_search(&history.entries()[*at].key).is_err();
            (0..history.entries().len()).filter(missing).find_map(|at| {
                let key = history.entries()[at].key;
                iteration::missed(self.contract, told, key, history.calls_of(at))
            })
        }));
    }

    /// The scenario has ended. The number of keys on which no verdict was reached.
    #[inline(never)]
    pub(crate) fn finish(self) -> u64 {
        outside(|| {
            let history = self.history();
            let left = |k: &&Entry<Known>| {
                k.known.given_up || (self.contract.linearizable && k.recent > 0)
            };
            history.entries().iter().filter(left).count() as u64
        })
    }

    fn told<'a>(&'a self, history: &'a History<Known>, number: usize) -> Told<'a> {
        Told { scenario: &self.scenario, iterating: history.iteration(number) }
    }

    /// Judges the calls on a key since it was quiet last, if it is now.
    fn judge_key(&self, history: &mut History<Known>, at: usize) -> Option<Violation> {
        let entry = &history.entries()[at];
        let (recent, key) = (entry.recent as usize, entry.key);
        if entry.open > 0 || recent == 0 || !self.contract.linearizable || model::abandoned() {
            return None;
        }
        history.entry_mut(at).recent = 0;
        let known = std::mem::take(&mut history.entry_mut(at).known);
        let (now, violation) = self.judge_calls(key, known, history.calls_of(at).take(recent));
        history.entry_mut(at).known = now;
        violation
    }

    /// What a key may hold after these calls, the latest first.
    fn judge_calls<'a>(
        &self,
        key: u64,
        known: Known,
        mut latest_first: impl Iterator<Item = &'a Call> + Clone,
    ) -> (Known, Option<Violation>) {
        if known.given_up {
            return (known, None);
        }
        // Most calls overlap no other of their key.
        let mut alone = latest_first.clone();
        if let (Some(call), None) = (alone.next(), alone.next()) {
            return self.conclude(key, known, &[*call]);
        }
        let mut calls: Vec<Call> = latest_first.by_ref().copied().collect();
        calls.sort_unstable_by_key(|call| call.invoked);
        self.conclude(key, known, &calls)
    }

    fn conclude(&self, key: u64, known: Known, calls: &[Call]) -> (Known, Option<Violation>) {
        match linearizability::judge(&known, calls) {
            Verdict::Holds(now) => (now, None),
            Verdict::Violated => {
                let told = linearizability::tell(&self.scenario, key, &known, calls);
                (known, Some(told))
            }
            Verdict::Inconclusive => (Known::given_up(), None),
        }
    }
}
