//! Locks, conditions and channels of the standard library block virtual threads, not the process.

mod common;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Barrier, Condvar, LazyLock, Mutex, Once, OnceLock, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use mapcheck_machine::*;

tests! {
    a_mutex_held_across_a_switch_blocks_the_other_thread,
    a_condition_wakes_the_thread_that_waits_for_it,
    notify_all_wakes_everyone,
    a_condition_that_nobody_signals_times_out_in_virtual_time,
    a_condition_that_is_signalled_in_time_does_not_time_out,
    readers_share_a_lock_and_a_writer_excludes_them,
    a_cell_is_initialised_once_while_others_wait,
    a_poisoned_mutex_is_reported_to_the_next_thread,
    a_bounded_channel_hands_every_message_over,
    a_channel_without_senders_ends,
    receiving_times_out_in_virtual_time,
    a_barrier_holds_everyone_until_the_last,
    an_hour_of_sleep_takes_no_time,
    sleepers_wake_in_the_order_of_their_deadlines,
    a_sleep_without_end_does_not_overflow_the_clock,
    a_loop_that_watches_the_clock_ends,
    a_loop_that_yields_lets_the_others_finish,
    a_loop_that_spins_on_an_atomic_lets_the_others_finish,
    crossed_locks_are_a_deadlock_that_lists_who_waits,
    joining_a_thread_that_waits_is_a_deadlock,
    a_deadlock_is_found_whatever_the_timing_only_if_it_happens,
}

fn a_mutex_held_across_a_switch_blocks_the_other_thread() {
    holds(|| {
        let inside = AtomicU32::new(0);
        let lock = Mutex::new(0);
        concurrently(3, &|_| {
            let mut guard = lock.lock().unwrap();
            assert_eq!(inside.fetch_add(1, SeqCst), 0, "two threads hold the lock");
            for _ in 0..5 {
                point();
            }
            *guard += 1;
            inside.fetch_sub(1, SeqCst);
        });
        assert_eq!(*lock.lock().unwrap(), 3);
    });
}

fn a_condition_wakes_the_thread_that_waits_for_it() {
    holds(|| {
        let pair = Arc::new((Mutex::new(false), Condvar::new()));
        let other = pair.clone();
        let child = thread::spawn(move || {
            let ready = other.1.wait_while(other.0.lock().unwrap(), |ready| !*ready).unwrap();
            assert!(*ready);
        });
        point();
        *pair.0.lock().unwrap() = true;
        pair.1.notify_one();
        child.join().unwrap();
    });
}

fn notify_all_wakes_everyone() {
    holds(|| {
        let (lock, condition) = (Mutex::new(0), Condvar::new());
        concurrently(5, &|i| {
            if i == 4 {
                point();
                *lock.lock().unwrap() = 1;
                condition.notify_all();
            } else {
                drop(condition.wait_while(lock.lock().unwrap(), |n| *n == 0).unwrap());
            }
        });
    });
}

fn a_condition_that_nobody_signals_times_out_in_virtual_time() {
    holds(|| {
        let (lock, condition) = (Mutex::new(()), Condvar::new());
        let start = Instant::now();
        let hour = Duration::from_secs(3600);
        let (_guard, result) = condition.wait_timeout(lock.lock().unwrap(), hour).unwrap();
        assert!(result.timed_out());
        assert!(start.elapsed() >= hour && start.elapsed() < 2 * hour);
    });
}

fn a_condition_that_is_signalled_in_time_does_not_time_out() {
    holds(|| {
        let (lock, condition) = (Mutex::new(false), Condvar::new());
        concurrently(2, &|i| {
            if i == 0 {
                let day = Duration::from_secs(86400);
                let (ready, result) =
                    condition.wait_timeout_while(lock.lock().unwrap(), day, |r| !*r).unwrap();
                assert!(*ready && !result.timed_out());
            } else {
                thread::sleep(Duration::from_secs(60));
                *lock.lock().unwrap() = true;
                condition.notify_one();
            }
        });
    });
}

fn readers_share_a_lock_and_a_writer_excludes_them() {
    static MOST: AtomicU32 = AtomicU32::new(0);
    holds(|| {
        let readers = AtomicU32::new(0);
        let lock = RwLock::new(0);
        concurrently(4, &|i| {
            if i == 0 {
                let mut value = lock.write().unwrap();
                point();
                assert_eq!(readers.load(SeqCst), 0, "a reader beside the writer");
                *value += 1;
            } else {
                let _value = lock.read().unwrap();
                MOST.fetch_max(readers.fetch_add(1, SeqCst) + 1, SeqCst);
                point();
                readers.fetch_sub(1, SeqCst);
            }
        });
        assert_eq!(*lock.read().unwrap(), 1);
    });
    assert!(MOST.load(SeqCst) > 1, "readers were seen beside each other");
}

fn a_cell_is_initialised_once_while_others_wait() {
    holds(|| {
        let calls = AtomicU32::new(0);
        let (cell, once) = (OnceLock::new(), Once::new());
        let lazy = LazyLock::new(|| {
            point();
            calls.fetch_add(1, SeqCst)
        });
        concurrently(3, &|_| {
            let value = *cell.get_or_init(|| {
                point();
                calls.fetch_add(1, SeqCst);
                17
            });
            assert_eq!(value, 17);
            once.call_once(|| {
                point();
                calls.fetch_add(1, SeqCst);
            });
            let _ = *lazy;
        });
        assert_eq!(calls.load(SeqCst), 3);
    });
}

fn a_poisoned_mutex_is_reported_to_the_next_thread() {
    holds(|| {
        let lock = Arc::new(Mutex::new(0));
        let other = lock.clone();
        let child = thread::spawn(move || {
            let _guard = other.lock().unwrap();
            std::panic::resume_unwind(Box::new(1));
        });
        assert!(child.join().is_err());
        assert!(lock.lock().is_err());
    });
}

fn a_bounded_channel_hands_every_message_over() {
    holds(|| {
        let (sender, receiver) = mpsc::sync_channel(1);
        let child = thread::spawn(move || (0..5).for_each(|i| sender.send(Box::new(i)).unwrap()));
        let got: Vec<_> = receiver.iter().map(|b| *b).collect();
        assert_eq!(got, [0, 1, 2, 3, 4]);
        child.join().unwrap();
    });
}

fn a_channel_without_senders_ends() {
    holds(|| {
        let (sender, receiver) = mpsc::channel::<String>();
        let child = thread::spawn(move || receiver.recv().is_err());
        point();
        drop(sender);
        assert!(child.join().unwrap());
    });
}

fn receiving_times_out_in_virtual_time() {
    holds(|| {
        let (_sender, receiver) = mpsc::channel::<()>();
        let error = receiver.recv_timeout(Duration::from_secs(10_000)).unwrap_err();
        assert_eq!(error, RecvTimeoutError::Timeout);
    });
}

fn a_barrier_holds_everyone_until_the_last() {
    holds(|| {
        let arrived = AtomicU32::new(0);
        let barrier = Barrier::new(4);
        let leaders = AtomicU32::new(0);
        concurrently(4, &|_| {
            point();
            arrived.fetch_add(1, SeqCst);
            leaders.fetch_add(barrier.wait().is_leader().into(), SeqCst);
            assert_eq!(arrived.load(SeqCst), 4);
        });
        assert_eq!(leaders.load(SeqCst), 1);
    });
}

fn an_hour_of_sleep_takes_no_time() {
    let real = Instant::now();
    holds(|| {
        let start = Instant::now();
        thread::sleep(Duration::from_secs(3600));
        let slept = start.elapsed();
        assert!(slept >= Duration::from_secs(3600) && slept < Duration::from_secs(3601));
    });
    assert!(real.elapsed() < Duration::from_secs(10));
}

fn sleepers_wake_in_the_order_of_their_deadlines() {
    holds(|| {
        let order = Mutex::new(Vec::new());
        concurrently(3, &|i| {
            thread::sleep(Duration::from_secs(10 - i as u64));
            order.lock().unwrap().push(i);
        });
        assert_eq!(order.into_inner().unwrap(), [2, 1, 0]);
    });
}

fn a_sleep_without_end_does_not_overflow_the_clock() {
    let ended = run_under(InOrder, || {
        thread::sleep(Duration::MAX);
        let _later = Instant::now();
        thread::sleep(Duration::from_secs(1));
    });
    assert!(ended.found.is_none(), "{:?}", ended.found);
}

fn a_loop_that_watches_the_clock_ends() {
    let ended = run_under(InOrder, || {
        let start = Instant::now();
        while start.elapsed() < Duration::from_micros(50) {
            std::hint::spin_loop();
        }
    });
    assert!(ended.found.is_none(), "{:?}", ended.found);
    assert!(ended.steps >= 5_000);
}

fn a_loop_that_yields_lets_the_others_finish() {
    let ended = run_under(InOrder, || {
        let done = AtomicBool::new(false);
        concurrently(2, &|i| {
            if i == 1 {
                done.store(true, SeqCst);
            }
            while !done.load(SeqCst) {
                thread::yield_now();
            }
        });
    });
    assert!(ended.found.is_none(), "{:?}", ended.found);
    assert!(ended.steps < 100, "{} steps", ended.steps);
}

fn a_loop_that_spins_on_an_atomic_lets_the_others_finish() {
    let ended = run_under(InOrder, || {
        let done = Box::new(AtomicBool::new(false));
        let word = Box::new(0_u64);
        concurrently(2, &|i| {
            if i == 1 {
                done.store(true, SeqCst);
            }
            while !done.load(SeqCst) {
                callbacks::load(&word);
            }
        });
    });
    assert!(ended.found.is_none(), "{:?}", ended.found);
    assert!(ended.steps < 200, "{} steps", ended.steps);
}

fn cross(first: &Mutex<()>, second: &Mutex<()>) {
    let _one = first.lock().unwrap();
    point();
    let _two = second.lock().unwrap();
}

fn crossed_locks_are_a_deadlock_that_lists_who_waits() {
    let found = finds(Turns(1), || {
        let locks = [Mutex::new(()), Mutex::new(())];
        concurrently(2, &|i| {
            set_label(10 + i as u32);
            cross(&locks[i], &locks[1 - i]);
        });
    });
    let Fact::Deadlock { waiting } = &found.fact else { panic!("{found:?}") };
    let who: Vec<_> = waiting.iter().map(|w| (w.thread, w.label)).collect();
    assert_eq!(who, [(0, 0), (1, 10), (2, 11)]);
    assert_eq!(waiting[0].on, WaitsFor::End(1));
    assert!(matches!(waiting[1].on, WaitsFor::Futex(_)), "{:?}", waiting[1].on);
}

fn joining_a_thread_that_waits_is_a_deadlock() {
    let found = finds(InOrder, || {
        let (_sender, receiver) = mpsc::channel::<()>();
        let child = thread::spawn(move || receiver.recv().unwrap());
        child.join().unwrap();
    });
    assert!(matches!(&found.fact, Fact::Deadlock { waiting } if waiting.len() == 2), "{found:?}");
}

fn a_deadlock_is_found_whatever_the_timing_only_if_it_happens() {
    let ended = run_under(InOrder, || {
        let locks = [Mutex::new(()), Mutex::new(())];
        concurrently(2, &|i| cross(&locks[i], &locks[1 - i]));
    });
    assert!(ended.found.is_none(), "in order, the locks do not cross: {:?}", ended.found);
}
