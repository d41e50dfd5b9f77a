//! Programs that are the same source text for every engine: what differs is where `sync` and `thread` come from.

/// A program, in the form that each engine takes. It is told how many threads it has.
#[derive(Clone, Copy)]
pub struct Model {
    pub name: &'static str,
    /// With the standard library's own types, unmodified.
    pub on_std: fn(usize),
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
    on_shuttle: on_shuttle::counts_and_map,
    on_loom: on_loom::counts_and_map,
};

/// A spin lock made of a compare-exchange, and a counter under it.
pub const SPIN_LOCK: Model = Model {
    name: "spin lock",
    on_std: on_std::spin_lock,
    on_shuttle: on_shuttle::spin_lock,
    on_loom: on_loom::spin_lock,
};

macro_rules! models {
    ($module:ident, $engine:ident) => {
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
                let start = |i: usize| {
                    let (count, map) = (Arc::clone(&count), Arc::clone(&map));
                    thread::spawn(move || {
                        count.fetch_add(1, SeqCst);
                        black_box(count.load(SeqCst));
                        count.fetch_add(1, SeqCst);
                        map.lock().expect("nobody panics").insert(i, i);
                        map.lock().expect("nobody panics").remove(&i);
                    })
                };
                let all: Vec<_> = (0..threads).map(start).collect();
                all.into_iter().for_each(|thread| thread.join().expect("nobody panics"));
                assert_eq!(count.load(SeqCst), 2 * threads);
            }

            /// Each thread takes the lock once, and adds 1 in two steps.
            pub(super) fn spin_lock(threads: usize) {
                let shared = Arc::new((AtomicBool::new(false), AtomicUsize::new(0)));
                let start = |_| {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || {
                        let (lock, count) = (&shared.0, &shared.1);
                        while lock.compare_exchange(false, true, Acquire, Relaxed).is_err() {
                            thread::yield_now();
                        }
                        count.store(count.load(Relaxed) + 1, Relaxed);
                        lock.store(false, Release);
                    })
                };
                let all: Vec<_> = (0..threads).map(start).collect();
                all.into_iter().for_each(|thread| thread.join().expect("nobody panics"));
                assert_eq!(shared.1.load(Relaxed), threads);
            }
        }
    };
}

models!(on_std, std);
models!(on_shuttle, shuttle);
models!(on_loom, loom);
