//! An execution is a function of its decisions: the same steps, switches, events and addresses, in every worker.

mod common;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, RwLock, mpsc};
use std::thread;
use std::time::Duration;

use callbacks::*;
use common::*;
use mapcheck_machine::*;

tests! {
    the_same_decisions_give_the_same_trace_a_hundred_times,
    the_same_decisions_give_the_same_trace_in_another_worker,
    different_decisions_give_different_traces,
    recording_changes_nothing,
    spinning_is_judged_afresh_in_every_execution,
    local_and_thread_local_addresses_are_the_same_in_every_worker,
    heap_addresses_are_the_same_in_every_worker,
    slices_are_counted_in_points,
    a_waiting_thread_ends_the_slice,
    the_decider_sees_what_every_thread_does_next,
}

thread_local!(static COUNTED: Cell<u64> = const { Cell::new(0) });

/// Something of everything: locks, conditions, channels, maps, time, randomness, atomics, and panics.
fn scenario() {
    let shared =
        Arc::new((Mutex::new(HashMap::new()), Condvar::new(), RwLock::new(vec![0_u64; 4])));
    let (sender, receiver) = mpsc::channel();
    let children: Vec<_> = (0..3)
        .map(|i| {
            let (shared, sender) = (shared.clone(), sender.clone());
            thread::spawn(move || worker(i, &shared, &sender))
        })
        .collect();
    drop(sender);
    let sum: u64 = receiver.iter().sum();
    children.into_iter().for_each(|c| c.join().unwrap());
    assert!(sum > 0);
    assert_eq!(shared.0.lock().unwrap().len(), 12);
}

type Everything = (Mutex<HashMap<u64, String>>, Condvar, RwLock<Vec<u64>>);

fn worker(i: u64, shared: &Everything, sender: &mpsc::Sender<u64>) {
    let mut cell = i;
    for n in 0..4 {
        shared.0.lock().unwrap().insert(i * 10 + n, format!("{i} {n}"));
        shared.1.notify_one();
        COUNTED.set(COUNTED.get() + n);
        // SAFETY: the cell is this thread's own.
        unsafe { __tsan_atomic64_fetch_add(&mut cell, 1, 4) };
        set_label(n as u32 + 1);
        sender.send(shared.2.read().unwrap()[n as usize] + cell).unwrap();
        shared.2.write().unwrap()[n as usize] += i;
        if n % 2 == 1 {
            thread::sleep(Duration::from_nanos(i * 100));
        }
    }
    let guard = shared.0.lock().unwrap();
    drop(shared.1.wait_timeout(guard, Duration::from_micros(i)).unwrap());
    let _ = std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(1)));
}

fn events_of(seed: u64) -> (Execution, Vec<String>) {
    let options =
        Options { seed, offers: Choices::NONE.with(ChoiceKind::Reuse), ..Options::default() };
    let (ended, events) = trace(&mut Random(seed), options, scenario);
    assert!(ended.found.is_none(), "seed {seed}: {:?}", ended.found);
    (ended, events)
}

fn digest_of(seed: u64) -> [u64; 4] {
    let (ended, events) = events_of(seed);
    [ended.steps, ended.switches, events.len() as u64, digest(&events)]
}

fn the_same_decisions_give_the_same_trace_a_hundred_times() {
    let (ended, first) = events_of(5);
    assert!(ended.steps > 100 && ended.switches > 20, "{ended:?}");
    for i in 1..100 {
        let (again, events) = events_of(5);
        let other = events.iter().zip(&first).find(|(a, b)| a != b);
        assert_eq!(other, None, "repetition {i}");
        assert_eq!((again.steps, events.len()), (ended.steps, first.len()));
    }
}

/// What a worker of its own pushes.
fn in_worker(body: &dyn Fn(&Shared)) -> Vec<u64> {
    let shared = Shared::new(&[10_000], 0).unwrap();
    let mut worker = Worker::fork(&mut || body(&shared)).unwrap();
    assert_eq!(wait(&mut worker), Some(Exit::Code(0)));
    shared.words(0)
}

fn the_same_decisions_give_the_same_trace_in_another_worker() {
    let all = |shared: &Shared| {
        (0..100).flat_map(digest_of).for_each(|word| shared.push(0, word));
    };
    let first = in_worker(&all);
    assert_eq!(first.len(), 400);
    let _history: Vec<Vec<u8>> = (1..300).map(|n| vec![1; n * n]).collect();
    assert_eq!(in_worker(&all), first);
    let backwards = in_worker(&|shared| {
        (0..100).rev().flat_map(digest_of).for_each(|word| shared.push(0, word));
    });
    let back: Vec<_> = backwards.chunks(4).rev().flatten().copied().collect();
    assert_eq!(back, first, "whatever ran before in the same worker");
}

fn different_decisions_give_different_traces() {
    assert_ne!(digest_of(1), digest_of(2));
}

fn recording_changes_nothing() {
    for seed in 0..50 {
        let options =
            Options { seed, offers: Choices::NONE.with(ChoiceKind::Reuse), ..Options::default() };
        let plain = run_with(&options, &mut Random(seed), scenario);
        let recorded = digest_of(seed);
        assert_eq!([plain.steps, plain.switches], recorded[..2], "seed {seed}");
    }
}

fn spinning_is_judged_afresh_in_every_execution() {
    let spin = || {
        let cell = Box::new(1_u64);
        (0..15).for_each(|_| {
            load(&cell);
        });
    };
    let first = trace(&mut InOrder, Options::default(), spin).1;
    for _ in 0..5 {
        assert_eq!(trace(&mut InOrder, Options::default(), spin).1, first);
    }
}

fn stack_addresses(shared: &Shared) {
    let ended = run_under(InOrder, || {
        concurrently(2, &|_| {
            let local = 1_u8;
            shared.push(0, (&raw const local).addr() as u64);
            shared.push(0, COUNTED.with(|c| c.as_ptr().addr()) as u64);
        });
    });
    assert!(ended.found.is_none());
}

fn local_and_thread_local_addresses_are_the_same_in_every_worker() {
    let first = in_worker(&stack_addresses);
    assert_eq!(first.len(), 4);
    assert!(first.iter().all(|a| a >> 40 == 0x14), "{first:x?}");
    // Another history: memory mapped, threads started and ended, executions run.
    let history: Vec<Vec<u8>> = (0..50).map(|n| vec![1; n << 15]).collect();
    thread::spawn(|| vec![1; 100]).join().unwrap();
    let second = in_worker(&|shared| {
        let _more = history.clone();
        run_under(InOrder, || concurrently(7, &|_| point()));
        stack_addresses(shared);
    });
    assert_eq!(first, second);
}

fn heap_addresses_are_the_same_in_every_worker() {
    let blocks = |shared: &Shared| {
        run_under(Random(3), || {
            concurrently(3, &|i| {
                let block = Box::new([i; 10]);
                shared.push(0, block.as_ptr().addr() as u64);
            });
        });
    };
    let first = in_worker(&blocks);
    assert_eq!(first.len(), 3);
    let _history = vec![1_u8; 1 << 20];
    assert_eq!(in_worker(&blocks), first);
}

/// Grants what it is told to, and keeps what it was asked.
#[derive(Default)]
struct Asked(Vec<(ThreadId, u64, u64, Reason)>, u64);

impl Decider for Asked {
    fn schedule(&mut self, c: &Consult<'_>) -> Slice {
        self.0.push((c.current, c.local_step, c.step, c.reason));
        Slice::new(c.default_thread(), self.1)
    }
    fn choose(&mut self, _: ChoiceKind, _: ThreadId, _: u64, _: u32) -> u32 {
        0
    }
}

fn slices_are_counted_in_points() {
    let mut asked = Asked(Vec::new(), 4);
    run_with(&Options::default(), &mut asked, || (0..10).for_each(|_| point()));
    let points: Vec<_> = asked.0.iter().map(|q| (q.1, q.2)).collect();
    assert_eq!(points, [(1, 1), (5, 5), (9, 9)]);
    assert!(asked.0.iter().all(|q| q.3 == Reason::Point));
}

fn a_waiting_thread_ends_the_slice() {
    let mut asked = Asked(Vec::new(), u64::MAX);
    run_with(&Options::default(), &mut asked, || {
        concurrently(1, &|_| (0..5).for_each(|_| point()));
        thread::yield_now();
    });
    let reasons: Vec<_> = asked.0.iter().map(|q| (q.0, q.3)).collect();
    let expected = [(0, Reason::Blocked), (1, Reason::Blocked), (0, Reason::Yield)];
    assert_eq!(reasons, expected);
}

fn the_decider_sees_what_every_thread_does_next() {
    struct Pending(usize);
    impl Decider for Pending {
        fn schedule(&mut self, c: &Consult<'_>) -> Slice {
            let pending: Vec<_> = c.threads.iter().map(|t| t.pending).collect();
            if pending.len() == 3 && pending[1].kind == Kind::AtomicRmw && pending[2].size == 3 {
                assert_eq!((pending[1].size, pending[1].order), (8, Order::AcqRel));
                assert_eq!((pending[2].kind, pending[2].addr), (Kind::Write, 99));
                self.0 += 1;
            }
            Turns(1).schedule(c)
        }
        fn choose(&mut self, _: ChoiceKind, _: ThreadId, _: u64, _: u32) -> u32 {
            0
        }
    }
    let mut pending = Pending(0);
    let ended = run_with(&Options::default(), &mut pending, || {
        concurrently(2, &|i| {
            if i == 0 {
                // SAFETY: a local.
                unsafe { __tsan_atomic64_fetch_add(&mut 0, 1, 4) };
            } else {
                touch(99, 3, true);
            }
        });
    });
    assert!(ended.found.is_none(), "{:?}", ended.found);
    assert_eq!(pending.0, 1);
}
