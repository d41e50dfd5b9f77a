//! moka 0.12.16: after a clone of a value that panics in `remove`, or where an element that has expired is told to a
//! listener, the element stays in the cache's queues for good: it takes up room, and each maintenance goes round at it.
//!
//! One thread, no chance in it. Part one removes ten elements from a cache of ten, with a clone that panics each time;
//! then a cache that shows nothing counts ten, and keeps none of a hundred elements that are inserted. Part two counts
//! hashes: of ten maintenances of a cache that holds nothing, before and after a clone that panicked in one.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use mapcheck_reproductions::{Counted, panic_at, panicked, silence_panics};
use moka::sync::Cache;

/// Counts how often something is hashed.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicU64>);

impl BuildHasher for Counting {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        self.0.fetch_add(1, Relaxed);
        BuildHasherDefault::<DefaultHasher>::new().build_hasher()
    }
}

fn room(panicking: bool) {
    let cache = Cache::<u64, Counted>::new(10);
    for key in 0..10 {
        cache.insert(key, Counted::new(key));
        cache.run_pending_tasks();
        panicked(|| {
            panic_at(if panicking { 0 } else { -1 });
            cache.remove(&key);
        });
    }
    cache.run_pending_tasks();
    let (shown, counted) = (cache.iter().count(), cache.entry_count());
    for key in 100..200 {
        let _ = cache.get(&key);
        cache.insert(key, Counted::new(key));
        cache.run_pending_tasks();
    }
    let kept = cache.iter().count();
    println!(
        "removals panicked: {panicking}; {shown} shown and {counted} counted; {kept} kept of 100 that came then"
    );
}

fn rounds(panicking: bool) {
    let hashes = Counting::default();
    let cache: Cache<u64, Counted, Counting> = Cache::builder()
        .time_to_live(Duration::from_millis(1))
        .eviction_listener(|_, _, _| ())
        .build_with_hasher(hashes.clone());
    cache.insert(0, Counted::new(0));
    cache.run_pending_tasks();
    std::thread::sleep(Duration::from_millis(2));
    let panicked = panicked(|| {
        panic_at(if panicking { 0 } else { -1 });
        cache.run_pending_tasks();
    });
    let before = hashes.0.load(Relaxed);
    for _ in 0..10 {
        cache.run_pending_tasks();
    }
    println!(
        "maintenance panicked: {panicked}; then {} shown, {} counted, and {} hashes in 10 maintenances",
        cache.iter().count(),
        cache.entry_count(),
        hashes.0.load(Relaxed) - before
    );
}

fn main() {
    silence_panics();
    for panicking in [false, true] {
        room(panicking);
        rounds(panicking);
    }
}
