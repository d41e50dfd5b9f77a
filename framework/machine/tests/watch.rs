//! A watched execution tells its observer what touches memory, from where, and what orders its threads.

mod common;

use std::hint::black_box;
use std::thread;

use common::callbacks::*;
use common::*;
use mapcheck_machine::*;

tests! {
    an_execution_that_is_not_watched_tells_nothing,
    plain_and_atomic_accesses_are_told_before_they_take_effect,
    an_access_outside_of_the_heap_is_told_only_if_it_is_atomic,
    two_places_of_the_code_are_two_sites,
    a_place_of_the_code_is_the_same_site_in_every_execution,
    no_two_steps_have_the_same_number,
    a_compare_exchange_is_told_with_its_outcome_and_the_order_of_that,
    a_fence_is_told_with_its_order,
    allocations_and_deallocations_are_told,
    the_start_and_the_join_of_a_thread_are_edges,
    concurrent_bodies_are_started_and_joined,
    who_wakes_and_who_waits_call_the_same_futex,
    a_race_is_told_at_the_end_with_both_accesses,
    a_race_ends_the_watch,
    the_stack_of_a_step_is_captured_when_asked_for,
    a_race_without_that_step_has_no_earlier_stack,
    a_race_is_told_only_if_nothing_worse_was_found,
}

/// Keeps what it is told, and calls a touch a race when asked to.
#[derive(Default)]
struct Watcher {
    touches: Vec<Touch>,
    edges: Vec<Edge>,
    /// The touch that conflicts with an earlier one, both by number.
    race: Option<(usize, usize)>,
}

impl Observer for Watcher {
    fn event(&mut self, _: &Event) {}

    fn touch(&mut self, touch: &Touch) -> Option<Earlier> {
        self.touches.push(*touch);
        let (_, earlier) = self.race.filter(|race| race.0 == self.touches.len() - 1)?;
        let Touch { thread, step, site, access: Access { kind, .. }, .. } = self.touches[earlier];
        Some(Earlier { thread, step, site, kind })
    }

    fn order(&mut self, edge: &Edge) {
        self.edges.push(*edge);
    }
}

impl Watcher {
    fn run(&mut self, options: Options, mut root: impl FnMut()) -> Execution {
        use_switching(switching());
        self.touches.clear();
        execute(&options, &mut Turns(1), self, &mut root)
    }

    /// The touches of this address.
    fn of(&self, addr: usize) -> Vec<Touch> {
        self.touches.iter().filter(|t| t.access.addr == addr).copied().collect()
    }
}

fn watched() -> Options {
    Options { watch: true, ..Options::default() }
}

/// The touches and edges of an execution without a finding.
#[track_caller]
fn watch(root: impl FnMut()) -> Watcher {
    let mut watcher = Watcher::default();
    let ended = watcher.run(watched(), root);
    assert!(ended.found.is_none(), "{:?}", ended.found);
    watcher
}

fn addr_of<T>(of: &T) -> usize {
    (&raw const *of).addr()
}

/// Reads and writes a word, as instrumented code does.
#[inline(never)]
fn reads_and_writes(cell: &mut u64) {
    // SAFETY: the reference is valid.
    unsafe {
        __sanitizer_cov_load8(addr_of(cell));
        __sanitizer_cov_store8(addr_of(cell));
        __tsan_atomic64_store(cell, 7, 3);
        __tsan_atomic64_load(cell, 2);
    }
}

fn an_execution_that_is_not_watched_tells_nothing() {
    let mut watcher = Watcher::default();
    watcher.run(Options::default(), || {
        thread::spawn(|| reads_and_writes(&mut Box::new(0))).join().unwrap();
    });
    assert_eq!((watcher.touches.len(), watcher.edges.len()), (0, 0));
}

fn plain_and_atomic_accesses_are_told_before_they_take_effect() {
    let mut addr = 0;
    let watcher = watch(|| {
        let mut cell = Box::new(5);
        addr = addr_of(&*cell);
        reads_and_writes(&mut cell);
    });
    let accesses: Vec<_> = watcher.of(addr).iter().map(|t| (t.access, t.change)).collect();
    let access = |kind, order| Access { kind, addr, size: 8, order };
    let atomic = |found, left| Change::Atomic { found, left };
    let expected = [
        (access(Kind::Alloc, Order::Relaxed), Change::Plain),
        (access(Kind::Read, Order::Relaxed), Change::Plain),
        (access(Kind::Write, Order::Relaxed), Change::Plain),
        (access(Kind::AtomicStore, Order::Release), atomic(5, Some(7))),
        (access(Kind::AtomicLoad, Order::Acquire), atomic(7, None)),
        (access(Kind::Free, Order::Relaxed), Change::Plain),
    ];
    assert_eq!(accesses, expected);
}

fn an_access_outside_of_the_heap_is_told_only_if_it_is_atomic() {
    let mut addr = 0;
    let watcher = watch(|| {
        let mut cell = 0;
        addr = addr_of(&cell);
        reads_and_writes(&mut cell);
    });
    let kinds: Vec<_> = watcher.of(addr).iter().map(|t| t.access.kind).collect();
    assert_eq!(kinds, [Kind::AtomicStore, Kind::AtomicLoad]);
}

/// The sites of three reads, of which the last two are one place.
fn sites() -> Vec<usize> {
    let mut addr = 0;
    let watcher = watch(|| {
        let cell = Box::new(0_u64);
        addr = addr_of(&*cell);
        // SAFETY: the reference is valid.
        unsafe { __sanitizer_cov_load8(addr) };
        for _ in 0..black_box(2) {
            // SAFETY: as above.
            unsafe { __sanitizer_cov_load8(addr) };
        }
    });
    let reads = watcher.of(addr).into_iter().filter(|t| t.access.kind == Kind::Read);
    reads.map(|t| t.site).collect()
}

fn two_places_of_the_code_are_two_sites() {
    let sites = sites();
    assert_eq!(sites.len(), 3);
    if cfg!(target_arch = "x86_64") {
        assert_ne!(sites[0], sites[1]);
        assert!(sites.iter().all(|&site| site != 0));
    }
    assert_eq!(sites[1], sites[2]);
}

fn a_place_of_the_code_is_the_same_site_in_every_execution() {
    assert_eq!(sites(), sites());
}

fn no_two_steps_have_the_same_number() {
    let watcher = watch(|| concurrently(3, &|_| reads_and_writes(&mut Box::new(0))));
    let steps: Vec<u64> = watcher.touches.iter().map(|t| t.step).collect();
    assert!(steps.len() >= 18, "{steps:?}");
    assert!(steps.is_sorted_by(|a, b| a < b), "{steps:?}");
    let mut threads: Vec<_> = watcher.touches.iter().map(|t| t.thread).collect();
    threads.dedup();
    assert!(threads.len() > 6, "they take turns: {threads:?}");
}

fn a_compare_exchange_is_told_with_its_outcome_and_the_order_of_that() {
    let mut addr = 0;
    let watcher = watch(|| {
        let mut cell = Box::new(1);
        addr = addr_of(&*cell);
        // SAFETY: the reference is valid.
        unsafe {
            __tsan_atomic64_compare_exchange_val(&mut *cell, 1, 2, 4, 2);
            __tsan_atomic64_compare_exchange_val(&mut *cell, 1, 3, 4, 2);
            __tsan_atomic64_fetch_add(&mut *cell, 0, 0);
        }
    });
    let told = watcher.of(addr).into_iter().filter(|t| t.access.kind == Kind::AtomicRmw);
    let told: Vec<_> = told.map(|t| (t.access.order, t.change)).collect();
    let expected = [
        (Order::AcqRel, Change::Atomic { found: 1, left: Some(2) }),
        (Order::Acquire, Change::Atomic { found: 2, left: None }),
        (Order::Relaxed, Change::Atomic { found: 2, left: Some(2) }),
    ];
    assert_eq!(told, expected);
}

fn a_fence_is_told_with_its_order() {
    let watcher = watch(|| {
        // SAFETY: it touches no memory.
        unsafe {
            __tsan_atomic_thread_fence(3);
            __tsan_atomic_thread_fence(5);
        }
    });
    let fences = watcher.touches.iter().filter(|t| t.access.kind == Kind::Fence);
    let orders: Vec<_> = fences.map(|t| t.access.order).collect();
    assert_eq!(orders, [Order::Release, Order::SeqCst]);
}

fn allocations_and_deallocations_are_told() {
    let mut addr = 0;
    let watcher = watch(|| {
        let mut bytes: Vec<u8> = black_box(Vec::with_capacity(100));
        addr = bytes.as_ptr().addr();
        bytes.push(1);
    });
    let told = watcher.of(addr).into_iter().map(|t| (t.access.kind, t.access.size));
    assert_eq!(told.collect::<Vec<_>>(), [(Kind::Alloc, 100), (Kind::Free, 100)]);
}

/// What orders in start and end of threads.
fn starts_and_joins(watcher: &Watcher) -> Vec<Edge> {
    let edges = watcher.edges.iter().copied();
    edges.filter(|e| matches!(e, Edge::Start { .. } | Edge::Join { .. })).collect()
}

fn the_start_and_the_join_of_a_thread_are_edges() {
    let watcher = watch(|| thread::spawn(|| {}).join().unwrap());
    let expected = [Edge::Start { parent: 0, child: 1 }, Edge::Join { thread: 0, ended: 1 }];
    assert_eq!(starts_and_joins(&watcher), expected);
}

fn concurrent_bodies_are_started_and_joined() {
    let edges = starts_and_joins(&watch(|| concurrently(2, &|_| point())));
    for thread in [1, 2] {
        let start = edges.iter().position(|e| *e == Edge::Start { parent: 0, child: thread });
        let join = edges.iter().position(|e| *e == Edge::Join { thread: 0, ended: thread });
        assert!(start.is_some() && start < join, "{edges:?}");
    }
}

fn who_wakes_and_who_waits_call_the_same_futex() {
    let watcher = watch(|| {
        let waits = thread::spawn(thread::park);
        (0..10).for_each(|_| point());
        waits.thread().unpark();
        waits.join().unwrap();
    });
    let futex = |edge: &Edge| match *edge {
        Edge::Futex { thread, addr } => Some((thread, addr)),
        _ => None,
    };
    let calls: Vec<_> = watcher.edges.iter().filter_map(futex).collect();
    let woken = calls.iter().find(|call| call.0 == 0).expect("a call of the root");
    let waited = calls.iter().rfind(|call| call.0 == 1).expect("a call of the other");
    assert_eq!(woken.1, waited.1, "{calls:?}");
}

#[inline(never)]
fn the_earlier_access(addr: usize) {
    // SAFETY: the address is that of a box.
    unsafe { __sanitizer_cov_store8(addr) };
    black_box(());
}

/// Two writes, and an end that may be worse.
fn racing(worse: bool) {
    let cell = Box::new(0_u64);
    the_earlier_access(addr_of(&*cell));
    // SAFETY: the reference is valid.
    unsafe { __sanitizer_cov_store8(addr_of(&*cell)) };
    if worse {
        fail("panic", "on purpose".into(), 0);
    }
}

/// What an execution finds that ends so, in which the observer calls the second write a race; and its watcher.
fn race(stack_at: Option<u64>, worse: bool) -> (Fact, Watcher) {
    let mut watcher = Watcher::default();
    let writes = || {
        let kinds = watch(|| racing(false)).touches.into_iter().map(|t| t.access.kind).enumerate();
        kinds.filter(|k| k.1 == Kind::Write).map(|k| k.0).collect::<Vec<usize>>()
    };
    let writes = writes();
    watcher.race = Some((writes[1], writes[0]));
    let ended = watcher.run(Options { stack_at, ..watched() }, || racing(worse));
    (ended.found.expect("a finding").fact, watcher)
}

/// The step of the earlier access.
fn earlier_step() -> u64 {
    let touches = watch(|| racing(false)).touches;
    touches.iter().find(|t| t.access.kind == Kind::Write).expect("a write").step
}

fn a_race_is_told_at_the_end_with_both_accesses() {
    let (fact, watcher) = race(None, false);
    let Fact::Race { access, site, earlier, earlier_at, block, .. } = fact else {
        panic!("{fact:?}")
    };
    let (at, before) = watcher.race.expect("it was set");
    let (told, first) = (watcher.touches[at], watcher.touches[before]);
    assert_eq!((access, site), (told.access, told.site));
    assert_eq!((earlier.step, earlier.site, earlier.kind), (first.step, first.site, Kind::Write));
    assert_eq!((earlier_at.thread, earlier_at.step), (0, first.step));
    assert_eq!(block.expect("a block").size, 8);
}

fn a_race_ends_the_watch() {
    let (_, watcher) = race(None, false);
    assert_eq!(watcher.race.expect("it was set").0, watcher.touches.len() - 1);
}

fn the_stack_of_a_step_is_captured_when_asked_for() {
    let (fact, _) = race(Some(earlier_step()), false);
    let Fact::Race { earlier_stack, .. } = fact else { panic!("{fact:?}") };
    let frames = earlier_stack.frames();
    assert!(frames.iter().any(|f| f.function.contains("the_earlier_access")), "{frames:?}");
}

fn a_race_without_that_step_has_no_earlier_stack() {
    let (fact, _) = race(Some(earlier_step() + 1), false);
    let Fact::Race { earlier_stack, .. } = fact else { panic!("{fact:?}") };
    assert!(earlier_stack.is_empty());
}

fn a_race_is_told_only_if_nothing_worse_was_found() {
    let (fact, watcher) = race(None, true);
    assert!(matches!(fact, Fact::Told { class: "panic", .. }), "{fact:?}");
    assert!(watcher.touches.len() > watcher.race.expect("it was set").0, "the race was seen");
}
