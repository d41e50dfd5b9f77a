//! libc's allocator: what code under test takes from it without the global allocator comes from the modelled heap too.
//! That is C code, and the standard library, which keeps a thread's handle, and so the word it parks on, in it.

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::{c_int, c_void};
use std::ptr;

use crate::heap::{self, allocator::ModelledHeap};
use crate::state::armed;

unsafe extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(block: *mut c_void, size: usize) -> *mut c_void;
    fn __libc_memalign(align: usize, size: usize) -> *mut c_void;
    fn __libc_free(block: *mut c_void);
}

/// What libc's blocks are aligned to.
const ALIGN: usize = 16;

/// The layout of a block of the modelled heap; none if it cannot exist.
fn layout(size: usize, align: usize) -> Option<Layout> {
    Layout::from_size_align(size.max(1), align).ok()
}

/// Takes a block from the modelled heap, null if it cannot exist.
fn take(size: usize, align: usize) -> *mut c_void {
    // SAFETY: the layout is not empty.
    let block = layout(size, align).map_or(ptr::null_mut(), |l| unsafe { ModelledHeap.alloc(l) });
    if block.is_null() {
        super::set_errno(libc::ENOMEM);
    }
    block.cast()
}

/// Replaces libc's `malloc`.
#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut c_void {
    // SAFETY: no preconditions.
    if armed() { take(size, ALIGN) } else { unsafe { __libc_malloc(size) } }
}

/// Replaces libc's `calloc`.
#[unsafe(no_mangle)]
extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    if !armed() {
        // SAFETY: no preconditions.
        return unsafe { __libc_calloc(count, size) };
    }
    let wanted = count.checked_mul(size).and_then(|size| layout(size, ALIGN));
    // SAFETY: the layout is not empty.
    wanted.map_or(ptr::null_mut(), |l| unsafe { ModelledHeap.alloc_zeroed(l) }.cast())
}

/// Replaces libc's `realloc`.
///
/// # Safety
/// As C's.
#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    let Some(old) = heap::layout_at(block.addr()) else {
        // SAFETY: passed on; a wrong address in the arena is a finding or, outside executions, ignored.
        return unsafe { realloc_foreign(block, size) };
    };
    if size == 0 {
        // SAFETY: the caller's block.
        unsafe { free(block) };
        return ptr::null_mut();
    }
    // SAFETY: the block and its layout belong together.
    unsafe { ModelledHeap.realloc(block.cast(), old, size).cast() }
}

/// As `realloc`, for what is not a block of the arena.
///
/// # Safety
/// As C's `realloc`.
unsafe fn realloc_foreign(block: *mut c_void, size: usize) -> *mut c_void {
    if block.is_null() {
        return malloc(size);
    }
    if heap::contains(block.addr()) {
        // SAFETY: not a block, which is what `free` finds.
        unsafe { free(block) };
        return ptr::null_mut();
    }
    // SAFETY: libc's own block.
    unsafe { __libc_realloc(block, size) }
}

/// Replaces libc's `free`.
///
/// # Safety
/// As C's.
#[unsafe(no_mangle)]
unsafe extern "C" fn free(block: *mut c_void) {
    if !heap::contains(block.addr()) {
        // SAFETY: libc's own block, or null.
        return unsafe { __libc_free(block) };
    }
    // A wrong address has no layout: any will do for the finding.
    let layout = heap::layout_at(block.addr()).unwrap_or(Layout::new::<()>());
    // SAFETY: the block and its layout belong together.
    unsafe { ModelledHeap.dealloc(block.cast(), layout) }
}

/// Replaces libc's `memalign`.
#[unsafe(no_mangle)]
extern "C" fn memalign(align: usize, size: usize) -> *mut c_void {
    // SAFETY: no preconditions.
    if armed() { take(size, align) } else { unsafe { __libc_memalign(align, size) } }
}

/// Replaces libc's `aligned_alloc`.
#[unsafe(no_mangle)]
extern "C" fn aligned_alloc(align: usize, size: usize) -> *mut c_void {
    memalign(align, size)
}

/// Replaces libc's `posix_memalign`.
///
/// # Safety
/// As C's.
#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(out: *mut *mut c_void, align: usize, size: usize) -> c_int {
    if !align.is_power_of_two() || !align.is_multiple_of(size_of::<usize>()) {
        return libc::EINVAL;
    }
    let block = memalign(align, size);
    if block.is_null() {
        return libc::ENOMEM;
    }
    // SAFETY: valid by the caller's promise.
    unsafe { *out = block };
    0
}

/// Replaces libc's `malloc_usable_size`.
///
/// # Safety
/// As C's.
#[unsafe(no_mangle)]
unsafe extern "C" fn malloc_usable_size(block: *mut c_void) -> usize {
    type Function = unsafe extern "C" fn(*mut c_void) -> usize;
    if let Some(layout) = heap::layout_at(block.addr()) {
        return layout.size();
    }
    // SAFETY: the function has this type; libc's own block, or null.
    unsafe { std::mem::transmute::<*mut c_void, Function>(USABLE.get())(block) }
}

#[unsafe(link_section = "mapcheck_kept")]
static USABLE: super::Real = super::Real::new(c"malloc_usable_size");
