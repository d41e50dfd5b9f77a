//! Programs that are the same source text for every engine: what differs is where `sync` and `thread` come from.

/// A program, in the form that each engine takes. It is told how many threads it has.
#[derive(Clone, Copy)]
pub struct Model {
    pub name: &'static str,
    /// With the standard library's own types, unmodified.
    pub on_std: fn(usize),
    /// The same, but that the threads are started as those of a scenario are: what a peer's threads do before their
    /// first step is as little.
    pub in_scenario: fn(usize),
    /// With shuttle's.
    pub on_shuttle: fn(usize),
    /// With loom's.
    pub on_loom: fn(usize),
}

/// The models there are.
pub const ALL: &[Model] = &[PEER, SPIN_LOCK];

/// What the peers' own documents measure themselves by: two counts, and a map under a lock.
pub const PEER: Model = Model {
    name: "peer model",
    on_std: on_std::counts_and_map,
    in_scenario: in_scenario::counts_and_map,
    on_shuttle: on_shuttle::counts_and_map,
    on_loom: on_loom::counts_and_map,
};

/// A spin lock made of a compare-exchange, and a counter under it.
pub const SPIN_LOCK: Model = Model {
    name: "spin lock",
    on_std: on_std::spin_lock,
    in_scenario: in_scenario::spin_lock,
    on_shuttle: on_shuttle::spin_lock,
    on_loom: on_loom::spin_lock,
};

/// Starts threads as a scenario does, and waits for them.
fn scenario_threads(n: usize, body: impl Fn(usize) + Sync) {
    mapcheck::bench::threads(n, &body);
}

/// Starts threads that are closures of an engine's, and joins them.
macro_rules! joined {
    ($name:ident, $engine:ident) => {
        fn $name(n: usize, body: impl Fn(usize) + Clone + Send + 'static) {
            let start = |i| {
                let body = body.clone();
                $engine::thread::spawn(move || body(i))
            };
            let all: Vec<_> = (0..n).map(start).collect();
            all.into_iter().for_each(|thread| thread.join().expect("nobody panics"));
        }
    };
}
joined!(std_threads, std);
joined!(shuttle_threads, shuttle);
joined!(loom_threads, loom);

macro_rules! models {
    ($module:ident, $engine:ident, $each:ident) => {
        mod $module {
            use std::collections::BTreeMap;
            use std::hint::black_box;

            use $engine::sync::atomic::AtomicBool;
            use $engine::sync::atomic::AtomicUsize;
            use $engine::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
            use $engine::sync::{Arc, Mutex};
            use $engine::thread;

            /// Each thread counts, looks, counts, then inserts its number and removes it.
            pub(super) fn counts_and_map(threads: usize) {
                let count = Arc::new(AtomicUsize::new(0));
                let map = Arc::new(Mutex::new(BTreeMap::new()));
                let each = (Arc::clone(&count), map);
                super::$each(threads, move |i| {
                    let (count, map) = &each;
                    count.fetch_add(1, SeqCst);
                    black_box(count.load(SeqCst));
                    count.fetch_add(1, SeqCst);
                    map.lock().expect("nobody panics").insert(i, i);
                    map.lock().expect("nobody panics").remove(&i);
                });
                assert_eq!(count.load(SeqCst), 2 * threads);
            }

            /// Each thread takes the lock once, and adds 1 in two steps.
            pub(super) fn spin_lock(threads: usize) {
                let shared = Arc::new((AtomicBool::new(false), AtomicUsize::new(0)));
                let each = Arc::clone(&shared);
                super::$each(threads, move |_| {
                    let (lock, count) = (&each.0, &each.1);
                    while lock.compare_exchange(false, true, Acquire, Relaxed).is_err() {
                        thread::yield_now();
                    }
                    count.store(count.load(Relaxed) + 1, Relaxed);
                    lock.store(false, Release);
                });
                assert_eq!(shared.1.load(Relaxed), threads);
            }
        }
    };
}

models!(on_std, std, std_threads);
models!(in_scenario, std, scenario_threads);
models!(on_shuttle, shuttle, shuttle_threads);
models!(on_loom, loom, loom_threads);
