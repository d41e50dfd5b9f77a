//! Explorations of code that is right: they pass, at both levels.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex, OnceLock, RwLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use mapcheck_explored::{SpinLock, Table};

#[test]
fn a_mutex_counts() {
    mapcheck::explore(|| {
        let n = Mutex::new(0);
        thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| *n.lock().unwrap() += 1);
            }
        });
        assert_eq!(n.into_inner().unwrap(), 3);
    });
}

#[test]
fn a_spin_lock_counts() {
    mapcheck::explore(|| {
        let (lock, n) = (SpinLock::default(), AtomicU64::new(0));
        let add = || n.store(n.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| lock.with(add));
            }
        });
        assert_eq!(n.into_inner(), 3);
    });
}

#[test]
fn a_thread_that_counts_for_long_is_no_livelock() {
    mapcheck::Settings::for_tests().executions(2).explore(|| {
        let n = AtomicU64::new(0);
        thread::scope(|s| {
            for _ in 0..2 {
                s.spawn(|| (0..200_000).for_each(|_| _ = n.fetch_add(1, Ordering::Relaxed)));
            }
        });
        assert_eq!(n.into_inner(), 400_000);
    });
}

#[test]
fn a_channel_delivers_all_in_order() {
    mapcheck::explore(|| {
        let (sender, receiver) = mpsc::channel();
        let sending = thread::spawn(move || (0..5).for_each(|i| sender.send(i).unwrap()));
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        sending.join().unwrap();
    });
}

#[test]
fn a_bounded_channel_makes_its_sender_wait() {
    mapcheck::explore(|| {
        let (sender, receiver) = mpsc::sync_channel(1);
        let sending = thread::spawn(move || (0..4).for_each(|i| sender.send(i).unwrap()));
        assert_eq!(receiver.iter().sum::<i32>(), 6);
        sending.join().unwrap();
    });
}

#[test]
fn a_condition_wakes_its_waiter() {
    mapcheck::explore(|| {
        let pair = Arc::new((Mutex::new(false), Condvar::new()));
        let other = Arc::clone(&pair);
        let setter = thread::spawn(move || {
            *other.0.lock().unwrap() = true;
            other.1.notify_one();
        });
        let ready = pair.1.wait_while(pair.0.lock().unwrap(), |ready| !*ready).unwrap();
        assert!(*ready);
        drop(ready);
        setter.join().unwrap();
    });
}

#[test]
fn a_parked_thread_is_unparked() {
    mapcheck::explore(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&flag);
        let parked = thread::spawn(move || {
            while !seen.load(Ordering::Acquire) {
                thread::park();
            }
        });
        flag.store(true, Ordering::Release);
        parked.thread().unpark();
        parked.join().unwrap();
    });
}

#[test]
fn a_barrier_lets_one_thread_lead() {
    mapcheck::explore(|| {
        let (barrier, leaders) = (Barrier::new(3), AtomicU64::new(0));
        thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    if barrier.wait().is_leader() {
                        leaders.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(leaders.into_inner(), 1);
    });
}

#[test]
fn a_once_lock_is_set_once() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    mapcheck::explore(|| {
        let cell = OnceLock::new();
        thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| *cell.get_or_init(|| CALLS.fetch_add(1, Ordering::Relaxed)));
            }
        });
        // Every execution finds the program as it was loaded, its statics included.
        assert_eq!(CALLS.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_read_lock_lets_readers_in_together() {
    mapcheck::explore(|| {
        let (lock, barrier) = (RwLock::new(7), Barrier::new(2));
        thread::scope(|s| {
            for _ in 0..2 {
                s.spawn(|| {
                    let value = lock.read().unwrap();
                    barrier.wait();
                    assert_eq!(*value, 7);
                });
            }
        });
    });
}

#[test]
fn thread_locals_are_dropped_when_a_thread_ends() {
    struct Counted(Arc<AtomicU64>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    thread_local!(static OWN: std::cell::RefCell<Option<Counted>> = const { std::cell::RefCell::new(None) });
    mapcheck::explore(|| {
        let dropped = Arc::new(AtomicU64::new(0));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let counted = Counted(Arc::clone(&dropped));
                thread::spawn(move || OWN.with(|own| *own.borrow_mut() = Some(counted)))
            })
            .collect();
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(dropped.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_sleep_of_an_hour_takes_no_time() {
    mapcheck::explore(|| {
        let before = Instant::now();
        thread::sleep(Duration::from_secs(3600));
        assert!(before.elapsed() >= Duration::from_secs(3600));
    });
}

#[test]
fn what_the_closure_prints_does_not_disturb() {
    mapcheck::explore(|| {
        thread::scope(|s| {
            s.spawn(|| println!("printed by a thread"));
            s.spawn(|| eprintln!("complained by a thread"));
        });
        print!("no line feed");
    });
}

#[test]
fn a_panic_that_is_caught_is_no_finding() {
    mapcheck::explore(|| {
        let ended = thread::spawn(|| panic!("expected")).join();
        assert!(ended.is_err());
    });
}

/// The adapter for [`Table`].
pub struct Adapter(Table<mapcheck::Key, mapcheck::Value>);

impl mapcheck::Map for Adapter {
    fn profile() -> mapcheck::Profile {
        let iteration = mapcheck::Iteration::Locked;
        mapcheck::Profile {
            iteration,
            promised_by: "assumed",
            consistency: mapcheck::Consistency::Linearizable,
            atomic: mapcheck::Atomic::NONE,
            grows_at: 3,
            write_in_visit: false,
            knobs: "",
        }
    }

    fn new() -> Self {
        Adapter(Table::default())
    }

    fn insert(&self, key: mapcheck::Key, value: mapcheck::Value) -> mapcheck::Previous {
        let old = self.0.insert(key, value);
        old.map_or(mapcheck::Previous::Absent, |old| mapcheck::Previous::Present(old.id()))
    }

    fn remove(&self, key: &mapcheck::Key) -> mapcheck::Previous {
        let old = self.0.remove(key);
        old.map_or(mapcheck::Previous::Absent, |old| mapcheck::Previous::Present(old.id()))
    }

    fn get(&self, key: &mapcheck::Key, read: &mut dyn FnMut(&mapcheck::Value)) -> bool {
        self.0.get(key, read)
    }

    fn for_each(
        &self,
        visit: &mut dyn FnMut(&mapcheck::Key, &mapcheck::Value) -> std::ops::ControlFlow<()>,
    ) {
        self.0.for_each(visit);
    }
}

mod table {
    mapcheck::map_tests!(super::Adapter);
}

#[test]
fn what_is_leaked_on_purpose_is_no_finding_unless_leaks_are_forbidden() {
    mapcheck::explore(|| assert_eq!(*Box::leak(Box::new(3)), 3));
}

#[test]
fn what_a_static_keeps_is_no_leak() {
    static TABLE: OnceLock<Arc<Mutex<Vec<u32>>>> = OnceLock::new();
    mapcheck::explore(|| {
        mapcheck::forbid_leaks();
        thread::scope(|s| {
            for i in 0..2 {
                s.spawn(move || TABLE.get_or_init(Arc::default).lock().unwrap().push(i));
            }
        });
    });
}
