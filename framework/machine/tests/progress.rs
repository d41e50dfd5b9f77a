//! An execution that gets nowhere is found, one that takes long is not, and a thread that is left alone must go on.

mod common;

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use callbacks::*;
use common::*;
use mapcheck_machine::*;

tests! {
    threads_that_let_each_other_pass_for_ever_are_a_livelock,
    an_endless_loop_in_one_operation_is_a_livelock,
    a_loop_that_the_others_outlive_is_a_livelock_too,
    a_livelock_tells_what_each_thread_does_again_and_again,
    a_holder_that_an_unfair_scheduler_starves_gets_its_turn,
    operations_that_need_to_be_alone_for_a_while_are_no_livelock,
    a_long_operation_that_reads_new_memory_is_no_livelock,
    a_long_operation_that_changes_a_counter_is_no_livelock,
    waiting_for_the_clock_or_for_a_sleeper_is_no_livelock,
    a_stalled_thread_goes_on_when_another_sleeps_and_looks_for_ever,
    operations_that_complete_are_progress,
    threads_that_wake_each_other_are_no_livelock,
    a_waiter_that_is_woken_and_loses_again_gets_its_turn,
    a_livelock_is_the_same_whether_recorded_or_not,
    a_decider_goes_on_after_the_turns,
    a_thread_left_alone_cannot_have_a_lock_that_another_holds,
    a_thread_left_alone_cannot_wait_in_a_loop_for_another,
    a_thread_left_alone_completes_what_needs_nobody,
    a_thread_left_alone_sleeps_as_long_as_it_likes,
    every_point_can_be_the_one_at_which_a_thread_is_left_alone,
    nobody_is_left_alone_outside_of_operations,
}

const PATIENCE: u64 = 2_000;

fn options() -> Options {
    Options { patience: PATIENCE, ..Options::default() }
}

/// Reads the flag as instrumented code does.
fn is_set(flag: &u64) -> bool {
    load(flag) != 0
}

fn set(flag: &u64, value: u64) {
    // SAFETY: only one thread runs at a time, and all accesses are made by the machine.
    unsafe { __tsan_atomic64_store((flag as *const u64).cast_mut(), value, 4) };
}

#[track_caller]
fn livelock(ended: Execution) -> (u64, Vec<Waiting>, Vec<Repeated>) {
    match ended.found.expect("a finding").fact {
        Fact::Livelock { points, threads, repeated } => (points, threads, repeated),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn passes(ended: Execution) {
    assert!(ended.found.is_none(), "{:?}", ended.found);
}

/// Both want to pass, and both wait as long as the other wants to.
fn after_you() {
    let wants = [Box::new(1_u64), Box::new(1_u64)];
    concurrently(2, &|i| {
        set_label(10 + i as u32);
        while is_set(&wants[1 - i]) {
            point();
        }
        set(&wants[i], 0);
    });
}

fn threads_that_let_each_other_pass_for_ever_are_a_livelock() {
    let ended = run_with(&options(), &mut Turns(3), after_you);
    let steps = ended.steps;
    let (points, threads, _) = livelock(ended);
    assert_eq!(points, PATIENCE);
    assert!((2 * PATIENCE..2 * PATIENCE + 100).contains(&steps), "{steps} steps");
    let who: Vec<_> = threads.iter().map(|w| (w.thread, w.label, w.on)).collect();
    let (end, runs) = (WaitsFor::End(1), WaitsFor::Nothing);
    assert_eq!(who, [(0, 0, end), (1, 10, runs), (2, 11, runs)]);
}

fn an_endless_loop_in_one_operation_is_a_livelock() {
    let ended = run_with(&options(), &mut InOrder, || {
        set_label(7);
        loop {
            point();
        }
    });
    assert_eq!(livelock(ended).1[0].label, 7);
}

fn a_loop_that_the_others_outlive_is_a_livelock_too() {
    let ended = run_with(&options(), &mut Random(3), || {
        let lock = Mutex::new(());
        let flag = Box::new(0_u64);
        concurrently(3, &|i| match i {
            0 => point(),
            1 => {
                let _guard = lock.lock().unwrap();
                while !is_set(&flag) {}
            }
            _ => drop(lock.lock().unwrap()),
        });
    });
    assert!(livelock(ended).1.iter().any(|w| w.thread == 2));
}

fn a_livelock_tells_what_each_thread_does_again_and_again() {
    let (_, _, repeated) = livelock(run_with(&options(), &mut Turns(1), after_you));
    let who: Vec<_> = repeated.iter().map(|r| (r.thread, r.access.kind, r.access.size)).collect();
    assert_eq!(who, [(1, Kind::AtomicLoad, 8), (2, Kind::AtomicLoad, 8)]);
    assert!(repeated.iter().all(|r| r.times > PATIENCE / 10 && r.block.is_some()), "{repeated:?}");
    assert_ne!(repeated[0].access.addr, repeated[1].access.addr);
}

/// Always goes on with the last thread that can run.
struct Starve;

impl Decider for Starve {
    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        let last = consult.threads.iter().rposition(|t| t.runnable);
        Slice::new(last.expect("a runnable thread") as u32, 1)
    }
    fn choose(&mut self, _: ChoiceKind, _: ThreadId, _: u64, _: u32) -> u32 {
        0
    }
}

fn a_holder_that_an_unfair_scheduler_starves_gets_its_turn() {
    let ended = run_with(&options(), &mut Starve, || {
        let held = Box::new(1_u64);
        concurrently(2, &|i| {
            if i == 0 {
                (0..40).for_each(|_| point());
                set(&held, 0);
            }
            while is_set(&held) {
                point();
            }
        });
    });
    assert!(ended.steps > PATIENCE && ended.steps < 2 * PATIENCE, "{} steps", ended.steps);
    passes(ended);
}

fn operations_that_need_to_be_alone_for_a_while_are_no_livelock() {
    // Each thread starts anew when the other has done something meanwhile: only one that passes 200 points in a row
    // completes, and the decider lets none.
    let ended = run_with(&options(), &mut Turns(100), || {
        let (last, other) = (Box::new(0_u64), Box::new(0_u64));
        concurrently(2, &|i| {
            let me = 1 + i as u64;
            let mut alone = false;
            while !alone {
                set(&last, me);
                alone = (0..100).all(|_| load(&other) == 0 && load(&last) == me);
            }
        });
    });
    assert!(ended.steps > PATIENCE && ended.steps < 2 * PATIENCE, "{} steps", ended.steps);
    passes(ended);
}

fn a_long_operation_that_reads_new_memory_is_no_livelock() {
    let words: u64 = run_long(&mut |words| {
        for word in words {
            load(word);
        }
    });
    assert!(words > 4 * PATIENCE);
}

/// Lets an operation run over a great many words.
fn run_long(operation: &mut dyn FnMut(&[u64])) -> u64 {
    let mut n = 0;
    let ended = run_with(&options(), &mut InOrder, || {
        let words = vec![0_u64; 5 * PATIENCE as usize];
        set_label(1);
        operation(&words);
        n = words.len() as u64;
    });
    passes(ended);
    n
}

fn a_long_operation_that_changes_a_counter_is_no_livelock() {
    let ended = run_with(&options(), &mut Random(1), || {
        let mut n = Box::new(0_u64);
        let n = &raw mut *n as usize;
        concurrently(2, &|_| {
            for _ in 0..5 * PATIENCE {
                // SAFETY: the box outlives the threads.
                unsafe { __tsan_atomic64_fetch_add(n as *mut u64, 1, 4) };
            }
        });
    });
    assert!(ended.steps > 10 * PATIENCE);
    passes(ended);
}

fn waiting_for_the_clock_or_for_a_sleeper_is_no_livelock() {
    let long = Duration::from_nanos(10 * 5 * PATIENCE);
    let ended = run_with(&options(), &mut InOrder, || {
        let start = Instant::now();
        while start.elapsed() < long {}
    });
    passes(ended);
    let ended = run_with(&options(), &mut InOrder, || {
        let flag = Box::new(0_u64);
        concurrently(2, &|i| {
            if i == 0 {
                thread::sleep(long);
                set(&flag, 1);
            }
            while !is_set(&flag) {
                point();
            }
        });
    });
    assert!(ended.steps > 4 * PATIENCE, "{} steps", ended.steps);
    passes(ended);
}

fn a_stalled_thread_goes_on_when_another_sleeps_and_looks_for_ever() {
    let options = Options { max_steps: 10 * PATIENCE, ..options() };
    let ended = run_with(&options, &mut InOrder, || {
        let flag = Box::new(0_u64);
        concurrently(2, &|i| {
            if i == 0 {
                stall();
                set(&flag, 1);
            }
            while !is_set(&flag) {
                thread::sleep(Duration::from_micros(50));
            }
        });
    });
    assert!(ended.steps > PATIENCE, "{} steps", ended.steps);
    passes(ended);
}

fn operations_that_complete_are_progress() {
    for tell in [completed, progressed, || set_label(3)] {
        let ended = run_with(&options(), &mut InOrder, || {
            for _ in 0..10 {
                (0..PATIENCE).for_each(|_| point());
                tell();
            }
        });
        passes(ended);
    }
}

fn threads_that_wake_each_other_are_no_livelock() {
    let ended = run_with(&options(), &mut Random(2), || {
        let (turn, changed) = (Mutex::new(0), Condvar::new());
        concurrently(2, &|i| {
            for _ in 0..2 * PATIENCE {
                let mut turn = changed.wait_while(turn.lock().unwrap(), |t| *t != i).unwrap();
                *turn = 1 - i;
                changed.notify_one();
            }
        });
    });
    assert!(ended.steps > 4 * PATIENCE, "{} steps", ended.steps);
    passes(ended);
}

/// Lets the first of two threads run while a lock is free, and the second while it is held.
struct Late<'a>(&'a AtomicU32);

impl Decider for Late<'_> {
    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        let runs = |t: usize| consult.threads.get(t).is_some_and(|t| t.runnable);
        let preferred = 2 - usize::from(self.0.load(SeqCst) == 0);
        let other = [3 - preferred, 0].into_iter().find(|&t| runs(t));
        let next = if runs(preferred) { preferred } else { other.expect("a runnable thread") };
        Slice::new(next as u32, 1)
    }
    fn choose(&mut self, _: ChoiceKind, _: ThreadId, _: u64, _: u32) -> u32 {
        0
    }
}

fn a_waiter_that_is_woken_and_loses_again_gets_its_turn() {
    let (held, done) = (AtomicU32::new(0), AtomicU32::new(0));
    let mut woken = 0;
    let ended = run_with(&options(), &mut Late(&held), || {
        let lock = Mutex::new(());
        let rounds = AtomicU32::new(0);
        concurrently(2, &|i| {
            while i == 0 && done.load(SeqCst) == 0 {
                let guard = lock.lock().unwrap();
                held.store(1, SeqCst);
                (0..10).for_each(|_| point());
                held.store(0, SeqCst);
                drop(guard);
                (0..10).for_each(|_| point());
                rounds.fetch_add(1, SeqCst);
            }
            if i == 1 {
                let _guard = lock.lock().unwrap();
                done.store(1, SeqCst);
            }
        });
        woken = rounds.load(SeqCst);
    });
    assert!(woken > 100, "{woken} times it lost the lock, or was not there");
    assert!(ended.steps > 4 * PATIENCE && ended.steps < 5 * PATIENCE, "{} steps", ended.steps);
    passes(ended);
}

fn a_livelock_is_the_same_whether_recorded_or_not() {
    for seed in 0..4 {
        let mut told = Vec::new();
        for record in [false, true, true] {
            let options = Options { record, fresh_globals: true, ..options() };
            let shared = Shared::new(&[1], 1 << 12).expect("shared memory");
            let mut child = Worker::fork(&mut || {
                let ended = run_with(&options, &mut Random(seed), after_you);
                let switches = ended.switches;
                let steps = ended.steps;
                shared.set_text(&format!("{steps} {switches} {:?}", livelock(ended).0));
            })
            .expect("a worker");
            assert_eq!(wait(&mut child), Some(Exit::Code(0)));
            told.push(shared.text());
        }
        assert!(!told[0].is_empty() && told.iter().all(|t| *t == told[0]), "{told:?}");
    }
}

/// Counts how often it is asked.
struct Counting(Random, u64);

impl Decider for Counting {
    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        self.1 = consult.step;
        self.0.schedule(consult)
    }
    fn choose(&mut self, _: ChoiceKind, _: ThreadId, _: u64, _: u32) -> u32 {
        0
    }
}

fn a_decider_goes_on_after_the_turns() {
    let mut decider = Counting(Random(1), 0);
    let ended = run_with(&options(), &mut decider, || {
        concurrently(2, &|_| {
            (0..PATIENCE).for_each(|_| point());
            completed();
            (0..PATIENCE / 4).for_each(|_| point());
        });
    });
    assert!(ended.steps > 2 * PATIENCE);
    assert!(decider.1 + 100 > ended.steps, "asked last at {} of {}", decider.1, ended.steps);
    passes(ended);
}

/// Leaves a thread alone after so many points, and lets threads take turns of one point.
struct LeaveAlone(u32);

impl Decider for LeaveAlone {
    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        Turns(1).schedule(consult)
    }
    fn choose(&mut self, kind: ChoiceKind, _: ThreadId, _: u64, _: u32) -> u32 {
        if kind == ChoiceKind::Suspend { self.0 } else { 0 }
    }
}

fn obstructed(body: impl Fn(usize) + Sync) -> Option<(ThreadId, bool, u64)> {
    let ended = run_with(&options(), &mut LeaveAlone(8), || {
        concurrently(2, &|i| {
            set_label(1 + i as u32);
            body(i);
            set_label(0);
        });
    });
    match ended.found?.fact {
        Fact::Obstructed { thread, waits, points, threads, .. } => {
            assert!(threads.iter().any(|w| w.thread == thread) && threads.len() > 1);
            Some((thread, waits, points))
        }
        other => panic!("{other:?}"),
    }
}

fn a_thread_left_alone_cannot_have_a_lock_that_another_holds() {
    let lock = Mutex::new(());
    let found = obstructed(|i| {
        let guard = (i == 0).then(|| lock.lock().unwrap());
        (0..10).for_each(|_| point());
        drop(guard);
        let _guard = lock.lock().unwrap();
    });
    // At the eighth point it is the turn of either; the first has the lock.
    assert!(matches!(found, None | Some((2, true, PATIENCE))), "{found:?}");
    let lock = Mutex::new(());
    let found = obstructed(|i| {
        let _guard = lock.lock().unwrap();
        (0..20).for_each(|_| point());
        assert!(i < 2);
    });
    assert!(found.is_none(), "the other waits, so the holder is who runs: {found:?}");
}

fn a_thread_left_alone_cannot_wait_in_a_loop_for_another() {
    let flags = [Box::new(0_u64), Box::new(0_u64)];
    let found = obstructed(|i| {
        (0..20).for_each(|_| point());
        set(&flags[i], 1);
        while !is_set(&flags[1 - i]) {
            point();
        }
    });
    assert!(matches!(found, Some((_, false, PATIENCE))), "{found:?}");
}

fn a_thread_left_alone_completes_what_needs_nobody() {
    let n = AtomicU32::new(0);
    let found = obstructed(|_| {
        for _ in 0..50 {
            n.fetch_add(1, SeqCst);
            point();
            thread::yield_now();
        }
    });
    assert_eq!((found, n.load(SeqCst)), (None, 100));
}

fn a_thread_left_alone_sleeps_as_long_as_it_likes() {
    let found = obstructed(|_| {
        (0..20).for_each(|_| point());
        thread::sleep(Duration::from_secs(1));
    });
    assert_eq!(found, None);
}

fn every_point_can_be_the_one_at_which_a_thread_is_left_alone() {
    // The last switch away from a thread within its operation tells where it was suspended.
    let mut seen = Vec::new();
    for after in 1..40 {
        let order = Mutex::new(Vec::new());
        let ended = run_with(&options(), &mut LeaveAlone(after), || {
            concurrently(2, &|i| {
                set_label(1);
                for _ in 0..10 {
                    point();
                    outside(&mut || order.lock().unwrap().push(i));
                }
                set_label(0);
            });
        });
        passes(ended);
        let order = order.into_inner().unwrap();
        let longest = order.chunk_by(|a, b| a == b).map(<[usize]>::len).max().unwrap();
        seen.push(longest);
    }
    seen.dedup();
    assert!(seen[0] >= 9 && seen.contains(&5) && *seen.last().unwrap() <= 2, "{seen:?}");
}

fn nobody_is_left_alone_outside_of_operations() {
    let lock = Mutex::new(());
    for after in 1..30 {
        let ended = run_with(&options(), &mut LeaveAlone(after), || {
            concurrently(2, &|_| {
                let _guard = lock.lock().unwrap();
                (0..5).for_each(|_| point());
            });
        });
        passes(ended);
    }
}
