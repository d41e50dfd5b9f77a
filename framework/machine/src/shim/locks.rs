//! The locks of POSIX threads, which C code blocks on: libc's own wait in system calls that do not pass through our
//! `syscall`, and would stop the process with all its virtual threads.
//!
//! A lock is taken and given back by atomic accesses to its first word, as if it were instrumented code: so its memory
//! is checked, it orders threads, and whoever holds it is known. Locks lie in libc's layout and begin as libc's do, so
//! that its initialisers, static or not, are right. What the words hold while a lock is held is our own.

use std::ffi::c_int;

use super::futex::{block, rouse};
use super::replaced;
use super::time::deadline_of;
use crate::api::*;
use crate::atomic::modelled;
use crate::state::{disarmed, give_way};

/// Memory orders as the compiler passes them.
const RELAXED: i32 = 0;
const ACQUIRE: i32 = 2;
const RELEASE: i32 = 3;

/// A word of an object that threads share.
#[derive(Clone, Copy)]
pub(super) struct Word(*mut u32);

impl Word {
    /// The word of this number within an object of C.
    ///
    /// # Safety
    /// The object must be that large, and valid for as long as the word is used, unless it lies in the modelled heap.
    pub(super) unsafe fn of<T>(object: *mut T, number: usize) -> Word {
        Word(object.cast::<u32>().wrapping_add(number))
    }

    fn change(self, kind: Kind, order: i32, change: impl FnOnce(u32) -> Option<u32>) -> u32 {
        let failure = if order == RELEASE { RELAXED } else { order };
        // SAFETY: valid by the promise of `of`; the callers are armed.
        unsafe { modelled(self.0, kind, (order, failure), change) }
    }

    pub(super) fn load(self) -> u32 {
        self.change(Kind::AtomicLoad, ACQUIRE, |_| None)
    }

    pub(super) fn store(self, value: u32) {
        self.change(Kind::AtomicStore, RELEASE, |_| Some(value));
    }

    /// Changes it and acquires what others released; `None` leaves it. Returns what it held.
    pub(super) fn acquire(self, change: impl FnOnce(u32) -> Option<u32>) -> u32 {
        self.change(Kind::AtomicRmw, ACQUIRE, change)
    }

    /// Changes it and releases what the thread has done. Returns what it held.
    pub(super) fn release(self, change: impl FnOnce(u32) -> u32) -> u32 {
        self.change(Kind::AtomicRmw, RELEASE, |old| Some(change(old)))
    }

    /// Waits for a wake while the word holds this value; false if the time is over.
    pub(super) fn wait(self, value: u32, patience: Patience) -> bool {
        let deadline = if let Patience::Until(deadline) = patience { Some(deadline) } else { None };
        // SAFETY: valid by the promise of `of`.
        unsafe { block(self.0.addr(), value, deadline, u32::MAX) != -(libc::ETIMEDOUT as isize) }
    }

    /// Wakes so many of the threads that wait.
    pub(super) fn wake(self, count: u32) {
        rouse(self.0.addr(), count, u32::MAX);
    }

    /// Reads what only its owner writes, without a step.
    fn peek(self) -> u32 {
        // SAFETY: valid by the promise of `of`, and checked by the caller.
        unsafe { self.0.read() }
    }

    /// Writes what only its owner reads, without a step.
    fn note(self, value: u32) {
        // SAFETY: as in `peek`.
        unsafe { self.0.write(value) };
    }

    /// Ends the execution if the word is in no live block.
    fn check(self) {
        let (addr, size, order) = (self.0.addr(), size_of::<u32>(), Order::Relaxed);
        crate::memory::check(&Access { kind: Kind::AtomicRmw, addr, size, order });
    }
}

/// How long a thread is ready to wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    Endless,
    /// Until this moment, in virtual nanoseconds.
    Until(u64),
    None,
}

/// The running thread, as the owner of a lock: 0 is nobody.
fn me() -> u32 {
    disarmed(|s| s.current as u32 + 1)
}

/// Words of libc's mutex: the lock, how often its owner has it, the owner, the kind.
const COUNT: usize = 1;
const OWNER: usize = 2;
const KIND: usize = 4;
/// The kinds that make a difference: the low bits of libc's number.
const RECURSIVE: u32 = libc::PTHREAD_MUTEX_RECURSIVE as u32;
const ERROR_CHECK: u32 = libc::PTHREAD_MUTEX_ERRORCHECK as u32;
const KINDS: u32 = 3;

/// A mutex is free, taken, or taken while others may wait (Drepper, *Futexes Are Tricky*, 2011).
const FREE: u32 = 0;
const TAKEN: u32 = 1;
const AWAITED: u32 = 2;

unsafe fn lock(mutex: *mut libc::pthread_mutex_t, patience: Patience) -> c_int {
    // SAFETY: the caller's mutex, here and below.
    let [word, count, owner, kind] = [0, COUNT, OWNER, KIND].map(|i| unsafe { Word::of(mutex, i) });
    word.check();
    let kind = kind.peek() & KINDS;
    if owner.peek() == me() && kind == RECURSIVE {
        count.note(count.peek() + 1);
        return 0;
    }
    if owner.peek() == me() && kind == ERROR_CHECK {
        return if patience == Patience::None { libc::EBUSY } else { libc::EDEADLK };
    }
    let error = take(word, patience);
    if error == 0 {
        owner.note(me());
        count.note(1);
    }
    error
}

fn take(word: Word, patience: Patience) -> c_int {
    let free = |with| move |found| (found == FREE).then_some(with);
    if word.acquire(free(TAKEN)) == FREE {
        return 0;
    }
    if patience == Patience::None {
        return libc::EBUSY;
    }
    while word.acquire(|_| Some(AWAITED)) != FREE {
        if !word.wait(AWAITED, patience) {
            return libc::ETIMEDOUT;
        }
    }
    0
}

pub(super) unsafe fn unlock(mutex: *mut libc::pthread_mutex_t) -> c_int {
    // SAFETY: the caller's mutex, here and below.
    let [word, count, owner, kind] = [0, COUNT, OWNER, KIND].map(|i| unsafe { Word::of(mutex, i) });
    word.check();
    let kind = kind.peek() & KINDS;
    if owner.peek() != me() && (kind == RECURSIVE || kind == ERROR_CHECK) {
        return libc::EPERM;
    }
    count.note(count.peek().saturating_sub(1));
    if kind == RECURSIVE && count.peek() > 0 {
        return 0;
    }
    owner.note(0);
    if word.release(|_| FREE) == AWAITED {
        word.wake(1);
    }
    0
}

/// Takes a mutex again after a wait for a condition.
pub(super) unsafe fn relock(mutex: *mut libc::pthread_mutex_t) -> c_int {
    // SAFETY: the caller's mutex.
    unsafe { lock(mutex, Patience::Endless) }
}

/// The word of libc's reader-writer lock that we note the writer in, where libc does.
const WRITER: usize = 6;
/// The lock is a writer's; someone may wait; otherwise, how many readers hold it.
const WRITTEN: u32 = 1 << 31;
const WANTED: u32 = 1 << 30;

unsafe fn share(lock: *mut libc::pthread_rwlock_t, patience: Patience) -> c_int {
    let enter = |state: u32| (state & WRITTEN == 0).then_some(state + 1);
    // SAFETY: the caller's lock.
    unsafe { enter_when(lock, enter, patience) }
}

unsafe fn exclude(lock: *mut libc::pthread_rwlock_t, patience: Patience) -> c_int {
    let enter = |state: u32| (state & !WANTED == 0).then_some(state | WRITTEN);
    // SAFETY: the caller's lock.
    let error = unsafe { enter_when(lock, enter, patience) };
    if error == 0 {
        // SAFETY: as above.
        unsafe { Word::of(lock, WRITER) }.note(me());
    }
    error
}

/// Enters as soon as the state allows it.
unsafe fn enter_when(
    lock: *mut libc::pthread_rwlock_t,
    enter: impl Fn(u32) -> Option<u32>,
    patience: Patience,
) -> c_int {
    // SAFETY: the caller's lock.
    let [word, writer] = [0, WRITER].map(|i| unsafe { Word::of(lock, i) });
    loop {
        let found = word.acquire(&enter);
        if enter(found).is_some() {
            return 0;
        }
        if patience == Patience::None {
            return libc::EBUSY;
        }
        if writer.peek() == me() {
            return libc::EDEADLK;
        }
        let wanted = |state| enter(state).is_none().then_some(state | WANTED);
        let seen = word.acquire(wanted);
        if enter(seen).is_none() && !word.wait(seen | WANTED, patience) {
            return libc::ETIMEDOUT;
        }
    }
}

unsafe fn leave(lock: *mut libc::pthread_rwlock_t) -> c_int {
    // SAFETY: the caller's lock.
    let [word, writer] = [0, WRITER].map(|i| unsafe { Word::of(lock, i) });
    word.check();
    writer.note(0);
    // The last to leave sends all on that wait.
    let left = |state: u32| match state & !WANTED {
        0 | 1 | WRITTEN => 0,
        _ => state - 1,
    };
    let before = word.release(left);
    if left(before) == 0 && before & WANTED != 0 {
        word.wake(u32::MAX);
    }
    0
}

/// A spin lock as libc initialises it: on x86-64 it is free at 1.
const SPIN_FREE: u32 = if cfg!(target_arch = "x86_64") { 1 } else { 0 };

fn spin(word: Word, patience: Patience) -> c_int {
    while word.acquire(|found| (found == SPIN_FREE).then_some(1 - SPIN_FREE)) != SPIN_FREE {
        if patience == Patience::None {
            return libc::EBUSY;
        }
        give_way(Reason::Yield, &Access::NONE);
    }
    0
}

/// Whether this is memory of the program, which each execution finds as the first did. What a shared library does once,
/// such as the unwinder at the first panic, it has done for all executions that follow: it must leave no trace in one.
fn is_of_program(addr: usize) -> bool {
    crate::memory::is_known(addr, 1)
}

/// What libc leaves in a `pthread_once_t` that has been through.
const DONE: u32 = 2;

unsafe fn once(control: *mut c_int, routine: extern "C" fn()) -> c_int {
    // SAFETY: the caller's control word.
    let word = unsafe { Word::of(control, 0) };
    loop {
        match word.acquire(|found| (found == 0).then_some(TAKEN)) {
            0 => break,
            DONE => return 0,
            running => word.wait(running, Patience::Endless),
        };
    }
    routine();
    word.store(DONE);
    word.wake(u32::MAX);
    0
}

type Clock = libc::clockid_t;
type Time = *const libc::timespec;
type Mutex = *mut libc::pthread_mutex_t;
type ReadersAndWriter = *mut libc::pthread_rwlock_t;

/// # Safety
/// The time must be null or valid.
pub(super) unsafe fn until(clock: Clock, time: Time) -> Patience {
    // SAFETY: the caller's.
    unsafe { deadline_of(clock, time) }.map_or(Patience::Endless, Patience::Until)
}

replaced! {
    pthread_mutex_lock(m: Mutex) = lock(m, Patience::Endless);
    pthread_mutex_trylock(m: Mutex) = lock(m, Patience::None);
    pthread_mutex_timedlock(m: Mutex, time: Time) = lock(m, until(libc::CLOCK_REALTIME, time));
    pthread_mutex_clocklock(m: Mutex, clock: Clock, time: Time) = lock(m, until(clock, time));
    pthread_mutex_unlock(m: Mutex) = unlock(m);

    pthread_rwlock_rdlock(l: ReadersAndWriter) = share(l, Patience::Endless);
    pthread_rwlock_tryrdlock(l: ReadersAndWriter) = share(l, Patience::None);
    pthread_rwlock_timedrdlock(l: ReadersAndWriter, time: Time) =
        share(l, until(libc::CLOCK_REALTIME, time));
    pthread_rwlock_clockrdlock(l: ReadersAndWriter, clock: Clock, time: Time) =
        share(l, until(clock, time));
    pthread_rwlock_wrlock(l: ReadersAndWriter) = exclude(l, Patience::Endless);
    pthread_rwlock_trywrlock(l: ReadersAndWriter) = exclude(l, Patience::None);
    pthread_rwlock_timedwrlock(l: ReadersAndWriter, time: Time) =
        exclude(l, until(libc::CLOCK_REALTIME, time));
    pthread_rwlock_clockwrlock(l: ReadersAndWriter, clock: Clock, time: Time) =
        exclude(l, until(clock, time));
    pthread_rwlock_unlock(l: ReadersAndWriter) = leave(l);

    pthread_spin_lock(l: *mut c_int) = spin(Word::of(l, 0), Patience::Endless);
    pthread_spin_trylock(l: *mut c_int) = spin(Word::of(l, 0), Patience::None);
    pthread_spin_unlock(l: *mut c_int) = {
        Word::of(l, 0).store(SPIN_FREE);
        0
    };

    pthread_once(control: *mut c_int, routine: extern "C" fn()) if { is_of_program(control.addr()) } =
        once(control, routine);
}
