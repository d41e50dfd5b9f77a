//! The oracle against a reference that remembers all: for each byte and each thread the last access of each kind,
//! and a full vector clock for whatever synchronises.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::scheduler::splitmix;

const SEQUENCES: u64 = 60_000;
const MAX: usize = 4;
type Vector = [u32; MAX];

fn join(to: &mut Vector, from: &Vector) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = (*to).max(*from));
}

/// Blocks that come and go, one across the border of two pages; the first is a global that is always there.
const BLOCKS: [(usize, usize); 4] =
    [(0x1_0000, 64), (0x2_0f70, 320), (0x3_0000, 24), (0x3_0040, 150)];
/// The atomic words of each block, by offset, and their size.
const WORDS: [(usize, usize); 6] = [(0, 8), (8, 4), (12, 4), (16, 1), (18, 2), (32, 16)];

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Plain {
        kind: Kind,
        addr: usize,
        size: usize,
    },
    /// Whether it writes: a compare-exchange may not.
    Atomic {
        kind: Kind,
        word: (usize, usize),
        order: Order,
        writes: bool,
    },
    Fence(Order),
    Alloc(usize),
    Free(usize),
    Edge(Edge),
}

/// A byte's last accesses, by thread.
#[derive(Clone, Copy, Default)]
struct Byte {
    allocated: Vector,
    reads: Vector,
    writes: Vector,
    loads: Vector,
    stores: Vector,
}

#[derive(Clone, Copy, Default)]
struct Each {
    now: Vector,
    met: Vector,
    fenced: Vector,
}

/// Every event has a clock of its own.
#[derive(Default)]
struct Reference {
    threads: [Each; MAX],
    bytes: BTreeMap<usize, Byte>,
    released: BTreeMap<(usize, usize), Vector>,
    /// Words on which there were calls.
    futexes: BTreeSet<(usize, usize)>,
    /// Words and the threads that have accessed them.
    met: BTreeSet<((usize, usize), usize)>,
}

impl Reference {
    fn races(&self, thread: usize, step: &Step) -> bool {
        let now = self.before(thread, step);
        let after = |earlier: &Vector| (0..MAX).any(|t| t != thread && earlier[t] > now[t]);
        let clash = |addr: usize, size: usize, clash: &dyn Fn(&Byte) -> bool| {
            self.bytes.range(addr..addr + size).any(|(_, byte)| clash(byte))
        };
        let written = |b: &Byte| after(&b.allocated) || after(&b.writes);
        match *step {
            Step::Plain { kind: Kind::Read, addr, size } => {
                clash(addr, size, &|b| written(b) || after(&b.stores))
            }
            Step::Plain { addr, size, .. } => clash(addr, size, &|b| {
                written(b) || after(&b.reads) || after(&b.loads) || after(&b.stores)
            }),
            Step::Atomic { word: (addr, size), writes, .. } => {
                clash(addr, size, &|b| written(b) || writes && after(&b.reads))
            }
            Step::Free(block) => clash(BLOCKS[block].0, BLOCKS[block].1, &|b| {
                after(&b.writes) || after(&b.reads) || after(&b.loads) || after(&b.stores)
            }),
            Step::Fence(_) | Step::Alloc(_) | Step::Edge(_) => false,
        }
    }

    /// What comes before a step: what it acquires does.
    fn before(&self, thread: usize, step: &Step) -> Vector {
        let Each { mut now, met, .. } = self.threads[thread];
        if let Step::Atomic { kind, word, order, .. } = *step
            && kind != Kind::AtomicStore
            && acquires(order)
        {
            join(&mut now, self.released.get(&word).unwrap_or(&Vector::default()));
            if FULL_BARRIER && kind == Kind::AtomicRmw && order == Order::SeqCst {
                join(&mut now, &met);
            }
        }
        now
    }

    fn take(&mut self, thread: usize, step: &Step) {
        self.threads[thread].now[thread] += 1;
        let clock = self.threads[thread].now[thread];
        match *step {
            Step::Plain { kind, addr, size } => {
                self.mark(addr, size, |b| match kind {
                    Kind::Read => b.reads[thread] = clock,
                    _ => b.writes[thread] = clock,
                });
                if kind == Kind::Write {
                    let apart = |w: &(usize, usize)| w.0 + w.1 <= addr || addr + size <= w.0;
                    self.released.retain(|word, _| apart(word));
                }
            }
            Step::Atomic { kind, word, order, writes } => {
                self.mark(word.0, word.1, |b| match writes {
                    true => b.stores[thread] = clock,
                    false => b.loads[thread] = clock,
                });
                self.synchronise(thread, kind, word, order, writes);
            }
            Step::Fence(order) => self.fence(thread, order),
            Step::Alloc(block) => {
                let (addr, size) = BLOCKS[block];
                self.released.retain(|word, _| !(addr..addr + size).contains(&word.0));
                self.mark(addr, size, |b| {
                    *b = Byte::default();
                    b.allocated[thread] = clock;
                });
            }
            Step::Free(_) => {}
            Step::Edge(edge) => self.edge(edge),
        }
    }

    fn mark(&mut self, addr: usize, size: usize, mut f: impl FnMut(&mut Byte)) {
        (addr..addr + size).for_each(|at| f(self.bytes.entry(at).or_default()));
    }

    fn synchronise(
        &mut self,
        thread: usize,
        kind: Kind,
        word: (usize, usize),
        order: Order,
        writes: bool,
    ) {
        if FULL_BARRIER && kind == Kind::AtomicRmw && order == Order::SeqCst {
            self.fence(thread, order);
        }
        self.met.insert((word, thread));
        let released = self.released.entry(word).or_default();
        let t = &mut self.threads[thread];
        if kind != Kind::AtomicStore {
            join(if acquires(order) { &mut t.now } else { &mut t.met }, released);
        }
        let out = if releases(order) { t.now } else { t.fenced };
        match (writes, kind) {
            (true, Kind::AtomicStore) => *released = out,
            (true, _) => join(released, &out),
            (false, _) => {}
        }
    }

    fn fence(&mut self, thread: usize, order: Order) {
        let t = &mut self.threads[thread];
        if acquires(order) {
            join(&mut t.now, &t.met);
        }
        if releases(order) {
            t.fenced = t.now;
        }
    }

    fn edge(&mut self, edge: Edge) {
        match edge {
            Edge::Start { parent: from, child: to } | Edge::Join { thread: to, ended: from } => {
                let before = self.threads[from as usize].now;
                join(&mut self.threads[to as usize].now, &before);
            }
            Edge::Futex { thread, addr } => {
                let thread = thread as usize;
                self.futexes.insert((addr, FUTEX));
                let mut stands_for = vec![(addr, FUTEX)];
                let met = |word: &&(usize, usize)| self.met.contains(&(**word, thread));
                stands_for.extend(self.futexes.iter().filter(met));
                for word in &stands_for {
                    let released = self.released.get(word).copied().unwrap_or_default();
                    join(&mut self.threads[thread].now, &released);
                }
                for word in stands_for {
                    self.released.insert(word, self.threads[thread].now);
                }
            }
            Edge::Barrier => (0..MAX).for_each(|t| self.fence(t, Order::SeqCst)),
        }
    }
}

/// Draws what happens next from a seed.
struct Draw {
    seed: u64,
    started: Vec<usize>,
    next: usize,
    live: [bool; BLOCKS.len()],
}

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.seed = splitmix(self.seed);
        (self.seed >> 20) as usize % n
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn thread(&mut self) -> usize {
        let started = self.started.clone();
        self.of(&started)
    }

    fn block(&mut self) -> usize {
        let live: Vec<usize> = (0..BLOCKS.len()).filter(|&b| self.live[b]).collect();
        self.of(&live)
    }

    fn order(&mut self) -> Order {
        self.of(&[Order::Relaxed, Order::Acquire, Order::Release, Order::AcqRel, Order::SeqCst])
    }

    fn step(&mut self, thread: usize) -> Step {
        match self.below(16) {
            0..6 => self.plain(),
            6..12 => self.atomic(),
            12 => Step::Fence(self.order()),
            13 => self.edge(thread as u32),
            _ => self.memory(),
        }
    }

    fn plain(&mut self) -> Step {
        let (start, length) = BLOCKS[self.block()];
        let short = self.below(4) > 0;
        let size = if short { self.of(&[1, 2, 4, 4, 8, 8, 8, 16]) } else { self.below(210) + 1 };
        let size = size.min(length);
        // Most accesses are to the first words, so that they meet.
        let room = if self.below(3) > 0 { 40.min(length - size) } else { length - size };
        let offset = self.below(room + 1);
        let aligned = if self.below(8) > 0 && size < 16 { offset / size * size } else { offset };
        let kind = self.of(&[Kind::Read, Kind::Write]);
        Step::Plain { kind, addr: start + aligned, size }
    }

    fn atomic(&mut self) -> Step {
        let (start, length) = BLOCKS[self.block()];
        let (offset, size) = loop {
            let word = self.of(&WORDS);
            if word.0 + word.1 <= length {
                break word;
            }
        };
        let kind = self.of(&[Kind::AtomicLoad, Kind::AtomicStore, Kind::AtomicRmw]);
        let writes = kind == Kind::AtomicStore || kind == Kind::AtomicRmw && self.below(3) > 0;
        Step::Atomic { kind, word: (start + offset, size), order: self.order(), writes }
    }

    fn edge(&mut self, thread: u32) -> Step {
        match self.below(6) {
            0 => Step::Edge(Edge::Barrier),
            1 | 2 if self.started.len() > 1 => {
                let ended = self.thread() as u32;
                Step::Edge(Edge::Join { thread, ended })
            }
            3 | 4 if self.next < MAX => {
                Step::Edge(Edge::Start { parent: thread, child: self.next as u32 })
            }
            _ => Step::Edge(Edge::Futex { thread, addr: self.of(&[0x1_0000, 0x1_0008]) }),
        }
    }

    fn memory(&mut self) -> Step {
        match self.below(BLOCKS.len() - 1) + 1 {
            block if self.live[block] => Step::Free(block),
            block => Step::Alloc(block),
        }
    }

    fn took(&mut self, step: &Step) {
        match *step {
            Step::Alloc(block) => self.live[block] = true,
            Step::Free(block) => self.live[block] = false,
            Step::Edge(Edge::Start { child, .. }) => {
                self.started.push(child as usize);
                self.next += 1;
            }
            Step::Edge(Edge::Join { ended, .. }) => self.started.retain(|&t| t != ended as usize),
            _ => {}
        }
    }
}

/// Memory, as far as its atomic words go: each write leaves what was never there.
#[derive(Default)]
struct Memory(BTreeMap<(usize, usize), u64>, u64);

impl Memory {
    fn touch(&mut self, step: &Step) -> (Access, Change) {
        self.1 += 1;
        let order = Order::Relaxed;
        match *step {
            Step::Plain { kind, addr, size } => {
                let overlap = |w: &(usize, usize)| w.0 < addr + size && addr < w.0 + w.1;
                let unlike = self.1;
                if kind == Kind::Write {
                    self.0.iter_mut().filter(|w| overlap(w.0)).for_each(|w| *w.1 = unlike);
                }
                (Access { kind, addr, size, order }, Change::Plain)
            }
            Step::Atomic { kind, word: (addr, size), order, writes } => {
                let value = self.0.entry((addr, size)).or_default();
                let found = *value;
                let left = writes.then_some(self.1);
                *value = left.unwrap_or(found);
                (Access { kind, addr, size, order }, Change::Atomic { found, left })
            }
            Step::Fence(order) => {
                (Access { kind: Kind::Fence, order, ..Access::NONE }, Change::Plain)
            }
            Step::Alloc(block) => (Self::block(Kind::Alloc, block), Change::Plain),
            Step::Free(block) => (Self::block(Kind::Free, block), Change::Plain),
            Step::Edge(_) => unreachable!("it touches no memory"),
        }
    }

    fn block(kind: Kind, block: usize) -> Access {
        Access { kind, addr: BLOCKS[block].0, size: BLOCKS[block].1, order: Order::Relaxed }
    }
}

/// Whether there is a race in a random sequence, on which the two agree, step by step. In a careful sequence most steps
/// that race are left out, so that the race is late or there is none.
fn agree(races: &mut Races, seed: u64) -> bool {
    races.begin();
    let (mut reference, mut memory) = (Reference::default(), Memory::default());
    let live = [true, false, false, false];
    let mut draw = Draw { seed: splitmix(seed), started: vec![0], next: 1, live };
    let (steps, careless) = (draw.below(90) + 10, draw.of(&[1, 1, 3, 30, 1000]));
    let mut taken: Vec<(usize, Step)> = Vec::new();
    for _ in 0..steps {
        let thread = draw.thread();
        let step = draw.step(thread);
        let itself = matches!(step, Step::Edge(Edge::Join { ended, .. }) if ended == thread as u32);
        let race = reference.races(thread, &step);
        if itself || race && draw.below(careless) > 0 {
            continue;
        }
        taken.push((thread, step));
        draw.took(&step);
        reference.take(thread, &step);
        if told(races, thread, &step, &mut memory) != race {
            let taken: Vec<String> = taken.iter().map(|step| format!("{step:x?}")).collect();
            panic!("seed {seed}: the last is a race: {race}\n{}", taken.join("\n"));
        }
        if race {
            return true;
        }
    }
    false
}

fn told(races: &mut Races, thread: usize, step: &Step, memory: &mut Memory) -> bool {
    if let Step::Edge(edge) = step {
        races.order(edge);
        return false;
    }
    let (access, change) = memory.touch(step);
    let touch =
        Touch { thread: thread as u32, step: memory.1, label: 0, site: 0x40_0000, access, change };
    races.touch(&touch).is_some()
}

#[test]
fn the_oracle_and_a_reference_that_remembers_everything_see_the_same_first_race() {
    let mut races = Races::accepting(Vec::new());
    let racy = (0..SEQUENCES).filter(|&seed| agree(&mut races, seed)).count() as u64;
    let share = racy * 100 / SEQUENCES;
    assert!((25..=75).contains(&share), "{racy} of {SEQUENCES} have a race");
}
