//! The number of processors that code under test sees, whatever the machine: maps size their shards by it.

use std::ffi::{CStr, c_char, c_int};
use std::mem::transmute;

use super::{Real, as_libc, raw_syscall, set_errno};
use crate::state::armed;

const PROCESSORS: usize = 4;

/// Replaces libc's `sched_getaffinity`, on which `available_parallelism` rests.
///
/// # Safety
/// `mask` must have room for `size` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn sched_getaffinity(pid: i32, size: usize, mask: *mut libc::cpu_set_t) -> i32 {
    if armed() && size >= size_of::<u64>() {
        // SAFETY: by the caller's promise.
        unsafe {
            std::ptr::write_bytes(mask.cast::<u8>(), 0, size);
            *mask.cast::<u8>() = (1 << PROCESSORS) - 1;
        }
        return 0;
    }
    let arguments = [pid as usize, size, mask.addr(), 0, 0, 0];
    // SAFETY: passed on; the kernel writes at most `size` bytes, the rest is cleared as libc does.
    unsafe {
        let written = raw_syscall(libc::SYS_sched_getaffinity, arguments);
        if written < 0 {
            return as_libc(written) as i32;
        }
        std::ptr::write_bytes(mask.cast::<u8>().add(written as usize), 0, size - written as usize);
    }
    0
}

/// Where the quota of processors, and their number, are looked up.
const HIDDEN: [&CStr; 2] = [c"/proc/self/cgroup", c"/proc/cpuinfo"];

#[unsafe(link_section = "mapcheck_kept")]
static OPEN64: Real = Real::new(c"open64");

/// Replaces libc's `open64`, only to hide what the machine's processors are: by their quota `available_parallelism` may
/// be less, and crates count cores in the list of them.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
    // SAFETY: the path is a C string by the caller's promise.
    if armed() && HIDDEN.contains(&unsafe { CStr::from_ptr(path) }) {
        set_errno(libc::ENOENT);
        return -1;
    }
    type Function = unsafe extern "C" fn(*const c_char, c_int, ...) -> c_int;
    // SAFETY: the function has this type; the arguments are the caller's. It ignores the mode unless it creates.
    unsafe { transmute::<*mut std::ffi::c_void, Function>(OPEN64.get())(path, flags, mode) }
}
