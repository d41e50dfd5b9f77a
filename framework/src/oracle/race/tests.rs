//! Hand-written orders of events, each with the verdict that the language gives on it.

use std::collections::BTreeMap;

use mapcheck_machine::Order::{Acquire, Relaxed, Release, SeqCst};

use super::*;

const X: usize = 0x1_0000;
/// A word that the threads synchronise through.
const FLAG: usize = 0x2_0000;

/// A site for each step, so that a verdict can be told from its neighbours.
fn site_of(step: u64) -> usize {
    0x40_0000 + 16 * step as usize
}

/// Events in order; the memory holds what they leave there. Step 1 is the first.
struct Story {
    races: Races,
    step: u64,
    memory: BTreeMap<usize, u64>,
}

impl Story {
    fn new() -> Story {
        Story::accepting(Vec::new())
    }

    fn accepting(pairs: Vec<Pair>) -> Story {
        let mut races = Races::accepting(pairs);
        races.begin();
        Story { races, step: 0, memory: BTreeMap::new() }
    }

    fn touch(&mut self, thread: u32, access: Access, change: Change) -> Option<Earlier> {
        self.step += 1;
        let site = site_of(self.step);
        self.races.touch(&Touch { thread, step: self.step, label: 0, site, access, change })
    }

    fn access(&mut self, thread: u32, kind: Kind, addr: usize, size: usize) -> Option<Earlier> {
        self.touch(thread, Access { kind, addr, size, order: Relaxed }, Change::Plain)
    }

    fn read(&mut self, thread: u32, addr: usize, size: usize) -> Option<Earlier> {
        self.access(thread, Kind::Read, addr, size)
    }

    fn write(&mut self, thread: u32, addr: usize, size: usize) -> Option<Earlier> {
        self.access(thread, Kind::Write, addr, size)
    }

    fn alloc(&mut self, thread: u32, addr: usize, size: usize) {
        assert_eq!(self.access(thread, Kind::Alloc, addr, size), None);
    }

    fn free(&mut self, thread: u32, addr: usize, size: usize) -> Option<Earlier> {
        self.access(thread, Kind::Free, addr, size)
    }

    /// An atomic access of 8 bytes; one that writes leaves a value that is like no other.
    fn atomic(&mut self, thread: u32, kind: Kind, addr: usize, order: Order) -> Option<Earlier> {
        let found = self.memory.get(&addr).copied().unwrap_or(0);
        let left = (kind != Kind::AtomicLoad).then_some(1000 + self.step);
        self.memory.insert(addr, left.unwrap_or(found));
        let access = Access { kind, addr, size: 8, order };
        self.touch(thread, access, Change::Atomic { found, left })
    }

    fn load(&mut self, thread: u32, order: Order) {
        assert_eq!(self.atomic(thread, Kind::AtomicLoad, FLAG, order), None);
    }

    fn store(&mut self, thread: u32, order: Order) {
        assert_eq!(self.atomic(thread, Kind::AtomicStore, FLAG, order), None);
    }

    fn rmw(&mut self, thread: u32, order: Order) {
        assert_eq!(self.atomic(thread, Kind::AtomicRmw, FLAG, order), None);
    }

    fn fence(&mut self, thread: u32, order: Order) {
        let access = Access { kind: Kind::Fence, order, ..Access::NONE };
        assert_eq!(self.touch(thread, access, Change::Plain), None);
    }
}

/// Whether a write of thread 0 and a read of thread 1 race, with this between them.
fn races_over(between: impl FnOnce(&mut Story)) -> bool {
    let mut story = Story::new();
    assert_eq!(story.write(0, X, 8), None);
    between(&mut story);
    story.read(1, X, 8).is_some()
}

#[test]
fn a_write_and_a_read_without_order_are_a_race_that_names_both() {
    let mut story = Story::new();
    assert_eq!(story.write(0, X, 8), None);
    let earlier = Earlier { thread: 0, step: 1, site: site_of(1), kind: Kind::Write };
    assert_eq!(story.read(1, X, 8), Some(earlier));
}

#[test]
fn a_read_and_a_write_without_order_are_a_race_that_names_the_read() {
    let mut story = Story::new();
    assert_eq!(story.write(0, X, 8), None);
    assert_eq!(story.read(0, X, 8), None);
    story.races.order(&Edge::Start { parent: 0, child: 1 });
    assert_eq!(story.read(0, X, 8), None);
    let earlier = Earlier { thread: 0, step: 3, site: site_of(3), kind: Kind::Read };
    assert_eq!(story.write(1, X, 8), Some(earlier));
}

#[test]
fn what_one_thread_does_is_in_order() {
    let mut story = Story::new();
    for size in [8, 4, 1, 16, 100] {
        assert_eq!(story.write(0, X, size), None);
        assert_eq!(story.read(0, X, size), None);
    }
    assert_eq!(story.atomic(0, Kind::AtomicRmw, X, Relaxed), None);
    assert_eq!(story.free(0, X, 100), None);
}

#[test]
fn reads_alone_are_no_race() {
    let mut story = Story::new();
    for (thread, size) in [(0, 8), (1, 8), (2, 4), (3, 100), (4, 100)] {
        assert_eq!(story.read(thread, X, size), None);
    }
}

#[test]
fn a_release_store_and_an_acquire_load_order() {
    assert!(!races_over(|s| {
        s.store(0, Release);
        s.load(1, Acquire);
    }));
}

#[test]
fn one_half_of_release_and_acquire_does_not_order() {
    for (store, load) in [(Relaxed, Acquire), (Release, Relaxed), (Relaxed, Relaxed)] {
        let races = races_over(|s| {
            s.store(0, store);
            s.load(1, load);
        });
        assert!(races, "{store:?} {load:?}");
    }
}

#[test]
fn a_load_before_the_store_does_not_order() {
    assert!(races_over(|s| {
        s.load(1, Acquire);
        s.store(0, Release);
    }));
}

#[test]
fn what_comes_after_a_release_is_not_part_of_it() {
    let mut story = Story::new();
    story.store(0, Release);
    assert_eq!(story.write(0, X, 8), None);
    story.load(1, Acquire);
    assert!(story.read(1, X, 8).is_some());
}

#[test]
fn fences_make_relaxed_accesses_order() {
    let fenced = |release: bool, acquire: bool| {
        races_over(|s| {
            if release {
                s.fence(0, Release);
            }
            s.store(0, Relaxed);
            s.load(1, Relaxed);
            if acquire {
                s.fence(1, Acquire);
            }
        })
    };
    assert!(!fenced(true, true));
    assert!(fenced(true, false));
    assert!(fenced(false, true));
}

#[test]
fn a_release_sequence_goes_on_through_a_read_modify_write() {
    assert!(!races_over(|s| {
        s.store(0, Release);
        s.rmw(2, Relaxed);
        s.load(1, Acquire);
    }));
}

#[test]
fn a_release_sequence_ends_at_another_threads_relaxed_store() {
    assert!(races_over(|s| {
        s.store(0, Release);
        s.store(2, Relaxed);
        s.load(1, Acquire);
    }));
}

#[test]
fn a_compare_exchange_that_fails_releases_nothing() {
    let failing = |order| {
        races_over(|s| {
            let access = Access { kind: Kind::AtomicRmw, addr: FLAG, size: 8, order };
            s.touch(0, access, Change::Atomic { found: 0, left: None });
            s.load(1, Acquire);
        })
    };
    assert!(failing(Order::AcqRel));
    assert!(failing(SeqCst));
    assert!(!races_over(|s| {
        s.rmw(0, Order::AcqRel);
        s.load(1, Acquire);
    }));
}

#[test]
fn a_sequentially_consistent_read_modify_write_is_a_fence_where_the_processor_has_it_so() {
    let races = races_over(|s| {
        assert_eq!(s.atomic(0, Kind::AtomicRmw, FLAG + 64, SeqCst), None);
        s.store(0, Relaxed);
        s.load(1, Acquire);
    });
    assert_eq!(races, !FULL_BARRIER);
}

#[test]
fn starting_and_joining_threads_orders() {
    let start = Edge::Start { parent: 0, child: 1 };
    assert!(!races_over(|s| s.races.order(&start)));
    assert!(!races_over(|s| s.races.order(&Edge::Join { thread: 1, ended: 0 })));
    assert!(races_over(|s| s.races.order(&Edge::Start { parent: 1, child: 2 })));
    assert!(races_over(|s| s.races.order(&Edge::Join { thread: 0, ended: 1 })));

    let mut story = Story::new();
    story.races.order(&start);
    assert_eq!(story.write(0, X, 8), None);
    assert!(story.read(1, X, 8).is_some(), "what the parent does later is not ordered");
}

#[test]
fn calls_on_a_futex_order_in_the_order_they_are_made() {
    let futex = |thread, addr| Edge::Futex { thread, addr };
    assert!(!races_over(|s| {
        s.races.order(&futex(0, FLAG));
        s.races.order(&futex(1, FLAG));
    }));
    assert!(races_over(|s| {
        s.races.order(&futex(1, FLAG));
        s.races.order(&futex(0, FLAG));
    }));
    assert!(races_over(|s| {
        s.races.order(&futex(0, FLAG));
        s.races.order(&futex(1, FLAG + 4));
    }));
}

#[test]
fn who_acquires_a_futex_acquires_what_calls_on_it_have_released() {
    let acquired = |order, size| {
        races_over(|s| {
            s.races.order(&Edge::Futex { thread: 0, addr: FLAG });
            let access = Access { kind: Kind::AtomicRmw, addr: FLAG, size, order };
            let change = Change::Atomic { found: 0, left: Some(1) };
            assert_eq!(s.touch(1, access, change), None);
        })
    };
    assert!(!acquired(Acquire, FUTEX));
    assert!(acquired(Relaxed, FUTEX));
    assert!(acquired(Acquire, 1));
}

#[test]
fn a_barrier_makes_relaxed_accesses_of_all_order() {
    let with = |barriers: usize| {
        races_over(|s| {
            let barrier =
                |s: &mut Story, nth| (nth < barriers).then(|| s.races.order(&Edge::Barrier));
            s.load(1, Relaxed);
            barrier(s, 0);
            s.store(0, Relaxed);
            s.load(1, Relaxed);
            barrier(s, 1);
        })
    };
    assert!(!with(2));
    assert!(with(1));
    assert!(with(0));
}

#[test]
fn an_allocation_is_a_write_of_the_whole_block() {
    for at in [0, 4, 93, 99] {
        let mut story = Story::new();
        story.alloc(0, X, 100);
        let earlier = Earlier { thread: 0, step: 1, site: site_of(1), kind: Kind::Alloc };
        assert_eq!(story.read(1, X + at, 1), Some(earlier), "{at}");
    }
    let mut story = Story::new();
    story.alloc(0, X, 100);
    assert_eq!(story.read(1, X + 104, 1), None, "it lies behind the block");
}

#[test]
fn an_allocation_is_remembered_when_accesses_are_not_alike() {
    let mut story = Story::new();
    story.alloc(0, X, 8);
    assert_eq!(story.write(0, X, 4), None);
    assert!(story.read(1, X + 4, 4).is_some_and(|e| e.kind == Kind::Alloc));

    let mut story = Story::new();
    story.alloc(0, X, 8);
    assert_eq!(story.write(0, X, 1), None);
    assert!(story.atomic(1, Kind::AtomicLoad, X, Acquire).is_some());
}

#[test]
fn a_deallocation_is_a_write_of_the_whole_block() {
    for at in [0, 4, 93, 99] {
        let mut story = Story::new();
        story.alloc(0, X, 100);
        story.races.order(&Edge::Start { parent: 0, child: 1 });
        assert_eq!(story.read(1, X + at, 1), None);
        let earlier = Earlier { thread: 1, step: 2, site: site_of(2), kind: Kind::Read };
        assert_eq!(story.free(0, X, 100), Some(earlier), "{at}");
    }
}

#[test]
fn a_deallocation_races_with_atomic_accesses_and_with_long_ones() {
    let freed_after = |other: &dyn Fn(&mut Story) -> Option<Earlier>| {
        let mut story = Story::new();
        story.alloc(0, X, 1000);
        story.races.order(&Edge::Start { parent: 0, child: 1 });
        assert_eq!(other(&mut story), None);
        story.free(0, X, 1000).is_some()
    };
    assert!(freed_after(&|s| s.atomic(1, Kind::AtomicLoad, X + 64, SeqCst)));
    assert!(freed_after(&|s| s.read(1, X + 64, 300)));
    assert!(!freed_after(&|s| s.read(0, X + 64, 300)));
}

#[test]
fn an_address_that_is_used_again_forgets_its_past() {
    let mut story = Story::new();
    story.alloc(0, X, 200);
    assert_eq!(story.write(0, X, 8), None);
    assert_eq!(story.write(0, X + 16, 100), None);
    assert_eq!(story.atomic(0, Kind::AtomicStore, X + 8, Release), None);
    assert_eq!(story.free(0, X, 200), None);
    story.alloc(1, X, 200);
    assert_eq!(story.write(1, X, 8), None);
    assert_eq!(story.write(1, X + 8, 8), None);
    assert_eq!(story.read(1, X + 16, 100), None);
    assert!(story.read(0, X + 196, 1).is_some(), "the new block is another thread's");
}

#[test]
fn an_execution_forgets_the_one_before() {
    let mut story = Story::new();
    assert_eq!(story.write(0, X, 8), None);
    assert_eq!(story.write(0, X + 64, 100), None);
    assert_eq!(story.atomic(0, Kind::AtomicStore, X + 8, SeqCst), None);
    story.races.begin();
    assert_eq!(story.write(1, X, 8), None);
    assert_eq!(story.write(1, X + 8, 8), None);
    assert_eq!(story.write(1, X + 64, 100), None);
    assert!(story.write(0, X, 8).is_some());
}

#[test]
fn atomic_against_plain_is_a_race_and_atomic_against_atomic_is_not() {
    let (load, store, rmw) = (Kind::AtomicLoad, Kind::AtomicStore, Kind::AtomicRmw);
    for (first, second) in [(store, load), (load, store), (rmw, store), (store, rmw)] {
        let mut story = Story::new();
        assert_eq!(story.atomic(0, first, X, Relaxed), None);
        assert_eq!(story.atomic(1, second, X, Relaxed), None);
    }
    for (plain, atomic, expected) in [
        (Kind::Read, load, false),
        (Kind::Read, store, true),
        (Kind::Write, load, true),
        (Kind::Write, rmw, true),
    ] {
        let mut story = Story::new();
        assert_eq!(story.access(0, plain, X, 8), None);
        assert_eq!(story.atomic(1, atomic, X, SeqCst).is_some(), expected, "{plain:?} {atomic:?}");
        let mut story = Story::new();
        assert_eq!(story.atomic(1, atomic, X, SeqCst), None);
        let earlier = story.access(0, plain, X, 8);
        assert_eq!(earlier.is_some(), expected, "{atomic:?} {plain:?}");
    }
}

#[test]
fn a_plain_access_to_either_half_of_a_wide_atomic_is_a_race() {
    for at in [0, 8] {
        let mut story = Story::new();
        let access = Access { kind: Kind::AtomicStore, addr: X, size: 16, order: SeqCst };
        let change = Change::Atomic { found: 0, left: Some(1) };
        assert_eq!(story.touch(0, access, change), None);
        assert!(story.read(1, X + at, 8).is_some(), "{at}");
    }
}

#[test]
fn bytes_side_by_side_are_no_race() {
    for size in [4, 2, 1] {
        let mut story = Story::new();
        for round in 0..3 {
            for (thread, addr) in (X..X + 8).step_by(size).enumerate() {
                assert_eq!(story.write(thread as u32, addr, size), None, "{size} {round}");
            }
        }
        assert!(story.read(0, X, 8).is_some());
    }
}

#[test]
fn an_access_over_two_granules_is_judged_in_both() {
    for at in [X + 4, X + 8] {
        let mut story = Story::new();
        assert_eq!(story.write(0, at, 4), None);
        assert!(story.read(1, X + 4, 8).is_some(), "{at:x}");
    }
}

#[test]
fn long_accesses_are_judged_against_short_and_against_long_ones() {
    let second_races = |first: (usize, usize), second: (usize, usize)| {
        let mut story = Story::new();
        assert_eq!(story.write(0, X + first.0, first.1), None);
        story.read(1, X + second.0, second.1).is_some()
    };
    for other in [(0, 8), (99, 1), (60, 16), (0, 200), (99, 200)] {
        assert!(second_races((0, 100), other), "{other:?}");
        assert!(second_races(other, (0, 100)), "{other:?}");
    }
    for other in [(100, 1), (104, 8), (100, 200)] {
        assert!(!second_races((0, 100), other), "{other:?}");
        assert!(!second_races(other, (0, 100)), "{other:?}");
    }
}

#[test]
fn a_long_access_over_two_pages_is_judged_in_both() {
    const BYTES: usize = PAGE * GRANULE;
    for (addr, size) in [(X + BYTES - 80, 8), (X + BYTES + 40, 8), (X + BYTES - 4, 8)] {
        let mut story = Story::new();
        assert_eq!(story.write(0, X + BYTES - 100, 200), None);
        assert!(story.write(1, addr, size).is_some(), "{addr:x}");
        let mut story = Story::new();
        assert_eq!(story.write(1, addr, size), None);
        assert!(story.read(0, X + BYTES - 100, 200).is_some(), "{addr:x}");
    }
}

#[test]
fn more_long_accesses_than_a_page_keeps_are_judged_all_the_same() {
    let mut story = Story::new();
    for n in 0..RANGES + 4 {
        assert_eq!(story.write(0, X + 100 * n, 100), None);
    }
    let last = X + 100 * (RANGES + 3);
    assert!(story.read(1, last, 8).is_some());
    assert!(story.read(1, X, 8).is_some());
}

#[test]
fn a_write_races_with_any_of_the_reads_before_it() {
    for unordered in 1..4 {
        let mut story = Story::new();
        assert_eq!(story.write(0, X, 8), None);
        (1..4).for_each(|child| story.races.order(&Edge::Start { parent: 0, child }));
        for thread in 1..4 {
            assert_eq!(story.read(thread, X, 8), None);
        }
        for ended in (1..4).filter(|&t| t != unordered) {
            story.races.order(&Edge::Join { thread: 0, ended });
        }
        assert_eq!(story.write(0, X, 8).map(|e| e.thread), Some(unordered));
        story.races.order(&Edge::Join { thread: 0, ended: unordered });
        assert_eq!(story.write(0, X, 8), None);
    }
}

#[test]
fn who_finds_a_value_that_no_access_left_may_have_it_from_anybody() {
    let meets = |value: u64| {
        races_over(|s| {
            s.store(2, Relaxed);
            let left = s.memory[&FLAG];
            s.memory.insert(FLAG, left + value);
            s.load(1, Acquire);
        })
    };
    assert!(!meets(1));
    assert!(meets(0));
}

#[test]
fn what_a_word_had_released_comes_before_all_once_it_was_written_unseen() {
    let written = |value: u64| {
        races_over(|s| {
            s.store(0, Release);
            let left = s.memory[&FLAG];
            s.memory.insert(FLAG, left + value);
            s.load(2, Relaxed);
        })
    };
    assert!(!written(1));
    assert!(written(0));
}

#[test]
fn a_call_on_another_futex_stands_for_an_access_to_a_word_that_is_written_unseen() {
    let waits = |met: bool, unseen: u64| {
        races_over(|s| {
            if met {
                s.load(0, Relaxed);
            }
            s.store(2, Relaxed);
            *s.memory.get_mut(&FLAG).expect("it was stored") += unseen;
            s.load(2, Relaxed);
            assert_eq!(s.write(0, X, 8), None);
            s.races.order(&Edge::Futex { thread: 0, addr: FLAG + 64 });
            s.load(1, Acquire);
        })
    };
    assert!(!waits(true, 1));
    assert!(waits(false, 1));
    assert!(waits(true, 0));
}

#[test]
fn an_order_that_may_have_come_through_a_word_written_unseen_is_no_race() {
    let peeked = |peek: fn(usize, usize) -> Option<u64>| {
        races_over(|s| {
            s.races.peek = Some(peek);
            s.store(0, Release);
        })
    };
    assert!(!peeked(|addr, _| (addr == FLAG).then_some(77)));
    assert!(peeked(|_, _| Some(1001)), "it is what the store left");
    assert!(peeked(|_, _| None));
}

#[test]
fn a_word_that_is_written_plainly_is_not_taken_for_written_unseen() {
    let mut story = Story::new();
    story.store(1, Relaxed);
    assert_eq!(story.write(1, FLAG, 8), None);
    story.memory.insert(FLAG, 5);
    assert_eq!(story.write(0, X, 8), None);
    story.load(1, Acquire);
    assert!(story.read(1, X, 8).is_some());
}

#[test]
fn a_word_of_a_block_that_is_gone_is_not_taken_for_written_unseen() {
    let mut story = Story::new();
    story.races.peek = Some(|_, _| Some(77));
    story.alloc(0, FLAG, 64);
    assert_eq!(story.write(0, X, 8), None);
    story.store(0, Release);
    assert_eq!(story.free(0, FLAG, 64), None);
    story.alloc(0, FLAG, 64);
    assert!(story.read(1, X, 8).is_some());
}

#[test]
fn accepted_pairs_are_counted_and_passed_over() {
    let mut story = Story::accepting(vec![pair(site_of(2), site_of(1))]);
    assert_eq!(story.write(0, X, 8), None);
    assert_eq!(story.read(1, X, 8), None);
    assert_eq!(story.races.met(), 1);
    assert!(story.read(1, X, 8).is_some(), "another place reads");
    story.races.begin();
    assert_eq!(story.races.met(), 0);
}

#[test]
fn more_threads_than_can_be_told_apart_are_given_up_on() {
    let mut story = Story::new();
    assert_eq!(story.write(0, X, 8), None);
    assert_eq!(story.write(THREADS as u32 - 1, X + 8, 8), None);
    assert!(!story.races.given_up());
    assert_eq!(story.write(THREADS as u32, X, 8), None);
    assert!(story.races.given_up());
    assert_eq!(story.write(1, X, 8), None);
    story.races.begin();
    assert!(!story.races.given_up());
}
