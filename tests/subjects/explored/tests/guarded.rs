//! Plain accesses to memory that the standard library keeps apart: nothing is a data race, however its slow paths,
//! which are compiled without callbacks, order the threads. Right, like `right.rs`, and explored for longer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Condvar, LazyLock, Mutex, Once, OnceLock, RwLock, mpsc};
use std::thread;

use mapcheck_explored::{SpinLock, Unguarded};

/// Explores this for long.
fn explore(body: impl Fn() + Send + Sync + 'static) {
    mapcheck::Settings::for_tests().executions(5_000).explore(body);
}

/// Three threads that all add twice, guarded by what the first argument makes.
fn counted<G: Send + Sync>(guard: G, add: fn(&G, &Unguarded)) {
    let shared = Box::new((guard, Unguarded::default()));
    thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| (0..2).for_each(|_| add(&shared.0, &shared.1)));
        }
    });
    assert_eq!(shared.1.get(), 6);
}

#[test]
fn by_a_mutex() {
    explore(|| {
        counted(Mutex::new(()), |mutex, n| {
            let _guard = mutex.lock().unwrap();
            n.add();
        });
    });
}

#[test]
fn by_a_mutex_that_is_contended_for_long() {
    explore(|| {
        counted(Mutex::new(()), |mutex, n| {
            let _guard = mutex.lock().unwrap();
            n.add();
            thread::yield_now();
            assert!(n.get() > 0);
        });
    });
}

#[test]
fn by_a_mutex_that_is_tried() {
    explore(|| {
        counted(Mutex::new(()), |mutex, n| {
            let _guard = loop {
                match mutex.try_lock() {
                    Ok(guard) => break guard,
                    Err(_) => thread::yield_now(),
                }
            };
            n.add();
        });
    });
}

#[test]
fn by_the_write_lock_of_a_rwlock() {
    explore(|| {
        counted(RwLock::new(()), |lock, n| {
            let before = {
                let _guard = lock.read().unwrap();
                n.get()
            };
            let _guard = lock.write().unwrap();
            n.add();
            assert!(n.get() > before);
        });
    });
}

#[test]
fn by_a_spin_lock() {
    explore(|| counted(SpinLock::default(), |lock, n| lock.with(|| n.add())));
}

#[test]
fn by_a_condition_that_hands_it_on() {
    explore(|| {
        counted((Mutex::new(false), Condvar::new()), |(taken, free), n| {
            let mut guard = free.wait_while(taken.lock().unwrap(), |taken| *taken).unwrap();
            *guard = true;
            drop(guard);
            n.add();
            *taken.lock().unwrap() = false;
            free.notify_one();
        });
    });
}

#[test]
fn by_a_once() {
    explore(|| {
        let shared = Box::new((Once::new(), Unguarded::default()));
        thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    shared.0.call_once(|| shared.1.add());
                    assert_eq!(shared.1.get(), 1);
                });
            }
        });
    });
}

#[test]
fn by_a_once_lock_and_a_lazy_lock() {
    static LAZY: LazyLock<Box<Unguarded>> = LazyLock::new(|| {
        let n = Box::new(Unguarded::default());
        n.add();
        n
    });
    explore(|| {
        let cell: Box<OnceLock<Box<Unguarded>>> = Box::default();
        thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    let own = cell.get_or_init(|| {
                        let n = Box::new(Unguarded::default());
                        n.add();
                        n
                    });
                    assert_eq!(own.get() + LAZY.get(), 2);
                });
            }
        });
    });
}

#[test]
fn by_messages() {
    explore(|| {
        let n = Arc::new(Unguarded::default());
        let (there, receiver) = mpsc::channel();
        let (back, answers) = mpsc::sync_channel(1);
        let answering = thread::spawn(move || {
            for n in receiver {
                let n: Arc<Unguarded> = n;
                n.add();
                back.send(n).unwrap();
            }
        });
        for round in 1..4 {
            there.send(Arc::clone(&n)).unwrap();
            assert_eq!(answers.recv().unwrap().get(), 2 * round - 1);
            n.add();
        }
        drop(there);
        answering.join().unwrap();
    });
}

#[test]
fn by_messages_of_several_senders() {
    explore(|| {
        let (sender, receiver) = mpsc::channel();
        let senders: Vec<_> = (0..3)
            .map(|_| {
                let sender = sender.clone();
                thread::spawn(move || {
                    let n = Box::new(Unguarded::default());
                    n.add();
                    sender.send(n).unwrap();
                })
            })
            .collect();
        drop(sender);
        assert_eq!(receiver.iter().map(|n: Box<Unguarded>| n.get()).sum::<u64>(), 3);
        senders.into_iter().for_each(|sending| sending.join().unwrap());
    });
}

#[test]
fn by_a_barrier() {
    explore(|| {
        let shared = Box::new((Barrier::new(3), [(); 3].map(|()| Unguarded::default())));
        thread::scope(|s| {
            for me in 0..3 {
                let (barrier, numbers) = &*shared;
                s.spawn(move || {
                    numbers[me].add();
                    barrier.wait();
                    assert_eq!(numbers.iter().map(Unguarded::get).sum::<u64>(), 3);
                    barrier.wait();
                    numbers[(me + 1) % 3].add();
                });
            }
        });
    });
}

#[test]
fn by_parking() {
    explore(|| {
        let shared = Arc::new((AtomicBool::new(false), Unguarded::default()));
        let other = Arc::clone(&shared);
        let parked = thread::spawn(move || {
            while !other.0.load(Ordering::Acquire) {
                thread::park();
            }
            other.1.add();
        });
        shared.1.add();
        shared.0.store(true, Ordering::Release);
        parked.thread().unpark();
        parked.join().unwrap();
        assert_eq!(shared.1.get(), 2);
    });
}

#[test]
fn by_the_start_and_the_end_of_threads() {
    explore(|| {
        let n = Box::new(Unguarded::default());
        for _ in 0..2 {
            n.add();
            thread::scope(|s| {
                s.spawn(|| n.add());
            });
        }
        let n = Arc::new(n);
        let other = Arc::clone(&n);
        let result = thread::spawn(move || {
            other.add();
            other
        });
        assert_eq!(result.join().unwrap().get(), 5);
    });
}

#[test]
fn by_the_last_of_its_owners() {
    explore(|| {
        let n = Arc::new(Unguarded::default());
        let owners = [(); 2].map(|()| Arc::clone(&n));
        let ends = owners.map(|owner| thread::spawn(move || drop((owner.get(), owner))));
        drop(n);
        ends.into_iter().for_each(|end| end.join().unwrap());
    });
}

#[test]
fn the_list_of_threads_that_the_standard_library_keeps() {
    // From the twelfth on its tree is moved in memory, under a lock that nobody sees.
    mapcheck::explore(|| {
        thread::scope(|s| (0..30).for_each(|_| _ = s.spawn(thread::yield_now)));
    });
}
