//! flurry 0.5.2: `from_iter` writes to memory that it has freed.
//!
//! Safe code, one thread. Needs nothing else to happen, and valgrind or AddressSanitizer to be seen:
//!
//! ```sh
//! cargo build --release --bin flurry_from_iter && valgrind target/release/flurry_from_iter
//! ```
//!
//! valgrind reports an invalid write and an invalid read of a freed block in each run.

fn main() {
    // The size hint of a filter begins at 0, so that the map has to grow while it is filled.
    let map: flurry::HashMap<u64, u64> = (0..8).filter(|_| true).map(|k| (k, k)).collect();
    println!("{} elements", map.len());
}
