//! Which operation on the whole map no order explains, and why, in words.

use super::iteration::{operation, value};
use super::linearizability::{Known, list};
use super::problem::{Act, Operation, Problem};
use super::snapshot::Required;
use super::{Class, Violation};
use crate::map::Previous;
use crate::scenario::Scenario;
use crate::scenario::history::{Answer, Call, Effect, History};

/// A problem that has no solution, and what it is told with.
struct Story<'a> {
    problem: Problem,
    history: &'a History<Known>,
    scenario: &'a Scenario,
}

/// Why no order of these operations explains what they answered.
pub(super) fn tell(problem: &Problem, history: &History<Known>, scenario: &Scenario) -> Violation {
    let reads = |o: &Operation| o.is_whole() && o.reads();
    let (mut left, kept): (Vec<_>, Vec<_>) =
        problem.operations.iter().cloned().partition(|operation| reads(operation));
    left.sort_by_key(|operation| operation.returned);
    let mut story = Story { problem: problem.with(kept), history, scenario };
    if !story.problem.is_possible() {
        return story.wipe();
    }
    // The first that returned what does not fit is the one.
    for read in left {
        story.problem.operations.push(read.clone());
        if !story.problem.is_possible() {
            return story.read(&read);
        }
    }
    story.wipe()
}

impl Story<'_> {
    fn name(&self, label: u32) -> String {
        operation(self.scenario, label)
    }

    /// Of operations that remove many keys.
    fn wipe(&self) -> Violation {
        let wholes = self.problem.operations.iter().filter(|o| o.is_whole());
        let names: Vec<String> = wholes.map(|o| self.name(o.label)).collect();
        let message = format!(
            "at no moment of it can {} have taken effect for all keys at once: no order explains: \
             {}",
            names.join(", and of "),
            list(self.scenario, &self.calls())
        );
        Violation { class: Class::NotLinearizable, message }
    }

    fn calls(&self) -> Vec<Call> {
        let call = |operation: &Operation| match operation.act {
            Act::Call(_, call) => Some(call),
            _ => None,
        };
        self.problem.operations.iter().filter_map(call).collect()
    }

    /// Of an operation that reads the whole map; it is the last.
    fn read(&self, read: &Operation) -> Violation {
        match &read.act {
            Act::Len(len) => self.len(read.label, *len),
            Act::Show(required) => self.show(read.label, required),
            _ => self.wipe(),
        }
    }

    /// Whether the last operation could have been this.
    fn could_be(&self, act: Act) -> bool {
        let mut operations = self.problem.operations.clone();
        if let Some(last) = operations.last_mut() {
            last.act = act;
        }
        self.problem.with(operations).is_possible()
    }

    fn len(&self, label: u32, len: usize) -> Violation {
        let most = self.problem.others + self.problem.keys.len();
        let possible = (0..=most).filter(|n| self.could_be(Act::Len(*n)));
        let possible: Vec<String> = possible.map(|n| n.to_string()).collect();
        let message = format!(
            "{} returned {len}, but at no moment of it did the map hold so many elements: it held {}",
            self.name(label),
            possible.join(" or ")
        );
        Violation { class: Class::NotLinearizable, message }
    }

    /// Of an iteration: names the two elements that exclude each other, if there are such two.
    fn show(&self, label: u32, required: &[Required]) -> Violation {
        let shown: Vec<Required> = required.iter().copied().filter(|r| r.held.is_some()).collect();
        let hidden: Vec<Required> = required.iter().copied().filter(|r| r.held.is_none()).collect();
        let ghost = self.exclude(&shown, &shown);
        let missed = || self.exclude(&shown, &hidden).or_else(|| self.exclude(&hidden, &hidden));
        let (class, what) = match ghost.or_else(missed) {
            Some((a, b)) if a.held.is_none() => (Class::MissedElement, self.passed_over(a, b)),
            Some((a, b)) if b.held.is_none() => (Class::MissedElement, self.shown_without(a, b)),
            Some((a, b)) => (Class::GhostElement, self.never_together(a, b)),
            None if self.could_be(Act::Show(shown.clone())) => {
                (Class::MissedElement, self.all(&shown, "and no others"))
            }
            None => (Class::GhostElement, self.all(&shown, "")),
        };
        let message = format!("{}: the iteration {what}", self.name(label));
        Violation { class, message }
    }

    /// Two of these, or one twice, that were never there, or away, at one moment of the iteration.
    fn exclude(&self, first: &[Required], second: &[Required]) -> Option<(Required, Required)> {
        let pairs = first.iter().flat_map(|a| second.iter().map(move |b| (*a, *b)));
        pairs.into_iter().find(|(a, b)| !self.could_be(Act::Show(vec![*a, *b])))
    }

    fn never_together(&self, a: Required, b: Required) -> String {
        if a == b {
            let a = self.element(a);
            return format!(
                "visited {a}, but at no moment between its begin and its end was it there"
            );
        }
        format!(
            "visited {} and {}, but at no moment between its begin and its end were both there",
            self.element(a),
            self.element(b)
        )
    }

    fn shown_without(&self, shown: Required, hidden: Required) -> String {
        format!(
            "visited {} and passed over {}, but at no moment between its begin and its end was the \
             one there without the other",
            self.element(shown),
            self.key(hidden)
        )
    }

    fn passed_over(&self, a: Required, b: Required) -> String {
        if a == b {
            let key = self.key(a);
            return format!("passed over {key}, which was there from its begin to its end");
        }
        format!(
            "passed over {} and {}, but at no moment between its begin and its end were both away",
            self.key(a),
            self.key(b)
        )
    }

    fn all(&self, shown: &[Required], what: &str) -> String {
        let shown: Vec<String> = shown.iter().map(|r| self.element(*r)).collect();
        let shown = [shown.join(", "), what.to_owned()].join(" ");
        let shown = shown.trim_end();
        format!("visited {shown}, but the map held that at no moment between its begin and its end")
    }

    /// A value that was shown, and who put it there.
    fn element(&self, shown: Required) -> String {
        let (key, id) = (self.problem.keys[shown.place], shown.held.unwrap_or_default());
        let put = self.history.calls(key).find(|call| call.effect == Effect::Insert(id));
        let by = put.map_or_else(String::new, |c| format!(" (by {})", self.name(c.label)));
        format!("key {key} with value {}{by}", value(id))
    }

    /// A key that was not shown, and who wrote it lately.
    fn key(&self, hidden: Required) -> String {
        let key = self.problem.keys[hidden.place];
        let refused = |call: &&Call| call.refused();
        let gone = |call: &&Call| call.answer == Answer::Wrote(Previous::Absent);
        let wrote = |call: &&Call| match call.effect {
            Effect::Insert(_) => !refused(call),
            Effect::Remove => !gone(call),
            Effect::Wipe => true,
            _ => false,
        };
        let mut names: Vec<String> = Vec::new();
        for call in self.history.calls(key).filter(wrote).take(2) {
            let did = if matches!(call.effect, Effect::Insert(_)) { "put" } else { "removed" };
            names.push(format!("{did} by {}", self.name(call.label)));
        }
        names.reverse();
        format!("key {key} ({})", names.join(", "))
    }
}
