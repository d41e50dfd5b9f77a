//! Accesses of C and C++ code that was compiled with `-fsanitize=thread`: gcc and clang announce every plain access by
//! a call, under other names than the passes that Rust code goes through. Only the compiler's part is needed, no
//! sanitizer's runtime. Atomic accesses have the same names as Rust's and are in [`crate::atomic`].

use std::ffi::{c_int, c_void};

use crate::api::Kind;
use crate::memory::plain;
use crate::shim::bytes;
use crate::watch;

macro_rules! accesses {
    ($($kind:ident $size:literal: $($name:ident)*;)*) => {
        $($(
            #[doc = concat!("Called before a plain access of ", stringify!($size), " bytes.")]
            #[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
            extern "C" fn $name(addr: usize) {
                plain(Kind::$kind, addr, $size);
            }
        )*)*
        watch::entries_with_sites! {
            $($($name)*)* __tsan_read_range __tsan_write_range __tsan_vptr_read __tsan_vptr_update
            __tsan_memcpy __tsan_memmove __tsan_memset
        }
    };
}

// A volatile access is no atomic one in C, whatever programs make of it. clang has a name for a load and a store of the
// same bytes in a row.
accesses! {
    Read 1: __tsan_read1 __tsan_volatile_read1 __tsan_unaligned_volatile_read1;
    Read 2: __tsan_read2 __tsan_volatile_read2 __tsan_unaligned_read2 __tsan_unaligned_volatile_read2;
    Read 4: __tsan_read4 __tsan_volatile_read4 __tsan_unaligned_read4 __tsan_unaligned_volatile_read4;
    Read 8: __tsan_read8 __tsan_volatile_read8 __tsan_unaligned_read8 __tsan_unaligned_volatile_read8;
    Read 16: __tsan_read16 __tsan_volatile_read16 __tsan_unaligned_read16
        __tsan_unaligned_volatile_read16;
    Write 1: __tsan_write1 __tsan_volatile_write1 __tsan_unaligned_volatile_write1 __tsan_read_write1;
    Write 2: __tsan_write2 __tsan_volatile_write2 __tsan_unaligned_write2
        __tsan_unaligned_volatile_write2 __tsan_read_write2 __tsan_unaligned_read_write2;
    Write 4: __tsan_write4 __tsan_volatile_write4 __tsan_unaligned_write4
        __tsan_unaligned_volatile_write4 __tsan_read_write4 __tsan_unaligned_read_write4;
    Write 8: __tsan_write8 __tsan_volatile_write8 __tsan_unaligned_write8
        __tsan_unaligned_volatile_write8 __tsan_read_write8 __tsan_unaligned_read_write8;
    Write 16: __tsan_write16 __tsan_volatile_write16 __tsan_unaligned_write16
        __tsan_unaligned_volatile_write16 __tsan_read_write16 __tsan_unaligned_read_write16;
}

/// Called before a plain load of so many bytes.
#[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
extern "C" fn __tsan_read_range(addr: usize, size: usize) {
    if size > 0 {
        plain(Kind::Read, addr, size);
    }
}

/// Called before a plain store of so many bytes.
#[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
extern "C" fn __tsan_write_range(addr: usize, size: usize) {
    if size > 0 {
        plain(Kind::Write, addr, size);
    }
}

/// Called before a load of a pointer to a table of virtual functions.
#[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
extern "C" fn __tsan_vptr_read(addr: usize) {
    plain(Kind::Read, addr, size_of::<usize>());
}

/// Called before such a pointer is stored.
#[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
extern "C" fn __tsan_vptr_update(addr: usize, _: usize) {
    plain(Kind::Write, addr, size_of::<usize>());
}

/// Performs what clang calls in place of `memcpy`.
///
/// # Safety
/// As C's.
#[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
unsafe extern "C" fn __tsan_memcpy(
    to: *mut c_void,
    from: *const c_void,
    size: usize,
) -> *mut c_void {
    // SAFETY: passed on.
    unsafe { bytes::memcpy(to, from, size) }
}

/// Performs what clang calls in place of `memmove`.
///
/// # Safety
/// As C's.
#[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
unsafe extern "C" fn __tsan_memmove(
    to: *mut c_void,
    from: *const c_void,
    size: usize,
) -> *mut c_void {
    // SAFETY: passed on.
    unsafe { bytes::memmove(to, from, size) }
}

/// Performs what clang calls in place of `memset`.
///
/// # Safety
/// As C's.
#[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
unsafe extern "C" fn __tsan_memset(to: *mut c_void, value: c_int, size: usize) -> *mut c_void {
    // SAFETY: passed on.
    unsafe { bytes::memset(to, value, size) }
}
