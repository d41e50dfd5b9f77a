//! Every access of instrumented code passes through here.
//!
//! Plain accesses are announced by the compiler's coverage callbacks and then made by the code itself. Atomic accesses
//! are made here, on behalf of the code: [`visible`] is the one place that decides which of the writes a load may
//! return. Today that is the latest one (sequential consistency).

use std::sync::atomic::{
    AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, Ordering::SeqCst, fence,
};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::api::*;
use crate::heap;
use crate::state::{armed, disarm, give_way, step};
use crate::thread::stop;

/// Times that a thread may read the same value at the same address in a row before it counts as spinning.
const SPINS: usize = 24;

/// A plain access is about to happen.
#[inline(always)]
fn plain(kind: Kind, addr: usize, size: usize) {
    if armed() && heap::contains(addr) {
        let access = Access { kind, addr, size, order: Order::Relaxed };
        step(access);
        check(access);
    }
}

/// Ends the execution if the access touches a byte that is not part of a live block.
#[inline(always)]
pub(crate) fn check(access: Access) {
    if !heap::live(access.addr, access.size) {
        bad(access);
    }
}

#[cold]
#[inline(never)]
fn bad(access: Access) -> ! {
    disarm();
    stop(Fact::BadAccess { access, block: heap::describe(access.addr) })
}

macro_rules! plain_callbacks {
    ($($load:ident $store:ident $size:literal;)*) => {$(
        #[doc = concat!("Called before a plain load of ", stringify!($size), " bytes.")]
        #[unsafe(no_mangle)]
        extern "C" fn $load(addr: usize) {
            plain(Kind::Read, addr, $size);
        }
        #[doc = concat!("Called before a plain store of ", stringify!($size), " bytes.")]
        #[unsafe(no_mangle)]
        extern "C" fn $store(addr: usize) {
            plain(Kind::Write, addr, $size);
        }
    )*};
}

plain_callbacks! {
    __sanitizer_cov_load1 __sanitizer_cov_store1 1;
    __sanitizer_cov_load2 __sanitizer_cov_store2 2;
    __sanitizer_cov_load4 __sanitizer_cov_store4 4;
    __sanitizer_cov_load8 __sanitizer_cov_store8 8;
    __sanitizer_cov_load16 __sanitizer_cov_store16 16;
}

/// The memory order as LLVM passes it: relaxed, consume, acquire, release, acquire-release, sequentially consistent.
fn order(code: i32) -> Order {
    match code {
        0 => Order::Relaxed,
        1 | 2 => Order::Acquire,
        3 => Order::Release,
        4 => Order::AcqRel,
        _ => Order::SeqCst,
    }
}

/// An atomic access is about to happen: a schedule point, and a check like any other.
#[inline(always)]
fn atomic(kind: Kind, addr: usize, size: usize, code: i32) {
    if armed() {
        let access = Access { kind, addr, size, order: order(code) };
        step(access);
        check(access);
    }
}

#[unsafe(link_section = "mapcheck_kept")]
static LAST_ADDR: AtomicUsize = AtomicUsize::new(0);
#[unsafe(link_section = "mapcheck_kept")]
static LAST_VALUE: AtomicU64 = AtomicU64::new(0);
#[unsafe(link_section = "mapcheck_kept")]
static REPEATED: AtomicUsize = AtomicUsize::new(0);

/// Forgets what the running thread read last; called when it made progress or another thread runs.
#[inline(always)]
pub(crate) fn not_spinning() {
    REPEATED.store(0, Relaxed);
}

/// The value that a load, or a compare-exchange that fails, returns: the latest write.
///
/// A thread that reads the same value at the same address again and again spins, and gives way to the others.
#[inline(always)]
fn visible(addr: usize, latest: u64) -> u64 {
    if armed() {
        let repeated = LAST_ADDR.load(Relaxed) == addr && LAST_VALUE.load(Relaxed) == latest;
        let count = if repeated { REPEATED.load(Relaxed) + 1 } else { 0 };
        LAST_ADDR.store(addr, Relaxed);
        LAST_VALUE.store(latest, Relaxed);
        REPEATED.store(count, Relaxed);
        if count >= SPINS {
            not_spinning();
            give_way(
                Reason::Yield,
                Access { kind: Kind::AtomicLoad, addr, size: 8, order: Order::Relaxed },
            );
        }
    }
    latest
}

macro_rules! atomic_callbacks {
    ($int:ident $cell:ident: $load:ident $store:ident $exchange:ident $cas:ident $cas_strong:ident $cas_weak:ident
     $($rmw:ident $method:ident),*) => {
        /// Performs an atomic load.
        ///
        /// # Safety
        /// The address must be valid, as the code that was compiled to this call promised.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $load(addr: *const $cell, code: i32) -> $int {
            atomic(Kind::AtomicLoad, addr.addr(), size_of::<$int>(), code);
            // SAFETY: by the caller's promise, and checked above if it lies in the arena.
            let latest = unsafe { (*addr).load(SeqCst) };
            visible(addr.addr(), latest as u64) as $int
        }
        /// Performs an atomic store.
        ///
        /// # Safety
        /// As for the load.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $store(addr: *const $cell, value: $int, code: i32) {
            atomic(Kind::AtomicStore, addr.addr(), size_of::<$int>(), code);
            not_spinning();
            // SAFETY: as for the load. Only one thread runs, so release is as strong as any order.
            unsafe { (*addr).store(value, Ordering::Release) }
        }
        /// Performs an atomic exchange.
        ///
        /// # Safety
        /// As for the load.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $exchange(addr: *const $cell, value: $int, code: i32) -> $int {
            atomic(Kind::AtomicRmw, addr.addr(), size_of::<$int>(), code);
            // SAFETY: as for the load.
            let old = unsafe { (*addr).swap(value, SeqCst) };
            if old == value { visible(addr.addr(), old as u64) as $int } else { old }
        }
        /// Performs an atomic compare-exchange and returns the value found.
        ///
        /// # Safety
        /// As for the load.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $cas(addr: *const $cell, expected: $int, value: $int, code: i32, _: i32) -> $int {
            atomic(Kind::AtomicRmw, addr.addr(), size_of::<$int>(), code);
            // SAFETY: as for the load.
            match unsafe { (*addr).compare_exchange(expected, value, SeqCst, SeqCst) } {
                Ok(old) => {
                    not_spinning();
                    old
                }
                Err(found) => visible(addr.addr(), found as u64) as $int,
            }
        }
        /// Performs an atomic compare-exchange in the form that C code is compiled to.
        ///
        /// # Safety
        /// As for the load; `expected` must be valid too.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $cas_strong(
            addr: *const $cell, expected: *mut $int, value: $int, code: i32, failure: i32,
        ) -> i32 {
            // SAFETY: by the caller's promise.
            unsafe {
                let found = $cas(addr, *expected, value, code, failure);
                let same = found == *expected;
                *expected = found;
                i32::from(same)
            }
        }
        /// As the strong form: no spurious failures.
        ///
        /// # Safety
        /// As for the strong form.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $cas_weak(
            addr: *const $cell, expected: *mut $int, value: $int, code: i32, failure: i32,
        ) -> i32 {
            // SAFETY: by the caller's promise.
            unsafe { $cas_strong(addr, expected, value, code, failure) }
        }
        $(
            /// Performs an atomic read-modify-write and returns the old value.
            ///
            /// # Safety
            /// As for the load.
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $rmw(addr: *const $cell, operand: $int, code: i32) -> $int {
                atomic(Kind::AtomicRmw, addr.addr(), size_of::<$int>(), code);
                not_spinning();
                // SAFETY: as for the load.
                unsafe { (*addr).$method(operand, SeqCst) }
            }
        )*
    };
}

atomic_callbacks! { u8 AtomicU8: __tsan_atomic8_load __tsan_atomic8_store __tsan_atomic8_exchange
__tsan_atomic8_compare_exchange_val __tsan_atomic8_compare_exchange_strong __tsan_atomic8_compare_exchange_weak
__tsan_atomic8_fetch_add fetch_add, __tsan_atomic8_fetch_sub fetch_sub, __tsan_atomic8_fetch_and fetch_and,
__tsan_atomic8_fetch_or fetch_or, __tsan_atomic8_fetch_xor fetch_xor, __tsan_atomic8_fetch_nand fetch_nand }
atomic_callbacks! { u16 AtomicU16: __tsan_atomic16_load __tsan_atomic16_store __tsan_atomic16_exchange
__tsan_atomic16_compare_exchange_val __tsan_atomic16_compare_exchange_strong __tsan_atomic16_compare_exchange_weak
__tsan_atomic16_fetch_add fetch_add, __tsan_atomic16_fetch_sub fetch_sub, __tsan_atomic16_fetch_and fetch_and,
__tsan_atomic16_fetch_or fetch_or, __tsan_atomic16_fetch_xor fetch_xor, __tsan_atomic16_fetch_nand fetch_nand }
atomic_callbacks! { u32 AtomicU32: __tsan_atomic32_load __tsan_atomic32_store __tsan_atomic32_exchange
__tsan_atomic32_compare_exchange_val __tsan_atomic32_compare_exchange_strong __tsan_atomic32_compare_exchange_weak
__tsan_atomic32_fetch_add fetch_add, __tsan_atomic32_fetch_sub fetch_sub, __tsan_atomic32_fetch_and fetch_and,
__tsan_atomic32_fetch_or fetch_or, __tsan_atomic32_fetch_xor fetch_xor, __tsan_atomic32_fetch_nand fetch_nand }
atomic_callbacks! { u64 AtomicU64: __tsan_atomic64_load __tsan_atomic64_store __tsan_atomic64_exchange
__tsan_atomic64_compare_exchange_val __tsan_atomic64_compare_exchange_strong __tsan_atomic64_compare_exchange_weak
__tsan_atomic64_fetch_add fetch_add, __tsan_atomic64_fetch_sub fetch_sub, __tsan_atomic64_fetch_and fetch_and,
__tsan_atomic64_fetch_or fetch_or, __tsan_atomic64_fetch_xor fetch_xor, __tsan_atomic64_fetch_nand fetch_nand }

/// A 128-bit cell. Only one thread runs at a time, so plain accesses are atomic enough inside an execution, and no code
/// runs with these callbacks outside of one from several threads: stable Rust has no 128-bit atomics.
type Cell128 = u128;

/// Performs an atomic load of 16 bytes.
///
/// # Safety
/// The address must be valid.
#[unsafe(no_mangle)]
unsafe extern "C" fn __tsan_atomic128_load(addr: *const Cell128, code: i32) -> u128 {
    atomic(Kind::AtomicLoad, addr.addr(), 16, code);
    // SAFETY: by the caller's promise.
    let latest = unsafe { addr.read_volatile() };
    visible(addr.addr(), (latest ^ (latest >> 64)) as u64);
    latest
}

/// Performs an atomic store of 16 bytes.
///
/// # Safety
/// The address must be valid.
#[unsafe(no_mangle)]
unsafe extern "C" fn __tsan_atomic128_store(addr: *mut Cell128, value: u128, code: i32) {
    atomic(Kind::AtomicStore, addr.addr(), 16, code);
    // SAFETY: by the caller's promise.
    unsafe { addr.write_volatile(value) }
}

/// Performs an atomic compare-exchange of 16 bytes.
///
/// # Safety
/// The address must be valid.
#[unsafe(no_mangle)]
unsafe extern "C" fn __tsan_atomic128_compare_exchange_val(
    addr: *mut Cell128,
    expected: u128,
    value: u128,
    code: i32,
    _: i32,
) -> u128 {
    atomic(Kind::AtomicRmw, addr.addr(), 16, code);
    // SAFETY: by the caller's promise.
    unsafe {
        let found = addr.read_volatile();
        if found == expected {
            addr.write_volatile(value);
        }
        found
    }
}

/// Performs a fence.
#[unsafe(no_mangle)]
extern "C" fn __tsan_atomic_thread_fence(code: i32) {
    if armed() {
        step(Access { kind: Kind::Fence, addr: 0, size: 0, order: order(code) });
    }
    fence(SeqCst);
}

/// Performs a compiler fence.
#[unsafe(no_mangle)]
extern "C" fn __tsan_atomic_signal_fence(_: i32) {
    std::sync::atomic::compiler_fence(SeqCst);
}

/// Called by the constructors of instrumented modules; nothing to set up.
#[unsafe(no_mangle)]
extern "C" fn __tsan_init() {}

/// Called on entry of functions when the wrapper's flag against it is not known to the compiler.
#[unsafe(no_mangle)]
extern "C" fn __tsan_func_entry(_: usize) {}

/// The counterpart of `__tsan_func_entry`.
#[unsafe(no_mangle)]
extern "C" fn __tsan_func_exit() {}

/// Modules with edge counters that were linked in.
#[unsafe(link_section = "mapcheck_kept")]
static MODULES: AtomicUsize = AtomicUsize::new(0);

/// Announces the edge counters of an instrumented module, before `main`.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_8bit_counters_init(_start: *mut u8, _stop: *mut u8) {
    MODULES.fetch_add(1, Relaxed);
}

/// Instrumented modules linked in.
pub(crate) fn modules() -> usize {
    MODULES.load(Relaxed)
}
