//! The modelled futex: a wait blocks the virtual thread, a wake makes it runnable.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use super::time::{from_timespec, virtual_deadline};
use super::{SYNC, raw_syscall};
use crate::api::*;
use crate::state::{State, disarmed, give_way, step};
use crate::thread::Status;

const ANY: u32 = u32::MAX;

/// The `futex` system call for the running virtual thread; results as the kernel's.
///
/// # Safety
/// As the system call.
pub(super) unsafe fn futex(
    addr: usize,
    op: usize,
    value: u32,
    timeout: usize,
    second: usize,
    bits: u32,
) -> isize {
    let command = op as i32 & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);
    match command {
        libc::FUTEX_WAIT => {
            // SAFETY: the timeout is null or a valid timespec, by the caller's promise.
            let relative = unsafe { from_timespec(timeout) };
            let deadline = relative.map(|t| disarmed(|s| s.exact_now().saturating_add(t)));
            // SAFETY: passed on.
            unsafe { wait(addr, value, deadline, ANY) }
        }
        libc::FUTEX_WAIT_BITSET => {
            let realtime = op as i32 & libc::FUTEX_CLOCK_REALTIME != 0;
            // SAFETY: as above.
            let deadline = unsafe { from_timespec(timeout) }.map(|t| virtual_deadline(t, realtime));
            // SAFETY: passed on.
            unsafe { wait(addr, value, deadline, bits) }
        }
        libc::FUTEX_WAKE => wake(addr, value, ANY),
        libc::FUTEX_WAKE_BITSET => wake(addr, value, bits),
        // SAFETY: other commands do not block; the kernel knows no waiters of ours and says so.
        _ => unsafe {
            raw_syscall(libc::SYS_futex, [addr, op, value as usize, timeout, second, bits as usize])
        },
    }
}

unsafe fn wait(addr: usize, value: u32, deadline: Option<u64>, bits: u32) -> isize {
    // Before others can run: what the caller did to the word is done already.
    order(addr);
    // SAFETY: passed on.
    let result = unsafe { block(addr, value, deadline, bits) };
    order(addr);
    result
}

/// A wait that orders nothing: all that is done to the word is known.
///
/// # Safety
/// The word must be valid, unless it lies in the modelled heap.
pub(super) unsafe fn block(addr: usize, value: u32, deadline: Option<u64>, bits: u32) -> isize {
    let access = Access { addr, size: 4, ..SYNC };
    step(&access);
    crate::memory::check(&access);
    // SAFETY: the caller passes a valid futex word.
    if unsafe { &*(addr as *const AtomicU32) }.load(SeqCst) != value {
        return -(libc::EAGAIN as isize);
    }
    if crate::border::happens(ChoiceKind::Wake) {
        // Not woken at once, or whoever waits in a loop would keep those from running that it waits for.
        give_way(Reason::Yield, &access);
        return 0;
    }
    disarmed(|s| s.block(s.current, Status::Futex(addr, bits), deadline));
    give_way(Reason::Blocked, &access);
    if disarmed(|s| s.threads[s.current].timed_out) { -(libc::ETIMEDOUT as isize) } else { 0 }
}

fn wake(addr: usize, count: u32, bits: u32) -> isize {
    order(addr);
    rouse(addr, count, bits)
}

/// A wake that orders nothing.
pub(super) fn rouse(addr: usize, count: u32, bits: u32) -> isize {
    step(&Access { addr, size: 4, ..SYNC });
    disarmed(|s| {
        let mut woken = 0;
        while woken < count as isize {
            let Some(first) = first_waiter(s, addr, bits) else { break };
            s.wake(first);
            woken += 1;
        }
        woken
    })
}

/// Who waits on the word for longest: the kernel wakes in that order.
fn first_waiter(s: &State, addr: usize, bits: u32) -> Option<usize> {
    let waits =
        |status: &Status| matches!(*status, Status::Futex(a, b) if a == addr && b & bits != 0);
    let waiters = (0..s.threads.len()).filter(|i| waits(&s.threads[*i].status));
    waiters.min_by_key(|i| s.threads[*i].waits_since)
}

/// The standard library's slow paths are compiled without callbacks, so that their calls must stand for what they
/// order.
pub(super) fn order(addr: usize) {
    if crate::watch::watching() {
        let thread = disarmed(|s| s.current as ThreadId);
        crate::watch::ordered(Edge::Futex { thread, addr });
    }
}
