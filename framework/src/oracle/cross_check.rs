//! The oracles over the history of calls against stateright's testers of consistency, which know nothing of ours: the
//! same verdict on random histories of a few threads, right and wrong ones.

use std::collections::BTreeMap;

use stateright::semantics::{
    ConsistencyTester, LinearizabilityTester, SequentialConsistencyTester, SequentialSpec,
};

use super::linearizability::{Known, judge_entry};
use super::sequential;
use super::whole::World;
use crate::map::Previous;
use crate::scenario::Scenario;
use crate::scenario::history::{Answer, Deed, Effect, History, Moment, Seen, Ticket};
use crate::scheduler::splitmix;

/// Histories that each test draws.
const HISTORIES: u64 = 100_000;

/// An operation as somebody asks for it.
#[derive(Clone, Debug, PartialEq)]
enum Op {
    Insert(u64, u64),
    Remove(u64),
    Get(u64),
    Len,
    Clear,
    RetainEven,
    Iterate,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq)]
enum Ret {
    Wrote(Previous),
    Read(Option<u64>),
    Len(usize),
    Shown(Vec<(u64, u64)>),
    Done,
}

/// What a map does, one operation after the other.
#[derive(Clone, Debug, Default)]
struct Model(BTreeMap<u64, u64>);

impl SequentialSpec for Model {
    type Op = Op;
    type Ret = Ret;

    fn invoke(&mut self, op: &Op) -> Ret {
        let wrote = |old: Option<u64>| Ret::Wrote(old.map_or(Previous::Absent, Previous::Present));
        match *op {
            Op::Insert(key, id) => wrote(self.0.insert(key, id)),
            Op::Remove(key) => wrote(self.0.remove(&key)),
            Op::Get(key) => Ret::Read(self.0.get(&key).copied()),
            Op::Len => Ret::Len(self.0.len()),
            Op::Iterate => Ret::Shown(self.0.iter().map(|(key, id)| (*key, *id)).collect()),
            Op::Clear => {
                self.0.clear();
                Ret::Done
            }
            Op::RetainEven => {
                self.0.retain(|key, _| key % 2 == 0);
                Ret::Done
            }
        }
    }

    /// An insert may also be refused, and change nothing.
    fn is_valid_step(&mut self, op: &Op, ret: &Ret) -> bool {
        match *op {
            Op::Insert(key, _) if *ret == Ret::Wrote(Previous::Refused) => self.0.contains_key(&key),
            _ => self.invoke(op) == *ret,
        }
    }
}

/// A thread calls, or gets an answer.
#[derive(Clone, Debug)]
enum Event {
    Invoke(usize, Op),
    Return(usize, Ret),
}

/// Draws histories.
struct Draw {
    state: u64,
    keys: u64,
    /// Whether operations on the whole map are among them.
    whole: bool,
}

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        self.state = splitmix(self.state);
        self.state % n
    }

    fn op(&mut self, id: u64) -> Op {
        let key = self.below(self.keys);
        match self.below(if self.whole { 11 } else { 6 }) {
            0..3 => Op::Insert(key, id),
            3 => Op::Remove(key),
            4 | 5 => Op::Get(key),
            6 => Op::Len,
            7 => Op::Clear,
            8 => Op::RetainEven,
            _ => Op::Iterate,
        }
    }

    /// Calls of some threads, which take effect on a model when they are called or when they return. In every second
    /// history one of them does so on a model of its own, which lacks what others have written since.
    fn history(&mut self) -> Vec<Event> {
        let (threads, calls) = (2 + self.below(2) as usize, 3 + self.below(5));
        let stale_from = if self.below(2) == 0 { self.below(calls) } else { calls };
        let (mut model, mut old) = (Model::default(), Model::default());
        let mut open: Vec<Option<(Op, Option<Ret>)>> = vec![None; threads];
        let (mut events, mut id) = (Vec::new(), 0);
        while id < calls || open.iter().any(Option::is_some) {
            let thread = self.below(threads as u64) as usize;
            let stale = id > stale_from && self.below(2) == 0;
            let target = if stale { &mut old } else { &mut model };
            match open[thread].take() {
                Some((op, ret)) => {
                    let mut ret = ret.unwrap_or_else(|| answer(target, &op));
                    if stale {
                        blur(&mut ret);
                    }
                    events.push(Event::Return(thread, ret));
                }
                None if id < calls => {
                    id += 1;
                    let op = self.op(id);
                    let early = self.below(2) == 0;
                    let target = if stale { &mut old } else { &mut model };
                    let ret = early.then(|| answer(target, &op));
                    open[thread] = Some((op.clone(), ret));
                    events.push(Event::Invoke(thread, op));
                }
                None => {}
            }
            if id <= stale_from {
                old = model.clone();
            }
        }
        events
    }
}

/// What a model answers that refuses to write over what was put there by an odd operation.
fn answer(model: &mut Model, op: &Op) -> Ret {
    match op {
        Op::Insert(key, _) if model.0.get(key).is_some_and(|id| id % 4 == 1) => {
            Ret::Wrote(Previous::Refused)
        }
        _ => model.invoke(op),
    }
}

/// Makes an answer one of something else: it lacks an element.
fn blur(ret: &mut Ret) {
    match ret {
        Ret::Len(len) => *len = len.saturating_sub(1),
        Ret::Shown(shown) => _ = shown.pop(),
        _ => {}
    }
}

/// What a tester says.
fn accepted<T: ConsistencyTester<usize, Model>>(mut tester: T, events: &[Event]) -> bool {
    for event in events {
        let taken = match event {
            Event::Invoke(thread, op) => tester.on_invoke(*thread, op.clone()).map(drop),
            Event::Return(thread, ret) => tester.on_return(*thread, ret.clone()).map(drop),
        };
        taken.expect("each thread makes one call after the other");
    }
    tester.is_consistent()
}

/// A call under way.
#[derive(Clone, Copy)]
enum Open {
    Key(Ticket),
    Whole(Moment, Deed),
    Iteration(usize),
}

/// Tells a history of the events. Labels are those of a scenario in which each thread has one operation.
struct Told {
    history: History<Known>,
    world: World,
    open: Vec<Option<Open>>,
    violated: bool,
}

impl Told {
    fn of(events: &[Event], judge: bool) -> Told {
        let (history, world) = (History::new(), World::default());
        let mut told = Told { history, world, open: vec![None; 4], violated: false };
        for event in events {
            match event {
                Event::Invoke(thread, op) => told.open[*thread] = Some(told.invoke(*thread, op)),
                Event::Return(thread, ret) => {
                    let open = told.open[*thread].take().expect("it was called");
                    told.respond(open, ret);
                    told.violated |= judge && told.judge();
                }
            }
        }
        told
    }

    fn invoke(&mut self, thread: usize, op: &Op) -> Open {
        let (history, label) = (&mut self.history, 1 + thread as u32);
        let wipe = |history: &mut History<Known>, odd_only| {
            let began = history.begin_wipe(label, odd_only);
            history.begin_whole(label, began);
            began
        };
        match *op {
            Op::Insert(key, id) => Open::Key(history.invoke(label, key, Effect::Insert(id))),
            Op::Remove(key) => Open::Key(history.invoke(label, key, Effect::Remove)),
            Op::Get(key) => Open::Key(history.invoke(label, key, Effect::Get)),
            Op::Len => Open::Whole(history.begin_whole_now(label), Deed::Nothing),
            Op::Clear => Open::Whole(wipe(history, false), Deed::Clear),
            Op::RetainEven => Open::Whole(wipe(history, true), Deed::RetainEven),
            Op::Iterate => {
                let number = history.begin_iteration(label);
                history.begin_whole(label, history.now());
                Open::Iteration(number)
            }
        }
    }

    fn respond(&mut self, open: Open, ret: &Ret) {
        let history = &mut self.history;
        match (open, ret) {
            (Open::Key(ticket), Ret::Wrote(previous)) => {
                history.respond(ticket, Answer::Wrote(*previous));
            }
            (Open::Key(ticket), Ret::Read(read)) => {
                history.respond(ticket, Answer::Read(*read));
            }
            (Open::Whole(began, _), Ret::Len(len)) => history.end_whole(began, Deed::Len(*len)),
            (Open::Whole(began, deed), _) => {
                history.end_wipe(began, true);
                history.end_whole(began, deed);
            }
            (Open::Iteration(number), Ret::Shown(shown)) => {
                for (key, value) in shown {
                    history.visit(number, Seen { key: *key, value: *value, since: 0 });
                }
                let began = history.iteration(number).began;
                history.end_whole(began, Deed::Iterate(number, true));
            }
            _ => unreachable!("an answer of another operation"),
        }
    }

    fn judge(&mut self) -> bool {
        let scenario = Scenario::default();
        for at in 0..self.history.entries().len() {
            match judge_entry(&mut self.history, at, &scenario) {
                Ok(Some(before)) => self.world.learned(at, before),
                Ok(None) => {}
                Err(_) => return true,
            }
        }
        let violated = self.world.judge(&mut self.history, &scenario).is_some();
        assert!(!self.world.given_up, "so few calls are always judged");
        violated
    }
}

/// Draws histories and compares verdicts; how many were accepted.
fn compare(mut draw: Draw, ours: fn(&[Event]) -> bool, theirs: fn(&[Event]) -> bool) -> u64 {
    let mut right = 0;
    for _ in 0..HISTORIES {
        let events = draw.history();
        let accepted = theirs(&events);
        assert_eq!(ours(&events), accepted, "{events:#?}");
        right += u64::from(accepted);
    }
    assert!((HISTORIES / 10..HISTORIES * 9 / 10).contains(&right), "{right} are right");
    right
}

fn linearizable(events: &[Event]) -> bool {
    accepted(LinearizabilityTester::new(Model::default()), events)
}

fn not_violated(events: &[Event]) -> bool {
    !Told::of(events, true).violated
}

#[test]
fn the_verdict_on_one_key_is_that_of_stateright() {
    compare(Draw { state: 1, keys: 1, whole: false }, not_violated, linearizable);
}

#[test]
fn the_verdict_on_the_whole_map_is_that_of_stateright() {
    compare(Draw { state: 2, keys: 3, whole: true }, not_violated, linearizable);
}

#[test]
fn the_verdict_on_a_key_without_real_time_is_that_of_stateright() {
    let theirs = |events: &[Event]| {
        accepted(SequentialConsistencyTester::new(Model::default()), events)
    };
    let ours = |events: &[Event]| {
        let told = Told::of(events, false);
        let threads = vec![vec!["get 0".parse().unwrap()]; 3];
        let scenario = Scenario { threads, ..Scenario::default() };
        let (violation, inconclusive) = sequential::judge_all(&told.history, &scenario);
        assert_eq!(inconclusive, 0);
        violation.is_none()
    };
    let draw = || Draw { state: 3, keys: 1, whole: false };
    let sequential = compare(draw(), ours, theirs);
    let linearizable = compare(draw(), not_violated, linearizable);
    assert!(sequential > linearizable + HISTORIES / 100, "{sequential}, {linearizable}");
}
