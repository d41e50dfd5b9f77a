//! Everything that a replayed execution does to memory, with the pointers that its words held before and after.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use mapcheck_machine::{
    self as machine, Change, ChoiceKind, Consult, Decider, Earlier, Event, Found, Kind, Observer,
    Slice, Stack, Stamp, ThreadId, Touch,
};

use super::Child;
use super::recording::State;
use crate::decision::{Decision, DecisionKind, Decisions, Replayer};
use crate::log::{self, Note};
use crate::report::{Finding, Trace};

/// Bytes of a word, which may be a pointer.
pub(crate) const WORD: usize = size_of::<u64>();
/// Bytes of an access of which every word is kept; of a longer one, which moves memory, those that are pointers.
const NARROW: usize = 16;
/// Upper bits of a pointer that a map may use for itself.
const TAG: u32 = 4;

/// A block that the execution allocated, by its number on the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TapeBlock {
    pub addr: usize,
    pub size: usize,
    pub alloc: Stamp,
    pub free: Option<Stamp>,
}

/// What a word holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// Where the word lies.
    pub addr: usize,
    pub value: u64,
    /// The block that it points to, by its number, and how many bytes into it.
    pub to: Option<(usize, usize)>,
}

/// An access of the execution, just before it took effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub touch: Touch,
    /// The words that it found, and those that it left, if it writes: places in [`Tape::words`].
    found: (u32, u32),
    left: (u32, u32),
}

/// A choice that was not the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub kind: ChoiceKind,
    pub thread: ThreadId,
    pub index: u64,
    pub choice: u32,
    /// Schedule points of all threads before it.
    pub step: u64,
}

impl Chosen {
    /// As a repro tells it.
    pub(crate) fn decision(&self) -> Decision {
        let Chosen { kind, thread, index, choice, .. } = *self;
        Decision { kind: DecisionKind::Choice(kind), thread, index, choice }
    }
}

/// The record of an execution.
#[derive(Default)]
pub(crate) struct Tape {
    pub moments: Vec<Moment>,
    /// Labels that were set, and switches.
    pub events: Vec<Event>,
    pub blocks: Vec<TapeBlock>,
    pub choices: Vec<Chosen>,
    /// The blocks that were said to be retired, when, and from where.
    pub retired: Vec<(usize, Stamp, Stack)>,
    /// The stacks that were asked for, by step.
    pub stacks: BTreeMap<u64, Stack>,
    /// Steps of which the stack is wanted.
    wanted: Vec<u64>,
    words: Vec<Held>,
    /// The latest block at each address.
    at: BTreeMap<usize, usize>,
    /// Numbers that stand for addresses: the first, how many, bytes for each, and the address.
    known: BTreeMap<u64, (u64, usize, usize)>,
    /// The write whose outcome is not known yet, by its number.
    pending: Option<usize>,
    /// Schedule points so far.
    step: Rc<Cell<u64>>,
}

impl Tape {
    /// An empty one, that keeps the stacks of these steps.
    pub(crate) fn new(mut wanted: Vec<u64>) -> Tape {
        wanted.sort_unstable();
        Tape { wanted, ..Tape::default() }
    }

    /// The words that an access found, as far as they were kept.
    pub(crate) fn found(&self, moment: &Moment) -> &[Held] {
        &self.words[moment.found.0 as usize..moment.found.1 as usize]
    }

    /// The words that it left; empty if it did not write.
    pub(crate) fn left(&self, moment: &Moment) -> &[Held] {
        &self.words[moment.left.0 as usize..moment.left.1 as usize]
    }

    /// Whether an access wrote: a compare-exchange may not have, and what adds nothing is a load.
    pub(crate) fn writes(&self, moment: &Moment) -> bool {
        match moment.touch.access.kind {
            Kind::AtomicRmw => match moment.touch.change {
                Change::Atomic { found, left } => left.is_some_and(|left| left != found),
                Change::Plain => true,
            },
            kind => matches!(kind, Kind::Write | Kind::AtomicStore),
        }
    }

    /// The block around an address, freed or not: the latest that lay there.
    pub(crate) fn block_at(&self, addr: usize) -> Option<usize> {
        let (_, &block) = self.at.range(..=addr).next_back()?;
        let TapeBlock { addr: start, size, .. } = self.blocks[block];
        (addr - start < size.max(1)).then_some(block)
    }

    /// Whether a word is the map's own, and not one by which modelled memory is kept.
    pub(crate) fn is_map_s(&self, addr: usize) -> bool {
        let within = |&(count, unit, start): &(u64, usize, usize)| {
            (start..start + count as usize * unit).contains(&addr)
        };
        self.known.is_empty() || self.known.values().any(within)
    }

    /// The block that a word with this value points to, and how many bytes into it.
    fn resolve(&self, value: u64) -> Option<(usize, usize)> {
        let value = value << TAG >> TAG;
        let into = |addr: usize| self.block_at(addr).map(|b| (b, addr - self.blocks[b].addr));
        let known = || {
            let (first, &(count, unit, addr)) = self.known.range(..=value).next_back()?;
            let nth = value - first;
            (nth < count).then(|| into(addr + nth as usize * unit)).flatten()
        };
        into(value as usize).or_else(known)
    }

    /// Keeps what the words of an access hold now.
    fn read(&mut self, addr: usize, size: usize) -> (u32, u32) {
        let start = self.words.len() as u32;
        let narrow = size <= NARROW;
        if narrow && (size < WORD || !addr.is_multiple_of(WORD)) {
            if let Some(value) = machine::peek(addr, size) {
                self.words.push(Held { addr, value, to: None });
            }
        } else {
            let first = addr.next_multiple_of(WORD);
            for addr in (first..addr + size).step_by(WORD).filter(|a| a + WORD <= addr + size) {
                let Some(value) = machine::peek(addr, WORD) else { continue };
                let to = self.resolve(value);
                if narrow || to.is_some() {
                    self.words.push(Held { addr, value, to });
                }
            }
        }
        (start, self.words.len() as u32)
    }

    /// Keeps what a word held or holds, if that is known.
    fn keep(&mut self, addr: usize, size: usize, value: Option<u64>) -> (u32, u32) {
        let start = self.words.len() as u32;
        if let Some(value) = value {
            let to = self.resolve(value).filter(|_| size == WORD);
            self.words.push(Held { addr, value, to });
        }
        (start, self.words.len() as u32)
    }

    /// The write before has taken effect by now.
    fn settle(&mut self) {
        let Some(at) = self.pending.take() else { return };
        let access = self.moments[at].touch.access;
        self.moments[at].left = self.read(access.addr, access.size);
    }

    /// The execution has ended.
    pub(crate) fn end(&mut self) {
        self.settle();
    }

    fn block_event(&mut self, event: &Event) {
        match *event {
            Event::Alloc { at, addr, size } => {
                self.at.insert(addr, self.blocks.len());
                self.blocks.push(TapeBlock { addr, size, alloc: at, free: None });
            }
            Event::Free { at, addr } => {
                if let Some(&block) = self.at.get(&addr) {
                    self.blocks[block].free.get_or_insert(at);
                }
            }
            Event::Known { addr, first, count, unit } => {
                self.known.insert(first, (count, unit, addr));
            }
            Event::Retired { at, addr } => {
                if let Some(block) = self.block_at(addr) {
                    self.retired.push((block, at, Stack::capture()));
                }
            }
            _ => {}
        }
    }
}

impl Observer for Tape {
    fn event(&mut self, event: &Event) {
        self.settle();
        self.block_event(event);
        match event {
            Event::Step { at, .. } => self.step.set(at.step),
            Event::Label { .. } | Event::Switch { .. } => self.events.push(event.clone()),
            _ => {}
        }
    }

    fn touch(&mut self, touch: &Touch) -> Option<Earlier> {
        self.settle();
        let access = touch.access;
        if self.wanted.binary_search(&touch.step).is_ok() {
            self.stacks.insert(touch.step, Stack::capture());
        }
        let mut moment = Moment { touch: *touch, found: (0, 0), left: (0, 0) };
        match touch.change {
            _ if matches!(access.kind, Kind::Alloc | Kind::Free | Kind::Fence) => {}
            // Told by who makes it, before or after it does.
            Change::Atomic { found, left } if access.size <= WORD => {
                moment.found = self.keep(access.addr, access.size, Some(found));
                moment.left = self.keep(access.addr, access.size, left);
            }
            // Elements tell of themselves wherever they are: a word on a stack is somebody else's soon.
            _ if self.block_at(access.addr).is_none() => {}
            _ => {
                moment.found = self.read(access.addr, access.size);
                self.pending = self.writes(&moment).then_some(self.moments.len());
            }
        }
        self.moments.push(moment);
        None
    }
}

/// Replays, and notes each choice.
pub(crate) struct Noting {
    inner: Replayer,
    step: Rc<Cell<u64>>,
    pub chosen: Vec<Chosen>,
}

impl Noting {
    pub(crate) fn new(inner: Replayer, tape: &Tape) -> Noting {
        Noting { inner, step: tape.step.clone(), chosen: Vec::new() }
    }
}

impl Decider for Noting {
    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        self.inner.schedule(consult)
    }

    fn choose(&mut self, kind: ChoiceKind, thread: ThreadId, index: u64, n: u32) -> u32 {
        let choice = self.inner.choose(kind, thread, index, n);
        if choice > 0 {
            let step = self.step.get();
            self.chosen.push(Chosen { kind, thread, index, choice, step });
        }
        choice
    }

    fn granules(&self) -> &[usize] {
        self.inner.granules()
    }

    fn asks_at_labels(&self) -> bool {
        self.inner.asks_at_labels()
    }
}

/// A replay of which the tape is studied.
pub(crate) struct Study<'a> {
    pub decisions: &'a Decisions,
    /// The steps of which the stacks are wanted.
    pub wanted: &'a [u64],
    /// Tells the parent what it has seen, from within the process.
    pub tell: &'a dyn Fn(&Studied<'_>) -> String,
}

/// A replay that found something, and its tape.
pub(crate) struct Studied<'a> {
    pub found: &'a Found,
    /// The stack that tells where.
    pub stack: &'a Stack,
    pub finding: &'a Finding,
    pub tape: &'a Tape,
    /// What the map told of itself.
    pub notes: &'a [Note],
    /// Schedule points.
    pub steps: u64,
}

/// Sees an execution for its report and for its tape.
#[derive(Default)]
struct Both {
    trace: Trace,
    tape: Tape,
}

impl Observer for Both {
    fn event(&mut self, event: &Event) {
        self.trace.event(event);
        self.tape.event(event);
    }

    fn touch(&mut self, touch: &Touch) -> Option<Earlier> {
        self.tape.touch(touch)
    }
}

impl Child<'_> {
    /// Replays for a study. What is told as the finding's report is what the study says.
    pub(super) fn study(&self, study: &Study<'_>) {
        self.recording.begin(0);
        self.watch(0, 0);
        self.eyes.borrow_mut().tapes = true;
        let mut both = Both { tape: Tape::new(study.wanted.to_vec()), ..Both::default() };
        let mut decider = Noting::new(Replayer::new(study.decisions), &both.tape);
        let (done, past) = self.execute(&mut decider, &mut both, self.setting.random, true);
        self.count(&done);
        let notes = log::take_notes();
        let Both { trace, mut tape } = both;
        tape.choices = decider.chosen;
        tape.end();
        let told = self.diagnose(&done, past.as_deref(), Some(&trace), |diagnosis| {
            (diagnosis.finding(), diagnosis.stack().clone())
        });
        let (Some(found), Some((mut finding, stack))) = (&done.found, told) else {
            return self.recording.enter(State::Finished);
        };
        let studied = Studied {
            found,
            stack: &stack,
            finding: &finding,
            tape: &tape,
            notes: &notes,
            steps: done.steps,
        };
        finding.report = (study.tell)(&studied);
        self.recording.publish(&finding);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use mapcheck_machine::{Access, Order};

    /// A tape made by hand. Each thread is in the operation whose label is its number plus one; each step is an access.
    pub(crate) struct Made {
        pub tape: Tape,
        step: u64,
    }

    /// An empty one.
    pub(crate) fn made() -> Made {
        Made { tape: Tape::default(), step: 0 }
    }

    impl Made {
        /// Where a thread is.
        pub(crate) fn now(&self, thread: ThreadId) -> Stamp {
            Stamp { thread, label: thread + 1, step: self.step + 1 }
        }

        /// The block that begins there.
        pub(crate) fn block(&self, addr: usize) -> TapeBlock {
            self.tape.blocks[self.tape.block_at(addr).expect("it was allocated")]
        }

        fn tell(&mut self, thread: ThreadId, event: impl FnOnce(Stamp) -> Event) -> &mut Made {
            self.step += 1;
            let at = Stamp { thread, label: thread + 1, step: self.step };
            self.tape.event(&event(at));
            self
        }

        fn access(
            &mut self,
            thread: ThreadId,
            (kind, addr): (Kind, usize),
            found: u64,
            left: Option<u64>,
        ) -> &mut Made {
            self.step += 1;
            let access = Access { kind, addr, size: WORD, order: Order::SeqCst };
            let change = Change::Atomic { found, left };
            let (step, label) = (self.step, thread + 1);
            self.tape.touch(&Touch { thread, step, label, site: 0, access, change });
            self
        }

        pub(crate) fn alloc(&mut self, thread: ThreadId, addr: usize) -> &mut Made {
            self.tell(thread, |at| Event::Alloc { at, addr, size: 64 })
        }

        pub(crate) fn free(&mut self, thread: ThreadId, addr: usize) -> &mut Made {
            self.tell(thread, |at| Event::Free { at, addr })
        }

        pub(crate) fn retire(&mut self, thread: ThreadId, addr: usize) -> &mut Made {
            self.tell(thread, |at| Event::Retired { at, addr })
        }

        pub(crate) fn load(&mut self, thread: ThreadId, addr: usize, found: u64) -> &mut Made {
            self.access(thread, (Kind::AtomicLoad, addr), found, None)
        }

        pub(crate) fn store(&mut self, thread: ThreadId, addr: usize, left: u64) -> &mut Made {
            let last = self.tape.moments.iter().rev();
            let held = last.flat_map(|m| self.tape.left(m)).find(|held| held.addr == addr);
            let found = held.map_or(0, |held| held.value);
            self.access(thread, (Kind::AtomicStore, addr), found, Some(left))
        }

        pub(crate) fn swap(
            &mut self,
            thread: ThreadId,
            addr: usize,
            found: u64,
            left: u64,
        ) -> &mut Made {
            self.access(thread, (Kind::AtomicRmw, addr), found, Some(left))
        }
    }

    #[test]
    fn a_word_points_to_a_block_by_address_with_a_tag_or_by_a_number_that_stands_for_it() {
        let mut made = made();
        made.alloc(0, 0x1000).alloc(0, 0x2000);
        made.tape.event(&Event::Known { addr: 0x2010, first: 77, count: 3, unit: 8 });
        let to = |value| made.tape.resolve(value);
        assert_eq!((to(0x1000), to(0x1003), to(0x1040)), (Some((0, 0)), Some((0, 3)), None));
        assert_eq!(to(0xf000_0000_0000_1008), Some((0, 8)));
        assert_eq!((to(77), to(79), to(80)), (Some((1, 0x10)), Some((1, 0x20)), None));
        assert!(made.tape.is_map_s(0x2018) && !made.tape.is_map_s(0x2000));
    }

    #[test]
    fn a_compare_exchange_that_fails_and_an_update_that_changes_nothing_write_nothing() {
        let mut made = made();
        made.alloc(0, 0x1000).swap(1, 0x1008, 0, 0x1000);
        made.access(2, (Kind::AtomicRmw, 0x1008), 0x1000, None);
        made.swap(2, 0x1008, 0x1000, 0x1000);
        let [done, failed, same] = made.tape.moments[..] else { panic!("three accesses") };
        assert!(made.tape.writes(&done) && !made.tape.writes(&failed) && !made.tape.writes(&same));
        assert_eq!(made.tape.found(&failed)[0].to, Some((0, 0)));
        assert!(made.tape.left(&failed).is_empty());
    }
}
