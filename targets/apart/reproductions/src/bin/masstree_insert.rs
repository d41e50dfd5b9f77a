//! masstree 0.9.5: an `insert` beside `maintenance` never returns, because the leaf that it has come to is taken out of
//! the tree meanwhile, and was the last of the list.
//!
//! Two threads, safe code, no sleeps in them: one calls `maintenance` on a tree whose last leaf is empty, the other
//! inserts a key that belongs there. Of the two, the program tells which returned. It hung in 3 of 3 runs, after 685
//! to 131,092 rounds. Exit code 1 where it hangs.

use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use masstree::MassTree15;

const LIMIT: Duration = Duration::from_secs(60);
const STUCK: Duration = Duration::from_secs(5);

static ROUNDS: AtomicU64 = AtomicU64::new(0);
static MAINTAINED: AtomicBool = AtomicBool::new(false);

fn round() {
    let tree = MassTree15::<u64>::new();
    // 16 keys make two leaves, the second of which has the last key alone.
    (0..16_u64).for_each(|key| _ = tree.insert(&key.to_be_bytes(), key));
    let _ = tree.remove(&15_u64.to_be_bytes()).expect("nobody contends");
    MAINTAINED.store(false, SeqCst);
    let start = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            start.wait();
            tree.maintenance(&mut tree.guard());
            MAINTAINED.store(true, SeqCst);
        });
        start.wait();
        let _ = tree.insert(&16_u64.to_be_bytes(), 16);
    });
}

fn main() -> ExitCode {
    thread::spawn(|| {
        loop {
            round();
            ROUNDS.fetch_add(1, SeqCst);
        }
    });
    let began = Instant::now();
    let (mut seen, mut since) = (0, began);
    while began.elapsed() < LIMIT {
        thread::sleep(Duration::from_millis(100));
        let now = ROUNDS.load(SeqCst);
        if now != seen {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() > STUCK {
            let maintained = MAINTAINED.load(SeqCst);
            println!(
                "an insert did not return within 5 s after {now} rounds; maintenance returned: {maintained}"
            );
            return ExitCode::FAILURE;
        }
    }
    println!("{seen} rounds, and all inserts returned");
    ExitCode::SUCCESS
}
