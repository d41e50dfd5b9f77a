//! The heap of a model: a table of blocks that knows which of them are live.

use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use mapcheck_machine::{self as machine, Access, Kind, Order};

use super::block::{Layout, Ptr};
use super::engine::{Engine, Lock as _, Word};
use super::fail;
use crate::element::Value;
use crate::oracle::Class;

/// Blocks of a chunk of the table.
const CHUNK: usize = 64;
/// Chunks of the table.
const CHUNKS: usize = 1024;

/// Modelled memory. Addresses are never used again, so whatever was freed stays freed.
///
/// Blocks that are not freed go with the heap. All methods may be called from many threads.
pub struct Heap<E: Engine> {
    chunks: Box<[OnceLock<Chunk<E>>]>,
    used: AtomicUsize,
    lock: E::Lock,
}

/// Places that are made together.
type Chunk<E> = Box<[Slot<E>]>;

/// A place of the table.
struct Slot<E: Engine>(OnceLock<Block<E>>);

struct Block<E: Engine> {
    layout: Layout,
    /// Where its words lie, or lay.
    addr: usize,
    contents: Mutex<Option<Contents<E>>>,
}

/// What is gone when a block is freed.
struct Contents<E: Engine> {
    /// The layout's words. Where an engine switches in words alone, and the block has words that it does not see, there
    /// is one more, the last, which stands for the block's life: loaded with each of those, changed when it is freed.
    words: Arc<[E::Word]>,
    /// The element that the block stands for: dropped when the block is freed.
    _value: Option<Value>,
}

impl<E: Engine> Default for Heap<E> {
    fn default() -> Heap<E> {
        Heap::new()
    }
}

impl<E: Engine> Drop for Heap<E> {
    fn drop(&mut self) {
        let chunks = std::mem::take(&mut self.chunks);
        E::quietly(|| drop(chunks));
    }
}

impl<E: Engine> Heap<E> {
    /// An empty heap.
    pub fn new() -> Heap<E> {
        // What is not allocated by the code under test is no memory of it.
        let chunks = E::quietly(|| (0..CHUNKS).map(|_| OnceLock::new()).collect());
        Heap { chunks, used: AtomicUsize::new(0), lock: E::Lock::new() }
    }

    /// A new block, all zero.
    ///
    /// # Panics
    /// When an execution has allocated 65,536 blocks.
    pub fn allocate(&self, layout: Layout) -> Ptr {
        self.insert(layout, None)
    }

    /// A new block of two cells that stands for a value: its id, and the complement of it. The value is
    /// dropped when the block is freed, so that the framework knows what the map gave up.
    ///
    /// # Panics
    /// As [`Heap::allocate`].
    pub fn allocate_value(&self, value: Value) -> Ptr {
        let id = value.id();
        let ptr = self.insert(Layout { cells: 2, ..Layout::default() }, Some(value));
        // Nobody else knows of the block yet.
        E::quietly(|| {
            if let Some(words) = self.words(ptr) {
                words[0].store(id, Relaxed);
                words[1].store(!id, Relaxed);
            }
        });
        ptr
    }

    fn insert(&self, layout: Layout, value: Option<Value>) -> Ptr {
        let life = usize::from(E::SWITCHES_IN_WORD && layout.cells > 0);
        let words: Arc<[E::Word]> =
            (0..layout.words() + life).map(|i| E::Word::new(layout.is_shared(i))).collect();
        E::quietly(|| self.enter(layout, words, value))
    }

    fn enter(&self, layout: Layout, words: Arc<[E::Word]>, value: Option<Value>) -> Ptr {
        let addr = words.as_ptr().addr();
        let index = self.used.fetch_add(1, Relaxed);
        assert!(index < CHUNK * CHUNKS, "the modelled heap has room for {} blocks", CHUNK * CHUNKS);
        let chunk = self.chunks[index / CHUNK]
            .get_or_init(|| (0..CHUNK).map(|_| Slot(OnceLock::new())).collect());
        let contents = Mutex::new(Some(Contents { words, _value: value }));
        // The index is this call's alone, so the place is empty.
        let _ = chunk[index % CHUNK].0.set(Block { layout, addr, contents });
        let ptr = Ptr::of_block(index);
        E::known_as(addr, ptr.to_word(), layout.words() as u64);
        ptr
    }

    /// Runs `body` while no other thread runs one, for lists in ordinary memory that a model's threads share. It orders
    /// what they did before, as any lock does, which loom would not see of a lock of std's. Nothing in it may access
    /// modelled memory.
    pub fn exclusively<R>(&self, body: impl FnOnce() -> R) -> R {
        self.lock.with(|| E::quietly(body))
    }

    /// Frees a block. What is freed is poisoned: any later access to it ends the execution.
    ///
    /// A second time, or through a pointer that is not to a block's start, it is a finding.
    #[inline(never)]
    pub fn free(&self, block: Ptr) {
        E::point();
        let Some(found) = E::quietly(|| self.block(block)).filter(|_| block.offset() == 0) else {
            fail(Class::InvalidFree, &format!("freed {block:?}, which is no block"))
        };
        if E::SWITCHES_IN_WORD {
            self.announce_free(block, found.layout);
        }
        let contents = E::quietly(|| found.with(Option::take));
        match contents {
            Some(contents) => drop(contents),
            None => self.fail(Class::DoubleFree, &format!("{block:?} was freed again"), block),
        }
    }

    /// Tells that a block was retired: nobody is to reach it any more who does not have it yet. It changes nothing, but
    /// who explains an execution knows then what a list in ordinary memory does not show.
    pub fn retired(&self, block: Ptr) {
        if let Some(addr) = E::quietly(|| self.block(block).map(|block| block.addr)) {
            E::retired(addr);
        }
    }

    /// Ends the execution with a finding about the block that this points to, freed or not.
    ///
    /// # Panics
    /// Outside executions, and on engines that know no other way, with the class and the message.
    pub fn fail(&self, class: Class, message: &str, at: Ptr) -> ! {
        match E::quietly(|| self.block(at).map(|block| block.addr)) {
            Some(addr) => machine::fail(class.name(), message.to_owned(), addr),
            None => fail(class, message),
        }
    }

    /// Changes nothing, but is a write to each word that the engine sees: so that it explores what comes before the
    /// end of the block and what after.
    fn announce_free(&self, block: Ptr, layout: Layout) {
        let words = self.words(block);
        for word in words.iter().flat_map(|words| &words[layout.cells..]) {
            word.fetch_add(0, Relaxed);
        }
    }

    /// Reads a cell, or loads a shared word in relaxed order.
    #[inline(never)]
    #[track_caller]
    pub fn read(&self, at: Ptr) -> u64 {
        self.access(at, Kind::AtomicLoad, Relaxed, |word| (word.load(Relaxed), false))
    }

    /// Writes a cell, or stores to a shared word in relaxed order.
    #[inline(never)]
    #[track_caller]
    pub fn write(&self, at: Ptr, value: u64) {
        self.access(at, Kind::AtomicStore, Relaxed, |word| (word.store(value, Relaxed), true));
    }

    /// Loads a word.
    #[inline(never)]
    #[track_caller]
    pub fn load(&self, at: Ptr, order: Ordering) -> u64 {
        self.access(at, Kind::AtomicLoad, order, |word| (word.load(order), false))
    }

    /// Stores to a word.
    #[inline(never)]
    #[track_caller]
    pub fn store(&self, at: Ptr, value: u64, order: Ordering) {
        self.access(at, Kind::AtomicStore, order, |word| (word.store(value, order), true));
    }

    /// Changes a word from `current` to `new`.
    ///
    /// # Errors
    /// The value that was there and is not `current`.
    #[inline(never)]
    #[track_caller]
    pub fn compare_exchange(
        &self,
        at: Ptr,
        current: u64,
        new: u64,
        order: Ordering,
    ) -> Result<u64, u64> {
        self.access(at, Kind::AtomicRmw, order, |word| {
            let result = word.compare_exchange(current, new, order);
            (result, result.is_ok())
        })
    }

    /// Adds to a word and returns what was there.
    #[inline(never)]
    #[track_caller]
    pub fn fetch_add(&self, at: Ptr, value: u64, order: Ordering) -> u64 {
        self.access(at, Kind::AtomicRmw, order, |word| (word.fetch_add(value, order), true))
    }

    /// Replaces a word and returns what was there.
    #[inline(never)]
    #[track_caller]
    pub fn swap(&self, at: Ptr, value: u64, order: Ordering) -> u64 {
        self.access(at, Kind::AtomicRmw, order, |word| (word.swap(value, order), true))
    }

    /// What a word holds, without a schedule point; `None` if its block was freed or it lies outside. For collectors
    /// and assertions, which see more than a program may.
    pub fn peek(&self, at: Ptr) -> Option<u64> {
        E::quietly(|| {
            let layout = self.block(at)?.layout;
            self.words(at)?[..layout.words()].get(at.offset()).map(Word::peek)
        })
    }

    /// The layout of a block, freed or not; `None` for what never was one.
    pub fn layout(&self, block: Ptr) -> Option<Layout> {
        E::quietly(|| self.block(block).map(|b| b.layout))
    }

    /// Whether this is a block that is not freed.
    pub fn is_live(&self, block: Ptr) -> bool {
        E::quietly(|| self.words(block).is_some())
    }

    /// All blocks ever allocated, in the order in which they were, freed or not.
    pub fn blocks(&self) -> impl Iterator<Item = Ptr> + use<E> {
        let used = E::quietly(|| self.used.load(Relaxed));
        (0..used).map(Ptr::of_block)
    }

    fn block(&self, at: Ptr) -> Option<&Block<E>> {
        let index = at.block()?;
        self.chunks.get(index / CHUNK)?.get()?[index % CHUNK].0.get()
    }

    /// The words of a block that is live.
    fn words(&self, at: Ptr) -> Option<Arc<[E::Word]>> {
        self.block(at)?.words()
    }

    #[inline]
    #[track_caller]
    fn access<R>(
        &self,
        at: Ptr,
        kind: Kind,
        order: Ordering,
        operate: impl FnOnce(&E::Word) -> (R, bool),
    ) -> R {
        let Some(block) = E::quietly(|| self.block(at)) else { nowhere(at, kind) };
        if at.offset() >= block.layout.words() {
            // Before the machine looks: so far off, it may see a neighbour.
            outside(at, kind, block)
        }
        let access = block.access(at, kind, order);
        E::access(access);
        // Held while the engine may switch threads: freeing only takes the table's own reference.
        let Some(words) = E::quietly(|| block.words()) else { dead(at, kind) };
        if E::SWITCHES_IN_WORD && !block.layout.is_shared(at.offset()) {
            words[block.layout.words()].load(Relaxed);
        }
        let result = E::operate(access, site(), &words[at.offset()], operate);
        if E::SWITCHES_IN_WORD && block.with(|contents| contents.is_none()) {
            dead(at, kind)
        }
        E::quietly(|| drop(words));
        result
    }
}

impl<E: Engine> Block<E> {
    /// Looks at the contents under their lock, which is the model's own.
    fn with<R>(&self, look: impl FnOnce(&mut Option<Contents<E>>) -> R) -> R {
        look(&mut self.contents.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The words, if it is live.
    fn words(&self) -> Option<Arc<[E::Word]>> {
        self.with(|contents| contents.as_ref().map(|contents| contents.words.clone()))
    }

    /// What the machine is told of an access: to a cell it is a plain one.
    fn access(&self, at: Ptr, kind: Kind, order: Ordering) -> Access {
        let size = size_of::<E::Word>();
        let kind = match kind {
            _ if self.layout.is_shared(at.offset()) => kind,
            Kind::AtomicLoad => Kind::Read,
            _ => Kind::Write,
        };
        let addr = self.addr.wrapping_add(at.offset() * size);
        Access { kind, addr, size, order: machine_order(order) }
    }
}

/// A number for the place of the model's code that makes the access.
#[track_caller]
fn site() -> usize {
    ptr::from_ref(Location::caller()).addr()
}

fn machine_order(order: Ordering) -> Order {
    match order {
        Ordering::Relaxed => Order::Relaxed,
        Ordering::Acquire => Order::Acquire,
        Ordering::Release => Order::Release,
        Ordering::AcqRel => Order::AcqRel,
        _ => Order::SeqCst,
    }
}

fn verb(kind: Kind) -> &'static str {
    if kind == Kind::AtomicLoad { "read" } else { "wrote" }
}

#[cold]
#[inline(never)]
fn dead(at: Ptr, kind: Kind) -> ! {
    fail(Class::PrematureReclamation, &format!("{} {at:?}, which had been freed", verb(kind)))
}

#[cold]
#[inline(never)]
fn outside<E: Engine>(at: Ptr, kind: Kind, block: &Block<E>) -> ! {
    let words = block.layout.words();
    let message = format!("{} {at:?}, a block of {words} words", verb(kind));
    machine::fail(Class::OutOfBounds.name(), message, block.addr)
}

#[cold]
#[inline(never)]
fn nowhere(at: Ptr, kind: Kind) -> ! {
    fail(Class::Crash, &format!("{} through a nil pointer, {at:?}", verb(kind)))
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::super::engine::Native;
    use super::*;

    const PAIR: Layout = Layout { cells: 2, atomics: 0, pointers: 0 };

    fn message(run: impl FnOnce()) -> String {
        *catch_unwind(AssertUnwindSafe(run)).unwrap_err().downcast::<String>().unwrap()
    }

    #[test]
    fn a_word_holds_what_was_written_until_its_block_is_freed() {
        let heap = Heap::<Native>::new();
        let block = heap.allocate(PAIR);
        assert_eq!(heap.read(block), 0);
        heap.write(block.at(1), 7);
        assert_eq!(heap.fetch_add(block.at(1), 2, Relaxed), 7);
        assert_eq!(heap.compare_exchange(block.at(1), 7, 8, Relaxed), Err(9));
        assert_eq!((heap.peek(block.at(1)), heap.is_live(block)), (Some(9), true));
        heap.free(block);
        assert_eq!((heap.peek(block.at(1)), heap.is_live(block)), (None, false));
        let said = message(|| assert_eq!(heap.read(block.at(1)), 7));
        assert_eq!(said, "premature-reclamation: read block 0+1, which had been freed");
    }

    #[test]
    fn addresses_are_never_used_again() {
        let heap = Heap::<Native>::new();
        let blocks: Vec<Ptr> = (0..200)
            .map(|_| {
                let block = heap.allocate(PAIR);
                heap.free(block);
                block
            })
            .collect();
        assert_eq!(heap.blocks().collect::<Vec<_>>(), blocks);
    }

    #[test]
    fn what_must_not_happen_is_told_with_its_class() {
        let heap = Heap::<Native>::new();
        let block = heap.allocate(PAIR);
        let said = message(|| heap.write(block.at(2), 1));
        assert_eq!(said, "out-of-bounds: wrote block 0+2, a block of 2 words");
        let said = message(|| assert_eq!(heap.read(Ptr::NULL.at(3)), 0));
        assert_eq!(said, "crash: read through a nil pointer, null+3");
        assert!(message(|| heap.free(block.at(1))).starts_with("invalid-free: "));
        heap.free(block);
        assert_eq!(message(|| heap.free(block)), "double-free: block 0+0 was freed again");
    }

    #[test]
    fn a_value_is_dropped_with_its_block() {
        let heap = Heap::<Native>::new();
        let block = heap.allocate_value(Value::new(5));
        assert_eq!((heap.read(block), heap.read(block.at(1))), (5, !5));
        let before = crate::element::dropped();
        heap.free(block);
        assert_eq!(crate::element::dropped(), before + 1);
    }
}
