//! Operations on one key or all, to be put into an order: the search for one that explains their answers.
//!
//! Three things keep it small. Keys that nothing changed are compared once, before it. What only reads takes effect as
//! soon as its answer fits, since it could not fit better later. And once no operation on the whole map is left, the
//! keys are judged one by one: then they do not concern each other (Herlihy and Wing, TOPLAS 1990).

use std::collections::BTreeSet;

use super::linearizability::{self, Held, Known, Verdict, after};
use super::snapshot::{self, Required};
use crate::map::Previous;
use crate::scenario::history::{Answer, Call, Deed, Effect, History, Moment, Whole};

/// States that one search visits at most.
pub(super) const BUDGET: usize = 10_000;
/// States that a search begins from at most.
const STARTS: usize = 1_000;

/// What the keys of a [`Problem`] hold, in its order.
pub(super) type State = Vec<Held>;

/// What each key of a [`Problem`] may hold, all combinations of them.
pub(super) type Ends = Vec<Vec<Held>>;

/// What some entries hold together, where not every combination of what each may hold is possible.
#[derive(Debug)]
pub(super) struct Joint {
    pub entries: Vec<usize>,
    pub states: Vec<State>,
}

/// The first call and the first operation on the whole map since nothing was under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Since {
    pub call: usize,
    pub whole: usize,
}

/// What an operation did, by the places of keys in a [`Problem`].
#[derive(Clone, Debug)]
pub(super) enum Act {
    Call(usize, Call),
    Len(usize),
    Clear,
    RetainEven,
    Show(Vec<Required>),
}

/// An operation, on one key or all.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub label: u32,
    pub act: Act,
    pub invoked: Moment,
    pub returned: Moment,
}

impl Operation {
    /// Whether it concerns the whole map.
    pub(super) fn is_whole(&self) -> bool {
        !matches!(self.act, Act::Call(..))
    }

    /// Whether it changes nothing, so that it may take effect as soon as its answer fits.
    pub(super) fn reads(&self) -> bool {
        match &self.act {
            Act::Call(_, call) => match call.effect {
                Effect::Get | Effect::Nothing => true,
                Effect::Insert(_) => call.refused(),
                Effect::Remove => call.answer == Answer::Wrote(Previous::Absent),
                Effect::Wipe | Effect::Sweep => false,
            },
            Act::Len(_) | Act::Show(_) => true,
            Act::Clear | Act::RetainEven => false,
        }
    }
}

/// Operations to be ordered.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    /// The keys that are searched over, and their entries.
    pub keys: Vec<u64>,
    pub entries: Vec<usize>,
    /// Elements under other keys.
    pub others: usize,
    starts: Vec<State>,
    pub operations: Vec<Operation>,
    /// Whether one order is enough, because what is held at the end is known.
    one: bool,
}

/// The operations done, as a set.
type Done = u128;

impl Problem {
    /// What happened since nothing was under way, when the entries held this, and some of them this together; `None` if
    /// it is too much.
    pub(super) fn new(
        history: &History<Known>,
        since: Since,
        base: &[&Known],
        joint: Option<&Joint>,
    ) -> Option<Problem> {
        let wholes = &history.wholes()[since.whole..];
        let mut operations: Vec<Operation> = wholes.iter().map(|w| whole(history, w)).collect();
        // What an operation on the whole map did to each key is part of it.
        let part = |call: &Call| wholes.iter().any(|w| w.invoked == call.invoked);
        let calls = history.calls_from(since.call).filter(|(_, call)| !part(call));
        operations.extend(calls.map(|(at, call)| single(at, call)));
        if operations.len() >= Done::BITS as usize {
            return None;
        }
        operations.sort_by_key(|operation| operation.invoked);
        let places = Places::new(history, joint, &operations, base);
        operations.iter_mut().for_each(|operation| places.translate(&mut operation.act));
        let known = |at: &usize| !history.entries()[*at].known.is_open();
        let held = |at: &usize| places.of[*at].is_none() && base[*at].first().is_some();
        Some(Problem {
            keys: places.entries.iter().map(|at| history.entries()[*at].key).collect(),
            others: (0..base.len()).filter(held).count(),
            starts: starts(joint, &places.entries, base)?,
            one: places.entries.iter().all(known),
            operations,
            entries: places.entries,
        })
    }

    /// The same with other operations.
    pub(super) fn with(&self, operations: Vec<Operation>) -> Problem {
        Problem { operations, one: true, ..self.clone() }
    }

    /// Whether some order explains the answers, or may for all that is known.
    pub(super) fn is_possible(&self) -> bool {
        self.search(BUDGET).is_none_or(|ends| !ends.is_empty())
    }

    /// What the keys may hold when all operations have taken effect: any combination of each of these. Nothing if no
    /// order explains their answers; `None` if that is not known after so many states.
    pub(super) fn search(&self, budget: usize) -> Option<BTreeSet<Ends>> {
        let whole = |i: &usize| self.operations[*i].is_whole();
        let wholes: Done = (0..self.operations.len()).filter(whole).map(|i| 1 << i).sum();
        let (mut ends, mut tried) = (BTreeSet::new(), BTreeSet::new());
        let mut todo: Vec<_> = self.starts.iter().map(|s| (self.read(0, s), s.clone())).collect();
        while let Some((done, state)) = todo.pop() {
            if tried.len() >= budget {
                return None;
            }
            if !tried.insert((done, state.clone())) {
                continue;
            }
            if done & wholes == wholes {
                ends.extend(self.alone(done, &state)?);
                if self.one && !ends.is_empty() {
                    break;
                }
                continue;
            }
            // The earliest call is tried first: that is most often the right order.
            let mut next: Vec<usize> = self.next(done).collect();
            next.reverse();
            for i in next {
                self.apply(i, done, &state, &mut todo);
            }
        }
        Some(ends)
    }

    /// What each key may hold at the end if nothing but calls on single keys is left; nothing if no order explains one
    /// of them; `None` if that is not known.
    fn alone(&self, done: Done, state: &State) -> Option<Option<Ends>> {
        let mut calls: Vec<Vec<Call>> = vec![Vec::new(); state.len()];
        for (i, operation) in self.operations.iter().enumerate() {
            if let (Act::Call(place, call), 0) = (&operation.act, done >> i & 1) {
                calls[*place].push(*call);
            }
        }
        let mut ends = Vec::with_capacity(state.len());
        for (held, calls) in state.iter().zip(calls) {
            if calls.is_empty() {
                ends.push(vec![*held]);
                continue;
            }
            match linearizability::judge(&Known::just(*held), &calls, false) {
                Verdict::Holds(known) => ends.push(known.all().collect()),
                Verdict::Violated => return Some(None),
                Verdict::Inconclusive => return None,
            }
        }
        Some(Some(ends))
    }

    /// The operations that may take effect next: those that no other had to come before.
    fn next(&self, done: Done) -> impl Iterator<Item = usize> {
        let left = move |i: &usize| done >> i & 1 == 0;
        let all = || (0..self.operations.len()).filter(left);
        let first = all().map(|i| self.operations[i].returned).min();
        let in_time = move |i: &usize| first.is_some_and(|end| self.operations[*i].invoked < end);
        (0..self.operations.len()).filter(left).filter(in_time)
    }

    /// These operations, and all that read what fits and may take effect next.
    fn read(&self, mut done: Done, state: &State) -> Done {
        let fits = |i: &usize| self.operations[*i].reads() && self.fits(*i, state);
        while let Some(i) = self.next(done).find(fits) {
            done |= 1 << i;
        }
        done
    }

    /// Whether what an operation read is there.
    fn fits(&self, i: usize, state: &State) -> bool {
        match &self.operations[i].act {
            Act::Call(place, call) => after(call, state[*place])[0].is_some(),
            Act::Len(len) => self.others + state.iter().flatten().count() == *len,
            Act::Show(required) => snapshot::fits(required, state),
            Act::Clear | Act::RetainEven => false,
        }
    }

    /// The states that may follow when an operation takes effect.
    fn apply(&self, i: usize, done: Done, state: &State, to: &mut Vec<(Done, State)>) {
        let mut push = |done, state: State| to.push((self.read(done, &state), state));
        let with = |place: usize, held| {
            let mut state = state.clone();
            state[place] = held;
            state
        };
        match &self.operations[i].act {
            Act::Call(place, call) => {
                let held = state[*place];
                // It may remove again what is inserted meanwhile.
                if matches!(call.effect, Effect::Wipe | Effect::Sweep) && held.is_some() {
                    push(done, with(*place, None));
                }
                let after = after(call, held).into_iter().flatten();
                after.for_each(|held| push(done | 1 << i, with(*place, held)));
            }
            Act::Clear => push(done | 1 << i, vec![None; state.len()]),
            Act::RetainEven => {
                let kept = |(held, key): (&Held, &u64)| held.filter(|_| key % 2 == 0);
                push(done | 1 << i, state.iter().zip(&self.keys).map(kept).collect());
            }
            Act::Len(_) | Act::Show(_) => {}
        }
    }
}

/// An operation on the whole map; what it required is still by entry.
fn whole(history: &History<Known>, whole: &Whole) -> Operation {
    let Whole { label, deed, invoked, returned } = *whole;
    let act = match deed {
        Deed::Nothing => Act::Show(Vec::new()),
        Deed::Len(len) => Act::Len(len),
        Deed::Clear => Act::Clear,
        Deed::RetainEven => Act::RetainEven,
        Deed::Iterate(number, complete) => Act::Show(snapshot::required(history, number, complete)),
    };
    Operation { label, act, invoked, returned }
}

/// A call on an entry's key.
fn single(at: usize, call: &Call) -> Operation {
    let Call { label, invoked, returned, .. } = *call;
    Operation { label, act: Act::Call(at, *call), invoked, returned }
}

/// Which entries are searched over: those that something changed, or read otherwise than they were known to be.
struct Places {
    /// The place of each entry.
    of: Vec<Option<usize>>,
    /// The entry at each place.
    entries: Vec<usize>,
}

impl Places {
    fn new(
        history: &History<Known>,
        joint: Option<&Joint>,
        operations: &[Operation],
        base: &[&Known],
    ) -> Places {
        let mut places = Places { of: vec![None; base.len()], entries: Vec::new() };
        joint.iter().flat_map(|joint| &joint.entries).for_each(|at| places.add(*at));
        (0..base.len()).filter(|at| base[*at].is_open()).for_each(|at| places.add(at));
        let holding = |at: &usize| base[*at].first().is_some();
        let odd = |at: &usize| history.entries()[*at].key % 2 == 1;
        for operation in operations {
            match &operation.act {
                Act::Call(at, _) => places.add(*at),
                Act::Clear => (0..base.len()).filter(holding).for_each(|at| places.add(at)),
                Act::RetainEven => {
                    let removed = (0..base.len()).filter(holding).filter(odd);
                    removed.for_each(|at| places.add(at));
                }
                Act::Show(required) => {
                    let other = required.iter().filter(|r| base[r.place].first() != r.held);
                    other.for_each(|r| places.add(r.place));
                }
                Act::Len(_) => {}
            }
        }
        places
    }

    fn add(&mut self, at: usize) {
        if self.of[at].is_none() {
            self.of[at] = Some(self.entries.len());
            self.entries.push(at);
        }
    }

    /// Turns entries into their places, and leaves out those that are not searched over: they are as required.
    fn translate(&self, act: &mut Act) {
        let translate = |place: &mut usize| match self.of[*place] {
            Some(to) => {
                *place = to;
                true
            }
            None => false,
        };
        match act {
            Act::Call(place, _) => _ = translate(place),
            Act::Show(required) => required.retain_mut(|r| translate(&mut r.place)),
            Act::Len(_) | Act::Clear | Act::RetainEven => {}
        }
    }
}

/// The states that the entries may be in at first; `None` if there are too many.
fn starts(joint: Option<&Joint>, entries: &[usize], base: &[&Known]) -> Option<Vec<State>> {
    // Those of the combinations are the first entries.
    let mut states = joint.map_or_else(|| vec![Vec::new()], |joint| joint.states.clone());
    let first = joint.map_or(0, |joint| joint.entries.len());
    for at in &entries[first..] {
        let with = |state: &State, held| {
            let mut state = state.clone();
            state.push(held);
            state
        };
        states = states.iter().flat_map(|s| base[*at].all().map(|h| with(s, h))).collect();
        (states.len() <= STARTS).then_some(())?;
    }
    Some(states)
}
