//! What a worker tells its parent, in memory that both share: whatever kills the worker leaves it there.

use mapcheck_machine::Shared;

use super::batch::Learnt;
use crate::coverage::Coverage;
use crate::decision::{Decision, Decisions};
use crate::report::Finding;
use crate::text;

/// The decisions of the execution under way.
const DECISIONS: usize = 0;
/// What the scheduler of each batch has learnt, told when it ends: the batch, how many words, and these.
const LEARNT: usize = 1;
/// What executions have shown that the batches before had not: the batch above the feature.
const FEATURES: usize = 2;
/// The interleaving of each execution that was looked at: the batch, and its number.
const INTERLEAVINGS: usize = 3;
/// Words of each of these. An execution with more decisions is replayed from its batch.
const LOGS: [usize; 4] = [1 << 20, 1 << 21, 1 << 18, 1 << 18];
const BATCH: u32 = 32;
const TEXT: usize = 1 << 18;

/// Numbers that a worker shares.
const EXECUTION: usize = 0;
pub(super) const DONE: usize = 1;
pub(super) const POINTS: usize = 2;
pub(super) const SWITCHES: usize = 3;
pub(super) const FREED: usize = 4;
const STATE: usize = 5;
pub(super) const OUTLIVED: usize = 6;
const EXHAUSTED: usize = 7;
pub(super) const UNJUDGED: usize = 8;
pub(super) const ACCEPTED: usize = 9;
/// Which of its batches the worker is at.
const AT: usize = 10;

/// How far a worker has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is under way, or died.
    Running,
    /// It has done what it was asked to do.
    Finished,
    /// It found something; the text tells what.
    Found,
    /// It cannot go on, though nothing was found: another process must do the rest.
    Spent,
    /// mapcheck itself went wrong in it; the text tells how.
    Broken,
}

const STATES: [State; 5] =
    [State::Running, State::Finished, State::Found, State::Spent, State::Broken];

/// The shared memory of a worker, read by its parent.
pub(crate) struct Recording(Shared);

/// Sums over the executions of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub executions: u64,
    pub points: u64,
    pub switches: u64,
    /// Values that the map dropped before it was dropped itself.
    pub freed: u64,
    /// Executions that ended while threads they had started still waited.
    pub outlived: u64,
    /// Keys whose histories were too long to be judged.
    pub unjudged: u64,
    /// Times that an accepted race was met.
    pub accepted: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, other: Totals) {
        self.executions += other.executions;
        self.points += other.points;
        self.switches += other.switches;
        self.freed += other.freed;
        self.outlived += other.outlived;
        self.unjudged += other.unjudged;
        self.accepted += other.accepted;
    }
}

impl Recording {
    pub(crate) fn new() -> Result<Recording, String> {
        Shared::new(&LOGS, TEXT)
            .map(Recording)
            .map_err(|e| format!("no memory to share with a worker: {e}"))
    }

    pub(crate) fn state(&self) -> State {
        STATES.get(self.0.counter(STATE) as usize).copied().unwrap_or(State::Broken)
    }

    /// The number of the execution under way or done last.
    pub(crate) fn execution(&self) -> u64 {
        self.0.counter(EXECUTION)
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals {
            executions: self.0.counter(DONE),
            points: self.0.counter(POINTS),
            switches: self.0.counter(SWITCHES),
            freed: self.0.counter(FREED),
            outlived: self.0.counter(OUTLIVED),
            unjudged: self.0.counter(UNJUDGED),
            accepted: self.0.counter(ACCEPTED),
        }
    }

    /// The decisions of that execution, or `None` if there were too many to keep.
    pub(crate) fn decisions(&self) -> Option<Decisions> {
        let words = self.0.words(DECISIONS);
        let decisions = words.into_iter().filter_map(Decision::unpack).collect();
        (!self.0.full(DECISIONS)).then_some(Decisions(decisions))
    }

    /// Which of its batches the worker has come to.
    pub(crate) fn batch(&self) -> usize {
        self.0.counter(AT) as usize
    }

    /// What a batch hands on; the scheduler only if it came to its end.
    pub(crate) fn learnt(&self, batch: usize) -> Learnt {
        let words = self.0.words(LEARNT);
        let (mut rest, mut scheduler) = (&words[..], Vec::new());
        while let [of, count, then @ ..] = rest {
            let (these, after) = then.split_at((*count as usize).min(then.len()));
            if *of == batch as u64 {
                scheduler = these.to_vec();
            }
            rest = after;
        }
        let features = self.0.words(FEATURES).into_iter();
        let features = features.filter(|word| word >> BATCH == batch as u64);
        Learnt { scheduler, features: features.map(|word| word & ((1 << BATCH) - 1)).collect() }
    }

    /// The interleavings of the executions that were looked at: the batch, and the number.
    pub(crate) fn interleavings(&self) -> Vec<(usize, u64)> {
        let words = self.0.words(INTERLEAVINGS);
        words.as_chunks::<2>().0.iter().map(|[batch, number]| (*batch as usize, *number)).collect()
    }

    /// Whether an engine has made every execution there is, within its bound.
    pub(crate) fn exhausted(&self) -> bool {
        self.0.counter(EXHAUSTED) > 0
    }

    pub(crate) fn text(&self) -> String {
        self.0.text()
    }

    /// What it found, if it lived to tell.
    pub(crate) fn finding(&self) -> Result<Finding, String> {
        text::parse(&self.text(), Finding::read)
            .map_err(|e| format!("a worker told a finding that cannot be read: {e}"))
    }

    /// An execution begins.
    pub(super) fn begin(&self, execution: u64) {
        self.0.clear(DECISIONS);
        self.0.set_counter(EXECUTION, execution);
    }

    /// Keeps a decision of the execution under way.
    pub(super) fn decide(&self, word: u64) {
        self.0.push(DECISIONS, word);
    }

    /// Another batch begins.
    pub(super) fn turn_to(&self, batch: usize) {
        self.0.set_counter(EXECUTION, 0);
        self.0.set_counter(AT, batch as u64);
    }

    /// Keeps what an execution has shown.
    pub(super) fn show(&self, coverage: &Coverage) {
        let batch = self.0.counter(AT);
        coverage.news().iter().for_each(|feature| self.0.push(FEATURES, batch << BATCH | feature));
        if let Some(number) = coverage.interleaving() {
            [batch, number].into_iter().for_each(|word| self.0.push(INTERLEAVINGS, word));
        }
    }

    /// Keeps what the scheduler of a batch hands on.
    pub(super) fn hand_on(&self, words: &[u64]) {
        let head = [self.0.counter(AT), words.len() as u64];
        head.iter().chain(words).for_each(|word| self.0.push(LEARNT, *word));
    }

    /// Replaces the text.
    pub(super) fn tell(&self, text: &str) {
        self.0.set_text(text);
    }

    pub(super) fn set_exhausted(&self, exhausted: bool) {
        self.0.set_counter(EXHAUSTED, u64::from(exhausted));
    }

    pub(super) fn enter(&self, state: State) {
        let index = STATES.iter().position(|s| *s == state).unwrap_or_default();
        self.0.set_counter(STATE, index as u64);
    }

    pub(super) fn add(&self, counter: usize, n: u64) {
        self.0.set_counter(counter, self.0.counter(counter) + n);
    }
}
