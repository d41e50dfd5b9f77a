//! arc-interner 0.7.0, by dashmap 4.0.2: a hash that panics within an insertion has a value dropped twice.
//!
//! Safe code, one thread. Values are interned, and the hash with the number given panics, which is caught; 4, 7 and 20
//! are within an insertion. To be run under valgrind, which reports an invalid read of a freed block:
//!
//! ```sh
//! cargo build --release --bin arc_interner_hash_panic && valgrind target/release/arc_interner_hash_panic 4
//! ```

use arc_interner::ArcIntern;
use mapcheck_reproductions::{Key, panic_at, panicked, silence_panics};

fn main() {
    silence_panics();
    let n = std::env::args()
        .nth(1)
        .map_or(4, |n| n.parse().expect("the number of the hash that panics"));
    let cut_short = panicked(|| {
        let mut held = Vec::new();
        panic_at(n);
        (0..64).for_each(|k| held.push(ArcIntern::new(Key(k))));
        panic_at(-1);
    });
    println!("panic: {cut_short}");
    std::process::exit(0);
}
