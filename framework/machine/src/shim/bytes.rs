//! `memcpy` and its family: neither compiler pass announces them, so their ranges are checked here.

use std::ffi::{c_int, c_void};
use std::mem::transmute;

use super::Real;
use crate::api::*;
use crate::heap;
use crate::memory::plain_at;
use crate::state::{armed, step_lightly};
use crate::watch::{entries_with_sites, site};

type Copy = unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> *mut c_void;
type Set = unsafe extern "C" fn(*mut c_void, c_int, usize) -> *mut c_void;
type Compare = unsafe extern "C" fn(*const c_void, *const c_void, usize) -> c_int;

#[unsafe(link_section = "mapcheck_kept")]
static MEMCPY: Real = Real::new(c"memcpy");
#[unsafe(link_section = "mapcheck_kept")]
static MEMMOVE: Real = Real::new(c"memmove");
#[unsafe(link_section = "mapcheck_kept")]
static MEMSET: Real = Real::new(c"memset");
#[unsafe(link_section = "mapcheck_kept")]
static MEMCMP: Real = Real::new(c"memcmp");

/// Announces an access to a range: a schedule point and a check if it lies in the arena.
#[inline(always)]
fn range(kind: Kind, addr: usize, size: usize, site: usize) {
    if heap::contains(addr) && size > 0 && !step_lightly(addr, size) {
        plain_at(kind, addr, size, site);
    }
}

/// # Safety
/// As C's.
#[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn memcpy(
    to: *mut c_void,
    from: *const c_void,
    size: usize,
) -> *mut c_void {
    if armed() {
        let site = site();
        range(Kind::Read, from.addr(), size, site);
        range(Kind::Write, to.addr(), size, site);
    }
    // SAFETY: the function has this type; the arguments are the caller's.
    unsafe { transmute::<*mut c_void, Copy>(MEMCPY.get())(to, from, size) }
}

/// # Safety
/// As C's.
#[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn memmove(
    to: *mut c_void,
    from: *const c_void,
    size: usize,
) -> *mut c_void {
    if armed() {
        let site = site();
        range(Kind::Read, from.addr(), size, site);
        range(Kind::Write, to.addr(), size, site);
    }
    // SAFETY: as for memcpy.
    unsafe { transmute::<*mut c_void, Copy>(MEMMOVE.get())(to, from, size) }
}

/// # Safety
/// As C's.
#[cfg_attr(not(target_arch = "x86_64"), unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn memset(to: *mut c_void, value: c_int, size: usize) -> *mut c_void {
    if armed() {
        let site = site();
        range(Kind::Write, to.addr(), size, site);
    }
    // SAFETY: as for memcpy.
    unsafe { transmute::<*mut c_void, Set>(MEMSET.get())(to, value, size) }
}

/// # Safety
/// As C's.
#[cfg_attr(not(target_arch = "x86_64"), unsafe(export_name = "memcmp"))]
unsafe extern "C" fn __wrap_memcmp(a: *const c_void, b: *const c_void, size: usize) -> c_int {
    if armed() {
        let site = site();
        range(Kind::Read, a.addr(), size, site);
        range(Kind::Read, b.addr(), size, site);
    }
    // SAFETY: as for memcpy.
    unsafe { transmute::<*mut c_void, Compare>(MEMCMP.get())(a, b, size) }
}

entries_with_sites! { memcpy memmove memset __wrap_memcmp __wrap_bcmp }

/// # Safety
/// As C's.
#[cfg_attr(not(target_arch = "x86_64"), unsafe(export_name = "bcmp"))]
unsafe extern "C" fn __wrap_bcmp(a: *const c_void, b: *const c_void, size: usize) -> c_int {
    // SAFETY: passed on.
    unsafe { __wrap_memcmp(a, b, size) }
}

// Comparisons by the names that everybody knows, weak: libFuzzer has functions of these names too. In executables that
// `cargo mapcheck` links, those here are called in any case, since it has the linker wrap the names.
#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".weak memcmp",
    ".type memcmp, @function",
    "memcmp:",
    "jmp __wrap_memcmp@PLT",
    ".weak bcmp",
    ".type bcmp, @function",
    "bcmp:",
    "jmp __wrap_bcmp@PLT",
);
