//! What executions of a scenario have in common: which memory its threads share, and how often they touch it.

use std::collections::{BTreeMap, BTreeSet};

use mapcheck_machine::{Access, Kind, ThreadId};

/// Bytes of memory that count as one place.
pub(super) const GRANULE: usize = mapcheck_machine::GRANULE;
/// Granules that a profile holds, at most: the rest are of arrays, of which some stand for all.
const MOST: usize = 512;
/// Threads that are counted apart; of more, those share a count whose indices agree modulo this.
const SLOTS: usize = 8;
/// Values of words that a profiling execution remembers, at most.
const MOST_VALUES: usize = 1 << 16;
/// A mark in the words of a profile: this granule has held the address of a block that was freed later.
const RETIRES: u64 = 1 << 63;

/// Reads a word of the code under test, see [`mapcheck_machine::peek`].
pub(super) type Peek = fn(usize, usize) -> Option<u64>;

/// A granule that several threads touch, at least one of them to change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shared {
    /// The address divided by [`GRANULE`].
    pub granule: usize,
    /// Whether it has held the address of a block that was freed later.
    pub retires: bool,
    /// Accesses of an execution, by thread modulo [`SLOTS`].
    pub counts: [u8; SLOTS],
}

impl Shared {
    /// Accesses of all threads.
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|&c| u64::from(c)).sum()
    }
}

/// What is known of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    /// Most schedule points of an execution with several threads that could run; 0 when nothing is known.
    pub length: u64,
    /// What is shared, by granule.
    shared: Vec<Shared>,
    /// The granules alone.
    granules: Vec<usize>,
}

impl Profile {
    pub fn shared(&self) -> &[Shared] {
        &self.shared
    }

    /// The granules of [`Profile::shared`], ascending.
    pub fn granules(&self) -> &[usize] {
        &self.granules
    }

    /// Accesses of all threads.
    pub fn accesses(&self) -> u64 {
        self.shared.iter().map(Shared::total).sum()
    }

    /// Takes in what an execution has shown: counts become the mean of the old and the new.
    fn merge(&mut self, new: Vec<Shared>) {
        let mut all: BTreeMap<usize, Shared> =
            self.shared.iter().map(|&s| (s.granule, s)).collect();
        for s in new {
            let old = all.get(&s.granule).copied();
            let mean = |i: usize| match old {
                Some(old) => (u16::from(old.counts[i]) + u16::from(s.counts[i])).div_ceil(2) as u8,
                None => s.counts[i],
            };
            let retires = s.retires || old.is_some_and(|o| o.retires);
            let merged = Shared { granule: s.granule, retires, counts: std::array::from_fn(mean) };
            if old.is_some() || all.len() < MOST {
                all.insert(s.granule, merged);
            }
        }
        self.take(all.into_values().collect());
    }

    fn take(&mut self, shared: Vec<Shared>) {
        self.granules = shared.iter().map(|s| s.granule).collect();
        self.shared = shared;
    }

    /// The profile in words: the length, and two for each granule.
    pub fn words(&self) -> Vec<u64> {
        let granule = |s: &Shared| s.granule as u64 | if s.retires { RETIRES } else { 0 };
        let pair = |s: &Shared| [granule(s), u64::from_le_bytes(s.counts)];
        [self.length].into_iter().chain(self.shared.iter().flat_map(pair)).collect()
    }

    /// The profile that [`Profile::words`] made words of; `None` if they are none.
    pub fn of(words: &[u64]) -> Option<Profile> {
        let (&length, rest) = words.split_first()?;
        let (pairs, odd) = rest.as_chunks::<2>();
        let shared: Vec<Shared> = pairs
            .iter()
            .map(|&[granule, counts]| Shared {
                granule: (granule & !RETIRES) as usize,
                retires: granule & RETIRES != 0,
                counts: counts.to_le_bytes(),
            })
            .collect();
        let ascends = shared.is_sorted_by(|a, b| a.granule < b.granule);
        if !odd.is_empty() || !ascends || shared.len() > MOST {
            return None;
        }
        let mut profile = Profile { length, ..Profile::default() };
        profile.take(shared);
        Some(profile)
    }
}

/// Who touches a granule in an execution.
#[derive(Clone, Copy, Debug, Default)]
struct Touched {
    threads: u64,
    written: bool,
    retires: bool,
    counts: [u8; SLOTS],
}

/// Makes a profile of an execution in which it is told every step.
#[derive(Debug)]
pub(super) struct Profiler {
    peek: Peek,
    touched: BTreeMap<usize, Touched>,
    /// Granules and values that were overwritten in them.
    overwritten: BTreeSet<(u64, usize)>,
}

impl Profiler {
    pub fn new(peek: Peek) -> Profiler {
        Profiler { peek, touched: BTreeMap::new(), overwritten: BTreeSet::new() }
    }

    /// A thread is about to make this access.
    pub fn step(&mut self, thread: ThreadId, access: &Access) {
        if access.addr == 0 || matches!(access.kind, Kind::None | Kind::Fence | Kind::Alloc) {
            return;
        }
        let granule = access.addr / GRANULE;
        if may_retire(access) && self.overwritten.len() < MOST_VALUES {
            let value = (self.peek)(access.addr, access.size).filter(|v| *v != 0);
            self.overwritten.extend(value.map(|v| (v, granule)));
        }
        if access.kind == Kind::Free {
            self.freed(access.addr);
        }
        let touched = self.touched.entry(granule).or_default();
        touched.threads |= 1 << (thread % 64);
        touched.written |= changes(access.kind);
        let count = &mut touched.counts[thread as usize % SLOTS];
        *count = count.saturating_add(1);
    }

    /// What pointed to this block before retired it. Pointers may carry marks in their last three bits.
    fn freed(&mut self, addr: usize) {
        let (from, to) = (addr as u64, addr as u64 + GRANULE as u64);
        for (_, granule) in self.overwritten.range((from, 0)..(to, 0)) {
            self.touched.entry(*granule).or_default().retires = true;
        }
    }

    /// Ends the execution. `length` is how many schedule points several threads could pass.
    pub fn end(self, profile: &mut Profile) {
        let shared = |t: &Touched| t.written && t.threads.count_ones() > 1;
        let all = self.touched.into_iter().filter(|(_, t)| shared(t));
        let new = |(granule, t): (usize, Touched)| {
            let Touched { retires, counts, .. } = t;
            Shared { granule, retires, counts }
        };
        profile.merge(all.map(new).collect());
    }
}

/// Whether an access may overwrite an address.
fn may_retire(access: &Access) -> bool {
    access.size == GRANULE
        && matches!(access.kind, Kind::Write | Kind::AtomicStore | Kind::AtomicRmw)
}

/// Whether an access may change what others see.
pub(super) fn changes(kind: Kind) -> bool {
    let kinds = [Kind::Write, Kind::AtomicStore, Kind::AtomicRmw, Kind::Free, Kind::Sync];
    kinds.contains(&kind)
}

/// Whether the order of two accesses of different threads may matter.
pub(super) fn races(a: &Access, b: &Access) -> bool {
    let same = a.addr != 0 && a.addr / GRANULE == b.addr / GRANULE;
    same && (changes(a.kind) || changes(b.kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::fake::access;

    fn profile(steps: &[(ThreadId, Kind, usize)], peek: Peek) -> Profile {
        let mut profiler = Profiler::new(peek);
        steps.iter().for_each(|&(thread, kind, addr)| profiler.step(thread, &access(kind, addr)));
        let mut profile = Profile::default();
        profiler.end(&mut profile);
        profile
    }

    #[test]
    fn memory_is_shared_that_two_threads_touch_and_one_changes() {
        let steps = [
            (1, Kind::Read, 0x100),
            (2, Kind::Read, 0x100),
            (1, Kind::Write, 0x200),
            (1, Kind::Write, 0x200),
            (1, Kind::Write, 0x304),
            (2, Kind::AtomicLoad, 0x300),
            (2, Kind::AtomicLoad, 0x300),
        ];
        let profile = profile(&steps, |_, _| None);
        assert_eq!(profile.granules(), [0x300 / GRANULE]);
        assert_eq!(profile.shared()[0].counts, [0, 1, 2, 0, 0, 0, 0, 0]);
        assert_eq!(profile.accesses(), 3);
    }

    #[test]
    fn a_word_retires_that_held_the_address_of_a_block_freed_later() {
        // The word at 0x100 holds a marked pointer to 0x400, the one at 0x200 a number.
        let peek: Peek = |addr, _| Some(if addr == 0x100 { 0x401 } else { 7 });
        let steps = [
            (1, Kind::AtomicRmw, 0x100),
            (2, Kind::AtomicLoad, 0x100),
            (1, Kind::AtomicStore, 0x200),
            (2, Kind::AtomicLoad, 0x200),
            (1, Kind::Free, 0x400),
        ];
        let retires: Vec<bool> = profile(&steps, peek).shared().iter().map(|s| s.retires).collect();
        assert_eq!(retires, [true, false]);
    }

    #[test]
    fn counts_of_several_executions_are_averaged() {
        let once = [(1, Kind::Write, 0x100), (2, Kind::Write, 0x100)];
        let mut all = profile(&once, |_, _| None);
        let more = profile(&[&once[..], &[(1, Kind::Write, 0x100); 4]].concat(), |_, _| None);
        all.merge(more.shared);
        assert_eq!(all.shared()[0].counts[1..3], [3, 1]);
    }

    #[test]
    fn a_profile_is_bounded_and_its_words_round_trip() {
        let steps: Vec<_> =
            (1..2000).flat_map(|i| [(1, Kind::Write, 8 * i), (9, Kind::Read, 8 * i)]).collect();
        let profile = profile(&steps, |_, _| None);
        assert_eq!(profile.shared().len(), MOST);
        assert_eq!(Profile::of(&profile.words()), Some(profile.clone()));
        let mut words = profile.words();
        words.swap(1, 3);
        assert_eq!(Profile::of(&words), None, "not ascending");
        assert_eq!(Profile::of(&words[..4]), None, "half a granule");
        assert_eq!(Profile::of(&[]), None);
    }
}
