//! Explorations of code that is wrong: each fails, with the finding its name tells.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use mapcheck_explored::{AfterYou, Published, RacyCounter, Unguarded};

#[test]
fn panic_because_a_counter_loses_counts() {
    mapcheck::explore(|| {
        let counter = RacyCounter::default();
        thread::scope(|s| {
            s.spawn(|| counter.add());
            s.spawn(|| counter.add());
        });
        assert_eq!(counter.get(), 2);
    });
}

#[test]
fn deadlock_because_two_locks_are_taken_in_two_orders() {
    mapcheck::explore(|| {
        let (a, b) = (Mutex::new(1), Mutex::new(2));
        thread::scope(|s| {
            s.spawn(|| *a.lock().unwrap() + *b.lock().unwrap());
            s.spawn(|| *b.lock().unwrap() + *a.lock().unwrap());
        });
    });
}

#[test]
fn premature_reclamation_because_a_reader_is_not_waited_for() {
    mapcheck::explore(|| {
        let cell = Published::<4>::new(1);
        thread::scope(|s| {
            s.spawn(|| cell.read());
            s.spawn(|| cell.replace(2));
        });
    });
}

#[test]
fn premature_reclamation_of_a_large_block() {
    mapcheck::explore(|| {
        let cell = Published::<4096>::new(1);
        thread::scope(|s| {
            s.spawn(|| cell.read());
            s.spawn(|| cell.replace(2));
        });
    });
}

#[test]
fn leak_because_two_nodes_keep_each_other() {
    struct Node(Mutex<Option<Arc<Node>>>);
    mapcheck::explore(|| {
        mapcheck::forbid_leaks();
        let first = Arc::new(Node(Mutex::new(None)));
        let second = Arc::new(Node(Mutex::new(Some(Arc::clone(&first)))));
        thread::spawn(move || *first.0.lock().unwrap() = Some(second)).join().unwrap();
    });
}

#[test]
fn panic_in_a_thread_that_is_joined() {
    mapcheck::explore(|| {
        thread::spawn(|| assert_eq!(1 + 1, 3, "sums are wrong")).join().unwrap();
    });
}

#[test]
fn livelock_because_each_lets_the_other_pass_first() {
    mapcheck::explore(|| {
        let passage = AfterYou::default();
        thread::scope(|s| {
            s.spawn(|| passage.pass(0));
            s.spawn(|| passage.pass(1));
        });
    });
}

#[test]
fn data_race_because_nothing_guards_a_counter() {
    mapcheck::explore(|| {
        let n = Arc::new(Unguarded::default());
        let other = Arc::clone(&n);
        let adding = thread::spawn(move || other.add());
        n.add();
        adding.join().unwrap();
    });
}

#[test]
fn data_race_because_a_reader_takes_no_lock() {
    mapcheck::explore(|| {
        let guarded = Box::new((Mutex::new(()), Unguarded::default()));
        thread::scope(|s| {
            s.spawn(|| {
                let _guard = guarded.0.lock().unwrap();
                guarded.1.add();
            });
            assert!(guarded.1.get() < 2);
        });
    });
}

#[test]
fn data_race_because_a_message_is_sent_too_early() {
    mapcheck::explore(|| {
        let n = Arc::new(Unguarded::default());
        let other = Arc::clone(&n);
        let (sender, receiver) = mpsc::channel();
        let sending = thread::spawn(move || {
            sender.send(()).unwrap();
            other.add();
        });
        receiver.recv().unwrap();
        assert!(n.get() < 2);
        sending.join().unwrap();
    });
}
