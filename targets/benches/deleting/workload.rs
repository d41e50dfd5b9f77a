//! The work: some threads read, some insert and update, some delete, all at the same time.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use peak_alloc::PeakAlloc;

use crate::judge::{self, Broken, Judge};
use crate::maps::{Subject, Value};
use crate::size::{Draw, Fate, ROUNDS, Size, shuffled};
use crate::ways::{self, Watch, Way};

/// One read in so many is timed: asking for the time twice costs about as much as a read.
const TIMED: u64 = 8;
/// One in so many of a writer's operations is an insertion, until it has inserted all that it has to; the others
/// update.
const INSERTS: u64 = 4;
/// How often each thread lets go of what it retired: what is retired in one epoch is freed some epochs later.
const SETTLING: u32 = 8;

/// What one measurement showed.
pub struct Outcome {
    /// From the start until the last element was deleted, and swept.
    pub deleting: Duration,
    /// From the start until all threads had stopped.
    pub all: Duration,
    pub operations: u64,
    pub sweeping: Duration,
    pub deletes: Histogram<u64>,
    pub gets: Histogram<u64>,
    pub memory: Memory,
    pub iterations: u64,
    pub broken: Broken,
}

/// Bytes more than before the threads started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    pub peak: i64,
    /// When all threads have done their work and hold no guard.
    pub at_the_end: i64,
    /// When each has let go of what it retired.
    pub settled: i64,
    /// When the map has given back what it does not need, if it can.
    pub shrunk: Option<i64>,
}

/// What a thread brings home.
struct Done {
    at: Instant,
    operations: u64,
    reads: Option<Watch>,
    deletes: Option<Watch>,
    sweeps: Option<Watch>,
    sweeping: Duration,
    /// Kept whole, so that its memory is not taken for memory that the map gave back.
    judge: Option<Judge>,
    broken: Broken,
}

/// A map with the elements that it has at the start.
fn filled<M: Subject>(size: Size) -> M {
    let map = M::new();
    let keys = shuffled((0..size.keys).chain(size.gone()));
    keys.iter().for_each(|&key| map.insert(key));
    size.gone().for_each(|key| assert!(map.remove(key), "{key} was just inserted"));
    settle(&map);
    map
}

fn settle<M: Subject>(map: &M) {
    (0..SETTLING).for_each(|_| map.settle());
}

/// Bytes that a new map takes for the elements that are left in the end, less those of a map at the start.
pub fn fresh_map<M: Subject>(size: Size) -> i64 {
    let before = PeakAlloc.current_usage() as i64;
    let start = filled::<M>(size);
    let at_start = PeakAlloc.current_usage() as i64 - before;
    drop(start);
    let stable = (0..size.keys).filter(|&key| size.fate(key) == Fate::Stable);
    let keys = shuffled(stable.chain(size.all_fresh()));
    let before = PeakAlloc.current_usage() as i64;
    let map = M::new();
    keys.iter().for_each(|&key| map.insert(key));
    settle(&map);
    PeakAlloc.current_usage() as i64 - before - at_start
}

/// The threads at work on one map.
struct Work<'m, M> {
    map: &'m M,
    way: Way,
    size: Size,
    /// Deleters that are not done: as long as there are any, all go on.
    busy: AtomicU64,
    /// Where everybody waits: until all are ready, until the memory was looked at, and the same at the end.
    everybody: Barrier,
    /// Where deleters wait for each other.
    deleters: Barrier,
}

/// Deletes in this way from a map at work.
pub fn measure<M: Subject>(way: Way, size: Size) -> Outcome {
    let map = filled::<M>(size);
    // A first look at every element, which brings those into the caches that fit.
    map.for_each(|key, value| assert!(value.is_of(key)));
    let work = Work {
        map: &map,
        way,
        size,
        busy: AtomicU64::new(size.deleters),
        everybody: Barrier::new(size.threads() as usize + 1),
        deleters: Barrier::new(size.deleters as usize),
    };
    let (start, done, memory) = work.run();
    let mut outcome = Outcome::new(start, &done, memory);
    outcome.operations += size.doomed();
    outcome.broken.add(&judge::left(&map, size));
    outcome
}

impl Outcome {
    fn new(start: Instant, done: &[Done], memory: Memory) -> Outcome {
        let until = |done: &Done| done.at - start;
        let deleters = done.iter().filter(|done| done.deletes.is_some());
        let mut broken = Broken::default();
        done.iter().for_each(|done| done.add_to(&mut broken));
        Outcome {
            deleting: deleters.map(until).max().unwrap_or_default(),
            all: done.iter().map(until).max().unwrap_or_default(),
            operations: done.iter().map(|done| done.operations).sum(),
            sweeping: done.iter().map(|done| done.sweeping).sum(),
            deletes: merged(done.iter().filter_map(|done| done.deletes.as_ref())),
            gets: merged(done.iter().filter_map(|done| done.reads.as_ref())),
            memory,
            iterations: done.iter().filter_map(|done| Some(done.judge.as_ref()?.iterations)).sum(),
            broken,
        }
    }
}

fn merged<'w>(watches: impl Iterator<Item = &'w Watch>) -> Histogram<u64> {
    let mut all = Watch::new().latencies;
    watches.for_each(|watch| all.add(&watch.latencies).expect("all have the same bounds"));
    all
}

impl Done {
    fn new() -> Done {
        Done {
            at: Instant::now(),
            operations: 0,
            reads: None,
            deletes: None,
            sweeps: None,
            sweeping: Duration::ZERO,
            judge: None,
            broken: Broken::default(),
        }
    }

    fn add_to(&self, broken: &mut Broken) {
        broken.add(&self.broken);
        self.judge.iter().for_each(|judge| broken.add(&judge.broken));
        broken.refused +=
            self.deletes.iter().chain(&self.sweeps).map(|watch| watch.refused).sum::<u64>();
    }
}

impl<M: Subject> Work<'_, M> {
    /// Runs all threads, and looks at the clock and the memory.
    fn run(&self) -> (Instant, Vec<Done>, Memory) {
        std::thread::scope(|scope| {
            let Size { readers, writers, deleters, .. } = self.size;
            let readers = (0..readers).map(|i| scope.spawn(move || self.read(i)));
            let mut threads: Vec<_> = readers.collect();
            threads.extend((0..writers).map(|i| scope.spawn(move || self.write(i))));
            threads.extend((0..deleters).map(|i| scope.spawn(move || self.delete(i))));
            self.everybody.wait();
            let bytes = PeakAlloc.current_usage() as i64;
            PeakAlloc.reset_peak_usage();
            let start = Instant::now();
            self.everybody.wait();
            // Now they work.
            self.everybody.wait();
            let more = |now: usize| now as i64 - bytes;
            let peak = more(PeakAlloc.peak_usage());
            let at_the_end = more(PeakAlloc.current_usage());
            self.everybody.wait();
            let done = threads.into_iter().map(|thread| thread.join().expect("it does not panic"));
            let done: Vec<Done> = done.collect();
            settle(self.map);
            let settled = more(PeakAlloc.current_usage());
            let shrunk = self.map.shrink().then(|| more(PeakAlloc.current_usage()));
            (start, done, Memory { peak, at_the_end, settled, shrunk })
        })
    }

    /// What each thread does around its work.
    fn thread<T>(
        &self,
        mut done: Done,
        work: impl FnOnce(&mut Done) -> T,
        afterwards: impl FnOnce(T),
    ) -> Done {
        self.everybody.wait();
        self.everybody.wait();
        let left = work(&mut done);
        done.at = Instant::now();
        afterwards(left);
        self.everybody.wait();
        self.everybody.wait();
        settle(self.map);
        done
    }

    fn is_over(&self) -> bool {
        self.busy.load(SeqCst) == 0
    }

    /// Reads until all others are done.
    fn read(&self, number: u64) -> Done {
        let done = Done { reads: Some(Watch::new()), ..Done::new() };
        let work = |done: &mut Done| {
            let mut draw = Draw::new(number);
            while !self.is_over() {
                let key = draw.below(self.size.keys);
                let timed = done.operations.is_multiple_of(TIMED);
                let watch = done.reads.as_mut().filter(|_| timed);
                let get = || self.map.get(key, |value| (value.is_of(key), value.is_marked()));
                let found = watch.map_or_else(get, |watch| watch.time(get));
                self.judge_read(key, found, &mut done.broken);
                done.operations += 1;
            }
        };
        self.thread(done, work, drop)
    }

    /// What a read found: whether the value is the key's, and whether it is marked.
    fn judge_read(&self, key: u64, found: Option<(bool, bool)>, broken: &mut Broken) {
        let stays = self.size.fate(key) == Fate::Stable;
        broken.lost += u64::from(stays && found.is_none_or(|(_, marked)| marked));
        broken.foreign += u64::from(found.is_some_and(|(own, _)| !own));
    }

    /// Inserts its keys and updates between, until all deleters are done. What it has not inserted by then it inserts
    /// afterwards, without a clock: in some locks a writer hardly gets through, and the map is to end up the same.
    fn write(&self, number: u64) -> Done {
        let work = |done: &mut Done| {
            let mut fresh = self.size.fresh(number);
            let mut draw = Draw::new(1000 + number);
            while !self.is_over() {
                done.operations += 1;
                let next =
                    if done.operations.is_multiple_of(INSERTS) { fresh.next() } else { None };
                match next {
                    Some(key) => self.map.insert(key),
                    None => drop(self.map.get(draw.below(self.size.keys), Value::update)),
                }
            }
            fresh
        };
        self.thread(Done::new(), work, |fresh| fresh.for_each(|key| self.map.insert(key)))
    }

    /// Deletes its share, round by round.
    fn delete(&self, number: u64) -> Done {
        let judge = Some(Judge::new(self.size));
        let (deletes, sweeps) = (Some(Watch::new()), Some(Watch::new()));
        let done = Done { deletes, sweeps, judge, ..Done::new() };
        let work = |done: &mut Done| {
            for round in 0..ROUNDS {
                self.delete_round(number, round, done);
                self.deleters.wait();
                if self.way == Way::Mark {
                    self.sweep_round(number, round, done);
                    self.deleters.wait();
                }
            }
            self.busy.fetch_sub(1, SeqCst);
        };
        self.thread(done, work, drop)
    }

    fn delete_round(&self, number: u64, round: u64, done: &mut Done) {
        let Done { judge: Some(judge), deletes: Some(watch), .. } = done else { return };
        let share = Fate::Doomed { deleter: number, round };
        judge.begin(round);
        let doomed = |key, value: &Value| {
            judge.visit(key, value);
            self.size.fate(key) == share
        };
        self.way.delete(self.map, doomed, watch);
        judge.end();
    }

    /// One sweeps for all.
    fn sweep_round(&self, number: u64, round: u64, done: &mut Done) {
        let Done { judge: Some(judge), sweeps: Some(watch), .. } = done else { return };
        if number != 0 {
            return;
        }
        let start = Instant::now();
        judge.begin(round);
        ways::sweep(self.map, |key, value| judge.visit(key, value), watch);
        judge.end();
        done.sweeping += start.elapsed();
    }
}
