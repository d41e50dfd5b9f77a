//! moka 0.12.16: after a clone of a value that panics in `get_with`, every later `get_with` of that key panics.
//!
//! One thread, no chance in it.

use mapcheck_reproductions::{Counted, panic_at, panicked, silence_panics};

fn main() {
    silence_panics();
    for n in 0..4 {
        let cache = moka::sync::Cache::<u64, Counted>::new(100);
        let first = panicked(|| {
            panic_at(n);
            cache.get_with(0, || Counted::new(0));
        });
        let later =
            (0..10).filter(|_| panicked(|| drop(cache.get_with(0, || Counted::new(1))))).count();
        cache.invalidate(&0);
        let gone =
            (0..10).filter(|_| panicked(|| drop(cache.get_with(0, || Counted::new(2))))).count();
        println!(
            "clone {n} panicked: {first}; then {later} of 10 calls did; {gone} of 10 after the key was invalidated"
        );
    }
}
