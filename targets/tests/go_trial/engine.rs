//! An engine for one thread: it draws from a seed, and gives up what does not end.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use mapcheck::model::{Access, Engine};

/// Accesses to memory after which a trial counts as endless.
const ACCESSES: u64 = 3_000_000;

thread_local! {
    static RANDOM: Cell<Random> = const { Cell::new(Random(0)) };
    static MASK: Cell<u64> = const { Cell::new(0) };
    static LEFT: Cell<u64> = const { Cell::new(0) };
}

/// A small generator.
#[derive(Clone, Copy)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let mixed = (self.0 ^ self.0 >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ mixed >> 29
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// Makes a new execution of what the engine runs. Where the upper half of what it draws is to be
/// zero, so are the seeds of hashes, which are made of it.
pub fn begin(seed: u64, upper_zero: bool) {
    RANDOM.set(Random::new(seed));
    MASK.set(if upper_zero { u64::from(u32::MAX) } else { u64::MAX });
    LEFT.set(ACCESSES);
}

/// The engine.
pub enum Tested {}

impl Engine for Tested {
    type Word = AtomicU64;
    type Lock = Mutex<()>;
    const SWITCHES_IN_WORD: bool = false;

    fn access(_: Access) {
        LEFT.set(LEFT.get() - 1);
        assert!(LEFT.get() > 0, "{}", String::from("livelock"));
    }

    fn point() {}

    fn thread() -> u64 {
        0
    }

    fn random() -> u64 {
        let mut random = RANDOM.get();
        let drawn = random.next();
        RANDOM.set(random);
        drawn & MASK.get()
    }
}
