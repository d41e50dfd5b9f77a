//! Atomic accesses of instrumented code. The compiler turns each into a call, and the access is made here.
//!
//! Inside executions all of them, whatever their width and operation, pass through [`modelled`]. It knows kind, address
//! and memory order, and [`visible`] is where a memory model says which of the writes an access reads. Today that is
//! the latest one: sequential consistency.

use std::sync::atomic::{
    AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering, Ordering::*, fence,
};

use crate::api::*;
use crate::border::happens;
use crate::memory::check;
use crate::state::{armed, disarmed, give_way, step, step_lightly_in_sight};
use crate::watch;

/// Times that a thread may read the same value at the same address in a row before it counts as spinning.
const SPINS: usize = 24;

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

/// A value that an atomic access reads or writes.
pub(crate) trait Word: Copy + PartialEq {
    /// A number that tells most values apart.
    fn digest(self) -> u64;
}

macro_rules! words {
    ($($int:ident)*) => {$(
        impl Word for $int {
            #[inline(always)]
            fn digest(self) -> u64 {
                self as u64
            }
        }
    )*};
}
words! { u8 u16 u32 u64 }

impl Word for u128 {
    #[inline(always)]
    fn digest(self) -> u64 {
        (self ^ (self >> 64)) as u64
    }
}

/// An atomic access of an execution: a schedule point, a check like any other, a read of a visible write, and a write
/// of what `change` makes of it, if anything. Returns what was read.
///
/// # Safety
/// The address must be valid, as the code that was compiled to the callback promised. The caller must be armed: only
/// one thread runs then, so that a load and a store in a row are one step.
#[inline(always)]
pub(crate) unsafe fn modelled<W: Word>(
    cell: *mut W,
    kind: Kind,
    codes: (i32, i32),
    change: impl FnOnce(W) -> Option<W>,
) -> W {
    // SAFETY: by the caller's promise.
    unsafe {
        if step_lightly_in_sight(cell.addr(), size_of::<W>()) {
            let read = cell.read_volatile();
            write(cell, kind, codes, read, change(read));
            return read;
        }
        modelled_in_full(cell, kind, codes, change)
    }
}

/// As [`modelled`], where somebody may be asked, or told.
#[cold]
#[inline(never)]
unsafe fn modelled_in_full<W: Word>(
    cell: *mut W,
    kind: Kind,
    (code, failure): (i32, i32),
    change: impl FnOnce(W) -> Option<W>,
) -> W {
    let site = watch::site();
    let access = Access { kind, addr: cell.addr(), size: size_of::<W>(), order: order(code) };
    let mut touch = Touch::by(access, site);
    step(&touch.access);
    check(&touch.access);
    // SAFETY: by the caller's promise, and checked if it lies in the arena.
    let read = visible(&touch.access, unsafe { cell.read_volatile() });
    let written = change(read);
    if watch::watching() {
        touch.access.order = order(if written.is_none() { failure } else { code });
        let left = written.map(Word::digest);
        touch.change = Change::Atomic { found: read.digest(), left };
        watch::touched(&mut touch);
    }
    // SAFETY: as for the read.
    unsafe { write(cell, kind, (code, failure), read, written) };
    read
}

/// The end of an atomic access: what it writes, if anything. One that changes nothing may be part of a loop.
#[inline(always)]
unsafe fn write<W: Word>(
    cell: *mut W,
    kind: Kind,
    (code, _): (i32, i32),
    read: W,
    written: Option<W>,
) {
    match written {
        Some(written) if written != read || kind == Kind::AtomicStore => {
            not_spinning();
            // SAFETY: by the caller's promise.
            unsafe { cell.write_volatile(written) };
        }
        _ if spins(cell.addr(), read.digest()) => {
            let (addr, size) = (cell.addr(), size_of::<W>());
            give_way(Reason::Yield, &Access { kind, addr, size, order: order(code) });
        }
        _ => {}
    }
}

/// The value that an access reads: of the writes that the memory model lets it see, the latest.
#[inline(always)]
fn visible<W: Word>(_: &Access, latest: W) -> W {
    latest
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

/// Whether the thread spins: it reads the same value at the same address again and again, and should give way.
#[inline(always)]
fn spins(addr: usize, value: u64) -> bool {
    if LAST_ADDR.load(Relaxed) != addr || LAST_VALUE.load(Relaxed) != value {
        LAST_ADDR.store(addr, Relaxed);
        LAST_VALUE.store(value, Relaxed);
        not_spinning();
        return false;
    }
    let count = REPEATED.load(Relaxed) + 1;
    REPEATED.store(if count < SPINS { count } else { 0 }, Relaxed);
    count >= SPINS
}

/// Whether a weak compare-exchange of the running thread fails for nothing. Never twice in a row: a loop around it must
/// get to its end.
fn fails_for_nothing() -> bool {
    let fails = !disarmed(|s| s.threads[s.current].weak_failed) && happens(ChoiceKind::WeakCas);
    disarmed(|s| s.threads[s.current].weak_failed = fails);
    fails
}

/// The callbacks of one width. `$outside` is the type that performs them where no execution is under way.
macro_rules! callbacks {
    ($int:ident $outside:ident: $load:ident $store:ident $exchange:ident $cas:ident $cas_strong:ident $cas_weak:ident
     $add:ident $sub:ident $and:ident $or:ident $xor:ident $nand:ident) => {
        /// Performs an atomic load.
        ///
        /// # Safety
        /// The address must be valid, as the code that was compiled to this call promised.
        #[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
        unsafe extern "C" fn $load(cell: *mut $int, code: i32) -> $int {
            // SAFETY: by the caller's promise, here and below.
            unsafe {
                if !armed() {
                    return $outside::from_ptr(cell).load(SeqCst);
                }
                modelled(cell, Kind::AtomicLoad, (code, code), |_| None)
            }
        }
        /// Performs an atomic store.
        ///
        /// # Safety
        /// As for the load.
        #[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
        unsafe extern "C" fn $store(cell: *mut $int, value: $int, code: i32) {
            // SAFETY: by the caller's promise.
            unsafe {
                if !armed() {
                    return $outside::from_ptr(cell).store(value, SeqCst);
                }
                modelled(cell, Kind::AtomicStore, (code, code), |_| Some(value));
            }
        }
        /// Performs an atomic compare-exchange and returns the value found.
        ///
        /// # Safety
        /// As for the load.
        #[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
        unsafe extern "C" fn $cas(
            cell: *mut $int,
            expected: $int,
            value: $int,
            code: i32,
            failure: i32,
        ) -> $int {
            // SAFETY: by the caller's promise.
            unsafe {
                if !armed() {
                    let done =
                        $outside::from_ptr(cell).compare_exchange(expected, value, SeqCst, SeqCst);
                    return done.unwrap_or_else(|found| found);
                }
                let kind = Kind::AtomicRmw;
                modelled(cell, kind, (code, failure), |found| (found == expected).then_some(value))
            }
        }
        /// Performs an atomic compare-exchange in the form that C code is compiled to.
        ///
        /// # Safety
        /// As for the load; `expected` must be valid too.
        #[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
        unsafe extern "C" fn $cas_strong(
            cell: *mut $int,
            expected: *mut $int,
            value: $int,
            code: i32,
            failure: i32,
        ) -> i32 {
            // SAFETY: by the caller's promise.
            unsafe {
                let found = $cas(cell, *expected, value, code, failure);
                let same = found == *expected;
                *expected = found;
                i32::from(same)
            }
        }
        /// As the strong form, but it may fail for nothing, as [`ChoiceKind::WeakCas`] decides.
        ///
        /// # Safety
        /// As for the strong form.
        #[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
        unsafe extern "C" fn $cas_weak(
            cell: *mut $int,
            expected: *mut $int,
            value: $int,
            code: i32,
            failure: i32,
        ) -> i32 {
            // SAFETY: by the caller's promise.
            unsafe {
                if !armed() || !fails_for_nothing() {
                    return $cas_strong(cell, expected, value, code, failure);
                }
                *expected = modelled(cell, Kind::AtomicRmw, (code, failure), |_| None);
                0
            }
        }
        updates! { $int $outside:
            $exchange |_, new| new;
            $add |old, by| old.wrapping_add(by);
            $sub |old, by| old.wrapping_sub(by);
            $and |old, by| old & by;
            $or |old, by| old | by;
            $xor |old, by| old ^ by;
            $nand |old, by| !(old & by);
        }
    };
}

macro_rules! updates {
    ($int:ident $outside:ident: $($name:ident |$old:pat_param, $by:ident| $new:expr;)*) => {$(
        /// Performs an atomic read-modify-write and returns the old value.
        ///
        /// # Safety
        /// The address must be valid, as the code that was compiled to this call promised.
        #[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
        unsafe extern "C" fn $name(cell: *mut $int, $by: $int, code: i32) -> $int {
            // SAFETY: by the caller's promise.
            unsafe {
                if !armed() {
                    let done = $outside::from_ptr(cell).fetch_update(SeqCst, SeqCst, |$old| Some($new));
                    return done.unwrap_or_else(|old| old);
                }
                modelled(cell, Kind::AtomicRmw, (code, code), |$old| Some($new))
            }
        }
    )*};
}

callbacks! {
    u8 AtomicU8: __tsan_atomic8_load __tsan_atomic8_store __tsan_atomic8_exchange
    __tsan_atomic8_compare_exchange_val __tsan_atomic8_compare_exchange_strong
    __tsan_atomic8_compare_exchange_weak __tsan_atomic8_fetch_add __tsan_atomic8_fetch_sub
    __tsan_atomic8_fetch_and __tsan_atomic8_fetch_or __tsan_atomic8_fetch_xor
    __tsan_atomic8_fetch_nand
}
callbacks! {
    u16 AtomicU16: __tsan_atomic16_load __tsan_atomic16_store __tsan_atomic16_exchange
    __tsan_atomic16_compare_exchange_val __tsan_atomic16_compare_exchange_strong
    __tsan_atomic16_compare_exchange_weak __tsan_atomic16_fetch_add __tsan_atomic16_fetch_sub
    __tsan_atomic16_fetch_and __tsan_atomic16_fetch_or __tsan_atomic16_fetch_xor
    __tsan_atomic16_fetch_nand
}
callbacks! {
    u32 AtomicU32: __tsan_atomic32_load __tsan_atomic32_store __tsan_atomic32_exchange
    __tsan_atomic32_compare_exchange_val __tsan_atomic32_compare_exchange_strong
    __tsan_atomic32_compare_exchange_weak __tsan_atomic32_fetch_add __tsan_atomic32_fetch_sub
    __tsan_atomic32_fetch_and __tsan_atomic32_fetch_or __tsan_atomic32_fetch_xor
    __tsan_atomic32_fetch_nand
}
callbacks! {
    u64 AtomicU64: __tsan_atomic64_load __tsan_atomic64_store __tsan_atomic64_exchange
    __tsan_atomic64_compare_exchange_val __tsan_atomic64_compare_exchange_strong
    __tsan_atomic64_compare_exchange_weak __tsan_atomic64_fetch_add __tsan_atomic64_fetch_sub
    __tsan_atomic64_fetch_and __tsan_atomic64_fetch_or __tsan_atomic64_fetch_xor
    __tsan_atomic64_fetch_nand
}
callbacks! {
    u128 Wide: __tsan_atomic128_load __tsan_atomic128_store __tsan_atomic128_exchange
    __tsan_atomic128_compare_exchange_val __tsan_atomic128_compare_exchange_strong
    __tsan_atomic128_compare_exchange_weak __tsan_atomic128_fetch_add __tsan_atomic128_fetch_sub
    __tsan_atomic128_fetch_and __tsan_atomic128_fetch_or __tsan_atomic128_fetch_xor
    __tsan_atomic128_fetch_nand
}

watch::entries_with_sites! {
    __tsan_atomic8_load __tsan_atomic8_store __tsan_atomic8_exchange
    __tsan_atomic8_compare_exchange_val __tsan_atomic8_compare_exchange_strong
    __tsan_atomic8_compare_exchange_weak __tsan_atomic8_fetch_add __tsan_atomic8_fetch_sub
    __tsan_atomic8_fetch_and __tsan_atomic8_fetch_or __tsan_atomic8_fetch_xor
    __tsan_atomic8_fetch_nand __tsan_atomic16_load __tsan_atomic16_store __tsan_atomic16_exchange
    __tsan_atomic16_compare_exchange_val __tsan_atomic16_compare_exchange_strong
    __tsan_atomic16_compare_exchange_weak __tsan_atomic16_fetch_add __tsan_atomic16_fetch_sub
    __tsan_atomic16_fetch_and __tsan_atomic16_fetch_or __tsan_atomic16_fetch_xor
    __tsan_atomic16_fetch_nand __tsan_atomic32_load __tsan_atomic32_store __tsan_atomic32_exchange
    __tsan_atomic32_compare_exchange_val __tsan_atomic32_compare_exchange_strong
    __tsan_atomic32_compare_exchange_weak __tsan_atomic32_fetch_add __tsan_atomic32_fetch_sub
    __tsan_atomic32_fetch_and __tsan_atomic32_fetch_or __tsan_atomic32_fetch_xor
    __tsan_atomic32_fetch_nand __tsan_atomic64_load __tsan_atomic64_store __tsan_atomic64_exchange
    __tsan_atomic64_compare_exchange_val __tsan_atomic64_compare_exchange_strong
    __tsan_atomic64_compare_exchange_weak __tsan_atomic64_fetch_add __tsan_atomic64_fetch_sub
    __tsan_atomic64_fetch_and __tsan_atomic64_fetch_or __tsan_atomic64_fetch_xor
    __tsan_atomic64_fetch_nand __tsan_atomic128_load __tsan_atomic128_store
    __tsan_atomic128_exchange __tsan_atomic128_compare_exchange_val
    __tsan_atomic128_compare_exchange_strong __tsan_atomic128_compare_exchange_weak
    __tsan_atomic128_fetch_add __tsan_atomic128_fetch_sub __tsan_atomic128_fetch_and
    __tsan_atomic128_fetch_or __tsan_atomic128_fetch_xor __tsan_atomic128_fetch_nand
}

/// Accesses of 16 bytes where no execution is under way: stable Rust has no 128-bit atomics, so a lock of our own makes
/// each one step. Every instrumented access to the same cell passes through it.
struct Wide(*mut u128);

#[unsafe(link_section = "mapcheck_kept")]
static WIDE: std::sync::Mutex<()> = std::sync::Mutex::new(());

impl Wide {
    /// # Safety
    /// The address must be valid for as long as the result is used.
    unsafe fn from_ptr(cell: *mut u128) -> Wide {
        Wide(cell)
    }

    fn fetch_update(
        &self,
        _: Ordering,
        _: Ordering,
        change: impl FnOnce(u128) -> Option<u128>,
    ) -> Result<u128, u128> {
        let _one_step = WIDE.lock();
        // SAFETY: valid by the promise of `from_ptr`, and the lock keeps others away.
        unsafe {
            let old = self.0.read_volatile();
            let Some(new) = change(old) else { return Err(old) };
            self.0.write_volatile(new);
            Ok(old)
        }
    }

    fn load(&self, order: Ordering) -> u128 {
        self.fetch_update(order, order, |_| None).unwrap_or_else(|latest| latest)
    }

    fn store(&self, value: u128, order: Ordering) {
        // It always succeeds, and the old value is of no use.
        let _ = self.fetch_update(order, order, |_| Some(value));
    }

    fn compare_exchange(
        &self,
        expected: u128,
        value: u128,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u128, u128> {
        self.fetch_update(success, failure, |found| (found == expected).then_some(value))
    }
}

/// Performs a fence.
#[unsafe(no_mangle)]
extern "C" fn __tsan_atomic_thread_fence(code: i32) {
    if armed() {
        let access = Access { kind: Kind::Fence, addr: 0, size: 0, order: order(code) };
        step(&access);
        if watch::watching() {
            watch::touched(&mut Touch::by(access, 0));
        }
    }
    fence(SeqCst);
}

/// Performs a compiler fence.
#[unsafe(no_mangle)]
extern "C" fn __tsan_atomic_signal_fence(_: i32) {
    std::sync::atomic::compiler_fence(SeqCst);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each callback of a width returns in turn, and what the cell holds in the end; no execution is under way.
    macro_rules! history {
        ($int:ident $load:ident $store:ident $cas:ident $($update:ident)*) => {{
            let mut cell: $int = 12;
            let cell = &raw mut cell;
            // SAFETY: the cell is this thread's own.
            unsafe {
                let updates = [$($update(cell, 10, 5)),*];
                $store(cell, 7, 5);
                let refused = $cas(cell, 8, 9, 5, 5);
                let taken = $cas(cell, 7, 9, 5, 5);
                (updates.map(|old| old as u64), refused as u64, taken as u64, $load(cell, 5) as u64)
            }
        }};
    }

    #[test]
    fn an_access_of_16_bytes_does_what_one_of_8_does() {
        let narrow = history!(u64 __tsan_atomic64_load __tsan_atomic64_store
            __tsan_atomic64_compare_exchange_val __tsan_atomic64_fetch_add __tsan_atomic64_fetch_sub
            __tsan_atomic64_fetch_and __tsan_atomic64_fetch_or __tsan_atomic64_fetch_xor
            __tsan_atomic64_fetch_nand __tsan_atomic64_exchange);
        let wide = history!(u128 __tsan_atomic128_load __tsan_atomic128_store
            __tsan_atomic128_compare_exchange_val __tsan_atomic128_fetch_add __tsan_atomic128_fetch_sub
            __tsan_atomic128_fetch_and __tsan_atomic128_fetch_or __tsan_atomic128_fetch_xor
            __tsan_atomic128_fetch_nand __tsan_atomic128_exchange);
        assert_eq!(narrow, ([12, 22, 12, 8, 10, 0, u64::MAX], 7, 7, 9));
        assert_eq!(wide, narrow);
    }
}
