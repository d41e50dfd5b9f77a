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

/// The verdict on keys that were never dropped although an execution has freed all its memory: only counted, since a key
/// has no block of its own.
pub(crate) fn keys(left: u64) -> Option<Violation> {
    let what = match left {
        0 => return None,
        1 => "a key was".to_owned(),
        n => format!("{n} keys were"),
    };
    let message = format!("{what} never dropped, although all memory was freed");
    Some(Violation { class: Class::Leak, message })
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
    let untold = matches!(call.answer, Answer::None | Answer::Wrote(Previous::Unknown));
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
