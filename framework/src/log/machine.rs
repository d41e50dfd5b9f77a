//! What the machine does, told as events of its own in the log of an execution.

use std::cell::RefCell;
use std::collections::BTreeMap;

use mapcheck_machine::{
    Access, ChoiceKind, Consult, Decider, Event, Kind, Reason, Slice, Stamp, ThreadId,
    operation_and_number,
};

use super::{lets_through, tell};
use crate::decision::{Decision, DecisionKind};
use crate::fault::Fault;
use crate::report;
use crate::scenario::Scenario;

/// Switches, and where operations begin and end.
const SCHEDULE: &str = "mapcheck::schedule";
/// Blocks that are allocated and freed.
const HEAP: &str = "mapcheck::heap";
/// Each access.
const ACCESS: &str = "mapcheck::access";
/// What is injected.
const FAULT: &str = "mapcheck::fault";

/// Tells what the machine does, on the same timeline as what the map tells.
pub(crate) struct Teller<'a> {
    scenario: &'a Scenario,
    faults: &'a [Fault],
    /// The live blocks, by their addresses: their numbers and sizes.
    blocks: BTreeMap<usize, (u64, usize)>,
    /// Blocks allocated so far.
    allocated: u64,
    /// What each thread is in the midst of, by its label.
    doing: BTreeMap<ThreadId, u32>,
    /// The last step told of.
    step: u64,
    /// The step of the last switch.
    since: u64,
}

impl<'a> Teller<'a> {
    pub(crate) fn new(scenario: &'a Scenario, faults: &'a [Fault]) -> Teller<'a> {
        let (blocks, doing) = (BTreeMap::new(), BTreeMap::new());
        Teller { scenario, faults, blocks, allocated: 0, doing, step: 0, since: 0 }
    }

    /// What the machine tells an observer.
    pub(crate) fn event(&mut self, event: &Event) {
        match *event {
            Event::Step { at, access } => self.access(at, access),
            Event::Switch { from, to, step, reason } => self.switch(from, to, step, reason),
            Event::Alloc { at, addr, size } => {
                self.allocated += 1;
                self.blocks.insert(addr, (self.allocated, size));
                tell(HEAP, at, &format!("allocates {}", named(self.allocated, size)));
            }
            Event::Free { at, addr } => {
                let block = self.blocks.remove(&addr);
                let block = block.map(|(number, size)| named(number, size));
                let block = block.unwrap_or_else(|| "a block of an earlier execution".to_owned());
                tell(HEAP, at, &format!("frees {block}"));
            }
            Event::Label { at } => self.label(at),
            Event::Retired { at, addr, .. } => {
                tell(HEAP, at, &format!("retires what is {}", self.place(addr)));
            }
            Event::Change { .. } | Event::Known { .. } => {}
        }
    }

    fn label(&mut self, at: Stamp) {
        let before = self.doing.insert(at.thread, at.label).unwrap_or_default();
        let (verb, label) = if at.label > 0 { ("begins", at.label) } else { ("ends", before) };
        if let Some(operation) = self.scenario.operation(label).filter(|_| label > 0) {
            tell(SCHEDULE, Stamp { label, ..at }, &format!("{verb} `{}`", operation.text));
        }
    }

    fn switch(&mut self, from: ThreadId, to: ThreadId, step: u64, reason: Reason) {
        let why = match reason {
            Reason::Point => "is preempted",
            Reason::Yield => "yields",
            Reason::Blocked => "waits or has ended",
        };
        let ran = step - self.since;
        self.since = step;
        let at = self.stamp(from, step);
        tell(SCHEDULE, at, &format!("{why} after {ran} steps: thread {to} goes on"));
    }

    fn access(&mut self, at: Stamp, access: Access) {
        self.step = at.step;
        let what = match access.kind {
            Kind::None | Kind::Alloc | Kind::Free => return,
            Kind::Fence => return tell(ACCESS, at, "makes a fence"),
            Kind::Sync => "waits for, wakes or starts others by",
            Kind::Read => "reads",
            Kind::Write => "writes",
            Kind::AtomicLoad => "loads",
            Kind::AtomicStore => "stores",
            Kind::AtomicRmw => "changes",
        };
        // There are many.
        if lets_through(ACCESS) {
            let place = self.place(access.addr);
            tell(ACCESS, at, &format!("{what} {} bytes {place}", access.size));
        }
    }

    fn place(&self, addr: usize) -> String {
        let block = self.blocks.range(..=addr).next_back();
        match block.filter(|(start, (_, size))| addr - *start < (*size).max(1)) {
            Some((start, (number, _))) => format!("at {} of block {number}", addr - start),
            None => format!("at {addr:#x}"),
        }
    }

    /// What the decider chose, if it is a fault.
    fn choice(&mut self, kind: ChoiceKind, thread: ThreadId, index: u64, choice: u32) {
        let kind_of = DecisionKind::Choice(kind);
        let decision = Decision { kind: kind_of, thread, index, choice };
        let told = report::sentence(self.scenario, self.faults, &decision);
        if let Some(sentence) = told.filter(|_| choice > 0) {
            let label = operation_and_number(index).0 as u32;
            tell(FAULT, Stamp { thread, label, step: self.step }, &sentence);
        }
    }

    fn stamp(&self, thread: ThreadId, step: u64) -> Stamp {
        Stamp { thread, label: self.doing.get(&thread).copied().unwrap_or_default(), step }
    }
}

fn named(number: u64, size: usize) -> String {
    format!("block {number}, {size} bytes")
}

/// A decider whose choices are told.
pub(crate) struct Heard<'a, 'b> {
    pub decider: &'a mut dyn Decider,
    pub teller: &'a RefCell<Teller<'b>>,
}

impl Decider for Heard<'_, '_> {
    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        self.decider.schedule(consult)
    }

    fn choose(&mut self, kind: ChoiceKind, thread: ThreadId, index: u64, n: u32) -> u32 {
        let choice = self.decider.choose(kind, thread, index, n);
        self.teller.borrow_mut().choice(kind, thread, index, choice);
        choice
    }

    fn granules(&self) -> &[usize] {
        self.decider.granules()
    }

    fn asks_at_labels(&self) -> bool {
        self.decider.asks_at_labels()
    }
}
