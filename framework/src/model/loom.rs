//! Modelled memory on loom.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use mapcheck_machine::Access;

use super::engine::{Engine, Lock, Word};
use super::lock;
use crate::engine::{Engine as Which, under_way};

/// loom: all executions within a bound, under C11's rules for what a load may see. Shared words are loom's atomics;
/// outside executions of loom they are plain memory.
///
/// loom knows no randomness: [`Engine::random`] gives the same numbers in every execution of a search, in the
/// order of the calls.
/// Its [`Engine::point`] does nothing: an order of points that touch no memory makes no difference that loom would
/// explore.
#[derive(Debug)]
pub enum Loom {}

::loom::thread_local! {
    static THREAD: Cell<u64> = Cell::new(0);
}

/// Gives the running thread its number.
pub(crate) fn name_thread(number: u64) {
    THREAD.with(|thread| thread.set(number));
}

#[inline]
fn under_way() -> bool {
    under_way::engine() == Some(Which::Loom)
}

impl Engine for Loom {
    type Word = LoomWord;
    type Lock = LoomLock;
    const SWITCHES_IN_WORD: bool = true;

    fn access(_: Access) {
        if under_way() {
            under_way::step();
        }
    }

    fn point() {}

    fn thread() -> u64 {
        if under_way() { THREAD.with(Cell::get) } else { 0 }
    }

    fn random() -> u64 {
        if under_way() { under_way::draw() } else { 0 }
    }
}

/// A word of [`Loom`].
#[derive(Debug)]
pub struct LoomWord {
    /// What was stored last: what a word is that is not shared, or that outlives its execution.
    last: AtomicU64,
    /// Present in words that threads share.
    shared: Option<::loom::sync::atomic::AtomicU64>,
}

impl LoomWord {
    /// loom's atomic, where loom is to decide.
    fn explored(&self) -> Option<&::loom::sync::atomic::AtomicU64> {
        self.shared.as_ref().filter(|_| under_way())
    }
}

impl Word for LoomWord {
    fn new(shared: bool) -> LoomWord {
        let shared = (shared && under_way()).then(|| ::loom::sync::atomic::AtomicU64::new(0));
        LoomWord { last: AtomicU64::new(0), shared }
    }

    fn load(&self, order: Ordering) -> u64 {
        match self.explored() {
            Some(word) => word.load(order),
            None => self.last.load(order),
        }
    }

    fn store(&self, value: u64, order: Ordering) {
        if let Some(word) = self.explored() {
            word.store(value, order);
        }
        // No other thread runs between the two.
        self.last.store(value, order);
    }

    fn compare_exchange(&self, current: u64, new: u64, order: Ordering) -> Result<u64, u64> {
        let Some(word) = self.explored() else {
            return self.last.compare_exchange(current, new, order, Relaxed);
        };
        let done = word.compare_exchange(current, new, order, Relaxed);
        if done.is_ok() {
            self.last.store(new, Relaxed);
        }
        done
    }

    fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        let Some(word) = self.explored() else { return self.last.fetch_add(value, order) };
        let before = word.fetch_add(value, order);
        self.last.store(before.wrapping_add(value), Relaxed);
        before
    }

    fn swap(&self, value: u64, order: Ordering) -> u64 {
        let Some(word) = self.explored() else { return self.last.swap(value, order) };
        let before = word.swap(value, order);
        self.last.store(value, Relaxed);
        before
    }

    fn peek(&self) -> u64 {
        self.last.load(Relaxed)
    }
}

/// A lock of [`Loom`].
#[derive(Debug)]
pub struct LoomLock {
    /// Present in locks made in an execution.
    inside: Option<::loom::sync::Mutex<()>>,
    outside: Mutex<()>,
}

impl Lock for LoomLock {
    fn new() -> LoomLock {
        let inside = under_way().then(|| ::loom::sync::Mutex::new(()));
        LoomLock { inside, outside: Mutex::default() }
    }

    fn with<R>(&self, body: impl FnOnce() -> R) -> R {
        if let Some(inside) = self.inside.as_ref().filter(|_| under_way()) {
            return lock::under(inside.lock().unwrap_or_else(PoisonError::into_inner), body);
        }
        lock::under(self.outside.lock().unwrap_or_else(PoisonError::into_inner), body)
    }
}
