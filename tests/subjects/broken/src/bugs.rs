//! The bugs, one type each.

use std::alloc::{Layout, alloc, dealloc};
use std::cell::UnsafeCell;
use std::hint::black_box;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use mapcheck::{Key, Value};

use crate::map::Bug;

/// No bug.
pub struct None;
impl Bug for None {}

/// Reads a field through a null pointer.
pub struct Segfault;
impl Bug for Segfault {
    fn remove() {
        // The second word of an object at null: the compiler's own check sees only null itself.
        let field = black_box(8 as *const u64);
        // SAFETY: none, which is the bug.
        black_box(unsafe { *field });
    }
}

/// Aborts the process.
pub struct Abort;
impl Bug for Abort {
    fn remove() {
        std::process::abort();
    }
}

/// Recurses for ever.
pub struct StackOverflow;
impl Bug for StackOverflow {
    fn remove() {
        fn deeper(n: u64) -> u64 {
            let block = black_box([n; 64]);
            if n == u64::MAX { 0 } else { deeper(n + 1) + black_box(block)[1] }
        }
        black_box(deeper(black_box(0)));
    }
}

/// Computes for ever, and touches no memory that is shared.
pub struct EndlessLoop;
impl Bug for EndlessLoop {
    fn remove() {
        loop {
            std::hint::spin_loop();
        }
    }
}

/// Waits for a flag that nobody sets.
pub struct EndlessSpin;
impl Bug for EndlessSpin {
    fn remove() {
        let flag = AtomicBool::new(false);
        while !black_box(&flag).load(Ordering::Acquire) {
            std::hint::spin_loop();
        }
    }
}

/// Allocates for ever and frees nothing.
pub struct MemoryHog;
impl Bug for MemoryHog {
    fn remove() {
        loop {
            std::mem::forget(black_box(vec![1u8; 1 << 20]));
        }
    }
}

/// Ends the process as if all were well.
pub struct Exit;
impl Bug for Exit {
    fn remove() {
        std::process::exit(0);
    }
}

/// Starts a thread that waits for ever.
pub struct OrphanThread;
impl Bug for OrphanThread {
    fn remove() {
        std::thread::spawn(|| {
            loop {
                std::thread::park();
            }
        });
    }
}

/// Panics.
pub struct PanicInInsert;
impl Bug for PanicInInsert {
    fn insert() {
        panic!("key 0 is not welcome");
    }
}

/// Locks a mutex that it has locked.
pub struct Deadlock;
impl Bug for Deadlock {
    fn remove() {
        let mutex = Mutex::new(());
        let first = mutex.lock();
        let second = black_box(&mutex).lock();
        drop((first, second));
    }
}

/// A block of 48 bytes.
fn block() -> (*mut u8, Layout) {
    let layout = Layout::new::<[u64; 6]>();
    // SAFETY: the layout is not of size 0.
    (black_box(unsafe { alloc(layout) }), layout)
}

/// Frees a block twice.
pub struct DoubleFree;
impl Bug for DoubleFree {
    fn remove() {
        let (block, layout) = block();
        // SAFETY: none for the second, which is the bug.
        unsafe {
            dealloc(block, layout);
            dealloc(black_box(block), layout);
        }
    }
}

/// Frees a block as if it were of another size.
pub struct WrongLayout;
impl Bug for WrongLayout {
    fn remove() {
        let (block, _) = block();
        // SAFETY: none, which is the bug.
        unsafe { dealloc(block, Layout::new::<[u64; 5]>()) };
    }
}

/// Writes past the end of a block.
pub struct Redzone;
impl Bug for Redzone {
    fn remove() {
        let (block, layout) = block();
        // SAFETY: none for the write, which is the bug.
        unsafe {
            *black_box(block.add(48).cast::<u64>()) = 7;
            dealloc(block, layout);
        }
    }
}

/// Reads a block that it has freed.
pub struct UseAfterFree;
impl Bug for UseAfterFree {
    fn remove() {
        let (block, layout) = block();
        // SAFETY: none for the read, which is the bug.
        unsafe {
            dealloc(block, layout);
            black_box(*black_box(block.add(16).cast::<u64>()));
        }
    }
}

/// Loses a block.
pub struct LostBlock;
impl Bug for LostBlock {
    fn remove() {
        block();
    }
}

/// Never drops a value that it has removed.
pub struct LostValue;
impl Bug for LostValue {
    fn give_up(_: Key, value: Value) {
        mem::forget(value);
    }
}

/// Never drops a key that it has removed.
pub struct LostKey;
impl Bug for LostKey {
    fn give_up(key: Key, _: Value) {
        mem::forget(key);
    }
}

/// A number that all threads write to as if it were theirs alone.
struct Racy(UnsafeCell<u64>);
// SAFETY: none, which is the bug.
unsafe impl Sync for Racy {}

/// Counts what is written, under no lock. A lost count is nothing that anybody can see.
pub struct DataRace;
impl Bug for DataRace {
    fn write() {
        static WRITES: OnceLock<Box<Racy>> = OnceLock::new();
        count_a_write(WRITES.get_or_init(|| Box::new(Racy(UnsafeCell::new(0)))));
    }
}

#[inline(never)]
fn count_a_write(writes: &Racy) {
    // SAFETY: none, which is the bug.
    unsafe { *writes.0.get() += 1 };
}

/// Says that visitors may write, and keeps its lock while they are called.
pub struct VisitorDeadlock;
impl Bug for VisitorDeadlock {
    const CLAIMS_WRITE_IN_VISIT: bool = true;
}

/// Counts the threads that are giving something up, and does a wrong thing of one kind or another when there are two:
/// several mistakes, each of which needs its schedule.
pub struct Several;
impl Bug for Several {
    fn give_up(key: Key, _: Value) {
        static INSIDE: AtomicU64 = AtomicU64::new(0);
        if INSIDE.fetch_add(1, Ordering::SeqCst) > 0 {
            match key.id() % 4 {
                0 => UseAfterFree::remove(),
                1 => DoubleFree::remove(),
                2 => Redzone::remove(),
                _ => panic!("two keys are given up at once"),
            }
        }
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
}
