//! What a worker tells its parent, in memory that both share: whatever kills the worker leaves it there.

use std::time::Duration;

use mapcheck_machine::Shared;

use super::batch::Learnt;
use crate::coverage::Coverage;
use crate::decision::{Decision, Decisions};
use crate::report::Finding;
use crate::text::{self, Writer};

/// The decisions of the execution under way.
const DECISIONS: usize = 0;
/// What the scheduler of each batch has learnt, told when it ends: the batch, how many words, and these.
const LEARNT: usize = 1;
/// What executions have shown that the batches before had not: the batch above the feature.
const FEATURES: usize = 2;
/// The interleaving of each execution that was looked at: the batch, and its number.
const INTERLEAVINGS: usize = 3;
/// The totals before each batch.
const BEFORE: usize = 4;
/// The batches after which there is nothing left to explore.
const EXHAUSTED: usize = 5;
/// What a worker is given to do next, as bytes.
const REQUEST: usize = 6;
/// The schedule points that it has passed in doing so.
const PASSED: usize = 7;
/// And the switches that it has made.
const MADE: usize = 8;
/// Words of each of these. An execution with more decisions is replayed from its batch.
const LOGS: [usize; 9] =
    [1 << 20, 1 << 21, 1 << 18, 1 << 18, 1 << 16, 1 << 16, 1 << 12, 1 << 12, 1 << 8];
const BATCH: u32 = 32;
/// Sums that are kept.
const TOTALS: usize = 7;
/// Bytes of the text: an explanation may have most of a megabyte.
const TEXT: usize = 1 << 21;

/// Numbers that a worker shares.
const EXECUTION: usize = 0;
pub(super) const DONE: usize = 1;
pub(super) const POINTS: usize = 2;
pub(super) const SWITCHES: usize = 3;
pub(super) const FREED: usize = 4;
const STATE: usize = 5;
pub(super) const OUTLIVED: usize = 6;
pub(super) const UNJUDGED: usize = 8;
pub(super) const ACCEPTED: usize = 9;
/// Which of its batches or trials the worker is at.
const AT: usize = 10;
/// How many requests were made, and how many of them were answered.
const ASKED: usize = 11;
const ANSWERED: usize = 12;
/// How the last of them ended.
const ANSWER: usize = 13;

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

/// How long somebody waits before they look whether what they wait for has happened unnoticed.
const MOMENT: Duration = Duration::from_secs(1);

fn index_of(state: State) -> u64 {
    STATES.iter().position(|s| *s == state).unwrap_or_default() as u64
}

/// The shared memory of a worker, read by its parent.
pub(crate) struct Recording(Shared);

/// A point of a thread: under which label, and how many points after it got that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub thread: u32,
    pub label: u32,
    pub offset: u64,
}

impl At {
    fn pack(self) -> u64 {
        let [thread, label] = [u64::from(self.thread), u64::from(self.label)];
        thread << 48 | label << 32 | self.offset & u64::from(u32::MAX)
    }

    fn unpack(word: u64) -> At {
        let [thread, label] = [(word >> 48) as u32, (word >> 32 & 0xffff) as u32];
        At { thread, label, offset: word & u64::from(u32::MAX) }
    }
}

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

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct BatchResult {
    pub totals: Totals,
    /// What it hands on; of the scheduler only if it came to its end.
    pub learnt: Learnt,
    /// The interleavings of its executions that were looked at.
    pub interleavings: Vec<u64>,
    /// Whether every execution there is has been made by its end, within the bound.
    pub exhausted: bool,
}

impl Totals {
    fn words(self) -> [u64; TOTALS] {
        let Totals { executions, points, switches, freed, outlived, unjudged, accepted } = self;
        [executions, points, switches, freed, outlived, unjudged, accepted]
    }

    fn of(words: [u64; TOTALS]) -> Totals {
        let [executions, points, switches, freed, outlived, unjudged, accepted] = words;
        Totals { executions, points, switches, freed, outlived, unjudged, accepted }
    }

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

    /// Keeps a decision of the execution under way, or what is told in the place of decisions.
    pub(super) fn keep(&self, word: u64) {
        self.0.push(DECISIONS, word);
    }

    /// What was kept, or `None` if there was too much.
    pub(super) fn kept(&self) -> Option<Vec<u64>> {
        (!self.0.full(DECISIONS)).then(|| self.0.words(DECISIONS))
    }

    /// The decisions of that execution, or `None` if there were too many to keep.
    pub(crate) fn decisions(&self) -> Option<Decisions> {
        Some(Decisions(self.kept()?.into_iter().filter_map(Decision::unpack).collect()))
    }

    /// Which of its batches or trials the worker has come to.
    pub(crate) fn at(&self) -> usize {
        self.0.counter(AT) as usize
    }

    /// What became of each batch that it has come to. Reading it costs as much as all of them have told.
    pub(crate) fn results(&self) -> Vec<BatchResult> {
        let mut all = self.totals_by_batch();
        for word in self.0.words(FEATURES) {
            if let Some(result) = all.get_mut((word >> BATCH) as usize) {
                result.learnt.features.push(word & ((1 << BATCH) - 1));
            }
        }
        for [batch, number] in self.0.words(INTERLEAVINGS).as_chunks::<2>().0 {
            if let Some(result) = all.get_mut(*batch as usize) {
                result.interleavings.push(*number);
            }
        }
        for batch in self.0.words(EXHAUSTED) {
            if let Some(result) = all.get_mut(batch as usize) {
                result.exhausted = true;
            }
        }
        let words = self.0.words(LEARNT);
        let mut rest = &words[..];
        while let [batch, count, then @ ..] = rest {
            let (these, after) = then.split_at((*count as usize).min(then.len()));
            if let Some(result) = all.get_mut(*batch as usize) {
                result.learnt.scheduler = these.to_vec();
            }
            rest = after;
        }
        all
    }

    /// The batches with their sums alone. A worker that was given no batches has one result.
    fn totals_by_batch(&self) -> Vec<BatchResult> {
        let words = self.0.words(BEFORE);
        let before = words.as_chunks::<TOTALS>().0;
        let now = self.totals().words();
        let of = |i: usize| {
            let start = before.get(i).copied().unwrap_or_default();
            let end = before.get(i + 1).copied().unwrap_or(now);
            let totals = Totals::of(std::array::from_fn(|i| end[i] - start[i]));
            BatchResult { totals, ..BatchResult::default() }
        };
        (0..before.len().max(1)).map(of).collect()
    }

    pub(crate) fn text(&self) -> String {
        self.0.text()
    }

    /// What it found, if it lived to tell.
    pub(crate) fn finding(&self) -> Result<Finding, String> {
        text::parse(&self.text(), Finding::read)
            .map_err(|e| format!("a worker told a finding that cannot be read: {e}"))
    }

    /// Keeps what was found.
    pub(crate) fn publish(&self, finding: &Finding) {
        let mut text = Writer::default();
        finding.write(&mut text);
        self.tell(&text.0);
        self.enter(State::Found);
    }

    /// An execution begins.
    pub(super) fn begin(&self, execution: u64) {
        self.0.clear(DECISIONS);
        self.0.set_counter(EXECUTION, execution);
    }

    /// Another batch or trial begins.
    pub(super) fn turn_to(&self, batch: usize) {
        self.totals().words().into_iter().for_each(|word| self.0.push(BEFORE, word));
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
    pub(crate) fn tell(&self, text: &str) {
        self.0.set_text(text);
    }

    /// After this batch there is nothing left to explore.
    pub(super) fn exhaust(&self) {
        self.0.push(EXHAUSTED, self.0.counter(AT));
    }

    /// Asks for something to be done, and wakes who waits for that.
    pub(crate) fn ask(&self, bytes: &[u8]) {
        self.0.clear(REQUEST);
        self.0.push(REQUEST, bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0.push(REQUEST, u64::from_le_bytes(word));
        }
        self.0.set_and_wake(ASKED, self.0.counter(ASKED) + 1);
    }

    /// Whether something was asked for and is not answered yet.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.counter(ASKED) != self.0.counter(ANSWERED)
    }

    /// Waits until something is asked for that is not answered yet, and returns it.
    pub(crate) fn next_request(&self) -> Vec<u8> {
        while !self.is_asked() {
            self.0.wait_while(ASKED, self.0.counter(ANSWERED), MOMENT);
        }
        let words = self.0.words(REQUEST);
        let bytes = words.iter().skip(1).flat_map(|word| word.to_le_bytes());
        bytes.take(words.first().copied().unwrap_or_default() as usize).collect()
    }

    /// Says that what was asked for is done, and how that ended.
    pub(crate) fn answer(&self, how: State) {
        self.0.set_counter(ANSWER, index_of(how));
        self.0.set_and_wake(ANSWERED, self.0.counter(ASKED));
    }

    /// Waits for the answer.
    pub(crate) fn await_answer(&self) -> State {
        while self.is_asked() {
            self.0.wait_while(ANSWERED, self.0.counter(ASKED) - 1, MOMENT);
        }
        STATES.get(self.0.counter(ANSWER) as usize).copied().unwrap_or(State::Broken)
    }

    /// Forgets what earlier executions have shown.
    pub(super) fn forget_shown(&self) {
        [FEATURES, INTERLEAVINGS, PASSED, MADE].into_iter().for_each(|log| self.0.clear(log));
    }

    /// Keeps a point that a thread has passed.
    pub(super) fn pass(&self, at: At) {
        self.0.push(PASSED, at.pack());
    }

    /// Keeps a switch that was made there, and to which of the others.
    pub(super) fn switch(&self, at: At, to: u32) {
        [at.pack(), to.into()].into_iter().for_each(|word| self.0.push(MADE, word));
    }

    /// The switches that were made; `None` if there were too many.
    pub(crate) fn made(&self) -> Option<Vec<(At, u32)>> {
        let words = (!self.0.full(MADE)).then(|| self.0.words(MADE))?;
        Some(
            words.as_chunks::<2>().0.iter().map(|[at, to]| (At::unpack(*at), *to as u32)).collect(),
        )
    }

    /// What the last execution has shown.
    pub(crate) fn shown(&self) -> impl Iterator<Item = u64> {
        self.0.words(FEATURES).into_iter().map(|word| word & ((1 << BATCH) - 1))
    }

    /// The points that were kept.
    pub(crate) fn passed(&self) -> impl Iterator<Item = At> {
        self.0.words(PASSED).into_iter().map(At::unpack)
    }

    pub(crate) fn enter(&self, state: State) {
        self.0.set_counter(STATE, index_of(state));
    }

    pub(super) fn add(&self, counter: usize, n: u64) {
        self.0.set_counter(counter, self.0.counter(counter) + n);
    }
}
