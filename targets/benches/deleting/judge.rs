//! Whether the contract of iterations held, and whether the right elements were left.

use crate::maps::{Subject, Value};
use crate::size::{Fate, Size};

/// What must not be, counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Broken {
    /// Elements that an iteration passed over, though they were there all the time.
    pub missed: u64,
    /// Elements that were there all the time and were shown again in one iteration.
    pub repeated: u64,
    /// Elements that were shown though they had been deleted before the iteration began.
    pub ghosts: u64,
    /// Reads that did not find what was there all the time.
    pub lost: u64,
    /// Values that are not those of their keys.
    pub foreign: u64,
    /// Removals of keys that nobody else removes, and that were not there.
    pub refused: u64,
    /// Elements that were left and should not be, or the other way round.
    pub left: u64,
}

impl Broken {
    pub fn add(&mut self, other: &Broken) {
        self.missed += other.missed;
        self.repeated += other.repeated;
        self.ghosts += other.ghosts;
        self.lost += other.lost;
        self.foreign += other.foreign;
        self.refused += other.refused;
        self.left += other.left;
    }

    /// What is broken, in words; nothing if it held. Repetitions count unless the map announces them.
    pub fn words(&self, may_repeat: bool) -> Option<String> {
        let counts = [
            (self.missed, "stable elements missed"),
            (if may_repeat { 0 } else { self.repeated }, "stable elements repeated"),
            (self.ghosts, "deleted elements shown"),
            (self.lost, "reads that missed stable elements"),
            (self.foreign, "values of other keys"),
            (self.refused, "removals refused"),
            (self.left, "elements wrongly left or gone"),
        ];
        let some = counts.iter().filter(|(count, _)| *count > 0);
        let words: Vec<String> = some.map(|(count, what)| format!("{count} {what}")).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

/// Follows iterations, one after the other.
pub struct Judge {
    size: Size,
    /// How often each stable key was shown.
    seen: Vec<u8>,
    /// What is deleted when an iteration begins: the rounds before this one.
    round: u64,
    pub iterations: u64,
    pub broken: Broken,
}

impl Judge {
    pub fn new(size: Size) -> Judge {
        let seen = vec![0; size.keys as usize / 2];
        Judge { size, seen, round: 0, iterations: 0, broken: Broken::default() }
    }

    /// An iteration begins after these rounds of deletions.
    pub fn begin(&mut self, rounds_before: u64) {
        self.seen.fill(0);
        self.round = rounds_before;
    }

    /// It shows this.
    pub fn visit(&mut self, key: u64, value: &Value) {
        self.broken.foreign += u64::from(!value.is_of(key));
        let gone = match self.size.fate(key) {
            Fate::Stable => {
                let seen = &mut self.seen[key as usize / 2];
                *seen = seen.saturating_add(1);
                false
            }
            Fate::Doomed { round, .. } => round < self.round,
            Fate::Gone => true,
            Fate::Fresh => false,
        };
        self.broken.ghosts += u64::from(gone);
    }

    /// It is over.
    pub fn end(&mut self) {
        self.iterations += 1;
        self.broken.missed += self.seen.iter().filter(|&&seen| seen == 0).count() as u64;
        self.broken.repeated +=
            self.seen.iter().map(|seen| u64::from(seen.saturating_sub(1))).sum::<u64>();
    }
}

/// Whether a map holds what it must hold in the end, by reads and by an iteration.
pub fn left<M: Subject>(map: &M, size: Size) -> Broken {
    let mut broken = Broken::default();
    let (mut shown, mut wrong) = (0, 0);
    map.for_each(|key, value| {
        shown += 1;
        let right = matches!(size.fate(key), Fate::Stable | Fate::Fresh);
        wrong += u64::from(!right || value.is_marked());
        broken.foreign += u64::from(!value.is_of(key));
    });
    let stays = |key| matches!(size.fate(key), Fate::Stable);
    let is_there = |key| map.get(key, |_| ()).is_some();
    let old = (0..size.keys).filter(|&key| is_there(key) != stays(key)).count() as u64;
    let fresh = size.all_fresh().filter(|&key| !is_there(key)).count() as u64;
    let gone = size.gone().filter(|&key| is_there(key)).count() as u64;
    let expected = size.keys - size.doomed() + size.all_fresh().count() as u64;
    broken.left = wrong + old + fresh + gone + expected.abs_diff(shown);
    broken
}
