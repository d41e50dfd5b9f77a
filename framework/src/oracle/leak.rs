//! What is left of a map that was dropped: blocks that nothing refers to any more, and the values in them, which will
//! never be dropped.
//!
//! Garbage that a global collector still holds can be reached, and is none of this.

use mapcheck_machine::{Block, Fact, Lost};

use super::iteration::operation;
use super::pointer::bytes;
use super::{Class, Promises, Violation};
use crate::element;
use crate::map::Previous;
use crate::scenario::Scenario;
use crate::scenario::history::{Answer, Call, Calls, Effect, Moment};

/// The verdict on lost blocks; `past` is what the calls of the scenario answered, where one ran.
pub(super) fn judge(fact: &Fact, past: Option<&Promises>) -> Option<Violation> {
    let Fact::Leaked { blocks, count, bytes: all } = fact else { return None };
    let first = &blocks.first()?.block;
    let mut message = format!("{} was never freed", block(first, past.map(Promises::scenario)));
    if *count > 1 {
        message += &format!(" (and {} more, {} in all)", count - 1, bytes(*all));
    }
    if let Some(past) = past {
        message += &values(blocks, past);
    }
    Some(Violation { class: Class::Leak, message })
}

/// The verdict on keys that were never dropped although an execution has freed all its memory: only counted, since a
/// key has no block of its own. Below zero, there were more drops than keys: of a key of which the bytes were copied,
/// the copy looks alive after the first drop.
pub(crate) fn keys(left: u64) -> Option<Violation> {
    let left = left.cast_signed();
    let (class, happened) = match left {
        0 => return None,
        ..0 => (Class::DoubleFree, "dropped twice, once as a copy of its bytes"),
        _ => (Class::Leak, "never dropped, although all memory was freed"),
    };
    let what = match left.unsigned_abs() {
        1 => "a key was".to_owned(),
        n => format!("{n} keys were"),
    };
    Some(Violation { class, message: format!("{what} {happened}") })
}

fn block(of: &Block, scenario: Option<&Scenario>) -> String {
    let what = format!("a block of {}", bytes(of.size));
    match scenario.filter(|s| s.operation(of.alloc.label).is_some()) {
        Some(scenario) => format!("{what} that {} allocated", operation(scenario, of.alloc.label)),
        None => what,
    }
}

/// The first of the values among these blocks, and how many others there are.
fn values(blocks: &[Lost], past: &Promises) -> String {
    let mut ids = blocks.iter().filter_map(|lost| element::value_in(lost.block.size, lost.head));
    let Some(id) = ids.next() else { return String::new() };
    let fate = past.calls_on(id >> 32, |calls| told(fate(calls, id), past.scenario()));
    let others = match ids.count() {
        0 => "was".to_owned(),
        1 => "and another one were".to_owned(),
        n => format!("and {n} others were"),
    };
    format!(": {}, which {fate}, {others} never dropped", element::value_name(id))
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The operation with this label removed it.
    Removed(u32),
    /// It put another in its place.
    Replaced(u32),
    /// It was to put it into the map, which refused.
    Refused(u32),
    /// It may have removed it: the map did not tell.
    PerhapsRemoved(u32),
    /// Nothing: it was in the map to the end.
    Left,
}

/// What became of the value with this id, by the calls on its key, of which the latest comes first.
fn fate(calls: Calls<'_>, id: u64) -> Fate {
    let gone = Answer::Wrote(Previous::Present(id));
    let certain = calls.into_iter().find_map(|call| match call.effect {
        Effect::Remove if call.answer == gone => Some(Fate::Removed(call.label)),
        Effect::Insert(_) if call.answer == gone => Some(Fate::Replaced(call.label)),
        Effect::Insert(own) if own == id && call.refused() => Some(Fate::Refused(call.label)),
        _ => None,
    });
    let since = calls.into_iter().find(|call| call.effect == Effect::Insert(id));
    let since = since.map_or(0, |call| call.invoked);
    // The earliest is the last of them.
    let perhaps = || calls.into_iter().filter(|call| may_take(call, id, since)).last();
    let uncertain = || perhaps().map_or(Fate::Left, |call| Fate::PerhapsRemoved(call.label));
    certain.unwrap_or_else(uncertain)
}

/// Whether a call may have taken the value with this id, which came at this moment or later, out of the map.
fn may_take(call: &Call, id: u64, since: Moment) -> bool {
    let untold =
        matches!(call.answer, Answer::None | Answer::GivenUp | Answer::Wrote(Previous::Unknown));
    let takes = match call.effect {
        Effect::Insert(other) => other != id,
        Effect::Remove | Effect::Wipe | Effect::Sweep => true,
        Effect::Get | Effect::Nothing => false,
    };
    takes && untold && call.returned > since
}

fn told(fate: Fate, scenario: &Scenario) -> String {
    match fate {
        Fate::Removed(label) => format!("{} had removed", operation(scenario, label)),
        Fate::Replaced(label) => format!("{} had replaced", operation(scenario, label)),
        Fate::Refused(label) => format!("the map had refused in {}", operation(scenario, label)),
        Fate::PerhapsRemoved(label) => {
            format!("{} may have removed", operation(scenario, label))
        }
        Fate::Left => "was still in the map when the map was dropped".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::{AfterPanic, Atomic, Consistency, Iteration, Profile};
    use crate::scheduler::splitmix;
    use mapcheck_machine::Stamp;

    const UNKNOWN: Answer = Answer::Wrote(Previous::Unknown);

    fn present(id: u64) -> Answer {
        Answer::Wrote(Previous::Present(id))
    }

    fn profile() -> Profile {
        Profile {
            iteration: Iteration::WeaklyConsistent,
            promised_by: "this test",
            consistency: Consistency::None,
            atomic: Atomic::NONE,
            grows_at: 8,
            write_in_visit: true,
            knobs: "",
        }
    }

    /// The value that the operation with this label puts under key 3.
    fn value(label: u64) -> u64 {
        3 << 32 | label
    }

    /// A setup that inserts key 3 as operation 1, and a thread that does this from operation 2 on.
    fn past(ops: &str, calls: &[(u32, Effect, Answer)]) -> Promises {
        let mut scenario =
            Scenario { setup: vec!["insert 3".parse().unwrap()], ..Scenario::default() };
        scenario.threads = vec![ops.split(", ").map(|op| op.parse().unwrap()).collect()];
        let past = Promises::new(&scenario, &profile(), AfterPanic::Usable, Vec::new);
        for &(label, effect, answer) in calls {
            let call = past.invoke(label, 3, effect);
            past.respond(call, answer);
        }
        past
    }

    fn lost(size: usize, label: u32, head: [u64; 2]) -> Lost {
        let alloc = Stamp { label, ..Stamp::default() };
        Lost { block: Block { size, alloc, ..Block::default() }, held: false, head }
    }

    fn node() -> Lost {
        lost(48, 1, [0, 0])
    }

    fn payload(id: u64) -> Lost {
        lost(16, id as u32, [id, !id])
    }

    fn fact(blocks: Vec<Lost>) -> Fact {
        let (count, bytes) = (blocks.len(), blocks.iter().map(|b| b.block.size).sum());
        Fact::Leaked { blocks, count, bytes }
    }

    fn told(blocks: Vec<Lost>, past: Option<&Promises>) -> String {
        let violation = judge(&fact(blocks), past).expect("lost blocks are a leak");
        assert_eq!(violation.class, Class::Leak);
        violation.message
    }

    const INSERTED: (u32, Effect, Answer) =
        (1, Effect::Insert(3 << 32 | 1), Answer::Wrote(Previous::Absent));

    /// What is told of the lost value 3.1 after these calls.
    fn fate_told(ops: &str, calls: &[(u32, Effect, Answer)]) -> String {
        let past = past(ops, &[&[INSERTED], calls].concat());
        let message = told(vec![node(), payload(value(1))], Some(&past));
        let (_, fate) = message.split_once("value 3.1, which ").expect("the value is told");
        fate.strip_suffix(", was never dropped").expect("it was never dropped").to_owned()
    }

    #[test]
    fn nothing_else_is_a_leak() {
        assert_eq!(judge(&Fact::StackOverflow, None), None);
        assert_eq!(judge(&Fact::HeapExhausted { live: 1, allocated: 1 }, None), None);
        assert_eq!(judge(&fact(Vec::new()), None), None);
        assert_eq!(keys(0), None);
    }

    #[test]
    fn a_lost_block_is_told_with_the_operation_that_allocated_it() {
        let past = past("remove 3", &[INSERTED]);
        let whole = "a block of 48 bytes that `insert 3` of setup allocated was never freed";
        assert_eq!(told(vec![node()], Some(&past)), whole);
        assert_eq!(told(vec![node()], None), "a block of 48 bytes was never freed");
        let unlabelled = told(vec![lost(1, 0, [0, 0])], Some(&past));
        assert_eq!(unlabelled, "a block of 1 byte was never freed");
    }

    #[test]
    fn further_blocks_are_counted_with_their_bytes() {
        let message = told(vec![node(), lost(8, 2, [5, 0]), lost(16, 2, [0, 0])], None);
        assert_eq!(message, "a block of 48 bytes was never freed (and 2 more, 72 bytes in all)");
    }

    #[test]
    fn a_lost_value_is_told_with_the_call_that_took_it_out_of_the_map() {
        let removed = (2, Effect::Remove, present(value(1)));
        assert_eq!(fate_told("remove 3", &[removed]), "`remove 3` by thread 1 had removed");
        let replaced = (2, Effect::Insert(value(2)), present(value(1)));
        assert_eq!(fate_told("insert 3", &[replaced]), "`insert 3` by thread 1 had replaced");
        let left = "was still in the map when the map was dropped";
        assert_eq!(fate_told("get 3", &[(2, Effect::Get, Answer::Read(None))]), left);
        let other = (2, Effect::Remove, present(value(9)));
        assert_eq!(fate_told("remove 3", &[other]), left);
        let absent = (2, Effect::Remove, Answer::Wrote(Previous::Absent));
        assert_eq!(fate_told("remove 3", &[absent]), left);
    }

    #[test]
    fn where_the_map_does_not_tell_the_first_call_that_may_have_removed_it_is_told_as_that() {
        let perhaps = "`clear` by thread 1 may have removed";
        let calls = [(2, Effect::Wipe, Answer::None), (3, Effect::Remove, UNKNOWN)];
        assert_eq!(fate_told("clear, remove 3", &calls), perhaps);
        let certain = [(2, Effect::Wipe, Answer::None), (3, Effect::Remove, present(value(1)))];
        assert_eq!(fate_told("clear, remove 3", &certain), "`remove 3` by thread 1 had removed");
    }

    #[test]
    fn a_call_that_returned_before_the_value_came_did_not_remove_it() {
        let late = (3, Effect::Insert(value(3)), UNKNOWN);
        let past = past("remove 3, insert 3", &[(2, Effect::Remove, UNKNOWN), late]);
        let message = told(vec![payload(value(3))], Some(&past));
        assert!(message.contains("value 3.3, which was still in the map"), "{message}");
    }

    #[test]
    fn a_value_that_the_map_refused_is_told_as_that() {
        let refused = (2, Effect::Insert(value(2)), Answer::Wrote(Previous::Refused));
        let past = past("insert 3", &[INSERTED, refused]);
        let message = told(vec![payload(value(2)), payload(value(1))], Some(&past));
        let which = "value 3.2, which the map had refused in `insert 3` by thread 1, ";
        assert!(message.contains(which), "{message}");
        assert!(message.ends_with(", and another one were never dropped"), "{message}");
    }

    #[test]
    fn keys_are_told_by_their_number() {
        let told = |n| keys(n).unwrap().message;
        assert_eq!(told(1), "a key was never dropped, although all memory was freed");
        assert_eq!(told(2), "2 keys were never dropped, although all memory was freed");
        assert_eq!(told(u64::MAX), "a key was dropped twice, once as a copy of its bytes");
        assert_eq!([1, u64::MAX].map(|n| keys(n).unwrap().class), [Class::Leak, Class::DoubleFree]);
    }

    /// In any history of calls that follow each other, of which each tells what it did.
    #[test]
    fn the_fate_of_each_value_of_a_history_is_what_happened_to_it() {
        let mut fates = [0; 4];
        for seed in 0..2_000 {
            let (calls, expected) = honest(seed);
            let past = past("get 3", &calls);
            for (id, wanted) in expected {
                assert_eq!(past.calls_on(3, |calls| fate(calls, id)), wanted, "{calls:?}");
                let kind = match wanted {
                    Fate::Removed(_) => 0,
                    Fate::Replaced(_) => 1,
                    Fate::Refused(_) => 2,
                    Fate::Left | Fate::PerhapsRemoved(_) => 3,
                };
                fates[kind] += 1;
            }
        }
        assert!(fates.iter().all(|n| *n > 500), "all kinds are met: {fates:?}");
    }

    type History = Vec<(u32, Effect, Answer)>;

    /// Some calls on a map that answers truly, and what became of each value.
    fn honest(seed: u64) -> (History, Vec<(u64, Fate)>) {
        let (mut calls, mut fates, mut held) = (History::new(), Vec::new(), None);
        for label in 2..8 {
            let id = value(label.into());
            let answer = held.map_or(Answer::Wrote(Previous::Absent), present);
            match (splitmix(seed << 8 | u64::from(label)) % 3, held) {
                (0, _) => {
                    calls.push((label, Effect::Insert(id), answer));
                    fates.extend(held.replace(id).map(|old| (old, Fate::Replaced(label))));
                }
                (1, Some(_)) => {
                    let refused = Answer::Wrote(Previous::Refused);
                    calls.push((label, Effect::Insert(id), refused));
                    fates.push((id, Fate::Refused(label)));
                }
                _ => {
                    calls.push((label, Effect::Remove, answer));
                    fates.extend(held.take().map(|old| (old, Fate::Removed(label))));
                }
            }
        }
        fates.extend(held.map(|left| (left, Fate::Left)));
        (calls, fates)
    }
}
