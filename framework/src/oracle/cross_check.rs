//! The oracles over the history of calls against stateright's testers of consistency, which know nothing of ours: the
//! same verdict on random histories of a few threads, right and wrong ones.

use stateright::semantics::{
    ConsistencyTester, LinearizabilityTester, SequentialConsistencyTester, SequentialSpec,
};

use super::sequential;
use super::testing::{Draw, Event, Model, Op, Ret, Told, threads_of_one_operation};
use crate::map::Previous;

/// Histories that each test draws.
const HISTORIES: u64 = 100_000;

impl SequentialSpec for Model {
    type Op = Op;
    type Ret = Ret;

    fn invoke(&mut self, op: &Op) -> Ret {
        self.call(op)
    }

    /// An insert may also be refused, and an iteration that is stopped may have shown any elements.
    fn is_valid_step(&mut self, op: &Op, ret: &Ret) -> bool {
        match (op, ret) {
            (Op::Insert(key, _), Ret::Wrote(Previous::Refused)) => self.0.contains_key(key),
            (Op::Peek(_), Ret::Shown(shown)) => {
                shown.iter().all(|e| self.0.get(&e.0) == Some(&e.1))
            }
            _ => self.call(op) == *ret,
        }
    }
}

/// Calls of some threads, which take effect on a model when they are called or when they return. In three of four
/// histories some of them do so on a model that lacks what was written since, or lack an element in what they answer.
fn history(draw: &mut Draw) -> Vec<Event> {
    let (threads, calls) = (2 + draw.below(2) as usize, 3 + draw.below(5));
    let stale_from = if draw.below(4) > 0 { draw.below(calls) } else { calls };
    let (mut model, mut old) = (Model::default(), Model::default());
    let mut open: Vec<Option<(Op, Option<Ret>)>> = vec![None; threads];
    let (mut events, mut id) = (Vec::new(), 0);
    while id < calls || open.iter().any(Option::is_some) {
        let thread = draw.below(threads as u64) as usize;
        let stale = id > stale_from && draw.below(2) == 0;
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
                let op = draw.op(id);
                let ret = (draw.below(2) == 0).then(|| answer(target, &op));
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

/// What a model answers that refuses to write over some values.
fn answer(model: &mut Model, op: &Op) -> Ret {
    match op {
        Op::Insert(key, _) if model.0.get(key).is_some_and(|id| id % 4 == 1) => {
            Ret::Wrote(Previous::Refused)
        }
        _ => model.call(op),
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
fn accepts<T: ConsistencyTester<usize, Model>>(mut tester: T, events: &[Event]) -> bool {
    for event in events {
        let taken = match event {
            Event::Invoke(thread, op) => tester.on_invoke(*thread, op.clone()).map(drop),
            Event::Return(thread, ret) => tester.on_return(*thread, ret.clone()).map(drop),
        };
        taken.expect("each thread makes one call after the other");
    }
    tester.is_consistent()
}

/// Draws histories and compares verdicts; how many were accepted.
fn compare(mut draw: Draw, ours: fn(&[Event]) -> bool, theirs: fn(&[Event]) -> bool) -> u64 {
    let mut right = 0;
    for _ in 0..HISTORIES {
        let events = history(&mut draw);
        let accepted = theirs(&events);
        assert_eq!(ours(&events), accepted, "{events:#?}");
        right += u64::from(accepted);
    }
    assert!((HISTORIES / 10..HISTORIES * 9 / 10).contains(&right), "{right} are right");
    right
}

fn stateright_says_linearizable(events: &[Event]) -> bool {
    accepts(LinearizabilityTester::new(Model::default()), events)
}

fn we_say_linearizable(events: &[Event]) -> bool {
    Told::new(true).judge(events).is_none()
}

#[test]
fn the_verdict_on_one_key_is_that_of_stateright() {
    let draw = Draw { state: 1, keys: 1, whole: false };
    compare(draw, we_say_linearizable, stateright_says_linearizable);
}

#[test]
fn the_verdict_on_the_whole_map_is_that_of_stateright() {
    let draw = Draw { state: 2, keys: 3, whole: true };
    compare(draw, we_say_linearizable, stateright_says_linearizable);
}

#[test]
fn the_verdict_on_a_key_without_real_time_is_that_of_stateright() {
    let theirs =
        |events: &[Event]| accepts(SequentialConsistencyTester::new(Model::default()), events);
    let ours = |events: &[Event]| {
        let mut told = Told::new(true);
        events.iter().for_each(|event| told.tell(event));
        let scenario = threads_of_one_operation();
        let (violation, inconclusive) = sequential::judge_all(&told.history, &scenario);
        assert_eq!(inconclusive, 0);
        violation.is_none()
    };
    let draw = || Draw { state: 3, keys: 1, whole: false };
    let sequential = compare(draw(), ours, theirs);
    let linearizable = compare(draw(), we_say_linearizable, stateright_says_linearizable);
    assert!(sequential > linearizable + HISTORIES / 100, "{sequential}, {linearizable}");
}
