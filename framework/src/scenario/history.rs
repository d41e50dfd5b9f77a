//! What the threads of a scenario asked of the map, and what it answered: calls and iterations, with the moments at
//! which they began and ended.
//!
//! Time is a counter that goes up at each of these events, so that one interval lies before another exactly if it ended
//! before the other began.

use crate::map::Previous;

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
            Effect::Remove => self.answer != Answer::Wrote(Previous::Absent),
            Effect::Wipe => true,
            Effect::Insert(_) | Effect::Get | Effect::Nothing => false,
        }
    }

    /// Whether it is an insert that the map refused.
    pub(crate) fn refused(&self) -> bool {
        self.answer == Answer::Wrote(Previous::Refused)
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
#[derive(Clone, Debug)]
pub(crate) struct Iterating {
    pub label: u32,
    pub began: Moment,
    /// When the step under way began.
    pub step: Moment,
    pub seen: Vec<Seen>,
}

/// A call that has not returned: where to find it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    key: u64,
    index: usize,
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
    /// The last call, as an index; [`NONE`] if there is none.
    last: u32,
}

const NONE: u32 = u32::MAX;

/// The history of an execution; `K` is what an oracle keeps for each key.
#[derive(Debug)]
pub(crate) struct History<K> {
    now: Moment,
    /// Every call, with the index of the one before it of the same key.
    calls: Vec<(Call, u32)>,
    /// Ascending by key.
    entries: Vec<Entry<K>>,
    iterations: Vec<Iterating>,
    wiping: Vec<Wiping>,
}

/// The calls of a key, the latest first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calls<'a> {
    all: &'a [(Call, u32)],
    next: u32,
}

impl<'a> Iterator for Calls<'a> {
    type Item = &'a Call;

    fn next(&mut self) -> Option<&'a Call> {
        let (call, before) = self.all.get(self.next as usize)?;
        self.next = *before;
        Some(call)
    }
}

impl<K: Default> History<K> {
    pub(crate) fn new() -> History<K> {
        History {
            now: 0,
            calls: Vec::with_capacity(64),
            entries: Vec::with_capacity(32),
            iterations: Vec::new(),
            wiping: Vec::new(),
        }
    }

    fn tick(&mut self) -> Moment {
        self.now += 1;
        self.now
    }

    /// A call begins.
    pub(crate) fn invoke(&mut self, label: u32, key: u64, effect: Effect) -> Ticket {
        let invoked = self.tick();
        let at = self.entry(key);
        let index = self.calls.len();
        self.push(at, Call { label, effect, answer: Answer::None, invoked, returned: NEVER });
        Ticket { key, index }
    }

    /// A call returns. The index of its key's entry.
    pub(crate) fn respond(&mut self, ticket: Ticket, answer: Answer) -> usize {
        let returned = self.tick();
        let call = &mut self.calls[ticket.index].0;
        (call.answer, call.returned) = (answer, returned);
        let at = self.entry(ticket.key);
        self.entries[at].open -= 1;
        at
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
        wiping.invoked
    }

    /// The operation that began at this moment returns, and with it its call of every key that it concerned. Whether it
    /// did anything.
    pub(crate) fn end_wipe(&mut self, invoked: Moment, done: bool) {
        let returned = self.tick();
        let effect = if done { Effect::Wipe } else { Effect::Nothing };
        self.wiping.retain(|wiping| wiping.invoked != invoked);
        for (call, _) in &mut self.calls {
            if call.effect == Effect::Wipe && call.invoked == invoked {
                (call.returned, call.effect) = (returned, effect);
            }
        }
        for at in 0..self.entries.len() {
            let calls = self.calls_of(at).take(self.entries[at].recent as usize);
            let ended = calls.filter(|call| call.returned == returned).count();
            self.entries[at].open -= ended as u32;
        }
    }

    /// An iteration begins. Its number.
    pub(crate) fn begin_iteration(&mut self, label: u32) -> usize {
        let began = self.tick();
        self.iterations.push(Iterating { label, began, step: began, seen: Vec::new() });
        self.iterations.len() - 1
    }

    /// An iteration shows an element.
    pub(crate) fn visit(&mut self, iteration: usize, key: u64, value: u64) {
        self.tick();
        let iterating = &mut self.iterations[iteration];
        iterating.seen.push(Seen { key, value, since: iterating.step });
    }

    /// The visitor returns, and the next step begins.
    pub(crate) fn step(&mut self, iteration: usize) {
        self.iterations[iteration].step = self.tick();
    }

    pub(crate) fn iteration(&self, number: usize) -> &Iterating {
        &self.iterations[number]
    }

    /// The keys that were written or read, ascending.
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
        let found = self.entries.binary_search_by_key(&key, |entry| entry.key);
        Calls { all: &self.calls, next: found.map_or(NONE, |at| self.entries[at].last) }
    }

    /// The index of a key's entry, which it gets with its first call.
    fn entry(&mut self, key: u64) -> usize {
        let found = self.entries.binary_search_by_key(&key, |entry| entry.key);
        found.unwrap_or_else(|at| {
            let entry = Entry { key, open: 0, recent: 0, known: K::default(), last: NONE };
            self.entries.insert(at, entry);
            for i in 0..self.wiping.len() {
                if self.wiping[i].concerns(key) {
                    self.push(at, self.wiping[i].call());
                }
            }
            at
        })
    }

    fn push(&mut self, at: usize, call: Call) {
        let entry = &mut self.entries[at];
        entry.open += 1;
        entry.recent += 1;
        let before = std::mem::replace(&mut entry.last, self.calls.len() as u32);
        self.calls.push((call, before));
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
        history.end_wipe(wipe, true);
        assert_eq!(history.entries().iter().map(|e| e.open).collect::<Vec<_>>(), [0, 0, 1]);
        history.respond(late, Answer::Read(None));
        let wipes = |key| history.calls(key).filter(|c| c.effect == Effect::Wipe).count();
        assert_eq!([wipes(1), wipes(2), wipes(5)], [1, 0, 1]);
    }
}
