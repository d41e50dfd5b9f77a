//! What the threads of a scenario asked of the map, and what it answered: calls and iterations, with the moments at
//! which they began and ended.
//!
//! Time is a counter that goes up at each of these events, so that one interval lies before another exactly if it ended
//! before the other began.

use std::collections::BTreeMap;

use crate::map::Previous;
use crate::reused::Reused;

/// A moment.
pub(crate) type Moment = u32;
/// When a call returns that has not returned.
pub(crate) const NEVER: Moment = Moment::MAX;

/// What a call does to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Puts the value with this id under it.
    Insert(u64),
    Remove,
    Get,
    /// Removes it among others, once or more, and does not tell: `clear`, and `retain` for keys that it does not keep.
    Wipe,
    /// As `Wipe`, or does nothing: a `retain` during which another call put a value there, which it need not have seen.
    Sweep,
    /// Nothing: the map lacks what it was asked to do.
    Nothing,
}

/// What a call answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing: it is under way, or tells nothing.
    None,
    Wrote(Previous),
    Read(Option<u64>),
    /// Nothing, and never will: it was given up, with or without effect.
    GivenUp,
}

/// What one call did to one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Of the operation that it is part of, see [`super::Scenario::operation`].
    pub label: u32,
    pub effect: Effect,
    pub answer: Answer,
    pub invoked: Moment,
    /// [`NEVER`] while it is under way.
    pub returned: Moment,
}

impl Call {
    /// Whether it removes its key, or may have.
    pub(crate) fn may_remove(&self) -> bool {
        match self.effect {
            Effect::Remove => !self.failed() && self.answer != Answer::Wrote(Previous::Absent),
            Effect::Wipe | Effect::Sweep => true,
            Effect::Insert(_) | Effect::Get | Effect::Nothing => false,
        }
    }

    /// Whether it is known to have taken effect or not, or is under way.
    pub(crate) fn was_given_up(&self) -> bool {
        self.answer == Answer::GivenUp
    }

    /// Whether the map could not do it, and it has had no effect.
    pub(crate) fn failed(&self) -> bool {
        matches!(self.answer, Answer::Wrote(Previous::Failed | Previous::Unsupported))
    }

    /// Whether it is an insert that the map refused, or could not do.
    pub(crate) fn refused(&self) -> bool {
        self.failed() || self.answer == Answer::Wrote(Previous::Refused)
    }
}

/// An element that an iteration showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub key: u64,
    /// Its value's id.
    pub value: u64,
    /// When the step to it began: the iteration itself, or the return of the visitor before.
    pub since: Moment,
}

/// An iteration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Iterating {
    pub label: u32,
    pub began: Moment,
    pub seen: Vec<Seen>,
    /// Whether it has run to its end.
    pub complete: bool,
}

/// What an operation on the map as a whole did, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Nothing, or it is under way.
    Nothing,
    /// It counted so many elements.
    Len(usize),
    /// It removed all elements.
    Clear,
    /// It removed those with odd keys.
    RetainEven,
    /// It was the iteration with this number; whether it ran to its end.
    Iterate(usize, bool),
}

/// An operation on the map as a whole that is promised to take effect at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    /// See [`Call::label`].
    pub label: u32,
    pub deed: Deed,
    pub invoked: Moment,
    /// [`NEVER`] while it is under way.
    pub returned: Moment,
}

/// What an operation that wipes many keys has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wiped {
    /// All that it was to do.
    All,
    /// Nothing: the map lacks it.
    Nothing,
    /// More or less of it: it was given up.
    Some,
}

/// A call that has not returned: where to find it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    entry: usize,
    call: usize,
}

/// An operation that wipes many keys and has not returned.
#[derive(Clone, Copy, Debug)]
struct Wiping {
    label: u32,
    invoked: Moment,
    odd_only: bool,
}

impl Wiping {
    fn concerns(&self, key: u64) -> bool {
        !self.odd_only || key % 2 == 1
    }

    fn call(&self) -> Call {
        let Wiping { label, invoked, .. } = *self;
        Call { label, effect: Effect::Wipe, answer: Answer::None, invoked, returned: NEVER }
    }
}

/// A key that was written or read.
#[derive(Clone, Debug)]
pub(crate) struct Entry<K> {
    pub key: u64,
    /// Calls that have not returned.
    pub open: u32,
    /// Calls since the key was quiet last.
    pub recent: u32,
    /// What an oracle knows of it.
    pub known: K,
    /// The iteration that showed it last; [`NONE`] if none did.
    shown_by: u32,
    /// The last call, as an index; [`NONE`] if there is none.
    last: u32,
}

impl<K> Entry<K> {
    /// Whether no iteration after this one has shown the key, but this one has.
    pub(crate) fn shown_last_by(&self, iteration: usize) -> bool {
        self.shown_by == iteration as u32
    }
}

/// A call among those of all keys.
#[derive(Clone, Copy, Debug)]
struct Node {
    call: Call,
    /// The one before it of the same key, as an index; [`NONE`] if there is none.
    before: u32,
    /// Its key's entry.
    entry: u32,
}

const NONE: u32 = u32::MAX;
/// Keys below this are looked up in a table.
const SMALL: u64 = 1 << 12;

/// The history of an execution; `K` is what an oracle keeps for each key.
#[derive(Debug)]
pub(crate) struct History<K> {
    now: Moment,
    calls: Vec<Node>,
    /// By their first calls.
    entries: Vec<Entry<K>>,
    /// Indexes of entries, by key: this is asked so often that searching would show.
    small: Vec<u32>,
    /// Those of the keys from [`SMALL`] on.
    large: BTreeMap<u64, u32>,
    iterations: Reused<Iterating>,
    wiping: Vec<Wiping>,
    /// Operations on the map as a whole, by their invocations.
    wholes: Vec<Whole>,
    /// How many calls, wipes and operations on the map as a whole have not returned.
    open: u32,
}

/// The calls of a key, the latest first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calls<'a> {
    all: &'a [Node],
    next: u32,
}

impl<'a> Iterator for Calls<'a> {
    type Item = &'a Call;

    fn next(&mut self) -> Option<&'a Call> {
        let node = self.all.get(self.next as usize)?;
        self.next = node.before;
        Some(&node.call)
    }
}

impl<K: Default> History<K> {
    pub(crate) fn new() -> History<K> {
        History {
            now: 0,
            calls: Vec::with_capacity(64),
            entries: Vec::with_capacity(32),
            small: Vec::with_capacity(64),
            large: BTreeMap::new(),
            iterations: Reused::default(),
            wiping: Vec::new(),
            wholes: Vec::new(),
            open: 0,
        }
    }

    /// Another execution begins, in whose history nothing has happened yet.
    pub(crate) fn clear(&mut self) {
        (self.now, self.open) = (0, 0);
        self.calls.clear();
        self.entries.clear();
        self.small.clear();
        self.large.clear();
        self.iterations.clear();
        self.wiping.clear();
        self.wholes.clear();
    }

    /// The last moment at which anything began or ended.
    pub(crate) fn now(&self) -> Moment {
        self.now
    }

    fn tick(&mut self) -> Moment {
        self.now += 1;
        self.now
    }

    /// A call begins.
    pub(crate) fn invoke(&mut self, label: u32, key: u64, effect: Effect) -> Ticket {
        let invoked = self.tick();
        let entry = self.entry(key);
        let call = self.calls.len();
        self.open += 1;
        self.push(entry, Call { label, effect, answer: Answer::None, invoked, returned: NEVER });
        Ticket { entry, call }
    }

    /// A call, and its key.
    pub(crate) fn call(&self, ticket: Ticket) -> (Call, u64) {
        (self.calls[ticket.call].call, self.entries[ticket.entry].key)
    }

    /// A call returns. The index of its key's entry.
    pub(crate) fn respond(&mut self, ticket: Ticket, answer: Answer) -> usize {
        let returned = self.tick();
        let call = &mut self.calls[ticket.call].call;
        (call.answer, call.returned) = (answer, returned);
        self.entries[ticket.entry].open -= 1;
        self.open -= 1;
        ticket.entry
    }

    /// An operation begins that removes every key, or every odd one.
    pub(crate) fn begin_wipe(&mut self, label: u32, odd_only: bool) -> Moment {
        let wiping = Wiping { label, invoked: self.tick(), odd_only };
        for at in 0..self.entries.len() {
            if wiping.concerns(self.entries[at].key) {
                self.push(at, wiping.call());
            }
        }
        self.wiping.push(wiping);
        self.open += 1;
        wiping.invoked
    }

    /// The operation that began at this moment returns, and with it its call of every key that it concerned. Whether it
    /// did anything.
    pub(crate) fn end_wipe(&mut self, invoked: Moment, done: Wiped) {
        let returned = self.tick();
        let sweeps = self.wiping.iter().any(|w| w.invoked == invoked && w.odd_only);
        self.wiping.retain(|wiping| wiping.invoked != invoked);
        self.open -= 1;
        for at in 0..self.entries.len() {
            let Some(index) = self.wipe_of(at, invoked) else { continue };
            let effect = match done {
                Wiped::All if sweeps && self.inserted_since(at, invoked) => Effect::Sweep,
                Wiped::All => Effect::Wipe,
                Wiped::Some => Effect::Sweep,
                Wiped::Nothing => Effect::Nothing,
            };
            let call = &mut self.calls[index].call;
            (call.effect, call.returned) = (effect, returned);
            self.entries[at].open -= 1;
        }
    }

    /// The index of an entry's call that began with others at this moment.
    fn wipe_of(&self, at: usize, invoked: Moment) -> Option<usize> {
        let mut index = self.entries[at].last;
        while let Some(node) = self.calls.get(index as usize) {
            if node.call.invoked == invoked {
                return Some(index as usize);
            }
            index = node.before;
        }
        None
    }

    /// Whether an insert was under way at this moment or began since.
    fn inserted_since(&self, at: usize, moment: Moment) -> bool {
        let mut recent = self.calls_of(at).take(self.entries[at].recent as usize);
        recent.any(|call| matches!(call.effect, Effect::Insert(_)) && call.returned > moment)
    }

    /// An iteration begins. Its number.
    pub(crate) fn begin_iteration(&mut self, label: u32) -> usize {
        let began = self.tick();
        let iterating = self.iterations.add();
        (iterating.label, iterating.began, iterating.complete) = (label, began, false);
        iterating.seen.clear();
        self.iterations.len() - 1
    }

    /// An iteration shows an element.
    pub(crate) fn visit(&mut self, iteration: usize, seen: Seen) {
        self.tick();
        self.iterations[iteration].seen.push(seen);
        if let Some(at) = self.find(seen.key) {
            self.entries[at].shown_by = iteration as u32;
        }
    }

    /// An iteration has run to its end.
    pub(crate) fn complete(&mut self, number: usize) {
        self.iterations[number].complete = true;
    }

    pub(crate) fn iteration(&self, number: usize) -> &Iterating {
        &self.iterations[number]
    }

    /// All iterations, by their numbers.
    pub(crate) fn iterations(&self) -> &[Iterating] {
        self.iterations.as_slice()
    }

    /// The keys that were written or read.
    pub(crate) fn entries(&self) -> &[Entry<K>] {
        &self.entries
    }

    pub(crate) fn entry_mut(&mut self, at: usize) -> &mut Entry<K> {
        &mut self.entries[at]
    }

    /// The calls of an entry's key, the latest first.
    pub(crate) fn calls_of(&self, at: usize) -> Calls<'_> {
        Calls { all: &self.calls, next: self.entries[at].last }
    }

    /// The calls of a key, the latest first.
    pub(crate) fn calls(&self, key: u64) -> Calls<'_> {
        let next = self.find(key).map_or(NONE, |at| self.entries[at].last);
        Calls { all: &self.calls, next }
    }

    /// An operation on the map as a whole is under way that began at this moment.
    pub(crate) fn begin_whole(&mut self, label: u32, invoked: Moment) {
        self.open += 1;
        self.wholes.push(Whole { label, deed: Deed::Nothing, invoked, returned: NEVER });
    }

    /// An operation on the map as a whole begins at a moment of its own.
    pub(crate) fn begin_whole_now(&mut self, label: u32) -> Moment {
        let invoked = self.tick();
        self.begin_whole(label, invoked);
        invoked
    }

    /// The one that began at this moment returns, if it is promised that there was one.
    pub(crate) fn end_whole(&mut self, invoked: Moment, deed: Deed) {
        let returned = self.tick();
        if let Some(whole) = self.wholes.iter_mut().rfind(|whole| whole.invoked == invoked) {
            (whole.deed, whole.returned) = (deed, returned);
            self.open -= 1;
        }
    }

    /// Operations on the map as a whole, by their invocations.
    pub(crate) fn wholes(&self) -> &[Whole] {
        &self.wholes
    }

    /// Whether nothing is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.open == 0
    }

    /// How many calls there are.
    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    /// All calls from one on, each with the index of its key's entry.
    pub(crate) fn calls_from(&self, first: usize) -> impl Iterator<Item = (usize, &Call)> {
        self.calls[first..].iter().map(|node| (node.entry as usize, &node.call))
    }

    /// The index of a key's entry, if it was ever written or read.
    pub(crate) fn find(&self, key: u64) -> Option<usize> {
        let at = if key < SMALL { self.small.get(key as usize) } else { self.large.get(&key) };
        at.filter(|at| **at != NONE).map(|at| *at as usize)
    }

    /// The index of a key's entry, which it gets with its first call.
    fn entry(&mut self, key: u64) -> usize {
        self.find(key).unwrap_or_else(|| self.add_entry(key))
    }

    fn add_entry(&mut self, key: u64) -> usize {
        let at = self.entries.len();
        let (known, last, shown_by) = (K::default(), NONE, NONE);
        self.entries.push(Entry { key, open: 0, recent: 0, known, shown_by, last });
        if key < SMALL {
            let size = self.small.len().max(key as usize + 1);
            self.small.resize(size, NONE);
            self.small[key as usize] = at as u32;
        } else {
            self.large.insert(key, at as u32);
        }
        for i in 0..self.wiping.len() {
            if self.wiping[i].concerns(key) {
                self.push(at, self.wiping[i].call());
            }
        }
        at
    }

    fn push(&mut self, at: usize, call: Call) {
        let entry = &mut self.entries[at];
        entry.open += 1;
        entry.recent += 1;
        let before = std::mem::replace(&mut entry.last, self.calls.len() as u32);
        self.calls.push(Node { call, before, entry: at as u32 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_of_a_key_come_latest_first_and_without_those_of_others() {
        let mut history = History::<()>::new();
        let first = history.invoke(1, 7, Effect::Insert(70));
        let other = history.invoke(2, 3, Effect::Get);
        history.respond(other, Answer::Read(None));
        history.respond(first, Answer::Wrote(Previous::Absent));
        let second = history.invoke(3, 7, Effect::Remove);
        history.respond(second, Answer::Wrote(Previous::Present(70)));
        let labels: Vec<u32> = history.calls(7).map(|call| call.label).collect();
        assert_eq!(labels, [3, 1]);
        let times: Vec<_> = history.calls(7).map(|call| (call.invoked, call.returned)).collect();
        assert_eq!(times, [(5, 6), (1, 4)]);
        assert_eq!(history.calls(9).count(), 0);
        let large = history.invoke(4, 1 << 40, Effect::Get);
        history.respond(large, Answer::Read(None));
        assert_eq!(history.calls(1 << 40).count(), 1);
    }

    #[test]
    fn a_wipe_is_a_call_of_every_key_there_is_and_of_those_that_come_meanwhile() {
        let mut history = History::<()>::new();
        for key in [1, 2] {
            let ticket = history.invoke(1, key, Effect::Insert(key));
            history.respond(ticket, Answer::Wrote(Previous::Absent));
        }
        let wipe = history.begin_wipe(2, true);
        let late = history.invoke(3, 5, Effect::Get);
        assert_eq!(history.entries().iter().map(|e| e.open).collect::<Vec<_>>(), [1, 0, 2]);
        history.end_wipe(wipe, Wiped::All);
        assert_eq!(history.entries().iter().map(|e| e.open).collect::<Vec<_>>(), [0, 0, 1]);
        history.respond(late, Answer::Read(None));
        assert_eq!(history.now(), 8);
        let wipes = |key| history.calls(key).filter(|c| c.effect == Effect::Wipe).count();
        assert_eq!([wipes(1), wipes(2), wipes(5)], [1, 0, 1]);
    }

    /// A history of all kinds of events, two of which have no end.
    fn told(history: &mut History<()>) -> String {
        for key in [7, 1 << 40] {
            let ticket = history.invoke(1, key, Effect::Insert(key));
            history.respond(ticket, Answer::Wrote(Previous::Absent));
        }
        let number = history.begin_iteration(2);
        history.visit(number, Seen { key: 7, value: 7, since: 0 });
        history.complete(number);
        let number = history.begin_iteration(3);
        history.begin_whole(3, history.now());
        history.begin_wipe(4, true);
        let calls: Vec<_> = history.calls_from(0).collect();
        let (entries, all, wholes) = (history.entries(), history.iterations(), history.wholes());
        format!("{} {number} {calls:?} {entries:?} {all:?} {wholes:?}", history.now())
    }

    #[test]
    fn a_history_that_was_cleared_is_as_good_as_a_new_one() {
        let mut history = History::<()>::new();
        let new = told(&mut history);
        assert!(told(&mut history) != new && !history.is_quiet());
        history.clear();
        assert!(history.is_quiet() && history.find(7).is_none() && history.find(1 << 40).is_none());
        assert_eq!(told(&mut history), new);
    }

    #[test]
    fn a_retain_beside_an_insert_of_the_key_may_do_nothing() {
        let mut history = History::<()>::new();
        for key in [1, 3] {
            let ticket = history.invoke(1, key, Effect::Insert(key));
            history.respond(ticket, Answer::Wrote(Previous::Absent));
        }
        let retain = history.begin_wipe(2, true);
        let insert = history.invoke(3, 3, Effect::Insert(4));
        history.end_wipe(retain, Wiped::All);
        history.respond(insert, Answer::Wrote(Previous::Present(3)));
        let effects = |key| history.calls(key).map(|call| call.effect).collect::<Vec<_>>();
        assert_eq!(effects(1), [Effect::Wipe, Effect::Insert(1)]);
        assert_eq!(effects(3), [Effect::Insert(4), Effect::Sweep, Effect::Insert(3)]);
    }
}
