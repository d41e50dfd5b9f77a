//! Threads of the standard library run as virtual threads.

mod common;

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

use common::*;
use mapcheck_machine::*;

tests! {
    a_spawned_thread_is_a_virtual_thread_and_its_result_is_joined,
    scoped_threads_see_the_locals_of_their_parent,
    a_panic_in_a_spawned_thread_is_the_error_of_its_join,
    panics_unwind_while_other_threads_run,
    a_panic_that_leaves_the_root_is_a_finding,
    a_panic_that_leaves_a_body_is_a_finding,
    a_thread_has_a_name_and_an_identity_of_its_own,
    park_waits_for_unpark,
    an_unpark_before_park_is_not_lost,
    park_timeout_ends_in_virtual_time,
    thread_local_variables_are_fresh_in_every_thread_and_execution,
    destructors_of_thread_local_variables_run_at_the_end_of_their_thread,
    destructors_of_thread_local_variables_are_schedule_points_of_their_thread,
    thread_specific_data_is_destroyed_at_the_end_of_its_thread,
    concurrently_runs_every_body_on_a_thread_of_its_own,
    concurrently_with_no_bodies_starts_no_thread,
    concurrently_nests,
    concurrently_outside_an_execution_runs_one_after_the_other,
    seventy_threads_run_in_one_execution,
    a_detached_thread_that_outlives_the_root_runs_to_its_end,
    a_detached_thread_that_waits_for_ever_outlives_the_root,
    a_slice_of_one_point_interleaves_operations,
    the_decider_is_asked_when_a_thread_is_spawned,
    the_decider_is_asked_at_the_granules_that_it_names_while_several_threads_can_run,
    a_thousand_executions_run_in_one_process,
    floating_point_values_survive_a_switch,
}

fn a_spawned_thread_is_a_virtual_thread_and_its_result_is_joined() {
    let ended = run_under(InOrder, || {
        assert_eq!(current_thread(), Some(0));
        let child = thread::spawn(|| (current_thread(), vec![1, 2, 3]));
        assert_eq!(child.join().unwrap(), (Some(1), vec![1, 2, 3]));
    });
    assert!(ended.found.is_none() && ended.reusable);
    assert_eq!(ended.threads, 2);
    assert_eq!(ended.allocated, ended.freed);
    holds(|| {
        let children: Vec<_> = (0..4).map(|i| thread::spawn(move || Box::new(i * i))).collect();
        let squares: Vec<_> = children.into_iter().map(|c| *c.join().unwrap()).collect();
        assert_eq!(squares, [0, 1, 4, 9]);
    });
}

fn scoped_threads_see_the_locals_of_their_parent() {
    holds(|| {
        let counter = AtomicU32::new(0);
        thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    point();
                    counter.fetch_add(1, SeqCst)
                });
            }
        });
        assert_eq!(counter.load(SeqCst), 3);
    });
}

fn a_panic_in_a_spawned_thread_is_the_error_of_its_join() {
    holds(|| {
        let child = thread::spawn(|| {
            point();
            std::panic::panic_any(17);
        });
        let error = child.join().unwrap_err();
        assert_eq!(error.downcast_ref::<i32>(), Some(&17));
    });
}

/// Passes a schedule point when it is dropped.
struct Pointed;

impl Drop for Pointed {
    fn drop(&mut self) {
        for _ in 0..3 {
            point();
        }
    }
}

fn deep(n: u32) {
    let _pointed = Pointed;
    point();
    if n == 0 {
        std::panic::resume_unwind(Box::new("deep"));
    }
    deep(n - 1);
}

fn panics_unwind_while_other_threads_run() {
    holds(|| {
        concurrently(3, &|i| {
            let error = std::panic::catch_unwind(|| deep(5 + i as u32)).unwrap_err();
            assert_eq!(error.downcast_ref::<&str>(), Some(&"deep"));
            assert!(!thread::panicking());
        });
    });
}

fn a_panic_that_leaves_the_root_is_a_finding() {
    let found = finds(InOrder, || panic!("on purpose: {}", 1));
    assert!(
        matches!(&found.fact, Fact::Told { class: "panic", message, .. } if message == "on purpose: 1"),
        "{found:?}"
    );
}

fn a_panic_that_leaves_a_body_is_a_finding() {
    let found = finds(InOrder, || concurrently(2, &|i| assert!(i == 0, "on purpose")));
    assert!(
        matches!(&found.fact, Fact::Told { class: "panic", message, .. } if message == "on purpose")
    );
    assert_eq!(found.at.thread, 2);
}

fn a_thread_has_a_name_and_an_identity_of_its_own() {
    holds(|| {
        let me = thread::current().id();
        let child = thread::Builder::new().name("reader".into()).spawn(|| {
            point();
            assert_eq!(thread::current().name(), Some("reader"));
            thread::current().id()
        });
        let child = child.unwrap();
        let announced = child.thread().id();
        point();
        assert_eq!(thread::current().id(), me);
        let other = child.join().unwrap();
        assert_eq!(announced, other);
        assert_ne!(other, me);
    });
}

fn park_waits_for_unpark() {
    holds(|| {
        let ready = Arc::new(AtomicU32::new(0));
        let seen = ready.clone();
        let child = thread::spawn(move || {
            while seen.load(SeqCst) == 0 {
                thread::park();
            }
        });
        point();
        ready.store(1, SeqCst);
        child.thread().unpark();
        child.join().unwrap();
    });
}

fn an_unpark_before_park_is_not_lost() {
    holds(|| {
        thread::current().unpark();
        thread::park();
    });
}

fn park_timeout_ends_in_virtual_time() {
    let start = std::time::Instant::now();
    holds(|| {
        let before = std::time::Instant::now();
        thread::park_timeout(std::time::Duration::from_secs(3600));
        assert!(before.elapsed().as_secs() >= 3600);
    });
    assert!(start.elapsed().as_secs() < 60);
}

thread_local! {
    static PLAIN: Cell<u32> = const { Cell::new(7) };
    static OWNED: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
    static NOISY: Noisy = const { Noisy };
}

static DROPS: AtomicUsize = AtomicUsize::new(0);

struct Noisy;

impl Drop for Noisy {
    fn drop(&mut self) {
        point();
        DROPS.fetch_add(1, SeqCst);
        assert!(current_thread().is_some(), "the destructor runs on a virtual thread");
    }
}

fn thread_local_variables_are_fresh_in_every_thread_and_execution() {
    PLAIN.set(99);
    for turns in [u64::MAX, 1] {
        for _ in 0..5 {
            let ended = run_under(Turns(turns), || {
                concurrently(3, &|i| {
                    assert_eq!(PLAIN.get(), 7);
                    OWNED.with_borrow_mut(|v| {
                        assert!(v.is_empty());
                        v.push(i as u32);
                    });
                    PLAIN.set(i as u32);
                    point();
                    assert_eq!(PLAIN.get(), i as u32);
                    OWNED.with_borrow(|v| assert_eq!(v[..], [i as u32]));
                });
                assert_eq!(PLAIN.get(), 7);
                PLAIN.set(8);
            });
            assert!(ended.found.is_none(), "{:?}", ended.found);
            assert_eq!(ended.allocated, ended.freed, "the vectors are freed by their destructors");
        }
    }
    assert_eq!(PLAIN.get(), 99);
}

fn destructors_of_thread_local_variables_run_at_the_end_of_their_thread() {
    holds(|| {
        DROPS.store(0, SeqCst);
        let child = thread::spawn(|| NOISY.with(|_| point()));
        child.join().unwrap();
        assert_eq!(DROPS.load(SeqCst), 1, "joining a thread waits for its destructors");
        NOISY.with(|_| ());
    });
    assert_eq!(DROPS.load(SeqCst), 2);
}

fn destructors_of_thread_local_variables_are_schedule_points_of_their_thread() {
    let (ended, events) = trace(&mut InOrder, Options::default(), || {
        thread::spawn(|| NOISY.with(|_| set_label(5))).join().unwrap();
    });
    assert!(ended.found.is_none());
    let labelled = events.iter().position(|e| e.contains("Label")).expect("a label");
    let point = "Step { at: Stamp { thread: 1, label: 5";
    assert!(events[labelled..].iter().any(|e| e.contains(point) && e.contains("kind: None")));
}

fn concurrently_runs_every_body_on_a_thread_of_its_own() {
    holds(|| {
        let seen = Mutex::new(Vec::new());
        concurrently(5, &|i| {
            point();
            seen.lock().unwrap().push((i, current_thread().unwrap()));
        });
        let mut seen = seen.into_inner().unwrap();
        seen.sort_unstable();
        assert_eq!(seen, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]);
    });
}

fn concurrently_with_no_bodies_starts_no_thread() {
    let ended = run_under(InOrder, || concurrently(0, &|_| unreachable!()));
    assert!(ended.found.is_none());
    assert_eq!(ended.threads, 1);
}

fn concurrently_nests() {
    holds(|| {
        let sum = AtomicUsize::new(0);
        concurrently(2, &|i| {
            concurrently(2, &|j| {
                point();
                sum.fetch_add(10 * i + j, SeqCst);
            });
        });
        assert_eq!(sum.load(SeqCst), 22);
    });
}

fn concurrently_outside_an_execution_runs_one_after_the_other() {
    let seen = Mutex::new(Vec::new());
    concurrently(3, &|i| seen.lock().unwrap().push(i));
    assert_eq!(seen.into_inner().unwrap(), [0, 1, 2]);
}

fn seventy_threads_run_in_one_execution() {
    for seed in 0..3 {
        let ended = run_under(Random(seed), || {
            let sum = Mutex::new(0);
            concurrently(70, &|i| {
                let boxed = Box::new(i);
                point();
                *sum.lock().unwrap() += *boxed;
            });
            assert_eq!(sum.into_inner().unwrap(), 69 * 70 / 2);
        });
        assert!(ended.found.is_none(), "{:?}", ended.found);
        assert_eq!(ended.threads, 71);
    }
}

fn a_detached_thread_that_outlives_the_root_runs_to_its_end() {
    static DONE: AtomicUsize = AtomicUsize::new(0);
    holds(|| {
        drop(thread::spawn(|| {
            for _ in 0..100 {
                point();
            }
            DONE.fetch_add(1, SeqCst);
        }));
    });
    assert_eq!(DONE.load(SeqCst), 23);
}

fn a_detached_thread_that_waits_for_ever_outlives_the_root() {
    let ended = run_under(InOrder, || {
        drop(thread::spawn(|| {
            loop {
                thread::park();
            }
        }));
        thread::yield_now();
    });
    assert!(ended.found.is_none());
    assert_eq!(ended.outlived, 1);
    assert!(!ended.reusable);
}

fn a_slice_of_one_point_interleaves_operations() {
    let order = Mutex::new(Vec::new());
    let ended = run_under(Turns(1), || {
        concurrently(2, &|i| {
            for _ in 0..3 {
                point();
                outside(&mut || order.lock().unwrap().push(i));
            }
        });
    });
    assert!(ended.found.is_none());
    assert_eq!(*order.lock().unwrap(), [0, 1, 0, 1, 0, 1]);
}

fn the_decider_is_asked_at_the_granules_that_it_names_while_several_threads_can_run() {
    /// Notes what the running thread is about to do whenever it is asked before its slice is used up.
    struct Names([usize; 1], Vec<usize>);
    impl Decider for Names {
        fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
            if consult.reason == Reason::Point {
                self.1.push(consult.threads[consult.current as usize].pending.addr);
            }
            Slice::new(consult.default_thread(), u64::MAX)
        }
        fn choose(&mut self, _: ChoiceKind, _: ThreadId, _: u64, _: u32) -> u32 {
            0
        }
        fn granules(&self) -> &[usize] {
            &self.0
        }
    }
    for record in [false, true] {
        let words = [1_u64; 3];
        let named = words[1..].as_ptr().addr();
        let mut names = Names([named / GRANULE], Vec::new());
        let load_all = || {
            words.iter().for_each(|word| {
                callbacks::load(word);
            })
        };
        let ended = run_with(&Options { record, ..Options::default() }, &mut names, || {
            load_all();
            concurrently(2, &|_| load_all());
            load_all();
        });
        assert!(ended.found.is_none());
        // By each thread once, the second beside the root that may go on; not by the root, which was alone.
        assert_eq!(names.1.iter().filter(|a| **a == named).count(), 2, "{:?}", names.1);
        assert!(!names.1.contains(&words[2..].as_ptr().addr()), "{:?}", names.1);
    }
    // The next execution names none.
    assert!(run_under(InOrder, || concurrently(2, &|_| point())).found.is_none());
}

fn the_decider_is_asked_when_a_thread_is_spawned() {
    /// Prefers the youngest thread that can run.
    struct Youngest;
    impl Decider for Youngest {
        fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
            let thread = consult.threads.iter().rposition(|t| t.runnable).unwrap();
            Slice::new(thread as u32, u64::MAX)
        }
        fn choose(&mut self, _: ChoiceKind, _: ThreadId, _: u64, _: u32) -> u32 {
            0
        }
    }
    let ended = run_under(Youngest, || {
        let ran = Arc::new(AtomicU32::new(0));
        let flag = ran.clone();
        let child = thread::spawn(move || flag.store(1, SeqCst));
        point();
        point();
        assert_eq!(ran.load(SeqCst), 1, "the child runs before its parent goes on");
        child.join().unwrap();
    });
    assert!(ended.found.is_none(), "{:?}", ended.found);
}

fn a_thousand_executions_run_in_one_process() {
    for seed in 0..1000 {
        let ended = run_under(Random(seed), || {
            let lock = Mutex::new(0);
            concurrently(3, &|_| *lock.lock().unwrap() += 1);
            assert_eq!(lock.into_inner().unwrap(), 3);
        });
        assert!(ended.reusable, "{:?}", ended.found);
    }
}

fn floating_point_values_survive_a_switch() {
    holds(|| {
        concurrently(3, &|i| {
            let mut sum = 0.0;
            for k in 0..50 {
                sum += f64::from(k) * (i as f64 + 0.5);
                point();
            }
            assert_eq!(sum, 1225.0 * (i as f64 + 0.5));
        });
    });
}

unsafe extern "C" fn destroy(value: *mut libc::c_void) {
    point();
    DROPS.fetch_add(value.addr(), SeqCst);
}

fn thread_specific_data_is_destroyed_at_the_end_of_its_thread() {
    let mut key = 0;
    // SAFETY: the key is valid, and the values are numbers.
    assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(destroy)) }, 0);
    holds(|| {
        DROPS.store(0, SeqCst);
        concurrently(3, &|i| {
            // SAFETY: as above.
            unsafe {
                assert!(libc::pthread_getspecific(key).is_null());
                assert_eq!(libc::pthread_setspecific(key, (i + 1) as *const _), 0);
            }
            point();
        });
        assert_eq!(DROPS.load(SeqCst), 6);
    });
}
