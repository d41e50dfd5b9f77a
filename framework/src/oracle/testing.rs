//! Histories for tests of oracles: a model of a map, threads that call it, and a history that is told of their calls.

use std::collections::BTreeMap;

use super::Violation;
use super::linearizability::{Known, judge_entry};
use super::whole::World;
use crate::map::Previous;
use crate::scenario::Scenario;
use crate::scenario::history::Wiped;
use crate::scenario::history::{Answer, Deed, Effect, History, Moment, Seen, Ticket};
use crate::scheduler::splitmix;

/// An operation as somebody asks for it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Op {
    Insert(u64, u64),
    Remove(u64),
    Get(u64),
    Len,
    Clear,
    RetainEven,
    Iterate,
    /// An iteration that is stopped when it has shown so many.
    Peek(usize),
}

/// What it answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ret {
    Wrote(Previous),
    Read(Option<u64>),
    Len(usize),
    Shown(Vec<(u64, u64)>),
    Done,
}

/// A thread calls, or gets an answer.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Invoke(usize, Op),
    Return(usize, Ret),
}

/// What a map does, one operation after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Model(pub BTreeMap<u64, u64>);

impl Model {
    pub(super) fn call(&mut self, op: &Op) -> Ret {
        let wrote = |old: Option<u64>| Ret::Wrote(old.map_or(Previous::Absent, Previous::Present));
        match *op {
            Op::Insert(key, id) => wrote(self.0.insert(key, id)),
            Op::Remove(key) => wrote(self.0.remove(&key)),
            Op::Get(key) => Ret::Read(self.0.get(&key).copied()),
            Op::Len => Ret::Len(self.0.len()),
            Op::Iterate => Ret::Shown(self.0.clone().into_iter().collect()),
            Op::Peek(most) => Ret::Shown(self.0.clone().into_iter().take(most).collect()),
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

    /// The part of an operation on the whole map that concerns one key.
    fn call_at(&mut self, op: &Op, key: u64, ret: &mut Ret) {
        let held = self.0.get(&key).copied();
        match (op, ret) {
            (Op::Len, Ret::Len(len)) => *len += usize::from(held.is_some()),
            (Op::Iterate, Ret::Shown(shown)) => shown.extend(held.map(|id| (key, id))),
            (Op::Peek(most), Ret::Shown(shown)) if shown.len() < *most => {
                shown.extend(held.map(|id| (key, id)));
            }
            (Op::Clear, _) => _ = self.0.remove(&key),
            (Op::RetainEven, _) if key % 2 == 1 => _ = self.0.remove(&key),
            _ => {}
        }
    }
}

/// Draws numbers and operations.
pub(super) struct Draw {
    pub state: u64,
    /// How many keys there are.
    pub keys: u64,
    /// Whether operations on the whole map are among them.
    pub whole: bool,
}

impl Draw {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.state = splitmix(self.state);
        self.state % n
    }

    pub(super) fn op(&mut self, id: u64) -> Op {
        let key = self.below(self.keys);
        match self.below(if self.whole { 11 } else { 6 }) {
            0..3 => Op::Insert(key, id),
            3 => Op::Remove(key),
            4 | 5 => Op::Get(key),
            6 => Op::Len,
            7 => Op::Clear,
            8 => Op::RetainEven,
            9 => Op::Peek(1 + self.below(2) as usize),
            _ => Op::Iterate,
        }
    }

    /// Calls of three threads. Those of which `piecewise` is true treat one key after the other, and others may do
    /// something in between; the rest takes effect at one moment.
    pub(super) fn run(&mut self, calls: u64, piecewise: fn(&Op) -> bool) -> Vec<Event> {
        let mut model = Model::default();
        let mut running: Vec<Option<Running>> = vec![None, None, None];
        let (mut events, mut id) = (Vec::new(), 0);
        while id < calls || running.iter().any(Option::is_some) {
            let thread = self.below(3) as usize;
            match &mut running[thread] {
                Some(run) if run.next > self.keys => {
                    events.push(Event::Return(thread, run.ret.clone()));
                    running[thread] = None;
                }
                Some(run) => run.step(&mut model, self.keys, piecewise),
                None if id < calls => {
                    id += 1;
                    let op = self.op(id);
                    events.push(Event::Invoke(thread, op.clone()));
                    running[thread] = Some(Running::new(op));
                }
                None => {}
            }
        }
        events
    }
}

/// A call under way.
#[derive(Clone)]
struct Running {
    op: Op,
    ret: Ret,
    /// The key that it treats next; beyond all when it is done.
    next: u64,
}

impl Running {
    fn new(op: Op) -> Running {
        let ret = match op {
            Op::Len => Ret::Len(0),
            Op::Iterate | Op::Peek(_) => Ret::Shown(Vec::new()),
            _ => Ret::Done,
        };
        Running { op, ret, next: 0 }
    }

    fn step(&mut self, model: &mut Model, keys: u64, piecewise: fn(&Op) -> bool) {
        if piecewise(&self.op) && self.next < keys {
            model.call_at(&self.op, self.next, &mut self.ret);
            self.next += 1;
        } else {
            if !piecewise(&self.op) {
                self.ret = model.call(&self.op);
            }
            self.next = keys + 1;
        }
    }
}

/// What was invoked, and has not returned.
#[derive(Clone, Copy)]
enum Open {
    Key(Ticket),
    Whole(Moment, Deed),
    Iteration(usize, bool),
}

/// A history that is told of events, and judged. The label of a call is its thread's number, from 1.
pub(super) struct Told {
    pub history: History<Known>,
    world: World,
    open: Vec<Option<Open>>,
    /// Whether `clear` and `retain` are promised to take effect at one moment.
    wipes_at_once: bool,
    scenario: Scenario,
}

impl Told {
    pub(super) fn new(wipes_at_once: bool) -> Told {
        let (history, world) = (History::new(), World::default());
        let scenario = threads_of_one_operation();
        Told { history, world, open: vec![None; 3], wipes_at_once, scenario }
    }

    /// Tells of all events; what is held against them.
    pub(super) fn judge(mut self, events: &[Event]) -> Option<Violation> {
        let found = events.iter().find_map(|event| {
            self.tell(event);
            self.verdict()
        });
        assert!(!self.world.given_up, "so few calls are always judged");
        found
    }

    pub(super) fn tell(&mut self, event: &Event) {
        match event {
            Event::Invoke(thread, op) => self.open[*thread] = Some(self.invoke(*thread, op)),
            Event::Return(thread, ret) => {
                let open = self.open[*thread].take().expect("it was called");
                self.respond(open, ret);
            }
        }
    }

    fn invoke(&mut self, thread: usize, op: &Op) -> Open {
        let label = 1 + thread as u32;
        let history = &mut self.history;
        match *op {
            Op::Insert(key, id) => Open::Key(history.invoke(label, key, Effect::Insert(id))),
            Op::Remove(key) => Open::Key(history.invoke(label, key, Effect::Remove)),
            Op::Get(key) => Open::Key(history.invoke(label, key, Effect::Get)),
            Op::Len => Open::Whole(history.begin_whole_now(label), Deed::Nothing),
            Op::Clear => Open::Whole(self.wipe(label, false), Deed::Clear),
            Op::RetainEven => Open::Whole(self.wipe(label, true), Deed::RetainEven),
            Op::Iterate | Op::Peek(_) => {
                let number = history.begin_iteration(label);
                history.begin_whole(label, history.now());
                Open::Iteration(number, *op == Op::Iterate)
            }
        }
    }

    fn wipe(&mut self, label: u32, odd_only: bool) -> Moment {
        let began = self.history.begin_wipe(label, odd_only);
        if self.wipes_at_once {
            self.history.begin_whole(label, began);
        }
        began
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
                history.end_wipe(began, Wiped::All);
                history.end_whole(began, deed);
            }
            (Open::Iteration(number, complete), Ret::Shown(shown)) => {
                for (key, value) in shown {
                    history.visit(number, Seen { key: *key, value: *value, since: 0 });
                }
                let began = history.iteration(number).began;
                history.end_whole(began, Deed::Iterate(number, complete));
            }
            _ => unreachable!("an answer of another operation"),
        }
    }

    fn verdict(&mut self) -> Option<Violation> {
        for at in 0..self.history.entries().len() {
            match judge_entry(&mut self.history, at, &self.scenario, false) {
                Ok(Some(before)) => self.world.learned(at, before),
                Ok(None) => {}
                Err(violation) => return Some(violation),
            }
        }
        self.world.judge(&mut self.history, &self.scenario)
    }
}

/// Three threads, of which the operations have the labels 1 to 3.
pub(super) fn threads_of_one_operation() -> Scenario {
    let ops = ["insert 0", "insert 1", "len"].map(|op| vec![op.parse().expect("an operation")]);
    Scenario { threads: ops.into(), ..Scenario::default() }
}
