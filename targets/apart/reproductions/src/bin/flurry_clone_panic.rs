//! flurry 0.5.2: after a `Clone` of a key that panics while the table grows, dropping the map panics.
//!
//! Safe code, one thread. For each number of clones after which one panics, a map is filled, the panic caught, and the map
//! dropped. Says in how many of them the drop panicked.

use mapcheck_reproductions::{panic_at, panicked, silence_panics};

#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Cloned(u64);

impl Clone for Cloned {
    fn clone(&self) -> Cloned {
        // Its clone is the callback.
        let _ = mapcheck_reproductions::Counted(0).clone();
        Cloned(self.0)
    }
}

fn main() {
    silence_panics();
    let (mut cut_short, mut dropped) = (0, 0);
    for n in 0..64 {
        let map = flurry::HashMap::<Cloned, u64>::new();
        let panics = panicked(|| {
            panic_at(n);
            for k in 0..64 {
                map.pin().insert(Cloned(k), k);
            }
        });
        cut_short += u32::from(panics);
        dropped += u32::from(panicked(|| drop(map)));
    }
    println!(
        "of {cut_short} maps with a panic in an insert, {dropped} panicked again when they were dropped"
    );
}
