//! Code to explore, as an author of concurrent code has it: it knows nothing of mapcheck.

use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::ptr;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

/// A counter that loses counts: it reads, and writes later.
#[derive(Default)]
pub struct RacyCounter(AtomicU64);

impl RacyCounter {
    /// Counts one.
    pub fn add(&self) {
        let n = self.0.load(Ordering::SeqCst);
        self.0.store(n + 1, Ordering::SeqCst);
    }

    /// What was counted.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A number that is guarded by whatever its users have.
#[derive(Debug, Default)]
pub struct Unguarded(UnsafeCell<u64>);

// SAFETY: none of its own: its users must see to it.
unsafe impl Sync for Unguarded {}

impl Unguarded {
    /// Counts one.
    pub fn add(&self) {
        // SAFETY: as its users see to it that nobody else is here.
        unsafe { *self.0.get() += 1 };
    }

    /// What was counted.
    pub fn get(&self) -> u64 {
        // SAFETY: as above.
        unsafe { *self.0.get() }
    }
}

/// A cell whose readers do not keep what they read from being freed.
pub struct Published<const WORDS: usize>(AtomicPtr<[u64; WORDS]>);

impl<const WORDS: usize> Published<WORDS> {
    /// A cell that holds words of this value.
    pub fn new(value: u64) -> Self {
        Published(AtomicPtr::new(Box::into_raw(Box::new([value; WORDS]))))
    }

    /// The sum of the first and the last word.
    pub fn read(&self) -> u64 {
        let words = self.0.load(Ordering::Acquire);
        std::thread::yield_now();
        // SAFETY: none: a replacement may have freed it, which is the bug.
        unsafe { (*words)[0] + (*words)[WORDS - 1] }
    }

    /// Replaces the words, and frees the old ones at once.
    pub fn replace(&self, value: u64) {
        let old = self.0.swap(Box::into_raw(Box::new([value; WORDS])), Ordering::AcqRel);
        // SAFETY: the pointer came from a box and is reached by no later reader.
        drop(unsafe { Box::from_raw(old) });
    }
}

impl<const WORDS: usize> Drop for Published<WORDS> {
    fn drop(&mut self) {
        let last = self.0.swap(ptr::null_mut(), Ordering::AcqRel);
        // SAFETY: the pointer came from a box, and nobody else has the cell.
        drop(unsafe { Box::from_raw(last) });
    }
}

/// A passage for one of two at a time, each of whom lets the other pass first.
#[derive(Default)]
pub struct AfterYou([AtomicBool; 2]);

impl AfterYou {
    /// Passes.
    pub fn pass(&self, me: usize) {
        self.0[me].store(true, Ordering::SeqCst);
        while self.0[1 - me].load(Ordering::SeqCst) {
            std::hint::spin_loop();
        }
        self.0[me].store(false, Ordering::SeqCst);
    }
}

/// A lock whose waiters spin.
#[derive(Default)]
pub struct SpinLock(AtomicBool);

impl SpinLock {
    /// Runs `f` while nobody else runs theirs.
    pub fn with<R>(&self, f: impl FnOnce() -> R) -> R {
        while self.0.swap(true, Ordering::Acquire) {}
        let result = f();
        self.0.store(false, Ordering::Release);
        result
    }
}

/// A map that is right.
pub struct Table<K, V>(RwLock<HashMap<K, V>>);

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Table(RwLock::default())
    }
}

impl<K: Eq + std::hash::Hash, V> Table<K, V> {
    /// Puts a value under a key and returns the old one.
    pub fn insert(&self, key: K, value: V) -> Option<V> {
        self.0.write().expect("no writer panics").insert(key, value)
    }

    /// Removes a key and returns its value.
    pub fn remove(&self, key: &K) -> Option<V> {
        self.0.write().expect("no writer panics").remove(key)
    }

    /// Reads the value under a key.
    pub fn get(&self, key: &K, read: &mut dyn FnMut(&V)) -> bool {
        self.0.read().expect("no writer panics").get(key).map(read).is_some()
    }

    /// Visits the elements until told to stop.
    pub fn for_each(&self, visit: &mut dyn FnMut(&K, &V) -> ControlFlow<()>) {
        let _ = self.0.read().expect("no writer panics").iter().try_for_each(|(k, v)| visit(k, v));
    }
}
