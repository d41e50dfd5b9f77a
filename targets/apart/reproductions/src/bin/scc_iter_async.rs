//! scc 3.8.8: `iter_async` reads a bucket array that has been freed.
//!
//! Safe code, two threads and no sleeps: one iterates over a `HashMap` by `iter_async`, the other has it grow and
//! shrink, and drives the epochs. To be run under AddressSanitizer (`RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address
//! cargo run --release
//! --target x86_64-unknown-linux-gnu --bin scc_iter_async`), which ends the program at the first read of freed memory.
//!
//! `scc_iter_async SECONDS` for another time than 60.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use scc::{Guard, HashMap};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Unpark>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        std::thread::park();
    }
}

fn main() {
    let seconds = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(60);
    let (map, stop) = (HashMap::<u64, u64>::new(), AtomicBool::new(false));
    let (mut rounds, began) = (0, Instant::now());
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                while !stop.load(Relaxed) {
                    block_on(map.iter_async(|key, _| *key < u64::MAX));
                }
            });
        }
        while began.elapsed() < Duration::from_secs(seconds) {
            (0..400).for_each(|key| _ = map.insert_sync(key, key));
            (0..400).for_each(|key| _ = map.remove_sync(&key));
            (0..4).for_each(|_| Guard::new().accelerate());
            rounds += 1;
        }
        stop.store(true, Relaxed);
    });
    println!("nothing was reported in {rounds} rounds");
}
