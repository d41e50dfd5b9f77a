//! What an execution has shown: which threads communicated where, and in which partial order.
//!
//! Two executions that differ only in the order of steps that do not conflict are one *interleaving*, a Mazurkiewicz
//! trace (*Trace Theory*, 1986). The number of an interleaving is the sum, over all pairs of conflicting accesses in a
//! row to the same memory by different threads, of a hash of both: which thread, and its how manieth access. A sum does
//! not depend on the order of what it sums up. Different interleavings have the same number about once in 2^64 pairs.
//!
//! A *feature* is something that an execution may show for the first time: that what one place of the code wrote
//! another thread read at another place (Yu, Narayanasamy, Pereira and Pokam, *Maple*, OOPSLA 2012, call that an
//! inter-thread dependency), or that a branch was taken; where it is known what the threads' operations are, also that
//! one read what another has overwritten since, and a stage in a block's life that one of them brought it to beside
//! another, see [`Stage`].

use std::ops::RangeInclusive;

use mapcheck_machine::{Access, Change, Kind, Touch, unmoved};

use crate::scheduler::splitmix;

/// Different features that are told apart, at most: they are numbers below this.
pub(crate) const FEATURES: u64 = 1 << 16;
/// Tells what was read before another thread wrote it from what was written before another thread read it.
const STALE: u64 = 1 << 62;
/// Bytes of memory that conflicts are noticed in.
const GRANULE: usize = 8;
/// Granules of an execution that are watched at most, times two; a power of two. Nothing is told of an execution with
/// more.
const MOST: usize = 1 << 16;
/// The same at the start: most executions are small, and so are most processes' lives.
const FEW: usize = 1 << 10;

/// The last accesses to a granule.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    granule: usize,
    /// Of which execution this is; others are as good as empty.
    execution: u32,
    /// Who wrote last, plus one; 0 for nobody.
    writer: u32,
    /// The number of that write.
    write: u64,
    /// The place of the code that wrote.
    wrote: u64,
    /// In which step, and under which label.
    wrote_in: (u64, u32),
    /// Who read last, plus one, where, in which step, and under which label.
    reader: u32,
    read: u64,
    read_in: (u64, u32),
    /// The sum of the numbers of the reads since.
    reads: u64,
    /// Whose reads these are, a bit a thread.
    readers: u64,
    /// Whether accesses of different threads to it conflicted.
    shared: bool,
    /// The label of the last access of each thread, of those whose number leaves this when divided by their count.
    labels: [u32; 4],
    /// What whoever took away the last pointer to here was doing, plus one.
    unlinked: u32,
}

/// What may happen to a block while another thread is in the midst of an operation.
#[derive(Clone, Copy)]
enum Stage {
    /// A pointer to it was overwritten: it was unlinked, or retired.
    UnlinkedInUse,
    /// It is read all the same.
    ReadUnlinked,
    /// It was freed.
    FreedInUse,
    /// Any block was freed.
    FreedBeside,
}

/// What the executions of a batch have shown.
pub(crate) struct Coverage {
    places: Vec<Place>,
    execution: u32,
    used: usize,
    /// Accesses of each thread so far.
    accesses: Vec<u64>,
    sum: u64,
    /// What the operation of each label does, as a number; 0 for nothing. Empty where that is not known.
    operations: Vec<u8>,
    /// The label of each thread, and the step in which it was first seen with that.
    labels: Vec<(u32, u64)>,
    seen: Vec<u64>,
    /// Features that the batch had not shown before, since they were last taken.
    news: Vec<u64>,
}

impl Default for Coverage {
    fn default() -> Coverage {
        Coverage {
            places: Vec::new(),
            execution: 0,
            used: 0,
            accesses: Vec::new(),
            sum: 0,
            operations: Vec::new(),
            labels: Vec::new(),
            seen: vec![0; FEATURES as usize / 64],
            news: Vec::new(),
        }
    }
}

impl Coverage {
    /// An execution begins.
    pub(crate) fn begin(&mut self) {
        self.places.resize(self.places.len().max(FEW), Place::default());
        self.execution += 1;
        (self.used, self.sum) = (0, 0);
        self.accesses.clear();
        self.operations.clear();
        self.labels.clear();
        self.news.clear();
    }

    /// What the operations of the execution that begins are: a number for each label.
    pub(crate) fn know(&mut self, operations: impl Iterator<Item = u8>) {
        self.operations.extend(operations);
    }

    /// Takes in a step of a watched execution.
    #[inline]
    pub(crate) fn touch(&mut self, touch: &Touch) {
        let Touch { access, .. } = touch;
        let writes = match (access.kind, touch.change) {
            (Kind::AtomicRmw, Change::Atomic { left: None, .. }) => false,
            (Kind::Write | Kind::AtomicStore | Kind::AtomicRmw | Kind::Free, _) => true,
            (Kind::Read | Kind::AtomicLoad, _) => false,
            _ => return,
        };
        let thread = touch.thread as usize;
        if thread >= self.accesses.len() {
            self.accesses.resize(thread + 1, 0);
        }
        self.accesses[thread] += 1;
        let number = splitmix((thread as u64) << 48 ^ self.accesses[thread]);
        if !self.operations.is_empty() {
            self.note_label(touch);
        }
        let first = access.addr / GRANULE;
        // What is longer than a few words is memory that is moved: its first word stands for it.
        let last = (access.addr + access.size.clamp(1, 32) - 1) / GRANULE;
        for granule in first..=last {
            self.access(granule, touch, number, writes);
        }
        if !self.operations.is_empty() {
            self.live(touch, first..=last);
        }
    }

    /// What the operation with this label does.
    fn operation(&self, label: u32) -> u8 {
        self.operations.get(label as usize).copied().unwrap_or_default()
    }

    /// Notices when a thread begins another operation.
    #[inline]
    fn note_label(&mut self, touch: &Touch) {
        let thread = touch.thread as usize;
        if thread >= self.labels.len() {
            self.labels.resize(thread + 1, (0, 0));
        }
        if self.labels[thread].0 != touch.label {
            self.labels[thread] = (touch.label, touch.step);
        }
    }

    /// Whether the operation in which one thread touched something and the one in which another does now overlap. Where
    /// the operations are known, what one left to the other is no communication of threads that run at the same time:
    /// every schedule has it. The root runs alone.
    fn overlap(&self, one: u32, (step, label): (u64, u32), other: u32) -> bool {
        if self.operations.is_empty() {
            return true;
        }
        let (ones, others) = (self.labels[one as usize], self.labels[other as usize]);
        one > 0 && other > 0 && (ones.0 == label || others.1 < step)
    }

    /// Notices what a step does to the life of blocks.
    fn live(&mut self, touch: &Touch, granules: RangeInclusive<usize>) {
        let Touch { access, thread, label, .. } = *touch;
        match (access.kind, touch.change) {
            (Kind::Free, _) => {
                self.beside(Stage::FreedBeside, touch, |_, _| true);
                self.in_use(Stage::FreedInUse, touch, *granules.start());
            }
            (_, Change::Atomic { found, left: Some(left) }) if found != left && found > 0 => {
                self.in_use(Stage::UnlinkedInUse, touch, found as usize / GRANULE);
                if let Some(place) = self.known(found as usize / GRANULE) {
                    self.places[place].unlinked = 1 + u32::from(self.operation(label));
                }
            }
            _ => {}
        }
        for granule in granules {
            let Some(place) = self.known(granule) else { continue };
            let Place { unlinked, .. } = self.places[place];
            if unlinked > 0 && matches!(access.kind, Kind::Read | Kind::AtomicLoad) {
                self.stage(Stage::ReadUnlinked, self.operation(label), unlinked as u8);
            }
            self.places[place].labels[thread as usize % 4] = label;
        }
    }

    /// Where the place of a granule is that was touched in this execution.
    fn known(&self, granule: usize) -> Option<usize> {
        let at = self.find(granule);
        (self.places[at].execution == self.execution).then_some(at)
    }

    /// This happens to a block of which other threads have touched this granule in operations that go on.
    fn in_use(&mut self, stage: Stage, touch: &Touch, granule: usize) {
        let Some(place) = self.known(granule) else { return };
        let used = self.places[place].labels;
        self.beside(stage, touch, |thread, label| used[thread % 4] == label);
    }

    /// This happens beside other threads' operations, of those for which `counts` says so.
    fn beside(&mut self, stage: Stage, touch: &Touch, counts: impl Fn(usize, u32) -> bool) {
        let mine = self.operation(touch.label);
        for thread in (1..self.labels.len()).filter(|t| *t != touch.thread as usize) {
            let label = self.labels[thread].0;
            if label > 0 && counts(thread, label) {
                self.stage(stage, mine, self.operation(label));
            }
        }
    }

    fn stage(&mut self, stage: Stage, mine: u8, other: u8) {
        let what = (stage as u64) << 16 | u64::from(mine) << 8 | u64::from(other);
        self.feature(splitmix(1 << 63 | what));
    }

    #[inline]
    fn access(&mut self, granule: usize, touch: &Touch, number: u64, writes: bool) {
        let Some(place) = self.place(granule) else { return };
        let (thread, at) = (touch.thread, place_of(touch));
        let place = &mut self.places[place];
        let (mut sum, mut pair): (u64, _) = (0, None);
        if place.writer > 0 && place.writer != thread + 1 {
            sum = pair_of(place.write, number);
            let (from, wrote_in) = (place.writer - 1, place.wrote_in);
            pair = (!writes || place.readers == 0).then_some((place.wrote, from, wrote_in));
        }
        let stale = (writes && place.reader > 0 && place.reader != thread + 1)
            .then(|| (place.read, place.reader - 1, place.read_in));
        let mine = 1 << (thread % 64);
        if !writes {
            place.reads = place.reads.wrapping_add(splitmix(number));
            place.readers |= mine;
            (place.reader, place.read, place.read_in) = (thread + 1, at, (touch.step, touch.label));
        } else {
            if place.readers & !mine != 0 {
                sum = pair_of(place.reads, number).wrapping_add(sum);
            }
            let (step, label) = (touch.step, touch.label);
            (place.writer, place.write, place.wrote) = (thread + 1, number, at);
            place.wrote_in = (step, label);
            (place.reads, place.readers) = (0, 0);
        }
        place.shared |= sum != 0;
        self.sum = self.sum.wrapping_add(sum);
        if let Some((wrote, writer, wrote_in)) = pair
            && self.overlap(writer, wrote_in, thread)
        {
            self.feature(splitmix(wrote ^ splitmix(at)));
        }
        if let Some((read, reader, read_in)) = stale
            && !self.operations.is_empty()
            && self.overlap(reader, read_in, thread)
        {
            self.feature(splitmix(STALE ^ read ^ splitmix(at)));
        }
    }

    /// Whether threads conflicted over this granule in the execution.
    pub(crate) fn is_shared(&self, granule: usize) -> bool {
        if self.places.is_empty() {
            return false;
        }
        let place = &self.places[self.find(granule)];
        place.execution == self.execution && place.shared
    }

    /// Where a granule's place is; `None` if there is no more room.
    #[inline]
    fn place(&mut self, granule: usize) -> Option<usize> {
        let at = self.find(granule);
        if self.places[at].execution == self.execution {
            return Some(at);
        }
        self.used += 1;
        if self.used > MOST / 2 {
            return None;
        }
        self.places[at] = Place { granule, execution: self.execution, ..Place::default() };
        if self.used == self.places.len() / 2 {
            self.grow();
            return Some(self.find(granule));
        }
        Some(at)
    }

    /// Where the place of a granule is, or where it belongs.
    #[inline]
    fn find(&self, granule: usize) -> usize {
        // Their number is a power of two.
        let last = self.places.len() - 1;
        let mut at = splitmix(granule as u64) as usize & last;
        while self.places[at].execution == self.execution && self.places[at].granule != granule {
            at = (at + 1) & last;
        }
        at
    }

    #[cold]
    fn grow(&mut self) {
        let larger = vec![Place::default(); 2 * self.places.len()];
        for place in std::mem::replace(&mut self.places, larger) {
            if place.execution == self.execution {
                let at = self.find(place.granule);
                self.places[at] = place;
            }
        }
    }

    /// A branch of the program was taken.
    pub(crate) fn edge(&mut self, branch: usize) {
        self.feature(splitmix(!(branch as u64)));
    }

    fn feature(&mut self, hash: u64) {
        let feature = hash % FEATURES;
        let (word, bit) = (feature as usize / 64, 1 << (feature % 64));
        if self.seen[word] & bit == 0 {
            self.seen[word] |= bit;
            self.news.push(feature);
        }
    }

    /// A batch begins, and earlier ones have shown these features.
    pub(crate) fn recall(&mut self, features: &[u64]) {
        self.seen.fill(0);
        for feature in features.iter().filter(|f| **f < FEATURES) {
            self.seen[*feature as usize / 64] |= 1 << (feature % 64);
        }
    }

    /// The features that the execution was the first of its batch to show.
    pub(crate) fn news(&self) -> &[u64] {
        &self.news
    }

    /// The number of the execution's interleaving; `None` if it touched too much memory.
    pub(crate) fn interleaving(&self) -> Option<u64> {
        (self.used <= MOST / 2).then_some(self.sum)
    }
}

/// A number for two accesses in this order.
fn pair_of(before: u64, after: u64) -> u64 {
    splitmix(before.wrapping_mul(3) ^ splitmix(after))
}

/// A number for the place of the code that makes an access. Where none is known, as in models, the operation and the
/// address stand for it.
fn place_of(touch: &Touch) -> u64 {
    let Touch { site, label, access: Access { addr, kind, .. }, .. } = touch;
    match site {
        0 => splitmix(u64::from(*label) << 8 | *kind as u64) ^ *addr as u64,
        site => unmoved(*site) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapcheck_machine::Order;

    /// The number of an interleaving of `(thread, kind, address)`.
    fn number_of(steps: &[(u32, Kind, usize)]) -> (u64, usize) {
        let mut coverage = Coverage::default();
        coverage.begin();
        for &(thread, kind, addr) in steps {
            let access = Access { kind, addr, size: 8, order: Order::SeqCst };
            let site = 100 * thread as usize + addr;
            let change = Change::Plain;
            coverage.touch(&Touch { thread, step: 0, label: 0, site, access, change });
        }
        (coverage.interleaving().unwrap(), coverage.news().len())
    }

    use Kind::{AtomicLoad as R, AtomicStore as W};

    #[test]
    fn the_order_of_steps_that_do_not_conflict_makes_no_difference() {
        let one = number_of(&[(1, W, 8), (2, W, 16), (1, R, 16), (2, R, 24), (3, R, 16)]);
        let other = number_of(&[(2, W, 16), (1, W, 8), (3, R, 16), (1, R, 16), (2, R, 24)]);
        assert_eq!(one, other);
    }

    #[test]
    fn the_order_of_steps_that_conflict_makes_one() {
        let orders = [
            number_of(&[(1, W, 8), (2, W, 8), (3, R, 8)]).0,
            number_of(&[(2, W, 8), (1, W, 8), (3, R, 8)]).0,
            number_of(&[(1, W, 8), (3, R, 8), (2, W, 8)]).0,
            number_of(&[(3, R, 8), (1, W, 8), (2, W, 8)]).0,
        ];
        let different: std::collections::BTreeSet<u64> = orders.into_iter().collect();
        assert_eq!(different.len(), orders.len());
    }

    #[test]
    fn random_orders_have_the_same_number_exactly_if_their_conflicts_are_ordered_alike() {
        let mut by_order = std::collections::BTreeMap::new();
        for seed in 0..5000 {
            let (trace, steps) = shuffled(seed);
            let number = number_of(&steps).0;
            assert_eq!(*by_order.entry(trace).or_insert(number), number);
        }
        let numbers: std::collections::BTreeSet<u64> = by_order.values().copied().collect();
        assert!(by_order.len() > 10, "{}", by_order.len());
        assert_eq!(numbers.len(), by_order.len());
    }

    /// An interleaving of a fixed program of two threads, and the order of its conflicting pairs.
    fn shuffled(seed: u64) -> (Vec<bool>, Vec<(u32, Kind, usize)>) {
        let programs = [
            [(0, W, 8), (0, R, 16), (0, W, 24), (0, R, 8)],
            [(1, R, 8), (1, W, 16), (1, R, 24), (1, W, 8)],
        ];
        let (mut next, mut steps, mut when) = ([0, 0], Vec::new(), [[0; 4]; 2]);
        for i in 0..8 {
            let coin = (splitmix(seed) >> i & 1) as usize;
            let thread = if next[coin] < 4 { coin } else { 1 - coin };
            when[thread][next[thread]] = i;
            steps.push(programs[thread][next[thread]]);
            next[thread] += 1;
        }
        let conflicts = |(a, b): (usize, usize)| {
            programs[0][a].2 == programs[1][b].2 && (programs[0][a].1 == W || programs[1][b].1 == W)
        };
        let pairs = (0..4).flat_map(|a| (0..4).map(move |b| (a, b))).filter(|p| conflicts(*p));
        (pairs.map(|(a, b)| when[0][a] < when[1][b]).collect(), steps)
    }

    #[test]
    fn what_operations_that_overlap_leave_to_each_other_is_a_feature_and_nothing_else() {
        let shown = |steps: &[(u32, u32, Kind)]| {
            let mut coverage = Coverage::default();
            coverage.begin();
            coverage.know(0..9);
            for (step, &(thread, label, kind)) in (1..).zip(steps) {
                let access = Access { kind, addr: 8, size: 8, order: Order::SeqCst };
                let site = thread as usize;
                let change = Change::Plain;
                coverage.touch(&Touch { thread, step, label, site, access, change });
            }
            coverage.news().len()
        };
        // Thread 1's operation 1 goes on; thread 2 reads what it wrote, and writes what it read.
        assert_eq!(shown(&[(1, 1, W), (2, 2, R)]), 1);
        assert_eq!(shown(&[(1, 1, R), (2, 2, W)]), 1);
        assert_eq!(shown(&[(1, 1, W), (1, 3, R), (2, 2, W)]), 1, "only what was read by 3");
        // Thread 2's operation began before thread 1 wrote in one that has ended.
        assert_eq!(shown(&[(2, 2, R), (1, 1, W), (1, 3, W), (2, 2, R)]), 2);
        // The setup is over before anything else begins.
        assert_eq!(shown(&[(0, 1, W), (1, 2, R)]), 0);
        assert_eq!(shown(&[(1, 1, R), (1, 3, R), (2, 2, R)]), 0);
    }

    /// How many stages of blocks' lives these steps of operations that are all different show: thread, label, what,
    /// where, and what a write finds.
    fn stages(steps: &[(u32, u32, Kind, usize, u64)]) -> usize {
        let shown = |operations: u8| {
            let mut coverage = Coverage::default();
            coverage.begin();
            coverage.know(0..operations);
            for &(thread, label, kind, addr, found) in steps {
                let access = Access { kind, addr, size: 8, order: Order::SeqCst };
                let change = match found {
                    0 => Change::Plain,
                    found => Change::Atomic { found, left: Some(0) },
                };
                coverage.touch(&Touch { thread, step: 0, label, site: 1, access, change });
            }
            coverage.news().len()
        };
        shown(9) - shown(0)
    }

    #[test]
    fn what_happens_to_a_block_beside_an_operation_that_uses_it_is_a_feature() {
        let read = (1, 1, R, 8, 0);
        // Beside another operation; and of a block which that has read, which is a write after a read as well.
        assert_eq!(stages(&[read, (2, 2, Kind::Free, 64, 0)]), 1);
        assert_eq!(stages(&[read, (2, 2, Kind::Free, 8, 0)]), 3);
        // The operation that read it has ended since.
        assert_eq!(stages(&[read, (1, 3, R, 16, 0), (2, 2, Kind::Free, 8, 0)]), 1);
        // The pointer to it was at 32.
        let unlink = (2, 2, Kind::AtomicRmw, 32, 8);
        assert_eq!(stages(&[read, unlink]), 1);
        assert_eq!(stages(&[read, unlink, (1, 1, R, 8, 0)]), 2);
        assert_eq!(stages(&[unlink, read]), 0, "nobody knew of it");
    }

    #[test]
    fn there_is_room_for_many_granules_and_not_for_any_number() {
        let mut coverage = Coverage::default();
        let mut number_with = |granules: usize| {
            coverage.begin();
            for addr in (0..granules).chain(0..granules).map(|i| 8 * i) {
                let access = Access { kind: W, addr, size: 8, order: Order::SeqCst };
                let change = Change::Plain;
                let thread = coverage.used.min(granules / 2) as u32 % 2;
                coverage.touch(&Touch { thread, step: 0, label: 0, site: 1, access, change });
            }
            coverage.interleaving()
        };
        let first = number_with(20_000);
        assert!(first.is_some());
        assert_eq!(number_with(100_000), None);
        assert_eq!(number_with(20_000), first);
    }

    #[test]
    fn what_another_thread_wrote_and_is_read_is_news_once() {
        assert_eq!(number_of(&[(1, W, 8), (2, R, 8), (2, R, 8), (1, R, 8)]).1, 1);
        assert_eq!(number_of(&[(1, W, 8), (1, R, 8)]).1, 0);
        let mut coverage = Coverage::default();
        coverage.begin();
        coverage.edge(7);
        let news = coverage.news().to_vec();
        assert_eq!(news.len(), 1);
        coverage.begin();
        coverage.edge(7);
        assert!(coverage.news().is_empty());
        let mut later = Coverage::default();
        later.recall(&news);
        later.begin();
        later.edge(7);
        assert!(later.news().is_empty());
    }
}
