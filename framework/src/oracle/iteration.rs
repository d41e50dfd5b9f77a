//! Iteration: was every element shown that had to be, none twice, and none that was gone?
//!
//! Calls overlap the steps of an iteration, so nothing is held against the map that some order of them allows:
//!
//! - *missed*: an element that was inserted before the iteration began, and that nothing began to remove before it ended;
//! - *twice*: a key that nothing may have removed between the two visits; under the contracts of one moment and of one
//!   incarnation (snapshot, Go's, locked) also the same value, which was put there only once;
//! - *ghost*: a value that was never put there, or that a call had removed or replaced which returned before the step to
//!   it began; for iterators that may look ahead or at a copy, before the whole iteration began.
//!
//! That all elements of a snapshot are of one moment is not judged.

use super::{Class, Violation};
use crate::map::{Iteration, Previous};
use crate::scenario::Scenario;
use crate::scenario::history::{Answer, Call, Calls, Effect, Iterating, Moment, Seen};

/// What a map promises.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contract {
    pub iteration: Iteration,
    pub linearizable: bool,
}

impl Contract {
    /// Whether a removed element is never shown again, not even in an iteration that began before.
    fn current(self) -> bool {
        matches!(self.iteration, Iteration::Go | Iteration::Locked)
    }

    /// Whether an element is shown once at most, whatever becomes of it.
    fn at_most_once(self) -> bool {
        self.current() || self.iteration == Iteration::Snapshot
    }

    /// Whether the key may have gone for a moment because of this call.
    fn may_remove(self, call: &Call) -> bool {
        let overwrites =
            !self.linearizable && matches!(call.effect, Effect::Insert(_)) && !call.refused();
        call.may_remove() || overwrites
    }
}

/// An iteration of a scenario, for the words of a verdict.
#[derive(Clone, Copy)]
pub(crate) struct Told<'a> {
    pub scenario: &'a Scenario,
    pub iterating: &'a Iterating,
}

impl Told<'_> {
    fn violation(self, class: Class, what: &str) -> Violation {
        let iteration = operation(self.scenario, self.iterating.label);
        Violation { class, message: format!("{iteration}: the iteration {what}") }
    }
}

/// An operation in words: `insert 0..8` of setup.
pub(crate) fn operation(scenario: &Scenario, label: u32) -> String {
    let Some(operation) = scenario.operation(label) else { return "an operation".to_owned() };
    match operation.thread {
        Some(thread) => format!("`{}` by thread {}", operation.text, thread + 1),
        None => format!("`{}` of {}", operation.text, operation.role),
    }
}

/// Judges the last visit of an iteration; `calls` are those of its key.
pub(crate) fn visited(contract: Contract, told: Told<'_>, calls: Calls<'_>) -> Option<Violation> {
    let (seen, before) = told.iterating.seen.split_last()?;
    let ghost = ghost(contract, told.iterating, seen, calls);
    if let Some(why) = ghost {
        return Some(tell_ghost(told, seen, why, contract.current()));
    }
    let earlier = before.iter().rposition(|s| s.key == seen.key)?;
    twice(contract, told.iterating, earlier, calls).then(|| tell_twice(told, earlier))
}

/// Why an element cannot have been there.
#[derive(Clone, Copy)]
enum Ghost<'a> {
    NeverInserted,
    Refused(&'a Call),
    Gone(&'a Call),
}

fn ghost<'a>(
    contract: Contract,
    iterating: &Iterating,
    seen: &Seen,
    calls: Calls<'a>,
) -> Option<Ghost<'a>> {
    let Some(put) = calls.into_iter().find(|c| c.effect == Effect::Insert(seen.value)) else {
        return Some(Ghost::NeverInserted);
    };
    if put.refused() {
        return Some(Ghost::Refused(put));
    }
    let since = if contract.current() { seen.since } else { iterating.began };
    let ended = calls.into_iter().filter(|call| call.returned <= since);
    let gone = ended.filter(|call| ends(contract, call, put, seen.value)).last();
    gone.map(Ghost::Gone)
}

/// Whether the value that `put` put there is certainly gone when `call` has returned.
fn ends(contract: Contract, call: &Call, put: &Call, value: u64) -> bool {
    if call.answer == Answer::Wrote(Previous::Present(value)) {
        return true;
    }
    let later = call.invoked > put.returned;
    later
        && match (call.effect, call.answer) {
            (Effect::Remove, Answer::Wrote(Previous::Present(_))) | (Effect::Wipe, _) => true,
            (Effect::Remove, Answer::Wrote(Previous::Absent)) => contract.linearizable,
            (Effect::Insert(_), Answer::Wrote(Previous::Present(_) | Previous::Absent)) => true,
            _ => false,
        }
}

fn tell_ghost(told: Told<'_>, seen: &Seen, why: Ghost<'_>, steps: bool) -> Violation {
    let element = format!("visited key {} with value {}", seen.key, value(seen.value));
    let began = if steps { "the step to it" } else { "the iteration" };
    let what = match why {
        Ghost::NeverInserted => format!("{element}, which was never inserted"),
        Ghost::Refused(call) => {
            let insert = operation(told.scenario, call.label);
            format!("{element}, which the map had refused to take from {insert}")
        }
        Ghost::Gone(call) => {
            let did = if matches!(call.effect, Effect::Insert(_)) { "replaced" } else { "removed" };
            let by = operation(told.scenario, call.label);
            format!("{element}, which {by} had {did} before {began} began")
        }
    };
    told.violation(Class::GhostElement, &what)
}

/// A value's id as it is written: the key, and the operation that put it there.
pub(crate) fn value(id: u64) -> String {
    format!("{}.{}", id >> 32, id & 0xffff_ffff)
}

/// Whether the last visit shows again what an earlier one has shown.
fn twice(contract: Contract, iterating: &Iterating, earlier: usize, calls: Calls<'_>) -> bool {
    if contract.iteration == Iteration::WeaklyConsistentMayRepeat {
        return false;
    }
    let (seen, first) = (&iterating.seen[iterating.seen.len() - 1], &iterating.seen[earlier]);
    let same =
        iterating.seen[..=earlier].iter().any(|s| s.key == seen.key && s.value == seen.value);
    if contract.at_most_once() && same {
        return true;
    }
    // An iterator that looks ahead may have taken the first before the step to it began.
    let since = if contract.current() { first.since } else { iterating.began };
    !calls.into_iter().any(|call| contract.may_remove(call) && call.returned > since)
}

fn tell_twice(told: Told<'_>, earlier: usize) -> Violation {
    let last = told.iterating.seen.len() - 1;
    let (first, again) = (told.iterating.seen[earlier], told.iterating.seen[last]);
    let values = match first.value == again.value {
        true => format!("with value {}", value(first.value)),
        false => format!("with values {} and {}", value(first.value), value(again.value)),
    };
    let key = again.key;
    let what =
        format!("visited key {key} twice, at visits {} and {}, {values}", earlier + 1, last + 1);
    told.violation(Class::DuplicateElement, &what)
}

/// Judges an iteration that has run to its end and has not shown a key; `calls` are those of that key.
pub(crate) fn missed(
    contract: Contract,
    told: Told<'_>,
    key: u64,
    calls: Calls<'_>,
) -> Option<Violation> {
    let kept = stayed(contract, told.iterating.began, calls)?;
    let origin = origin(calls, kept);
    let insert = operation(told.scenario, origin.label);
    let what = format!(
        "passed over key {key}, which {insert} had put there before it began and nothing removed"
    );
    Some(told.violation(Class::MissedElement, &what))
}

/// The insert after which a key was there before `began` and ever since.
fn stayed<'a>(contract: Contract, began: Moment, calls: Calls<'a>) -> Option<&'a Call> {
    let inserts = calls.into_iter().filter(|c| matches!(c.effect, Effect::Insert(_)));
    let last = inserts.filter(|c| c.returned < began).max_by_key(|c| c.invoked)?;
    let removes = |call: &Call| {
        call.invoked != last.invoked && contract.may_remove(call) && call.returned > last.invoked
    };
    (!calls.into_iter().any(removes)).then_some(last)
}

/// The insert that put there what a later one may only have found.
fn origin<'a>(calls: Calls<'a>, kept: &'a Call) -> &'a Call {
    let inserts = calls.into_iter().filter(|c| matches!(c.effect, Effect::Insert(_)));
    inserts.filter(|c| c.returned <= kept.returned).find(|c| !c.refused()).unwrap_or(kept)
}
