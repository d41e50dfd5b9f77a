//! What an engine gives to modelled memory: words, and schedule points.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use mapcheck_machine::{self as machine, Access, Change, Kind};

/// A word of modelled memory.
pub trait Word: Send + Sync {
    /// Made for one thread at a time, or to be shared by threads; zero.
    fn new(shared: bool) -> Self;
    /// Loads it.
    fn load(&self, order: Ordering) -> u64;
    /// Stores to it.
    fn store(&self, value: u64, order: Ordering);
    /// Changes it from `current` to `new`, or returns what it is instead.
    ///
    /// # Errors
    /// The value that was there and is not `current`.
    fn compare_exchange(&self, current: u64, new: u64, order: Ordering) -> Result<u64, u64>;
    /// Adds, and returns what was there.
    fn fetch_add(&self, value: u64, order: Ordering) -> u64;
    /// Replaces it, and returns what was there.
    fn swap(&self, value: u64, order: Ordering) -> u64;
    /// What it holds; no schedule point.
    fn peek(&self) -> u64;
}

/// A lock, for what a model's users must do one after the other.
pub trait Lock: Send + Sync {
    /// A free lock.
    fn new() -> Self;
    /// Runs `body` while no other thread runs one under this lock. Not to be nested.
    fn with<R>(&self, body: impl FnOnce() -> R) -> R;
}

/// What runs the executions of a model.
pub trait Engine: Send + Sync + 'static {
    /// Its words.
    type Word: Word;
    /// Its locks.
    type Lock: Lock;
    /// Whether the words' own operations are schedule points, so that a block may be freed between [`Engine::access`]
    /// and the operation.
    const SWITCHES_IN_WORD: bool;
    /// What happens just before an access to a block, which lies at this address or lay there before the block was
    /// freed: a schedule point, unless the word's own operations are.
    fn access(access: Access);
    /// Makes it, at this place of the model's code: `operate` returns what it returns, and whether it wrote.
    fn operate<R>(
        _: Access,
        _: usize,
        word: &Self::Word,
        operate: impl FnOnce(&Self::Word) -> (R, bool),
    ) -> R {
        operate(word).0
    }
    /// Runs the heap's own bookkeeping, which is nothing that a program of the model does.
    fn quietly<R>(body: impl FnOnce() -> R) -> R {
        body()
    }
    /// Words that hold one of `count` numbers from `first` on refer to the words of the block at this address, one by
    /// one: who explains an execution has to know.
    fn known_as(_addr: usize, _first: u64, _count: u64) {}
    /// The block at this address was retired, likewise.
    fn retired(_addr: usize) {}
    /// A schedule point that touches no memory.
    fn point();
    /// A number for the thread that runs: the same for as long as it lives.
    fn thread() -> u64;
    /// A number that is a function of the execution's seed and of the calls before.
    fn random() -> u64;
}

/// The machine: virtual threads, and the machine's own heap, whose oracle sees every access.
#[derive(Debug)]
pub enum Native {}

impl Engine for Native {
    type Word = AtomicU64;
    type Lock = Mutex<()>;
    const SWITCHES_IN_WORD: bool = false;

    #[inline]
    fn access(access: Access) {
        machine::announce(access);
    }

    fn operate<R>(
        access: Access,
        site: usize,
        word: &AtomicU64,
        operate: impl FnOnce(&AtomicU64) -> (R, bool),
    ) -> R {
        let (result, found, left) = Native::quietly(|| {
            let found = word.peek();
            let (result, wrote) = operate(word);
            (result, found, wrote.then(|| word.peek()))
        });
        let plain = matches!(access.kind, Kind::Read | Kind::Write);
        machine::touched(
            access,
            site,
            if plain { Change::Plain } else { Change::Atomic { found, left } },
        );
        result
    }

    #[inline]
    fn quietly<R>(body: impl FnOnce() -> R) -> R {
        let (mut body, mut result) = (Some(body), None);
        machine::outside(&mut || result = body.take().map(|body| body()));
        result.expect("`outside` runs what it is given")
    }

    fn known_as(addr: usize, first: u64, count: u64) {
        machine::known_as(addr, first, count, size_of::<AtomicU64>());
    }

    fn retired(addr: usize) {
        machine::retired(addr);
    }

    fn point() {
        machine::point();
    }

    fn thread() -> u64 {
        machine::current_thread().map_or(0, u64::from)
    }

    fn random() -> u64 {
        machine::random()
    }
}

impl Word for AtomicU64 {
    fn new(_: bool) -> AtomicU64 {
        AtomicU64::default()
    }

    fn load(&self, order: Ordering) -> u64 {
        AtomicU64::load(self, order)
    }

    fn store(&self, value: u64, order: Ordering) {
        AtomicU64::store(self, value, order);
    }

    fn compare_exchange(&self, current: u64, new: u64, order: Ordering) -> Result<u64, u64> {
        AtomicU64::compare_exchange(self, current, new, order, Ordering::Relaxed)
    }

    fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        AtomicU64::fetch_add(self, value, order)
    }

    fn swap(&self, value: u64, order: Ordering) -> u64 {
        AtomicU64::swap(self, value, order)
    }

    fn peek(&self) -> u64 {
        AtomicU64::load(self, Ordering::Relaxed)
    }
}

impl Lock for Mutex<()> {
    fn new() -> Mutex<()> {
        Mutex::default()
    }

    #[inline(never)]
    fn with<R>(&self, body: impl FnOnce() -> R) -> R {
        super::as_one_step(|| {
            // What is under it is the model's own, and a panic there ends the execution.
            let _guard = self.lock().unwrap_or_else(PoisonError::into_inner);
            body()
        })
    }
}
