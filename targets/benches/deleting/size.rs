//! How large a measurement is, and what becomes of which key.

/// Rounds of deletions: what one has deleted, the iterations of the next must not show.
pub const ROUNDS: u64 = 2;

/// How many keys, and how many threads that do what.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Keys that are there when the threads start: every other one of them is to be deleted.
    pub keys: u64,
    pub readers: u64,
    pub writers: u64,
    pub deleters: u64,
}

impl Size {
    pub const FULL: Size = Size { keys: 1_000_000, readers: 8, writers: 4, deleters: 4 };
    pub const QUICK: Size = Size { keys: 20_000, readers: 4, writers: 2, deleters: 2 };

    pub fn threads(&self) -> u64 {
        self.readers + self.writers + self.deleters
    }

    /// Keys that were in the map and were removed before the threads start.
    pub fn gone(&self) -> impl Iterator<Item = u64> + use<> {
        self.keys..self.keys + self.keys / 16
    }

    /// Keys that one writer inserts. They are beyond all others.
    pub fn fresh(&self, writer: u64) -> impl Iterator<Item = u64> + use<> {
        let each = self.keys / 4 / self.writers;
        let first = 2 * self.keys + writer * each;
        first..first + each
    }

    pub fn all_fresh(&self) -> impl Iterator<Item = u64> + use<> {
        let size = *self;
        (0..size.writers).flat_map(move |writer| size.fresh(writer))
    }

    pub fn fate(&self, key: u64) -> Fate {
        if key >= 2 * self.keys {
            Fate::Fresh
        } else if key >= self.keys {
            Fate::Gone
        } else if key.is_multiple_of(2) {
            Fate::Stable
        } else {
            let half = key / 2;
            Fate::Doomed { deleter: half % self.deleters, round: half / self.deleters % ROUNDS }
        }
    }

    pub fn doomed(&self) -> u64 {
        self.keys / 2
    }
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    /// It is there all the time.
    Stable,
    /// This deleter deletes it in this round.
    Doomed { deleter: u64, round: u64 },
    /// It was removed before.
    Gone,
    /// It is inserted meanwhile.
    Fresh,
}

/// The same numbers in an order that is always the same, and looks like none.
pub fn shuffled(numbers: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut numbers: Vec<u64> = numbers.collect();
    let mut draw = Draw::new(7);
    for i in (1..numbers.len()).rev() {
        numbers.swap(i, draw.below(i as u64 + 1) as usize);
    }
    numbers
}

/// A generator of numbers for keys (Marsaglia, Xorshift RNGs, 2003), cheap beside a lookup.
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Draw {
        Draw((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// A number below the bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((u128::from(self.0) * u128::from(bound)) >> 64) as u64
    }
}
