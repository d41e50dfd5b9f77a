//! internment 0.8.6: a hash that panics while the table grows frees a value that a handle still points to.
//!
//! Safe code, one thread. Values are interned, and one of the hashes panics, which is caught. To be run under valgrind,
//! which reports an invalid read and an invalid write of a freed block:
//!
//! ```sh
//! cargo build --release --bin internment_hash_panic && valgrind target/release/internment_hash_panic
//! ```

use internment::ArcIntern;
use mapcheck_reproductions::{Key, panic_at, panicked, silence_panics};

fn main() {
    silence_panics();
    let mut cut_short = 0;
    for n in 0..400 {
        cut_short += u32::from(panicked(|| {
            let mut held = Vec::new();
            panic_at(n);
            (0..64).for_each(|k| held.push(ArcIntern::new(Key(u64::from(k + 64 * n as u32)))));
            panic_at(-1);
        }));
    }
    println!("{cut_short} panics");
}
