//! Locks, conditions, barriers and semaphores of POSIX threads block virtual threads, not the process.

mod common;

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

use common::*;
use mapcheck_machine::*;

tests! {
    a_mutex_excludes_all_threads_but_one,
    a_mutex_that_is_held_is_busy_and_times_out_in_virtual_time,
    a_recursive_mutex_is_taken_as_often_as_its_owner_wants,
    a_mutex_that_checks_errors_knows_its_owner,
    crossed_mutexes_are_a_deadlock,
    a_mutex_in_a_freed_block_is_found,
    a_mutex_orders_threads_as_atomic_accesses_do,
    readers_share_a_lock_and_a_writer_excludes_them,
    a_writer_that_wants_its_lock_again_is_told_so,
    a_spin_lock_excludes_all_threads_but_one,
    a_condition_wakes_the_thread_that_waits_for_it,
    a_broadcast_wakes_everyone,
    a_condition_times_out_by_the_clock_it_was_given,
    a_barrier_holds_everyone_until_the_last_and_can_be_used_again,
    a_semaphore_counts_and_waits,
    what_is_done_once_is_done_before_anyone_goes_on,
    sleeping_by_the_old_names_takes_no_time,
    outside_of_executions_they_are_libc_s,
}

/// An object of C that threads share.
struct Shared<T>(Box<UnsafeCell<T>>);

// SAFETY: the objects are made to be shared.
unsafe impl<T> Sync for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Send for Shared<T> {}

impl<T> Shared<T> {
    fn new(initialise: impl FnOnce(*mut T) -> i32) -> Shared<T> {
        let object = Box::new(UnsafeCell::new(MaybeUninit::<T>::uninit()));
        assert_eq!(initialise(object.get().cast()), 0);
        // SAFETY: it has just been initialised, and its layout is the same.
        Shared(unsafe { Box::from_raw(Box::into_raw(object).cast()) })
    }

    fn at(&self) -> *mut T {
        self.0.get()
    }

    /// Calls a function of libc with the object.
    fn call(&self, function: unsafe extern "C" fn(*mut T) -> i32) -> i32 {
        // SAFETY: the object is initialised and lives.
        unsafe { function(self.at()) }
    }
}

type Mutex = Shared<libc::pthread_mutex_t>;

fn mutex() -> Mutex {
    // SAFETY: the pointer is valid; here and below.
    Shared::new(|m| unsafe { libc::pthread_mutex_init(m, std::ptr::null()) })
}

fn mutex_of_kind(kind: i32) -> Mutex {
    // SAFETY: the pointers are valid.
    Shared::new(|m| unsafe {
        let mut attributes = MaybeUninit::uninit();
        libc::pthread_mutexattr_init(attributes.as_mut_ptr());
        libc::pthread_mutexattr_settype(attributes.as_mut_ptr(), kind);
        libc::pthread_mutex_init(m, attributes.as_ptr())
    })
}

fn lock(mutex: &Mutex) {
    assert_eq!(mutex.call(libc::pthread_mutex_lock), 0);
}

fn unlock(mutex: &Mutex) {
    assert_eq!(mutex.call(libc::pthread_mutex_unlock), 0);
}

/// A moment so many seconds from now on a clock.
fn after(seconds: i64, clock: i32) -> libc::timespec {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid.
    unsafe { libc::clock_gettime(clock, &mut now) };
    libc::timespec { tv_sec: now.tv_sec + seconds, ..now }
}

/// Whether three threads are ever in between these calls together.
fn excludes(enter: &(dyn Fn() + Sync), leave: &(dyn Fn() + Sync)) {
    let (inside, times) = (AtomicU32::new(0), AtomicU32::new(0));
    concurrently(3, &|_| {
        for _ in 0..2 {
            enter();
            assert_eq!(inside.fetch_add(1, SeqCst), 0, "two threads are inside");
            point();
            point();
            inside.fetch_sub(1, SeqCst);
            times.fetch_add(1, SeqCst);
            leave();
        }
    });
    assert_eq!(times.load(SeqCst), 6);
}

fn a_mutex_excludes_all_threads_but_one() {
    holds(|| {
        let m = mutex();
        excludes(&|| lock(&m), &|| unlock(&m));
        assert_eq!(m.call(libc::pthread_mutex_destroy), 0);
    });
}

fn a_mutex_that_is_held_is_busy_and_times_out_in_virtual_time() {
    holds(|| {
        let m = mutex();
        lock(&m);
        concurrently(1, &|_| {
            assert_eq!(m.call(libc::pthread_mutex_trylock), libc::EBUSY);
            let (start, end) = (Instant::now(), after(3600, libc::CLOCK_REALTIME));
            // SAFETY: both pointers are valid.
            let error = unsafe { libc::pthread_mutex_timedlock(m.at(), &end) };
            assert_eq!(error, libc::ETIMEDOUT);
            assert!(start.elapsed() >= Duration::from_secs(3590));
        });
        unlock(&m);
        assert_eq!(m.call(libc::pthread_mutex_trylock), 0);
        unlock(&m);
    });
}

fn a_recursive_mutex_is_taken_as_often_as_its_owner_wants() {
    holds(|| {
        let m = mutex_of_kind(libc::PTHREAD_MUTEX_RECURSIVE);
        let both = |f: fn(&Mutex)| (f(&m), f(&m));
        excludes(&|| _ = both(lock), &|| _ = both(unlock));
        assert_eq!(m.call(libc::pthread_mutex_unlock), libc::EPERM);
    });
}

fn a_mutex_that_checks_errors_knows_its_owner() {
    holds(|| {
        let m = mutex_of_kind(libc::PTHREAD_MUTEX_ERRORCHECK);
        lock(&m);
        assert_eq!(m.call(libc::pthread_mutex_lock), libc::EDEADLK);
        assert_eq!(m.call(libc::pthread_mutex_trylock), libc::EBUSY);
        concurrently(1, &|_| assert_eq!(m.call(libc::pthread_mutex_unlock), libc::EPERM));
        unlock(&m);
    });
}

fn crossed_mutexes_are_a_deadlock() {
    let found = finds(Turns(1), || {
        let locks = [mutex(), mutex()];
        concurrently(2, &|i| {
            lock(&locks[i]);
            point();
            lock(&locks[1 - i]);
        });
    });
    let Fact::Deadlock { waiting } = &found.fact else { panic!("{found:?}") };
    assert!(matches!(waiting[1].on, WaitsFor::Futex(_)), "{:?}", waiting[1].on);
    assert_eq!(waiting.len(), 3);
}

fn a_mutex_in_a_freed_block_is_found() {
    let found = finds(InOrder, || {
        let m = mutex();
        let at = m.at();
        drop(m);
        // SAFETY: the use after the free is what is tested.
        unsafe { libc::pthread_mutex_lock(at) };
    });
    let Fact::BadAccess { access, block } = found.fact else { panic!("{found:?}") };
    assert_eq!((access.kind, access.size), (Kind::AtomicRmw, 4));
    assert!(block.is_some_and(|b| b.free.is_some()));
}

/// Keeps the atomic accesses that it is told of, and the edges.
#[derive(Default)]
struct Watcher(Vec<Touch>, Vec<Edge>);

impl Observer for Watcher {
    fn event(&mut self, _: &Event) {}

    fn touch(&mut self, touch: &Touch) -> Option<Earlier> {
        self.0.push(*touch);
        None
    }

    fn order(&mut self, edge: &Edge) {
        self.1.push(*edge);
    }
}

fn a_mutex_orders_threads_as_atomic_accesses_do() {
    let (mut watcher, mut addr) = (Watcher::default(), 0);
    use_switching(switching());
    let options = Options { watch: true, ..Options::default() };
    let ended = execute(&options, &mut InOrder, &mut watcher, &mut || {
        let m = mutex();
        addr = m.at().addr();
        lock(&m);
        unlock(&m);
    });
    assert!(ended.found.is_none(), "{:?}", ended.found);
    let of_lock = watcher.0.iter().filter(|t| t.access.addr == addr && t.access.size == 4);
    let told: Vec<_> = of_lock.map(|t| (t.access.kind, t.access.order, t.change)).collect();
    let atomic = |found, left| Change::Atomic { found, left: Some(left) };
    let expected = [
        (Kind::AtomicRmw, Order::Acquire, atomic(0, 1)),
        (Kind::AtomicRmw, Order::Release, atomic(1, 0)),
    ];
    assert_eq!(told, expected);
    assert!(!watcher.1.iter().any(|edge| matches!(edge, Edge::Futex { .. })));
}

type ReadersAndWriter = Shared<libc::pthread_rwlock_t>;

unsafe extern "C" {
    fn pthread_rwlock_timedrdlock(
        lock: *mut libc::pthread_rwlock_t,
        time: *const libc::timespec,
    ) -> i32;
}

fn readers_and_writer() -> ReadersAndWriter {
    // SAFETY: the pointer is valid.
    Shared::new(|l| unsafe { libc::pthread_rwlock_init(l, std::ptr::null()) })
}

fn readers_share_a_lock_and_a_writer_excludes_them() {
    static MOST: AtomicU32 = AtomicU32::new(0);
    holds(|| {
        let l = readers_and_writer();
        let (readers, written) = (AtomicU32::new(0), AtomicU32::new(0));
        concurrently(5, &|i| {
            if i < 2 {
                assert_eq!(l.call(libc::pthread_rwlock_wrlock), 0);
                assert_eq!(written.fetch_add(1, SeqCst) % 2, 0, "two writers");
                point();
                assert_eq!(readers.load(SeqCst), 0, "a reader beside the writer");
                written.fetch_add(1, SeqCst);
            } else {
                assert_eq!(l.call(libc::pthread_rwlock_rdlock), 0);
                MOST.fetch_max(readers.fetch_add(1, SeqCst) + 1, SeqCst);
                point();
                assert_eq!(written.load(SeqCst) % 2, 0, "a writer beside a reader");
                readers.fetch_sub(1, SeqCst);
            }
            assert_eq!(l.call(libc::pthread_rwlock_unlock), 0);
        });
        assert_eq!(written.load(SeqCst), 4);
        assert_eq!(l.call(libc::pthread_rwlock_trywrlock), 0, "the lock is free in the end");
    });
    assert!(MOST.load(SeqCst) > 1, "readers were seen beside each other");
}

fn a_writer_that_wants_its_lock_again_is_told_so() {
    holds(|| {
        let l = readers_and_writer();
        assert_eq!(l.call(libc::pthread_rwlock_wrlock), 0);
        assert_eq!(l.call(libc::pthread_rwlock_wrlock), libc::EDEADLK);
        assert_eq!(l.call(libc::pthread_rwlock_rdlock), libc::EDEADLK);
        assert_eq!(l.call(libc::pthread_rwlock_tryrdlock), libc::EBUSY);
        concurrently(1, &|_| {
            let end = after(60, libc::CLOCK_REALTIME);
            // SAFETY: both pointers are valid.
            let error = unsafe { pthread_rwlock_timedrdlock(l.at(), &end) };
            assert_eq!(error, libc::ETIMEDOUT);
        });
        assert_eq!(l.call(libc::pthread_rwlock_unlock), 0);
        assert_eq!(l.call(libc::pthread_rwlock_rdlock), 0);
        assert_eq!(l.call(libc::pthread_rwlock_tryrdlock), 0);
        assert_eq!(l.call(libc::pthread_rwlock_trywrlock), libc::EBUSY);
    });
}

fn a_spin_lock_excludes_all_threads_but_one() {
    holds(|| {
        // SAFETY: the pointer is valid.
        let l = Shared::new(|l| unsafe { libc::pthread_spin_init(l, 0) });
        excludes(&|| _ = l.call(libc::pthread_spin_lock), &|| {
            assert_eq!(l.call(libc::pthread_spin_trylock), libc::EBUSY);
            assert_eq!(l.call(libc::pthread_spin_unlock), 0);
        });
    });
}

type Condition = Shared<libc::pthread_cond_t>;

fn condition(clock: i32) -> Condition {
    // SAFETY: the pointers are valid.
    Shared::new(|c| unsafe {
        let mut attributes = MaybeUninit::uninit();
        libc::pthread_condattr_init(attributes.as_mut_ptr());
        libc::pthread_condattr_setclock(attributes.as_mut_ptr(), clock);
        libc::pthread_cond_init(c, attributes.as_ptr())
    })
}

fn wait_until(condition: &Condition, mutex: &Mutex, ready: &dyn Fn() -> bool) {
    lock(mutex);
    while !ready() {
        // SAFETY: both live, and the mutex is held.
        assert_eq!(unsafe { libc::pthread_cond_wait(condition.at(), mutex.at()) }, 0);
    }
    unlock(mutex);
}

fn a_condition_wakes_the_thread_that_waits_for_it() {
    holds(|| {
        let (c, m, ready) = (condition(libc::CLOCK_REALTIME), mutex(), AtomicU32::new(0));
        concurrently(2, &|i| {
            if i == 0 {
                return wait_until(&c, &m, &|| ready.load(SeqCst) == 1);
            }
            lock(&m);
            ready.store(1, SeqCst);
            unlock(&m);
            c.call(libc::pthread_cond_signal);
        });
    });
}

fn a_broadcast_wakes_everyone() {
    holds(|| {
        let (c, m, ready) = (condition(libc::CLOCK_REALTIME), mutex(), AtomicU32::new(0));
        concurrently(4, &|i| {
            if i < 3 {
                return wait_until(&c, &m, &|| ready.load(SeqCst) == 1);
            }
            point();
            lock(&m);
            ready.store(1, SeqCst);
            c.call(libc::pthread_cond_broadcast);
            unlock(&m);
        });
    });
}

fn a_condition_times_out_by_the_clock_it_was_given() {
    holds(|| {
        for clock in [libc::CLOCK_REALTIME, libc::CLOCK_MONOTONIC] {
            let (c, m, start) = (condition(clock), mutex(), Instant::now());
            let end = after(600, clock);
            lock(&m);
            // SAFETY: all of them are valid, and the mutex is held.
            let error = unsafe { libc::pthread_cond_timedwait(c.at(), m.at(), &end) };
            assert_eq!(error, libc::ETIMEDOUT);
            let waited = start.elapsed();
            assert!(waited >= Duration::from_secs(590) && waited < Duration::from_secs(700));
            unlock(&m);
        }
    });
}

fn a_barrier_holds_everyone_until_the_last_and_can_be_used_again() {
    holds(|| {
        // SAFETY: the pointer is valid.
        let b = Shared::new(|b| unsafe { libc::pthread_barrier_init(b, std::ptr::null(), 3) });
        let (arrived, last) = (AtomicU32::new(0), AtomicU32::new(0));
        concurrently(3, &|_| {
            for round in 1..=3 {
                arrived.fetch_add(1, SeqCst);
                match b.call(libc::pthread_barrier_wait) {
                    libc::PTHREAD_BARRIER_SERIAL_THREAD => _ = last.fetch_add(1, SeqCst),
                    error => assert_eq!(error, 0),
                }
                assert!(arrived.load(SeqCst) >= 3 * round);
            }
        });
        assert_eq!((arrived.load(SeqCst), last.load(SeqCst)), (9, 3));
        assert_eq!(b.call(libc::pthread_barrier_destroy), 0);
    });
}

fn errno() -> i32 {
    // SAFETY: errno is always there.
    unsafe { *libc::__errno_location() }
}

fn a_semaphore_counts_and_waits() {
    holds(|| {
        // SAFETY: the pointer is valid.
        let s = Shared::new(|s| unsafe { libc::sem_init(s, 0, 1) });
        let taken = AtomicU32::new(0);
        concurrently(3, &|i| {
            if i == 2 {
                point();
                s.call(libc::sem_post);
            } else {
                assert_eq!(s.call(libc::sem_wait), 0);
                taken.fetch_add(1, SeqCst);
            }
        });
        assert_eq!(taken.load(SeqCst), 2);
        assert_eq!((s.call(libc::sem_trywait), errno()), (-1, libc::EAGAIN));
        let end = after(60, libc::CLOCK_REALTIME);
        // SAFETY: both pointers are valid.
        let result = unsafe { libc::sem_timedwait(s.at(), &end) };
        assert_eq!((result, errno()), (-1, libc::ETIMEDOUT));
        s.call(libc::sem_post);
        let mut count = 0;
        // SAFETY: as above.
        unsafe { libc::sem_getvalue(s.at(), &mut count) };
        assert_eq!((count, s.call(libc::sem_trywait)), (1, 0));
    });
}

unsafe extern "C" {
    fn pthread_once(control: *mut i32, routine: extern "C" fn()) -> i32;
    fn usleep(microseconds: u32) -> i32;
    fn sleep(seconds: u32) -> u32;
}

fn what_is_done_once_is_done_before_anyone_goes_on() {
    static DONE: AtomicU32 = AtomicU32::new(0);
    extern "C" fn routine() {
        point();
        DONE.fetch_add(1, SeqCst);
    }
    holds(|| {
        DONE.store(0, SeqCst);
        let control = Shared::new(|c: *mut i32| {
            // SAFETY: the pointer is valid.
            unsafe { c.write(0) };
            0
        });
        concurrently(3, &|_| {
            // SAFETY: the control word lives.
            assert_eq!(unsafe { pthread_once(control.at(), routine) }, 0);
            assert_eq!(DONE.load(SeqCst), 1);
        });
    });
}

fn sleeping_by_the_old_names_takes_no_time() {
    let real = Instant::now();
    holds(|| {
        let start = Instant::now();
        // SAFETY: no preconditions.
        let left = unsafe { (usleep(1_000_000), sleep(3600)) };
        assert_eq!(left, (0, 0));
        // SAFETY: it names no files.
        assert_eq!(unsafe { libc::poll(std::ptr::null_mut(), 0, 2_000) }, 0);
        assert!(start.elapsed() >= Duration::from_secs(3603));
    });
    assert!(real.elapsed() < Duration::from_secs(10));
}

fn outside_of_executions_they_are_libc_s() {
    let (m, c, ready) = (mutex(), condition(libc::CLOCK_REALTIME), AtomicU32::new(0));
    let counted = std::cell::Cell::new(0);
    lock(&m);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            lock(&m);
            ready.store(1, SeqCst);
            c.call(libc::pthread_cond_signal);
            unlock(&m);
        });
        while ready.load(SeqCst) == 0 {
            // SAFETY: both live, and the mutex is held.
            assert_eq!(unsafe { libc::pthread_cond_wait(c.at(), m.at()) }, 0);
            counted.set(counted.get() + 1);
        }
    });
    unlock(&m);
    assert!(counted.get() > 0, "it has waited");
}
