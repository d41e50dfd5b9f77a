//! congee 0.4.1: `keys` takes no guard and pins no epoch, so it reads nodes that others have freed.
//!
//! Two threads insert and remove, and drive the epochs; one calls `keys` on its own. Run it with AddressSanitizer,
//! which ends it with heap-use-after-free:
//! `RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo run --target x86_64-unknown-linux-gnu --bin congee_keys`.
//! Without it, it ends well, or in a crash.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use congee::CongeeArc;

fn main() {
    let tree = CongeeArc::<usize, u64>::new();
    let stop = AtomicBool::new(false);
    thread::scope(|s| {
        for thread in 0..2 {
            let (tree, stop) = (&tree, &stop);
            s.spawn(move || {
                while !stop.load(Relaxed) {
                    for key in 0..64 {
                        let key = key << 8 | thread;
                        let _ = tree.insert(key, Arc::new(1), &tree.pin());
                    }
                    for key in 0..64 {
                        tree.remove(key << 8 | thread, &tree.pin());
                    }
                    tree.pin().flush();
                }
            });
        }
        let (begin, mut seen) = (Instant::now(), 0);
        while begin.elapsed() < Duration::from_secs(20) {
            seen += tree.keys().len();
        }
        stop.store(true, Relaxed);
        println!("20 seconds of keys without a crash; {seen} keys seen");
    });
}
