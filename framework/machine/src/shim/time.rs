//! Virtual time: a schedule point takes ten nanoseconds, and when all threads wait, time leaps to the next deadline.

use std::ffi::{c_int, c_void};
use std::mem::transmute;

use super::Real;
use crate::api::*;
use crate::state::{armed, disarmed, give_way, step};
use crate::thread::Status;

/// Where virtual clocks start: monotonic, and seconds since 1970.
const MONOTONIC: u64 = 1_000 * SECOND;
const REALTIME: u64 = 1_700_000_000 * SECOND;
const SECOND: u64 = 1_000_000_000;

#[unsafe(link_section = "mapcheck_kept")]
static CLOCK_GETTIME: Real = Real::new(c"clock_gettime");

fn origin(realtime: bool) -> u64 {
    if realtime { REALTIME } else { MONOTONIC }
}

/// Nanoseconds of the timespec at this address; none if it is null.
///
/// # Safety
/// The address must be null or that of a timespec.
pub(super) unsafe fn from_timespec(addr: usize) -> Option<u64> {
    // SAFETY: by the caller's promise.
    let t = unsafe { (addr as *const libc::timespec).as_ref() }?;
    Some((t.tv_sec.max(0) as u64).saturating_mul(SECOND).saturating_add(t.tv_nsec.max(0) as u64))
}

/// Virtual nanoseconds since the execution began, of an absolute time on one of the virtual clocks.
pub(super) fn virtual_deadline(absolute: u64, realtime: bool) -> u64 {
    absolute.saturating_sub(origin(realtime))
}

/// The same, of a time on the clock of this name; none if it is null.
///
/// # Safety
/// The time must be null or valid.
#[cfg(target_env = "gnu")]
pub(super) unsafe fn deadline_of(
    clock: libc::clockid_t,
    time: *const libc::timespec,
) -> Option<u64> {
    // SAFETY: passed on.
    let absolute = unsafe { from_timespec(time.addr()) }?;
    Some(virtual_deadline(absolute, clock == libc::CLOCK_REALTIME))
}

/// Replaces libc's `clock_gettime`.
///
/// # Safety
/// `out` must be valid.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, out: *mut libc::timespec) -> c_int {
    if !armed() {
        type Function = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> c_int;
        // SAFETY: the function has this type; the arguments are the caller's.
        return unsafe { transmute::<*mut c_void, Function>(CLOCK_GETTIME.get())(clock, out) };
    }
    let realtime = clock == libc::CLOCK_REALTIME || clock == libc::CLOCK_REALTIME_COARSE;
    // Reading the clock takes time, or a loop that waits for a moment would never end.
    step(&Access::NONE);
    let now = disarmed(|s| {
        s.news();
        s.exact_now()
    });
    let now = origin(realtime).saturating_add(now);
    // SAFETY: by the caller's promise.
    unsafe {
        *out = libc::timespec { tv_sec: (now / SECOND) as i64, tv_nsec: (now % SECOND) as i64 }
    };
    0
}

fn sleep_until(deadline: u64) {
    disarmed(|s| s.block(s.current, Status::Asleep, Some(deadline)));
    give_way(Reason::Blocked, &Access::NONE);
}

/// Replaces libc's `nanosleep`.
///
/// # Safety
/// The pointers must be valid or null.
#[unsafe(no_mangle)]
unsafe extern "C" fn nanosleep(
    request: *const libc::timespec,
    remain: *mut libc::timespec,
) -> c_int {
    // SAFETY: passed on; the call returns its error number, nanosleep sets errno.
    match unsafe { clock_nanosleep(libc::CLOCK_MONOTONIC, 0, request, remain) } {
        0 => 0,
        error => {
            super::set_errno(error);
            -1
        }
    }
}

/// Replaces libc's `clock_nanosleep`, which the standard library sleeps with.
///
/// # Safety
/// The pointers must be valid or null.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_nanosleep(
    clock: libc::clockid_t,
    flags: c_int,
    request: *const libc::timespec,
    remain: *mut libc::timespec,
) -> c_int {
    if !armed() {
        let arguments = [clock as usize, flags as usize, request.addr(), remain.addr(), 0, 0];
        // SAFETY: passed on.
        return -unsafe { super::raw_syscall(libc::SYS_clock_nanosleep, arguments) } as c_int;
    }
    // SAFETY: by the caller's promise.
    let asked = unsafe { from_timespec(request.addr()) }.unwrap_or(0);
    let absolute = flags & libc::TIMER_ABSTIME != 0;
    let realtime = clock == libc::CLOCK_REALTIME;
    let deadline = if absolute {
        virtual_deadline(asked, realtime)
    } else {
        disarmed(|s| s.exact_now()).saturating_add(asked)
    };
    sleep_until(deadline);
    0
}

/// Sleeps for so many virtual nanoseconds.
fn sleep_for(nanoseconds: u64) {
    sleep_until(disarmed(|s| s.exact_now()).saturating_add(nanoseconds));
}

#[unsafe(link_section = "mapcheck_kept")]
static USLEEP: Real = Real::new(c"usleep");
#[unsafe(link_section = "mapcheck_kept")]
static SLEEP: Real = Real::new(c"sleep");

/// Replaces libc's `usleep`, which does not sleep by the functions above.
#[unsafe(no_mangle)]
extern "C" fn usleep(microseconds: libc::useconds_t) -> c_int {
    if armed() {
        sleep_for(u64::from(microseconds) * 1_000);
        return 0;
    }
    type Function = extern "C" fn(libc::useconds_t) -> c_int;
    // SAFETY: the function has this type.
    let real = unsafe { transmute::<*mut c_void, Function>(USLEEP.get()) };
    real(microseconds)
}

#[unsafe(link_section = "mapcheck_kept")]
static POLL: Real = Real::new(c"poll");

/// Replaces libc's `poll`, by which C code sleeps if it names no files. Real files are asked as ever.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn poll(
    files: *mut libc::pollfd,
    count: libc::nfds_t,
    milliseconds: c_int,
) -> c_int {
    if armed() && count == 0 {
        sleep_for(u64::try_from(milliseconds).map_or(u64::MAX, |time| time * 1_000_000));
        return 0;
    }
    type Function = unsafe extern "C" fn(*mut libc::pollfd, libc::nfds_t, c_int) -> c_int;
    // SAFETY: the function has this type; the arguments are the caller's.
    unsafe { transmute::<*mut c_void, Function>(POLL.get())(files, count, milliseconds) }
}

/// Replaces libc's `sleep`.
#[unsafe(no_mangle)]
extern "C" fn sleep(seconds: u32) -> u32 {
    if armed() {
        sleep_for(u64::from(seconds) * SECOND);
        return 0;
    }
    type Function = extern "C" fn(u32) -> u32;
    // SAFETY: the function has this type.
    let real = unsafe { transmute::<*mut c_void, Function>(SLEEP.get()) };
    real(seconds)
}
