//! Iteration: was every element shown that had to be, none twice, and none that was gone?
//!
//! Calls overlap the steps of an iteration, so nothing is held against the map that some order of them allows:
//!
//! - *missed*: an element that was inserted before the iteration began, and that nothing began to remove before it
//!   ended;
//! - *twice*: a key that nothing may have removed between the two visits; under the contracts of one moment and of one
//!   incarnation (snapshot, Go's, locked) also the same value, which was put there only once;
//! - *ghost*: a value that was never put there, or that a call had removed or replaced which returned before the step
//!   to it began; for iterators that may look ahead or at a copy, before the whole iteration began.
//!
//! That all elements of a snapshot are of one moment is another matter: see [`super::snapshot`].

use super::{Class, Violation};
use crate::map::{Iteration, Previous};
use crate::scenario::Scenario;
use crate::scenario::history::{Answer, Call, Calls, Effect, Iterating, Moment, Seen};

/// What a map promises.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contract {
    pub iteration: Iteration,
    pub linearizable: bool,
    /// Whether an element may be gone at any moment.
    pub may_evict: bool,
}

impl Contract {
    /// Whether a removed element is never shown again, not even in an iteration that began before.
    pub(crate) fn current(self) -> bool {
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
    /// All iterations of the execution.
    pub all: &'a [Iterating],
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
        return Some(tell_ghost(told, seen, why, calls, contract.current()));
    }
    let earlier = before.iter().rposition(|s| s.key == seen.key)?;
    twice(contract, told.iterating, earlier, calls).then(|| tell_twice(told, earlier, calls))
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

fn tell_ghost(
    told: Told<'_>,
    seen: &Seen,
    why: Ghost<'_>,
    calls: Calls<'_>,
    steps: bool,
) -> Violation {
    let element = format!("visited key {} with value {}", seen.key, value(seen.value));
    let began = if steps { "the step to it" } else { "the iteration" };
    let what = match why {
        Ghost::NeverInserted => format!("{element}, which was never inserted"),
        Ghost::Refused(call) => {
            let insert = operation(told.scenario, call.label);
            format!("{element}, which the map had refused to take from {insert}")
        }
        Ghost::Gone(call) => {
            let put = put(told.scenario, calls, seen.value);
            let did = match (call.effect, call.answer) {
                (Effect::Insert(_), _) => "replaced",
                (Effect::Remove, Answer::Wrote(Previous::Absent)) => "found gone",
                _ => "removed",
            };
            let by = operation(told.scenario, call.label);
            format!("{element}, which {put} had put there and {by} had {did} before {began} began")
        }
    };
    told.violation(Class::GhostElement, &what)
}

/// Who put a value under its key.
fn put(scenario: &Scenario, calls: Calls<'_>, id: u64) -> String {
    let put = calls.into_iter().find(|call| call.effect == Effect::Insert(id));
    put.map_or_else(|| "nobody".to_owned(), |call| operation(scenario, call.label))
}

/// Who took a value away from its key, as far as that is known.
fn gone(scenario: &Scenario, calls: Calls<'_>, id: u64) -> String {
    let took = Answer::Wrote(Previous::Present(id));
    let Some(call) = calls.into_iter().find(|call| call.answer == took) else {
        return "nothing is known to have removed".to_owned();
    };
    let did = if matches!(call.effect, Effect::Insert(_)) { "replaced" } else { "removed" };
    format!("{} {did}", operation(scenario, call.label))
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
    if contract.may_evict {
        return false;
    }
    // An iterator that looks ahead may have taken the first before the step to it began.
    let since = if contract.current() { first.since } else { iterating.began };
    !calls.into_iter().any(|call| contract.may_remove(call) && call.returned > since)
}

fn tell_twice(told: Told<'_>, earlier: usize, calls: Calls<'_>) -> Violation {
    let last = told.iterating.seen.len() - 1;
    let (first, again) = (told.iterating.seen[earlier], told.iterating.seen[last]);
    let put = |id| put(told.scenario, calls, id);
    let values = match first.value == again.value {
        true => {
            let gone = gone(told.scenario, calls, first.value);
            let (value, put) = (value(first.value), put(first.value));
            format!("with value {value}, which {put} had put there and {gone}")
        }
        false => format!(
            "with value {}, which {} had put there, and value {}, which {} had",
            value(first.value),
            put(first.value),
            value(again.value),
            put(again.value)
        ),
    };
    let key = again.key;
    let what =
        format!("visited key {key} twice, at visits {} and {}, {values}", earlier + 1, last + 1);
    told.violation(Class::DuplicateElement, &what)
}

/// Judges what an iteration that has run to its end has shown of a key; `calls` are those of that key.
pub(crate) fn missed(
    contract: Contract,
    told: Told<'_>,
    key: u64,
    calls: Calls<'_>,
) -> Option<Violation> {
    let nothing_due = contract.may_evict || contract.iteration == Iteration::None;
    if nothing_due || told.iterating.seen.iter().any(|seen| seen.key == key) {
        return None;
    }
    let kept = stayed(contract, told.iterating.began, calls)?;
    let origin = origin(calls, kept);
    let insert = operation(told.scenario, origin.label);
    let with = match origin.effect {
        Effect::Insert(id) => format!(" with value {}", value(id)),
        _ => String::new(),
    };
    let place = between(told, key).unwrap_or_else(|| listed(told.iterating));
    let what = format!(
        "passed over key {key}{with}, which {insert} had put there before it began and nothing \
         removed; it showed {place}"
    );
    Some(told.violation(Class::MissedElement, &what))
}

/// How many elements an iteration showed, and which.
fn listed(iterating: &Iterating) -> String {
    /// Keys that are listed one by one.
    const TOLD: usize = 12;
    let mut keys: Vec<String> =
        iterating.seen.iter().take(TOLD).map(|seen| seen.key.to_string()).collect();
    let count = iterating.seen.len();
    if count > TOLD {
        keys.push(format!("and {} more", count - TOLD));
    }
    match count {
        0 => "no elements".to_owned(),
        1 => format!("1 element, key {}", keys[0]),
        _ => format!("{count} elements, the keys {}", keys.join(", ")),
    }
}

/// How many elements an iteration showed, and between which of them a key should have been, if another one of the same
/// execution that ran to its end tells their order.
fn between(told: Told<'_>, key: u64) -> Option<String> {
    let visit = |seen: &Seen| told.iterating.seen.iter().position(|s| s.key == seen.key);
    let order = told.all.iter().rev().find_map(|other| {
        let place = other.seen.iter().position(|seen| seen.key == key)?;
        let before = other.seen[..place].iter().rev().find_map(visit);
        let after = other.seen[place + 1..].iter().find_map(visit);
        // Where the two have different orders, it tells nothing.
        let in_order = before.is_none_or(|b| after.is_none_or(|a| b < a));
        (other.complete && in_order).then_some((other, before, after))
    });
    let (other, before, after) = order?;
    let name = |i: usize| format!("visit {} (key {})", i + 1, told.iterating.seen[i].key);
    let place = match (before.map(name), after.map(name)) {
        (Some(before), Some(after)) => format!("between {before} and {after}"),
        (Some(before), None) => format!("after {before}"),
        (None, Some(after)) => format!("before {after}"),
        (None, None) => return None,
    };
    let (count, by) = (told.iterating.seen.len(), operation(told.scenario, other.label));
    let elements = if count == 1 { "element" } else { "elements" };
    Some(format!("{count} {elements}, and went past it {place}, by the order in which {by} did"))
}

/// The insert after which a key was there before `began` and ever since.
fn stayed<'a>(contract: Contract, began: Moment, calls: Calls<'a>) -> Option<&'a Call> {
    let inserts = calls.into_iter().filter(|c| matches!(c.effect, Effect::Insert(_)));
    let certain = inserts.filter(|c| !c.was_given_up() && !c.failed());
    let last = certain.filter(|c| c.returned < began).max_by_key(|c| c.invoked)?;
    let removes = |call: &Call| {
        call.invoked != last.invoked && contract.may_remove(call) && call.returned > last.invoked
    };
    (!calls.into_iter().any(removes)).then_some(last)
}

/// The insert that put there what this one may only have found: the last that had begun by then, and may not have
/// returned.
fn origin<'a>(calls: Calls<'a>, kept: &'a Call) -> &'a Call {
    if !kept.refused() {
        return kept;
    }
    let inserts = calls.into_iter().filter(|c| matches!(c.effect, Effect::Insert(_)));
    let before = inserts.filter(|c| c.invoked < kept.returned && !c.refused() && !c.failed());
    before.max_by_key(|c| c.invoked).unwrap_or(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::history::History;
    use crate::scheduler::splitmix;

    const ABSENT: Answer = Answer::Wrote(Previous::Absent);

    fn contract(iteration: Iteration) -> Contract {
        Contract { iteration, linearizable: true, may_evict: false }
    }

    /// Setup `insert 0..4`, thread 1 `iterate`, thread 2 `remove 3`, `insert 3`, with labels 1 to 4.
    fn scenario() -> Scenario {
        let ops = |text: &str| text.split(", ").map(|op| op.parse().unwrap()).collect();
        let threads = vec![ops("iterate"), ops("remove 3, insert 3")];
        Scenario { setup: ops("insert 0..4"), threads, ..Scenario::default() }
    }

    /// A history to which the calls of a test are added, each of one moment unless said otherwise.
    struct Story {
        history: History<()>,
        scenario: Scenario,
        iteration: usize,
        since: Moment,
    }

    impl Story {
        /// In which thread 1 iterates from the moment that the keys have been inserted.
        fn with_keys(keys: std::ops::Range<u64>) -> Story {
            let (history, scenario) = (History::new(), scenario());
            let mut story = Story { history, scenario, iteration: 0, since: 0 };
            keys.for_each(|key| story.call(1, key, Effect::Insert(key << 32 | 1), ABSENT));
            story.begin();
            story
        }

        fn begin(&mut self) {
            self.iteration = self.history.begin_iteration(2);
            self.since = self.history.now();
        }

        fn call(&mut self, label: u32, key: u64, effect: Effect, answer: Answer) {
            let ticket = self.history.invoke(label, key, effect);
            self.history.respond(ticket, answer);
        }

        fn remove(&mut self, key: u64) {
            self.call(3, key, Effect::Remove, Answer::Wrote(Previous::Present(key << 32 | 1)));
        }

        fn insert(&mut self, key: u64, answer: Answer) {
            self.call(4, key, Effect::Insert(key << 32 | 4), answer);
        }

        fn told(&self) -> Told<'_> {
            let (iterating, all) =
                (self.history.iteration(self.iteration), self.history.iterations());
            Told { scenario: &self.scenario, iterating, all }
        }

        /// What is held against a visit.
        fn visit(&mut self, contract: Contract, key: u64, label: u64) -> Option<Violation> {
            let seen = Seen { key, value: key << 32 | label, since: self.since };
            self.history.visit(self.iteration, seen);
            self.since = self.history.now();
            visited(contract, self.told(), self.history.calls(key))
        }

        fn missed(&self, contract: Contract, key: u64) -> Option<Violation> {
            missed(contract, self.told(), key, self.history.calls(key))
        }
    }

    fn message(violation: Option<Violation>) -> String {
        violation.map_or_else(|| "nothing".to_owned(), |v| format!("{}: {}", v.class, v.message))
    }

    const WEAK: Iteration = Iteration::WeaklyConsistent;

    #[test]
    fn a_cache_need_not_show_what_it_may_have_evicted_but_nothing_that_was_never_there() {
        let evicting = Contract { may_evict: true, ..contract(WEAK) };
        for (contract, missed) in [(evicting, false), (contract(WEAK), true)] {
            let mut story = Story::with_keys(0..2);
            assert_eq!(message(story.visit(contract, 0, 1)), "nothing");
            assert_eq!(story.missed(contract, 1).is_some(), missed);
            assert!(message(story.visit(contract, 1, 9)).contains("never inserted"));
        }
        let none = contract(Iteration::None);
        assert_eq!(message(Story::with_keys(0..2).missed(none, 1)), "nothing");
    }

    #[test]
    fn an_element_that_stayed_must_be_shown() {
        let story = Story::with_keys(0..4);
        assert_eq!(
            message(story.missed(contract(WEAK), 3)),
            "missed-element: `iterate` by thread 1: the iteration passed over key 3 with value 3.1, which `insert \
             0..4` of setup had put there before it began and nothing removed; it showed no elements"
        );
    }

    #[test]
    fn what_an_insert_was_refused_for_is_told_by_who_put_it_there_even_if_that_had_not_returned() {
        let mut story = Story::with_keys(0..3);
        let first = story.history.invoke(2, 3, Effect::Insert(3 << 32 | 2));
        story.insert(3, Answer::Wrote(Previous::Refused));
        story.begin();
        story.history.respond(first, ABSENT);
        let told = message(story.missed(contract(WEAK), 3));
        assert!(told.contains("passed over key 3 with value 3.2, which"), "{told}");
    }

    #[test]
    fn what_was_put_there_anew_is_told_by_who_put_it_there_last() {
        let mut story = Story::with_keys(0..4);
        story.remove(3);
        story.insert(3, ABSENT);
        story.begin();
        let told = message(story.missed(contract(WEAK), 3));
        assert!(told.contains("passed over key 3 with value 3.4, which `insert 3` by"), "{told}");
    }

    #[test]
    fn an_insert_that_failed_has_put_nothing_there_and_removed_nothing() {
        let mut story = Story::with_keys(0..2);
        story.call(4, 3, Effect::Insert(3 << 32 | 4), Answer::Wrote(Previous::Failed));
        story.call(4, 1, Effect::Insert(1 << 32 | 4), Answer::Wrote(Previous::Failed));
        story.history.complete(story.iteration);
        story.begin();
        assert_eq!(message(story.missed(contract(WEAK), 3)), "nothing");
        assert!(message(story.missed(contract(WEAK), 1)).starts_with("missed-element"));
    }

    #[test]
    fn what_was_missed_is_told_with_the_visits_that_went_past_it() {
        let missing = |before: &[u64], keys: &[u64]| {
            let mut story = Story::with_keys(0..16);
            before.iter().for_each(|key| _ = story.visit(contract(WEAK), *key, 1));
            story.history.complete(story.iteration);
            story.begin();
            keys.iter().for_each(|key| _ = story.visit(contract(WEAK), *key, 1));
            let told = message(story.missed(contract(WEAK), 3));
            told.split_once("removed; it showed ").unwrap().1.to_owned()
        };
        assert_eq!(missing(&[], &[7]), "1 element, key 7");
        assert_eq!(missing(&[], &[7, 0, 2]), "3 elements, the keys 7, 0, 2");
        let many: Vec<u64> = (4..16).chain([0]).collect();
        assert!(missing(&[], &many).ends_with("14, 15, and 1 more"));
        let order = [5, 1, 3, 2, 0];
        assert_eq!(
            missing(&order, &[1, 0]),
            "2 elements, and went past it between visit 1 (key 1) and visit 2 (key 0), by the order in which `iterate` \
             by thread 1 did"
        );
        assert!(
            missing(&order, &[5]).contains("1 element, and went past it after visit 1 (key 5)")
        );
        assert!(missing(&order, &[2]).contains("past it before visit 1 (key 2)"));
        assert_eq!(missing(&order, &[0, 1]), "2 elements, the keys 0, 1");
    }

    #[test]
    fn an_element_that_was_removed_or_came_late_need_not_be_shown() {
        for iteration in [Iteration::Go, WEAK, Iteration::Snapshot, Iteration::Locked] {
            let mut story = Story::with_keys(0..3);
            story.remove(1);
            story.insert(3, ABSENT);
            story.history.invoke(3, 2, Effect::Remove);
            assert!(story.missed(contract(iteration), 0).is_some());
            for key in 1..4 {
                assert_eq!(story.missed(contract(iteration), key), None, "key {key}");
            }
        }
    }

    #[test]
    fn an_element_of_which_the_value_changed_must_be_shown_unless_that_takes_it_out() {
        let mut story = Story::with_keys(0..4);
        story.insert(3, Answer::Wrote(Previous::Present(3 << 32 | 1)));
        assert!(story.missed(contract(WEAK), 3).is_some());
        let takes_out = Contract { linearizable: false, ..contract(WEAK) };
        assert_eq!(story.missed(takes_out, 3), None);
    }

    #[test]
    fn a_removal_that_found_nothing_excuses_nothing() {
        let mut story = Story::with_keys(0..4);
        story.call(3, 3, Effect::Remove, ABSENT);
        assert!(story.missed(contract(WEAK), 3).is_some());
        story.call(3, 3, Effect::Remove, Answer::Wrote(Previous::Unknown));
        assert_eq!(story.missed(contract(WEAK), 3), None);
    }

    #[test]
    fn what_stayed_is_shown_once() {
        let mut story = Story::with_keys(0..4);
        let weak = contract(WEAK);
        assert_eq!((story.visit(weak, 3, 1), story.visit(weak, 0, 1)), (None, None));
        let again = message(story.visit(weak, 3, 1));
        assert!(
            again.ends_with(
                "visited key 3 twice, at visits 1 and 3, with value 3.1, which `insert 0..4` of setup had put there \
                 and nothing is known to have removed"
            ),
            "{again}"
        );
        let repeats = contract(Iteration::WeaklyConsistentMayRepeat);
        assert_eq!(story.visit(repeats, 3, 1), None);
    }

    #[test]
    fn a_key_that_was_removed_meanwhile_may_be_shown_again_but_its_old_element_only_once() {
        for (iteration, old_again) in [(WEAK, false), (Iteration::Go, true)] {
            let mut story = Story::with_keys(0..4);
            assert_eq!(story.visit(contract(iteration), 3, 1), None);
            story.remove(3);
            story.insert(3, ABSENT);
            assert_eq!(story.visit(contract(iteration), 3, 4), None);
            let again = story.visit(contract(iteration), 3, 4);
            assert_eq!(again.is_some(), old_again, "{iteration}");
        }
    }

    #[test]
    fn what_was_removed_before_a_step_is_a_ghost_only_where_nothing_is_looked_up_ahead() {
        let mut story = Story::with_keys(0..4);
        story.visit(contract(WEAK), 0, 1);
        story.remove(3);
        assert_eq!(story.visit(contract(WEAK), 3, 1), None);
        assert_eq!(
            message(story.visit(contract(Iteration::Go), 3, 1)),
            "ghost-element: `iterate` by thread 1: the iteration visited key 3 with value 3.1, which `insert 0..4` of \
             setup had put there and `remove 3` by thread 2 had removed before the step to it began"
        );
    }

    #[test]
    fn what_was_removed_before_the_iteration_is_a_ghost_to_all() {
        let mut story = Story::with_keys(0..4);
        story.remove(3);
        story.begin();
        for iteration in [WEAK, Iteration::Snapshot, Iteration::WeaklyConsistentMayRepeat] {
            let told = message(story.visit(contract(iteration), 3, 1));
            assert!(told.ends_with("had removed before the iteration began"), "{told}");
        }
    }

    #[test]
    fn what_a_removal_found_gone_is_a_ghost_though_it_did_not_remove_it() {
        let mut story = Story::with_keys(0..4);
        story.call(3, 3, Effect::Remove, Answer::Wrote(Previous::Absent));
        story.begin();
        let told = message(story.visit(contract(WEAK), 3, 1));
        assert!(told.ends_with("had found gone before the iteration began"), "{told}");
    }

    #[test]
    fn a_value_that_was_replaced_or_refused_or_never_put_there_is_a_ghost() {
        let mut story = Story::with_keys(0..4);
        let go = contract(Iteration::Go);
        story.insert(3, Answer::Wrote(Previous::Refused));
        story.since = story.history.now();
        assert!(
            message(story.visit(go, 3, 4))
                .contains("had refused to take from `insert 3` by thread 2")
        );
        let mut story = Story::with_keys(0..4);
        story.insert(3, Answer::Wrote(Previous::Present(3 << 32 | 1)));
        story.since = story.history.now();
        assert!(
            message(story.visit(go, 3, 1)).contains("had replaced before the step to it began")
        );
        assert!(
            message(story.visit(go, 3, 9))
                .contains("visited key 3 with value 3.9, which was never inserted")
        );
    }

    /// A map of one key as it really is at every moment, and an iterator that looks at it once.
    struct Truth {
        draw: u64,
        held: Option<u64>,
    }

    impl Truth {
        fn below(&mut self, n: u64) -> u64 {
            self.draw = splitmix(self.draw);
            self.draw % n
        }

        /// Does to the map what a call does.
        fn apply(&mut self, effect: Effect) -> Answer {
            let previous = self.held.map_or(Previous::Absent, Previous::Present);
            self.held = match effect {
                Effect::Insert(id) => Some(id),
                Effect::Get => self.held,
                _ => None,
            };
            Answer::Wrote(previous)
        }
    }

    /// Runs a right map beside calls that overlap the iteration as the draw has it; what is held against it.
    fn right_map(seed: u64, contract: Contract) -> Option<Violation> {
        let mut truth = Truth { draw: seed, held: None };
        let mut story = Story::with_keys(0..0);
        let (mut open, mut shown, mut looked) = (Vec::new(), None, false);
        let begin = truth.below(6);
        for i in 0..12 {
            if i == begin {
                story.begin();
            }
            match truth.below(4) {
                0 => {
                    let effects = [Effect::Insert(i), Effect::Insert(i), Effect::Remove];
                    let effect = effects[truth.below(3) as usize];
                    open.push((story.history.invoke(4, 0, effect), effect, None));
                }
                1 => {
                    // It takes effect.
                    if let Some(call) = open.iter_mut().find(|call| call.2.is_none()) {
                        call.2 = Some(truth.apply(call.1));
                    }
                }
                2 => {
                    let done = open.iter().position(|call| call.2.is_some());
                    if let Some((ticket, _, Some(answer))) = done.map(|at| open.remove(at)) {
                        story.history.respond(ticket, answer);
                    }
                }
                _ if i > begin && !looked => (looked, shown) = (true, truth.held),
                _ => {}
            }
        }
        if !looked {
            shown = truth.held;
        }
        let Some(value) = shown else { return story.missed(contract, 0) };
        story.history.visit(story.iteration, Seen { key: 0, value, since: story.since });
        visited(contract, story.told(), story.history.calls(0))
    }

    #[test]
    fn nothing_is_held_against_a_right_map_whatever_overlaps() {
        for seed in 0..100_000 {
            for iteration in [Iteration::Go, WEAK] {
                let found = right_map(splitmix(seed), contract(iteration));
                assert_eq!(found, None, "seed {seed}");
            }
        }
    }
}
