//! flurry 0.5.2: after a comparison that panics in a `get`, a removal of a key of the same bin waits for ever.
//!
//! Safe code. Twenty keys of one hash make a bin a tree. A `get` in it panics in one of its comparisons, which is
//! caught; then a second thread removes some of the keys. Says after which comparison it had not ended after a second.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::time::Duration;

use mapcheck_reproductions::{Key, ends_within, panic_at, panicked, silence_panics};

/// All keys have the hash 0.
#[derive(Default)]
struct Zero;

impl Hasher for Zero {
    fn write(&mut self, _: &[u8]) {}

    fn finish(&self) -> u64 {
        0
    }
}

type Map = flurry::HashMap<Key, u64, BuildHasherDefault<Zero>>;

fn main() {
    silence_panics();
    for n in 0..8 {
        let map = Arc::new(Map::with_capacity_and_hasher(256, Default::default()));
        (0..20).for_each(|k| _ = map.pin().insert(Key(k), k));
        let cut_short = panicked(|| {
            panic_at(n);
            let _ = map.pin().get(&Key(19)).is_some();
        });
        let other = Arc::clone(&map);
        let ended = ends_within(Duration::from_secs(1), move || {
            (0..20).for_each(|k| _ = other.pin().remove(&Key(k)));
        });
        if cut_short && !ended {
            println!(
                "a panic in callback {} of a get: removals had not ended after a second",
                n + 1
            );
        }
    }
    std::process::exit(0);
}
