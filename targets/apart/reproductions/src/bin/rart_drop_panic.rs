//! rart 0.11.0: after a value's `Drop` panics while a node is cleared, the nodes before it are released again.
//!
//! Safe code, one thread. A tree of 20 values is dropped, and the drop of one of them panics, which is caught. To be
//! run under valgrind, which reports reads and writes of freed blocks:
//!
//! ```sh
//! cargo build --release --bin rart_drop_panic && valgrind target/release/rart_drop_panic
//! ```

use mapcheck_reproductions::{panicked, silence_panics};
use rart::{ArrayKey, VersionedAdaptiveRadixTree};

#[derive(Clone)]
struct Value(u64);

impl Drop for Value {
    fn drop(&mut self) {
        assert!(self.0 != 9, "the drop of one value panics");
    }
}

fn main() {
    silence_panics();
    let mut tree = VersionedAdaptiveRadixTree::<ArrayKey<16>, Value>::new();
    (0..20).for_each(|n| _ = tree.insert(n, Value(n)));
    println!("the drop of the tree panicked: {}", panicked(|| drop(tree)));
}
