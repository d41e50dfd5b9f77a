//! Small models on shuttle and loom: what is wrong in them is found, and what is right stays silent.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::{Arc, Mutex};

use super::*;
use crate::model::{Engine as Memory, Heap, Layout, Lock, Ptr};

/// A word that threads share, and nothing else.
const SHARED: Layout = Layout { cells: 0, atomics: 1, pointers: 0 };
/// A pointer that threads share, and nothing else.
const POINTER: Layout = Layout { cells: 0, atomics: 0, pointers: 1 };
/// A word that they do not share.
const CELL: Layout = Layout { cells: 1, atomics: 0, pointers: 0 };

fn limits(executions: u64) -> Limits {
    Limits {
        executions,
        time: None,
        seed: 7,
        scheduler: "random".to_owned(),
        bound: None,
        max_steps: 10_000,
    }
}

/// As the engine's own, with a body that can be kept.
fn concurrently(n: usize, body: ThreadBody) {
    super::concurrently(n, &|i| body(i), &|| Arc::clone(&body));
}

fn explored(engine: Engine, limits: &Limits, body: fn()) -> Explored {
    explore(engine, limits, Arc::new(body), &mut |_| ())
}

/// What is found, twice with the same limits, and at which execution.
fn found(engine: Engine, limits: &Limits, body: fn()) -> (Class, u64) {
    let once = explored(engine, limits, body);
    let twice = explored(engine, limits, body);
    assert_eq!((&once.found, once.executions), (&twice.found, twice.executions));
    let (class, _) = once.found.unwrap_or_else(|| panic!("found nothing: {:?}", once.limit));
    (class, once.executions)
}

/// One thread reads a node through a shared pointer; another unlinks it and frees it, at once or after both are done.
fn reader_and_remover<E: Memory>(node: Layout, at_once: bool) {
    let heap = Arc::new(Heap::<E>::new());
    let (head, node) = (heap.allocate(POINTER), heap.allocate(node));
    heap.store(head, node.to_word(), Relaxed);
    let threads = heap.clone();
    concurrently(
        2,
        Arc::new(move |i| match i {
            0 => {
                let seen = Ptr::from_word(threads.load(head, Acquire));
                if !seen.is_null() {
                    assert_eq!(threads.read(seen), 0);
                }
            }
            _ => {
                threads.swap(head, 0, AcqRel);
                if at_once {
                    threads.free(node);
                }
            }
        }),
    );
    if !at_once {
        heap.free(node);
    }
}

/// Two threads add to a counter, in one step or in two.
fn counter<E: Memory>(one_step: bool) {
    let heap = Arc::new(Heap::<E>::new());
    let count = heap.allocate(SHARED);
    let threads = heap.clone();
    concurrently(
        2,
        Arc::new(move |_| {
            if one_step {
                threads.fetch_add(count, 1, AcqRel);
            } else {
                let seen = threads.load(count, Acquire);
                threads.store(count, seen + 1, Release);
            }
        }),
    );
    assert_eq!(heap.load(count, Acquire), 2, "an update was lost");
}

/// Two threads take two locks, in the same order or in opposite ones.
fn locks<E: Memory>(same_order: bool) {
    let locks = Arc::new([E::Lock::new(), E::Lock::new()]);
    concurrently(
        2,
        Arc::new(move |i| {
            let first = if same_order { 0 } else { i };
            locks[first].with(|| locks[1 - first].with(|| ()));
        }),
    );
}

/// Waits for a word that nobody writes.
fn endless<E: Memory>(layout: Layout) {
    let heap = Heap::<E>::new();
    let word = heap.allocate(layout);
    while heap.read(word) == 0 {}
}

macro_rules! tests {
    ($name:ident, $engine:ident) => {
        mod $name {
            use super::*;
            use crate::model::$engine as Here;

            const ENGINE: Engine = Engine::$engine;

            #[test]
            fn a_node_that_is_freed_while_it_is_read_is_found_at_the_same_execution_again() {
                let wrong: [fn(); 2] = [
                    || reader_and_remover::<Here>(SHARED, true),
                    || reader_and_remover::<Here>(CELL, true),
                ];
                for body in wrong {
                    let (class, execution) = found(ENGINE, &limits(1000), body);
                    assert_eq!(class, Class::PrematureReclamation);
                    assert!(execution > 1, "the first execution runs the threads in turn");
                }
            }

            #[test]
            fn a_lost_update_is_a_panic() {
                let (class, _) = found(ENGINE, &limits(1000), || counter::<Here>(false));
                assert_eq!(class, Class::Panic);
            }

            #[test]
            fn locks_in_opposite_orders_are_a_deadlock() {
                let (class, _) = found(ENGINE, &limits(1000), || locks::<Here>(false));
                assert_eq!(class, Class::Deadlock);
            }

            #[test]
            fn a_loop_without_end_is_a_livelock() {
                let (class, _) = found(ENGINE, &limits(10), || endless::<Here>(SHARED));
                assert_eq!(class, Class::Livelock);
                let (class, _) = found(ENGINE, &limits(10), || endless::<Here>(CELL));
                assert_eq!(class, Class::Livelock);
            }

            #[test]
            fn models_that_are_right_stay_silent() {
                let right: [fn(); 4] = [
                    || reader_and_remover::<Here>(SHARED, false),
                    || reader_and_remover::<Here>(CELL, false),
                    || counter::<Here>(true),
                    || locks::<Here>(true),
                ];
                for body in right {
                    let done = explored(ENGINE, &limits(1000), body);
                    assert_eq!((done.found, done.limit), (None, None));
                    assert_eq!(done.exhausted, ENGINE == Engine::Loom);
                    assert!(done.executions > 1);
                }
            }

            #[test]
            fn executions_are_counted_and_stop_at_the_limit() {
                let mut counted = 0;
                let body = || counter::<Here>(true);
                let done = explore(ENGINE, &limits(3), Arc::new(body), &mut |event| {
                    counted += u64::from(matches!(event, Event::Began));
                });
                assert_eq!((done.executions, counted), (3, 3));
            }

            #[test]
            fn a_finding_is_told_before_anything_unwinds() {
                static DROPPED: AtomicBool = AtomicBool::new(false);
                struct Guard;
                impl Drop for Guard {
                    fn drop(&mut self) {
                        DROPPED.store(true, Relaxed);
                    }
                }
                let body = || {
                    let _guard = Guard;
                    panic!("oh");
                };
                let mut heard = Vec::new();
                explore(ENGINE, &limits(3), Arc::new(body), &mut |event| {
                    assert!(!DROPPED.load(Relaxed));
                    heard.push(event);
                });
                assert!(DROPPED.load(Relaxed));
                assert_eq!(heard[0], Event::Began);
                assert!(matches!(&heard[1..], [Event::Found(Class::Panic, m)] if m.ends_with("oh")));
            }

            #[test]
            fn outside_executions_memory_is_plain() {
                reader_and_remover::<Here>(CELL, false);
                counter::<Here>(false);
                locks::<Here>(false);
                assert_eq!((Here::thread(), Here::random()), (0, 0));
            }

            #[test]
            fn every_thread_has_a_number_of_its_own_and_randomness_repeats() {
                static SEEN: Mutex<Vec<Vec<u64>>> = Mutex::new(Vec::new());
                let body = || {
                    let drawn = Arc::new(Mutex::new(vec![Here::random()]));
                    let threads = drawn.clone();
                    concurrently(3, Arc::new(move |_| {
                        threads.lock().unwrap().push(Here::thread());
                    }));
                    let mut drawn = std::mem::take(&mut *drawn.lock().unwrap());
                    drawn[1..].sort_unstable();
                    drawn.dedup();
                    assert_eq!(drawn.len(), 4);
                    SEEN.lock().unwrap().push(drawn);
                };
                for _ in 0..2 {
                    assert_eq!(explored(ENGINE, &limits(5), body).found, None);
                }
                let seen = SEEN.lock().unwrap();
                let half = seen.len() / 2;
                assert_eq!(seen[..half], seen[half..]);
            }
        }
    };
}

#[cfg(feature = "shuttle")]
tests!(shuttle, Shuttle);
#[cfg(feature = "loom")]
tests!(loom, Loom);

#[cfg(feature = "shuttle")]
#[test]
fn shuttle_s_pct_finds_it_too() {
    let limits = Limits { scheduler: "pct".to_owned(), ..limits(1000) };
    let body = || reader_and_remover::<crate::model::Shuttle>(CELL, true);
    assert_eq!(found(Engine::Shuttle, &limits, body).0, Class::PrematureReclamation);
}

/// Publishes a value with a flag; whether the flag's order is strong enough is what only loom can tell.
#[cfg(feature = "loom")]
fn publish<E: Memory>(order: std::sync::atomic::Ordering) {
    let heap = Arc::new(Heap::<E>::new());
    let (value, flag) = (heap.allocate(SHARED), heap.allocate(SHARED));
    concurrently(
        2,
        Arc::new(move |i| match i {
            0 => {
                heap.store(value, 1, Relaxed);
                heap.store(flag, 1, order);
            }
            _ if heap.load(flag, Acquire) == 1 => assert_eq!(heap.load(value, Relaxed), 1),
            _ => {}
        }),
    );
}

#[cfg(feature = "loom")]
#[test]
fn loom_sees_that_a_relaxed_store_publishes_nothing() {
    use crate::model::Loom;
    let (class, _) = found(Engine::Loom, &limits(1000), || publish::<Loom>(Relaxed));
    assert_eq!(class, Class::Panic);
    assert!(explored(Engine::Loom, &limits(1000), || publish::<Loom>(Release)).exhausted);
}

#[cfg(feature = "loom")]
#[test]
fn loom_says_that_it_has_few_threads() {
    let done = explored(Engine::Loom, &limits(10), || concurrently(5, Arc::new(|_| ())));
    let limit = done.limit.unwrap_or_default();
    assert!(done.found.is_none() && !done.exhausted && limit.contains("at most 4"), "{limit}");
}
