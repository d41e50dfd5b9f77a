//! Keys and values that tell a live one from a dead one, and from other bytes.

use std::hash::{Hash, Hasher};
use std::process::abort;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Mixed with the number, so that no two elements have the same pattern.
const LIVE: u64 = 0x6c69_7665_6c69_7665;
/// What a dropped element is overwritten with.
const DEAD: u64 = 0xdead_dead_dead_dead;

/// A key or a value: its number, and a pattern made of it.
#[derive(Debug)]
pub struct Element {
    number: u64,
    /// Atomic, so that the last write to a dropped element is not optimised away.
    pattern: AtomicU64,
}

impl Element {
    pub fn new(number: u64) -> Element {
        Element { number, pattern: AtomicU64::new(number ^ LIVE) }
    }

    /// Its number.
    ///
    /// Ends the process if it is dead or no element at all.
    pub fn number(&self) -> u64 {
        self.check();
        self.number
    }

    fn check(&self) {
        let pattern = self.pattern.load(Relaxed);
        if pattern != self.number ^ LIVE {
            let what =
                if pattern == DEAD { "a dropped element" } else { "bytes that are no element" };
            eprintln!("canary: {what} was used");
            abort();
        }
    }
}

impl Drop for Element {
    fn drop(&mut self) {
        self.check();
        self.pattern.store(DEAD, Relaxed);
    }
}

impl Clone for Element {
    fn clone(&self) -> Element {
        Element::new(self.number())
    }
}

impl Hash for Element {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number().hash(state);
    }
}

impl PartialEq for Element {
    fn eq(&self, other: &Element) -> bool {
        self.number() == other.number()
    }
}

impl Eq for Element {}

impl PartialOrd for Element {
    fn partial_cmp(&self, other: &Element) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Element {
    fn cmp(&self, other: &Element) -> std::cmp::Ordering {
        self.number().cmp(&other.number())
    }
}
