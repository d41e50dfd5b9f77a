//! Go's Swiss map beside a reference that says what ranges promise, and what each mutant breaks of it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use mapcheck::model::{Access, Engine, Layout, Ptr};
use mapcheck::mutant::{Mutant, switch_for_test};
use mapcheck::oracle::Class::{
    self, DuplicateElement, GhostElement, MissedElement, NotLinearizable,
};
use mapcheck_targets::go::runtime::{Cycle, Frame, Runtime};
use mapcheck_targets::go::swiss::{Range, SwissMap, mutants};
use mapcheck_targets::go::{Kind, LanguageMap};

/// Trials of the map itself, for each kind.
const TRIALS: u64 = 1_000;
/// Trials within which every mutant that is not equivalent is to be seen.
const PATIENCE: u64 = 1_000;

thread_local! {
    static RANDOM: Cell<u64> = const { Cell::new(0) };
}

/// Numbers from a seed.
fn random() -> u64 {
    let state = RANDOM.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    RANDOM.set(state);
    let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

fn below(bound: u64) -> u64 {
    random() % bound
}

/// One thread and no machine, but randomness: seeds and starts of ranges differ from trial to trial.
enum Alone {}

impl Engine for Alone {
    type Word = AtomicU64;
    type Lock = Mutex<()>;
    const SWITCHES_IN_WORD: bool = false;

    fn access(_: Access) {}

    fn point() {}

    fn thread() -> u64 {
        0
    }

    fn random() -> u64 {
        random()
    }
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Put(u64),
    Delete(u64),
    Get(u64),
    Clear,
    /// So many steps of a collection.
    Collect(u64),
    /// Begins a range; at most three are open.
    Begin,
    /// A step of one of the open ranges.
    Next(u64),
    /// Abandons one of them.
    Abandon(u64),
}

/// A trial: what is done to which map.
#[derive(Clone, Debug)]
struct Trial {
    seed: u64,
    pointers: bool,
    max_table_slots: usize,
    ops: Vec<Op>,
}

impl Trial {
    fn new(seed: u64, pointers: bool) -> Trial {
        RANDOM.set(seed);
        let keys = [4, 9, 14, 20, 40, 80][below(6) as usize];
        let max_table_slots = [16, 16, 32][below(3) as usize];
        let weights = [
            [40, 5, 5, 0, 10, 4, 20, 1],
            [20, 20, 5, 0, 10, 4, 20, 1],
            [60, 2, 2, 2, 5, 3, 20, 0],
            [40, 1, 1, 1, 0, 2, 60, 0],
        ][below(4) as usize];
        let setup = (0..below(2 * keys)).map(|_| Op::Put(below(keys)));
        let mut ops: Vec<Op> = setup.collect();
        ops.extend((0..50 + below(250)).map(|_| op(&weights, keys)));
        Trial { seed, pointers, max_table_slots, ops }
    }

    /// Runs it, and tells what was broken.
    fn run(&self) -> Result<(), Class> {
        RANDOM.set(self.seed);
        let ran = catch_unwind(AssertUnwindSafe(|| Check::new(self).run(&self.ops)));
        ran.unwrap_or_else(|payload| {
            let message = payload.downcast::<String>().map_or(String::new(), |message| *message);
            let class = message.split_once(':').and_then(|(class, _)| class.parse().ok());
            Err(class.unwrap_or(Class::Panic))
        })
    }

    /// Leaves out what is not needed to break the same promise.
    fn shrink(mut self) -> Trial {
        let broken = self.run();
        let mut size = self.ops.len();
        while size > 0 {
            for start in (0..self.ops.len()).rev() {
                let mut smaller = self.clone();
                smaller.ops.drain(start..self.ops.len().min(start + size));
                if smaller.run() == broken {
                    self = smaller;
                }
            }
            size /= 2;
        }
        self
    }
}

fn op(weights: &[u64; 8], keys: u64) -> Op {
    let mut drawn = below(weights.iter().sum());
    let chosen = weights.iter().position(|&weight| {
        let here = drawn < weight;
        drawn = drawn.saturating_sub(weight);
        here
    });
    match chosen {
        Some(0) => Op::Put(below(keys)),
        Some(1) => Op::Delete(below(keys)),
        Some(2) => Op::Get(below(keys)),
        Some(3) => Op::Clear,
        Some(4) => Op::Collect(1 + below(40)),
        Some(5) => Op::Begin,
        Some(6) => Op::Next(random()),
        _ => Op::Abandon(random()),
    }
}

/// What the reference knows of an element. Put again after a delete, it is another incarnation.
#[derive(Clone, Copy)]
struct Live {
    incarnation: u64,
    value: u64,
}

/// An open range.
struct Open<'r> {
    frame: Frame<'r, Alone>,
    range: Range,
    /// Incarnations that were there all the time.
    must: BTreeSet<u64>,
    visited: BTreeSet<u64>,
    /// The elem it told last, and what it was then: the loop's variable, to be read until the next step.
    last: Option<(u64, u64)>,
}

/// What goes on beside the operations.
struct Running<'r> {
    runtime: &'r Runtime<Alone>,
    open: Vec<Open<'r>>,
    cycle: Option<Cycle<'r, Alone>>,
}

impl<'r> Running<'r> {
    /// Goes on with a collection, or begins one. Operations come between its steps.
    fn collect(&mut self, steps: u64) {
        let cycle = self.cycle.get_or_insert_with(|| self.runtime.begin_cycle());
        if !(0..steps).all(|_| cycle.step()) {
            self.cycle = None;
        }
    }
}

/// The map and its reference.
struct Check {
    runtime: Arc<Runtime<Alone>>,
    map: SwissMap<Alone>,
    pointers: bool,
    live: BTreeMap<u64, Live>,
    count: u64,
}

impl Check {
    fn new(trial: &Trial) -> Check {
        let (runtime, pointers) = (Arc::new(Runtime::new()), trial.pointers);
        let kind = Kind { pointers };
        let map = SwissMap::with_max_table_slots(runtime.clone(), kind, trial.max_table_slots);
        Check { runtime, map, pointers, live: BTreeMap::new(), count: 0 }
    }

    fn run(mut self, ops: &[Op]) -> Result<(), Class> {
        let runtime = self.runtime.clone();
        let mut running = Running { runtime: &runtime, open: Vec::new(), cycle: None };
        for &op in ops {
            self.apply(&mut running, op)?;
            if self.map.len() != self.live.len() {
                return Err(NotLinearizable);
            }
        }
        while !running.open.is_empty() {
            self.next(&mut running.open, 0)?;
        }
        let keys: Vec<u64> = self.live.keys().copied().collect();
        keys.into_iter().try_for_each(|key| self.get(key))
    }

    fn apply(&mut self, running: &mut Running<'_>, op: Op) -> Result<(), Class> {
        let Running { runtime, open, .. } = running;
        match op {
            Op::Put(key) => self.put(key),
            Op::Get(key) => return self.get(key),
            Op::Delete(key) => {
                self.map.delete(&self.runtime.frame(), key).unwrap();
                self.live.remove(&key).iter().for_each(|dead| forget(open, dead));
            }
            Op::Clear => {
                self.map.clear(&self.runtime.frame()).unwrap();
                std::mem::take(&mut self.live).values().for_each(|dead| forget(open, dead));
            }
            Op::Collect(steps) => running.collect(steps),
            Op::Begin if open.len() < 3 => open.push(self.begin(runtime)),
            Op::Next(choice) if !open.is_empty() => {
                let chosen = choice as usize % open.len();
                return self.next(open, chosen);
            }
            Op::Abandon(choice) if !open.is_empty() => {
                open.swap_remove(choice as usize % open.len());
            }
            _ => {}
        }
        Ok(())
    }

    /// The word of a key or an elem.
    fn word(&self, frame: &Frame<'_, Alone>, id: u64) -> u64 {
        if !self.pointers {
            return id;
        }
        let object = frame.allocate(Layout { cells: 2, ..Layout::default() });
        self.runtime.heap().write(object, id);
        self.runtime.heap().write(object.at(1), !id);
        object.to_word()
    }

    /// The id that a word stands for.
    fn id(&self, word: u64) -> u64 {
        if self.pointers { self.runtime.heap().read(Ptr::from_word(word)) } else { word }
    }

    fn put(&mut self, key: u64) {
        let frame = self.runtime.frame();
        self.count += 1;
        let value = self.count;
        self.map.assign(&frame, self.word(&frame, key), self.word(&frame, value)).unwrap();
        self.live.entry(key).or_insert(Live { incarnation: value, value }).value = value;
    }

    fn get(&self, key: u64) -> Result<(), Class> {
        let frame = self.runtime.frame();
        let found = self.map.lookup(&frame, key).unwrap().map(|word| self.id(word));
        let right = found == self.live.get(&key).map(|live| live.value);
        if right { Ok(()) } else { Err(NotLinearizable) }
    }

    fn begin<'r>(&self, runtime: &'r Runtime<Alone>) -> Open<'r> {
        let frame = runtime.frame();
        let range = self.map.range(&frame);
        let must = self.live.values().map(|live| live.incarnation).collect();
        Open { frame, range, must, visited: BTreeSet::new(), last: None }
    }

    fn next(&self, open: &mut Vec<Open<'_>>, chosen: usize) -> Result<(), Class> {
        let Open { frame, range, must, visited, last } = &mut open[chosen];
        assert!(last.is_none_or(|(elem, id)| self.id(elem) == id));
        let Some((key, elem)) = self.map.next(frame, range).unwrap() else {
            let all = must.is_subset(visited);
            open.swap_remove(chosen);
            return if all { Ok(()) } else { Err(MissedElement) };
        };
        let live = self.live.get(&self.id(key)).filter(|live| live.value == self.id(elem));
        let Some(live) = live else { return Err(GhostElement) };
        *last = Some((elem, live.value));
        if visited.insert(live.incarnation) { Ok(()) } else { Err(DuplicateElement) }
    }
}

fn forget(open: &mut [Open<'_>], dead: &Live) {
    open.iter_mut().for_each(|open| {
        open.must.remove(&dead.incarnation);
    });
}

/// The first trial that breaks a promise.
fn first_broken(trials: u64) -> Option<(u64, Trial, Class)> {
    (0..trials).find_map(|seed| {
        let trial = Trial::new(seed, seed % 2 == 1);
        trial.run().err().map(|class| (seed, trial, class))
    })
}

fn check_mutant(mutant: &'static Mutant) {
    switch_for_test(Some(mutant));
    match first_broken(PATIENCE) {
        Some((seed, trial, class)) => {
            let shrunk = trial.shrink();
            println!("{}: {class} in trial {seed}: {shrunk:?}", mutant.name);
            assert!(mutant.classes.contains(&class), "{}: {class}", mutant.name);
        }
        None => assert!(mutant.equivalent(), "{} was not seen", mutant.name),
    }
}

/// One test, since a mutant is on for the whole process.
#[test]
fn the_map_keeps_every_promise_and_each_mutant_breaks_one_of_its_classes() {
    switch_for_test(None);
    let broken = first_broken(2 * TRIALS).map(|(_, trial, class)| (class, trial.shrink()));
    assert!(broken.is_none(), "{broken:?}");
    mutants::ALL.iter().for_each(|mutant| check_mutant(mutant));
    switch_for_test(None);
}
