//! The dynamic loader holds a lock of its own while it calls back, which no virtual thread may keep when it is left.

use std::ffi::{c_int, c_void};
use std::mem::transmute;

use super::Real;
use crate::state::{arm, armed, disarm};

type Callback = unsafe extern "C" fn(*mut libc::dl_phdr_info, usize, *mut c_void) -> c_int;
type Function = unsafe extern "C" fn(Option<Callback>, *mut c_void) -> c_int;

#[unsafe(link_section = "mapcheck_kept")]
static ITERATE: Real = Real::new(c"dl_iterate_phdr");

/// Replaces libc's `dl_iterate_phdr`, which backtraces use: no schedule points in the callback.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn dl_iterate_phdr(callback: Option<Callback>, data: *mut c_void) -> c_int {
    let was_armed = armed();
    if was_armed {
        disarm();
    }
    // SAFETY: the function has this type; the arguments are the caller's.
    let result = unsafe { transmute::<*mut c_void, Function>(ITERATE.get())(callback, data) };
    if was_armed {
        arm();
    }
    result
}
