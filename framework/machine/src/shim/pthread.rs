//! Threads that code under test starts with plain `std::thread` become virtual threads.

use std::ffi::{c_int, c_void};
use std::mem::transmute;

use super::{Real, SYNC};
use crate::state::{armed, disarmed, step};
use crate::thread::{self, Start, on_virtual_thread};

type Routine = extern "C" fn(*mut c_void) -> *mut c_void;
type Destructor = unsafe extern "C" fn(*mut c_void);

#[unsafe(link_section = "mapcheck_kept")]
static CREATE: Real = Real::new(c"pthread_create");
#[unsafe(link_section = "mapcheck_kept")]
static JOIN: Real = Real::new(c"pthread_join");
#[unsafe(link_section = "mapcheck_kept")]
static DETACH: Real = Real::new(c"pthread_detach");
#[unsafe(link_section = "mapcheck_kept")]
static GETATTR: Real = Real::new(c"pthread_getattr_np");
#[unsafe(link_section = "mapcheck_kept")]
static ATEXIT: Real = Real::new(c"__cxa_thread_atexit_impl");

/// libc's `pthread_create`.
///
/// # Safety
/// As libc's.
pub(crate) unsafe fn real_create(
    out: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    routine: Routine,
    argument: *mut c_void,
) -> c_int {
    type Function = unsafe extern "C" fn(
        *mut libc::pthread_t,
        *const libc::pthread_attr_t,
        Routine,
        *mut c_void,
    ) -> c_int;
    // SAFETY: the function has this type; the arguments are the caller's.
    unsafe { transmute::<*mut c_void, Function>(CREATE.get())(out, attributes, routine, argument) }
}

/// Replaces libc's `pthread_create`.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_create(
    out: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    routine: Routine,
    argument: *mut c_void,
) -> c_int {
    if !armed() {
        // SAFETY: passed on.
        return unsafe { real_create(out, attributes, routine, argument) };
    }
    step(&SYNC);
    let handle = disarmed(|_| {
        let thread = thread::create(Start::Pthread(routine, argument));
        // SAFETY: the running thread, disarmed.
        unsafe { crate::state::state() }.threads[thread].handle
    });
    // SAFETY: by the caller's promise.
    unsafe { *out = handle };
    0
}

/// The virtual thread with this handle that nobody has joined yet.
fn virtual_thread(handle: libc::pthread_t) -> Option<usize> {
    disarmed(|s| s.threads.iter().position(|t| t.handle == handle && !t.joined))
}

/// Replaces libc's `pthread_join`.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_join(handle: libc::pthread_t, out: *mut *mut c_void) -> c_int {
    if !armed() {
        type Function = unsafe extern "C" fn(libc::pthread_t, *mut *mut c_void) -> c_int;
        // SAFETY: the function has this type; the arguments are the caller's.
        return unsafe { transmute::<*mut c_void, Function>(JOIN.get())(handle, out) };
    }
    step(&SYNC);
    let Some(thread) = virtual_thread(handle) else { return libc::ESRCH };
    thread::join(thread);
    let result = disarmed(|s| {
        s.threads[thread].joined = true;
        s.threads[thread].result
    });
    // SAFETY: by the caller's promise the pointer is valid or null.
    if let Some(out) = unsafe { out.as_mut() } {
        *out = result;
    }
    0
}

/// Replaces libc's `pthread_detach`: virtual threads need nobody to join them.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_detach(handle: libc::pthread_t) -> c_int {
    if armed() && virtual_thread(handle).is_some() {
        return 0;
    }
    type Function = unsafe extern "C" fn(libc::pthread_t) -> c_int;
    // SAFETY: the function has this type; the argument is the caller's.
    unsafe { transmute::<*mut c_void, Function>(DETACH.get())(handle) }
}

/// Replaces libc's registration of destructors of thread-local variables: those of virtual threads run when they end.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn __cxa_thread_atexit_impl(
    destructor: Destructor,
    object: *mut c_void,
    dso: *mut c_void,
) -> c_int {
    if !on_virtual_thread() {
        type Function = unsafe extern "C" fn(Destructor, *mut c_void, *mut c_void) -> c_int;
        // SAFETY: the function has this type; the arguments are the caller's.
        return unsafe {
            transmute::<*mut c_void, Function>(ATEXIT.get())(destructor, object, dso)
        };
    }
    let was_armed = armed();
    crate::state::disarm();
    thread::at_exit((destructor, object));
    if was_armed {
        crate::state::arm();
    }
    0
}

/// Replaces libc's `pthread_getattr_np`: the standard library looks for the guard of its threads' stacks, of which libc
/// knows nothing when the stack is ours. What libc would ask the kernel at each thread's start is left out.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_getattr_np(
    thread: libc::pthread_t,
    attributes: *mut libc::pthread_attr_t,
) -> c_int {
    if let Some((stack, size)) = thread::stack_with(thread).filter(|_| on_virtual_thread()) {
        // SAFETY: the caller's attributes, initialised before the rest is set.
        return unsafe {
            libc::pthread_attr_init(attributes);
            libc::pthread_attr_setguardsize(attributes, thread::GUARD);
            libc::pthread_attr_setstack(attributes, stack as *mut c_void, size)
        };
    }
    type Function = unsafe extern "C" fn(libc::pthread_t, *mut libc::pthread_attr_t) -> c_int;
    // SAFETY: the function has this type; the arguments are the caller's.
    unsafe { transmute::<*mut c_void, Function>(GETATTR.get())(thread, attributes) }
}

/// Replaces libc's `gettid`, which the standard library asks at each thread's start: inside executions the numbers
/// follow the order of the threads.
#[unsafe(no_mangle)]
extern "C" fn gettid() -> libc::pid_t {
    if armed() {
        return disarmed(|s| s.current as libc::pid_t + 1);
    }
    thread::os_thread()
}

/// Replaces libc's `sigaltstack`: the standard library asks at each thread's start whether signals have a stack, and
/// inside executions they have.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn sigaltstack(new: *const libc::stack_t, old: *mut libc::stack_t) -> c_int {
    if armed() {
        // SAFETY: by the caller's promise the pointer is valid or null.
        if let Some(old) = unsafe { old.as_mut() } {
            *old = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: 0, ss_size: 0 };
        }
        return 0;
    }
    let arguments = [new.addr(), old.addr(), 0, 0, 0, 0];
    // SAFETY: passed on.
    super::as_libc(unsafe { super::raw_syscall(libc::SYS_sigaltstack, arguments) }) as c_int
}
