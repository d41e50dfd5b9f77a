//! What C code waits for besides locks: conditions, barriers and semaphores of POSIX threads. As with [`super::locks`],
//! the objects lie in libc's layout and are used by atomic accesses to their words.

use std::ffi::c_int;

use super::locks::{Patience, Word, relock, unlock, until};
use super::{replaced, set_errno};

type Clock = libc::clockid_t;
type Time = *const libc::timespec;
type Condition = *mut libc::pthread_cond_t;
type Mutex = *mut libc::pthread_mutex_t;
type Barrier = *mut libc::pthread_barrier_t;
type Semaphore = *mut libc::sem_t;

/// The word of libc's condition with its flags, of which this one says that its times are monotonic.
const FLAGS: usize = 9;
const MONOTONIC: u32 = 2;

/// The clock that a condition was given.
unsafe fn clock_of(condition: Condition) -> Clock {
    // SAFETY: the caller's condition; the word is written when it is initialised only.
    let flags = unsafe { condition.cast::<u32>().add(FLAGS).read() };
    if flags & MONOTONIC == 0 { libc::CLOCK_REALTIME } else { libc::CLOCK_MONOTONIC }
}

/// Waits for the number of signals, the condition's first word, to change.
unsafe fn wait(condition: Condition, mutex: Mutex, patience: Patience) -> c_int {
    // SAFETY: the caller's condition and mutex, here and below.
    unsafe {
        let signals = Word::of(condition, 0);
        let seen = signals.load();
        let refused = unlock(mutex);
        if refused != 0 {
            return refused;
        }
        let in_time = signals.wait(seen, patience);
        let refused = relock(mutex);
        if refused != 0 || in_time { refused } else { libc::ETIMEDOUT }
    }
}

unsafe fn signal(condition: Condition, count: u32) -> c_int {
    // SAFETY: the caller's condition.
    let signals = unsafe { Word::of(condition, 0) };
    signals.release(|n| n.wrapping_add(1));
    signals.wake(count);
    0
}

/// Words of libc's barrier: who has arrived, the round, how many it takes.
const ROUND: usize = 1;
const WANTED: usize = 2;

unsafe fn arrive(barrier: Barrier) -> c_int {
    // SAFETY: the caller's barrier, here and below.
    let [arrived, round] = [0, ROUND].map(|i| unsafe { Word::of(barrier, i) });
    let this = round.load();
    let before = arrived.release(|n| n + 1);
    // SAFETY: it was checked with the word before, and is written when the barrier is initialised only.
    let wanted = unsafe { barrier.cast::<u32>().add(WANTED).read() };
    if before + 1 == wanted {
        // All that the others did before they came.
        arrived.acquire(|_| Some(0));
        round.release(|n| n.wrapping_add(1));
        round.wake(u32::MAX);
        return libc::PTHREAD_BARRIER_SERIAL_THREAD;
    }
    while round.load() == this {
        round.wait(this, Patience::Endless);
    }
    0
}

/// Takes one of what the semaphore counts in its first word, as libc's does on 64-bit platforms.
unsafe fn take(semaphore: Semaphore, patience: Patience) -> c_int {
    // SAFETY: the caller's semaphore.
    let count = unsafe { Word::of(semaphore, 0) };
    while count.acquire(|n| n.checked_sub(1)) == 0 {
        if patience == Patience::None {
            return failed(libc::EAGAIN);
        }
        if !count.wait(0, patience) {
            return failed(libc::ETIMEDOUT);
        }
    }
    0
}

unsafe fn post(semaphore: Semaphore) -> c_int {
    // SAFETY: the caller's semaphore.
    let count = unsafe { Word::of(semaphore, 0) };
    count.release(|n| n + 1);
    count.wake(1);
    0
}

fn failed(error: c_int) -> c_int {
    set_errno(error);
    -1
}

replaced! {
    pthread_cond_wait(c: Condition, m: Mutex) = wait(c, m, Patience::Endless);
    pthread_cond_timedwait(c: Condition, m: Mutex, time: Time) = wait(c, m, until(clock_of(c), time));
    pthread_cond_clockwait(c: Condition, m: Mutex, clock: Clock, time: Time) =
        wait(c, m, until(clock, time));
    pthread_cond_signal(c: Condition) = signal(c, 1);
    pthread_cond_broadcast(c: Condition) = signal(c, u32::MAX);

    pthread_barrier_wait(b: Barrier) = arrive(b);

    sem_wait(s: Semaphore) = take(s, Patience::Endless);
    sem_trywait(s: Semaphore) = take(s, Patience::None);
    sem_timedwait(s: Semaphore, time: Time) = take(s, until(libc::CLOCK_REALTIME, time));
    sem_clockwait(s: Semaphore, clock: Clock, time: Time) = take(s, until(clock, time));
    sem_post(s: Semaphore) = post(s);
}
