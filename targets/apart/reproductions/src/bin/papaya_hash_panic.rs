//! papaya 0.2.5: after a hash that panics while the table grows, iterations wait for ever.
//!
//! Safe code. Maps of 32, 64 and 128 elements meet a panic in one of the next hashes, which is caught; then a second thread
//! iterates. Says in how many of them it had not ended after 300 ms.

use std::sync::Arc;
use std::time::Duration;

use mapcheck_reproductions::{Key, ends_within, panic_at, panicked, silence_panics};

fn main() {
    silence_panics();
    let (mut maps, mut hung) = (0, 0);
    for size in [32, 64, 128] {
        for n in 0..100 {
            let map = Arc::new(papaya::HashMap::<Key, u64>::new());
            (0..size).for_each(|k| _ = map.pin().insert(Key(k), k));
            let cut_short = panicked(|| {
                panic_at(n);
                (size..size + 8).for_each(|k| _ = map.pin().insert(Key(k), k));
            });
            if !cut_short {
                continue;
            }
            maps += 1;
            let other = Arc::clone(&map);
            let ended = ends_within(Duration::from_millis(300), move || {
                other.pin().iter().for_each(|_| ());
            });
            hung += u32::from(!ended);
        }
    }
    println!(
        "of {maps} maps that had met a panic in a hash, in {hung} an iteration had not ended after 300 ms"
    );
    std::process::exit(0);
}
