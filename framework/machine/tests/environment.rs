//! What code under test asks the operating system for is a function of the decisions and the seed.

mod common;

use std::collections::{HashMap, hash_map::RandomState};
use std::hash::BuildHasher;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use common::*;
use mapcheck_machine::*;

tests! {
    clocks_start_at_the_same_time_in_every_execution,
    time_passes_with_schedule_points_only,
    the_real_clock_is_seen_outside,
    random_bytes_are_a_function_of_the_seed,
    a_hash_map_iterates_in_the_same_order_for_the_same_seed,
    hashers_of_two_threads_differ,
    the_number_of_processors_is_fixed,
    choices_are_asked_with_their_index,
    choices_outside_an_execution_are_the_default,
    outside_code_allocates_from_the_system_and_passes_no_points,
    the_current_thread_is_known_inside_only,
    a_captured_stack_names_its_caller,
}

fn clocks() -> (SystemTime, Duration) {
    let mut seen = None;
    let ended = run_under(InOrder, || {
        let start = Instant::now();
        thread::sleep(Duration::from_millis(5));
        seen = Some((SystemTime::now(), start.elapsed()));
    });
    assert!(ended.found.is_none());
    seen.unwrap()
}

fn clocks_start_at_the_same_time_in_every_execution() {
    assert_eq!(clocks(), clocks());
    let since = clocks().0.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(since.as_secs(), 1_700_000_000);
}

fn time_passes_with_schedule_points_only() {
    let ended = run_under(InOrder, || {
        let start = Instant::now();
        (0..100).for_each(|_| point());
        let passed = start.elapsed();
        assert_eq!(passed, Duration::from_nanos(101 * 10));
    });
    assert!(ended.found.is_none(), "{:?}", ended.found);
}

fn the_real_clock_is_seen_outside() {
    let mut inside = None;
    run_under(InOrder, || outside(&mut || inside = Some(SystemTime::now())));
    assert!(inside.unwrap().elapsed().unwrap() < Duration::from_secs(60));
}

fn hash(seed: u64) -> u64 {
    let mut hashed = 0;
    let options = Options { seed, ..Options::default() };
    let ended = run_with(&options, &mut InOrder, || hashed = RandomState::new().hash_one(1));
    assert!(ended.found.is_none());
    hashed
}

fn random_bytes_are_a_function_of_the_seed() {
    let first = hash(1);
    assert_eq!(first, hash(1));
    assert_ne!(first, hash(2));
}

fn a_hash_map_iterates_in_the_same_order_for_the_same_seed() {
    let order = |seed| {
        let mut keys = Vec::new();
        let options = Options { seed, ..Options::default() };
        let ended = run_with(&options, &mut InOrder, || {
            let map: HashMap<u32, Box<u32>> = (0..50).map(|i| (i, Box::new(i))).collect();
            outside(&mut || keys = map.keys().copied().collect::<Vec<_>>());
        });
        assert!(ended.found.is_none());
        assert_eq!(ended.allocated, ended.freed);
        keys
    };
    assert_eq!(order(3), order(3));
    assert_ne!(order(3), order(4));
}

fn hashers_of_two_threads_differ() {
    holds(|| {
        let other = thread::spawn(|| RandomState::new().hash_one(1)).join().unwrap();
        assert_ne!(other, RandomState::new().hash_one(1));
    });
}

fn the_number_of_processors_is_fixed() {
    let mut traces = Vec::new();
    for _ in 0..2 {
        let ended = run_under(InOrder, || {
            assert_eq!(thread::available_parallelism().unwrap().get(), 4);
        });
        assert!(ended.found.is_none(), "{:?}", ended.found);
        traces.push(ended.steps);
    }
    assert_eq!(traces[0], traces[1]);
}

fn choices_are_asked_with_their_index() {
    #[derive(Default)]
    struct Asked(Vec<(ChoiceKind, ThreadId, u64, u32)>);
    impl Decider for Asked {
        fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
            InOrder.schedule(consult)
        }
        fn choose(&mut self, kind: ChoiceKind, thread: ThreadId, index: u64, n: u32) -> u32 {
            if kind == ChoiceKind::Suspend {
                return 0;
            }
            self.0.push((kind, thread, index, n));
            n
        }
    }
    let mut asked = Asked::default();
    run_with(&Options::default(), &mut asked, || {
        assert_eq!(choose(ChoiceKind::Data, 5), 4, "an answer out of range is the last one");
        choose(ChoiceKind::Data, 1);
        concurrently(1, &|_| {
            choose(ChoiceKind::Data, 3);
        });
        choose(ChoiceKind::Data, 2);
    });
    let data = ChoiceKind::Data;
    assert_eq!(asked.0, [(data, 0, 0, 5), (data, 1, 0, 3), (data, 0, 1, 2)]);
}

fn choices_outside_an_execution_are_the_default() {
    assert_eq!(choose(ChoiceKind::Data, 9), 0);
    point();
    touch(8, 8, true);
    set_label(3);
}

fn outside_code_allocates_from_the_system_and_passes_no_points() {
    let mut kept = Vec::new();
    let ended = run_under(InOrder, || {
        outside(&mut || {
            kept = vec![String::from("kept"); 100];
            point();
        });
    });
    assert_eq!(ended.allocated, 0);
    assert!(kept.iter().all(|k| k == "kept"));
    assert_eq!(ended.steps, 0);
}

fn the_current_thread_is_known_inside_only() {
    assert_eq!(current_thread(), None);
    run_under(InOrder, || {
        assert_eq!(current_thread(), Some(0));
        outside(&mut || assert_eq!(current_thread(), None));
    });
    assert_eq!(current_thread(), None);
}

fn a_captured_stack_names_its_caller() {
    let mut stack = Stack::default();
    assert!(stack.is_empty());
    run_under(InOrder, || stack = capture_stack());
    let frames = stack.frames();
    assert!(frames.iter().any(|f| f.function.contains("a_captured_stack_names_its_caller")));
}
