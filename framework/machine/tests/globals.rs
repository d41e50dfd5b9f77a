//! With fresh globals, an execution finds the program as it was before the first one.

mod common;

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Mutex, OnceLock};
use std::thread;

use common::*;
use mapcheck_machine::*;

tests! {
    a_counter_is_as_before_the_first_execution,
    a_cell_is_initialised_in_every_execution,
    thread_identities_repeat,
    what_executions_leave_on_the_heap_is_forgotten,
    thousands_of_executions_do_not_use_up_the_keys_of_libc,
    what_the_framework_keeps_on_its_own_stack_and_heap_stays,
    a_panic_is_still_reported_outside,
    an_execution_that_leaves_threads_behind_spends_its_process,
}

thread_local!(static LOCAL: Cell<u32> = const { Cell::new(7) });
static COUNTER: AtomicU32 = AtomicU32::new(0);
static CELL: OnceLock<Box<u32>> = OnceLock::new();
static KEPT: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[track_caller]
fn fresh(root: impl FnMut()) -> Execution {
    let options = Options { fresh_globals: true, ..Options::default() };
    let ended = run_with(&options, &mut Random(1), root);
    assert!(ended.found.is_none(), "{:?}", ended.found);
    ended
}

fn a_counter_is_as_before_the_first_execution() {
    COUNTER.store(40, SeqCst);
    for _ in 0..5 {
        fresh(|| assert_eq!(COUNTER.fetch_add(1, SeqCst), 40));
        assert_eq!(COUNTER.load(SeqCst), 41);
    }
}

fn a_cell_is_initialised_in_every_execution() {
    let mut steps = Vec::new();
    for n in 0..5 {
        let ended = fresh(|| {
            assert!(CELL.get().is_none());
            assert_eq!(**CELL.get_or_init(|| Box::new(n)), n);
        });
        steps.push(ended.steps);
    }
    assert!(steps.iter().all(|s| *s == steps[0]), "{steps:?}");
}

fn thread_identities_repeat() {
    let mut seen = Vec::new();
    for _ in 0..3 {
        fresh(|| {
            let id = thread::spawn(|| thread::current().id()).join().unwrap();
            outside(&mut || seen.push(id));
        });
    }
    assert_eq!((seen[0], seen[1]), (seen[1], seen[2]));
}

fn what_executions_leave_on_the_heap_is_forgotten() {
    for _ in 0..200 {
        fresh(|| {
            let mut kept = KEPT.lock().unwrap();
            assert!(kept.is_empty());
            kept.push("kept".into());
        });
        assert!(heap_has_room());
    }
}

fn thousands_of_executions_do_not_use_up_the_keys_of_libc() {
    for _ in 0..3000 {
        fresh(|| thread::spawn(|| thread::current().id()).join().map(drop).unwrap());
    }
}

fn what_the_framework_keeps_on_its_own_stack_and_heap_stays() {
    let mut seen = vec![0; 1];
    for n in 1..5 {
        fresh(|| outside(&mut || seen.push(n)));
    }
    assert_eq!(seen, [0, 1, 2, 3, 4]);
}

fn a_panic_is_still_reported_outside() {
    // SAFETY: the worker has one thread.
    unsafe { std::env::set_var("RUST_BACKTRACE", "1") };
    for _ in 0..2 {
        let ended = fresh(|| assert!(thread::spawn(|| panic!("on purpose")).join().is_err()));
        assert!(ended.allocated < 50, "{ended:?}");
    }
}

fn an_execution_that_leaves_threads_behind_spends_its_process() {
    let ended = fresh(|| {
        for _ in 0..2 {
            thread::spawn(|| {
                assert_eq!(LOCAL.replace(8), 7);
                let held = KEPT.lock();
                thread::park();
                drop(held);
            });
        }
        thread::yield_now();
        assert_eq!(LOCAL.replace(9), 7);
    });
    assert!(ended.found.is_none(), "{:?}", ended.found);
    assert_eq!((ended.outlived, ended.reusable), (2, false));
}
