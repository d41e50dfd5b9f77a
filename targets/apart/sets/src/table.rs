//! A table of numbers: what makes a map of a structure that gives a number for each element.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Keys that scenarios use, and more.
const KEYS: usize = 1024;

/// For each key the number of its element, if it has one.
pub struct Table(Box<[AtomicUsize]>);

impl Table {
    /// A table without elements.
    pub fn new() -> Table {
        Table((0..KEYS).map(|_| AtomicUsize::new(0)).collect())
    }

    fn at(&self, key: u64) -> &AtomicUsize {
        &self.0[usize::try_from(key).expect("keys are small")]
    }

    /// The number under this key.
    pub fn get(&self, key: u64) -> Option<usize> {
        self.at(key).load(SeqCst).checked_sub(1)
    }

    /// Puts a number under this key, and returns what was there: it is the caller's then, and nobody else's.
    pub fn put(&self, key: u64, number: Option<usize>) -> Option<usize> {
        self.at(key).swap(number.map_or(0, |n| n + 1), SeqCst).checked_sub(1)
    }

    /// Puts a number under this key if there is none, and returns the one that is there.
    pub fn keep(&self, key: u64, number: usize) -> usize {
        let kept = self.at(key).compare_exchange(0, number + 1, SeqCst, SeqCst);
        kept.err().unwrap_or(number + 1) - 1
    }
}
