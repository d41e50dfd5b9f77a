//! POSIX thread-specific data. The values live in the donor's part of libc; their destructors run when a virtual thread
//! ends, as libc would run them: the standard library drops a thread's own handle in one.

use std::ffi::{c_int, c_void};
use std::mem::transmute;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::Relaxed};

use super::Real;
use crate::thread::on_virtual_thread;

type Destructor = unsafe extern "C" fn(*mut c_void);

/// Keys that libc can create.
const KEYS: usize = 1024;
/// Times that destructors are run again because a destructor has set a value, as libc's.
const ROUNDS: usize = 4;

#[unsafe(link_section = "mapcheck_kept")]
static CREATE: Real = Real::new(c"pthread_key_create");

/// The destructors by key, null for none.
#[unsafe(link_section = "mapcheck_kept")]
static DESTRUCTORS: [AtomicPtr<c_void>; KEYS] = [const { AtomicPtr::new(ptr::null_mut()) }; KEYS];
/// Whether a key was created by code under test.
#[unsafe(link_section = "mapcheck_kept")]
static INSIDE: [AtomicBool; KEYS] = [const { AtomicBool::new(false) }; KEYS];
/// Keys from 0 on that were ever created.
#[unsafe(link_section = "mapcheck_kept")]
static CREATED: AtomicUsize = AtomicUsize::new(0);

/// Replaces libc's `pthread_key_create`, to know the destructor.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_key_create(
    key: *mut libc::pthread_key_t,
    destructor: Option<Destructor>,
) -> c_int {
    type Function = unsafe extern "C" fn(*mut libc::pthread_key_t, Option<Destructor>) -> c_int;
    // SAFETY: the function has this type; the arguments are the caller's.
    let error = unsafe { transmute::<*mut c_void, Function>(CREATE.get())(key, destructor) };
    if error == 0 {
        // SAFETY: the call has just set it.
        let key = unsafe { *key } as usize;
        let known = destructor.map_or(ptr::null_mut(), |d| d as *mut c_void);
        DESTRUCTORS[key].store(known, Relaxed);
        INSIDE[key].store(on_virtual_thread(), Relaxed);
        CREATED.fetch_max(key + 1, Relaxed);
    }
    error
}

/// Deletes the keys that executions have created: the globals that held them are as before.
pub(crate) fn forget() {
    for (key, inside) in INSIDE.iter().enumerate().take(CREATED.load(Relaxed)) {
        if inside.swap(false, Relaxed) {
            // SAFETY: nobody knows the key any more; if it was deleted, the call is refused.
            unsafe { libc::pthread_key_delete(key as libc::pthread_key_t) };
        }
    }
}

/// Runs the destructors of the running thread, and leaves every key without a value for the donor's next thread.
pub(crate) fn run_destructors() {
    for _ in 0..ROUNDS {
        let mut found = false;
        for key in 0..CREATED.load(Relaxed) {
            found |= destroy(key);
        }
        if !found {
            return;
        }
    }
}

/// Takes the value of a key away and runs its destructor; false if there is no value.
fn destroy(key: usize) -> bool {
    // SAFETY: a key that was deleted is refused.
    let value = unsafe { libc::pthread_getspecific(key as libc::pthread_key_t) };
    if value.is_null() {
        return false;
    }
    let destructor = DESTRUCTORS[key].load(Relaxed);
    // SAFETY: as above; the destructor was registered for the values of this key.
    unsafe {
        libc::pthread_setspecific(key as libc::pthread_key_t, ptr::null());
        if !destructor.is_null() {
            transmute::<*mut c_void, Destructor>(destructor)(value);
        }
    }
    true
}
