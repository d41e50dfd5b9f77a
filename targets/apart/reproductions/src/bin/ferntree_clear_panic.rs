//! ferntree 0.7.0: a `remove` beside a `clear` panics with `must have parent`.
//!
//! Two threads, one element. Two plain threads did not meet so in 200,000 rounds; here the key's comparison sleeps in
//! the thread that removes, long enough for the other to clear. It panics in every run. Exit code 1 where it panicked.

use std::cell::Cell;
use std::cmp::Ordering;
use std::panic;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ferntree::GenericTree;

thread_local! {
    static SLOW: Cell<bool> = const { Cell::new(false) };
}

#[derive(Clone, PartialEq, Eq)]
struct Key(u64);

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        if SLOW.get() {
            thread::sleep(Duration::from_millis(200));
        }
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn main() -> ExitCode {
    panic::set_hook(Box::new(|info| println!("{info}")));
    let tree = GenericTree::<Arc<Key>, u64, 4, 4>::new();
    tree.insert(Arc::new(Key(0)), 0);
    let panicked = thread::scope(|s| {
        let remover = s.spawn(|| {
            SLOW.set(true);
            tree.remove(&Key(0))
        });
        thread::sleep(Duration::from_millis(100));
        tree.clear();
        remover.join().is_err()
    });
    println!("remove {}", if panicked { "panicked" } else { "returned" });
    ExitCode::from(u8::from(panicked))
}
