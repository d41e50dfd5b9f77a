//! lasso 0.7.3: `get` in the body of an iteration waits for ever beside `get_or_intern`, and that for the iteration.
//!
//! Needs a thread that iterates and looks up what it is shown, and one that interns new strings.
//!
//! Usage: `lasso_iteration_deadlocks [SECONDS]`. Ends with 1 if for two seconds neither got any further.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use lasso::{Spur, ThreadedRodeo};

fn main() -> ExitCode {
    let seconds: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(20);
    let rodeo = Arc::new(ThreadedRodeo::<Spur>::new());
    let steps = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let (shared, counts) = (Arc::clone(&rodeo), Arc::clone(&steps));
    thread::spawn(move || {
        for n in 0_u64.. {
            shared.get_or_intern(n.to_string());
            counts[0].fetch_add(1, Relaxed);
            if n % 64 == 0 {
                // So that iterations stay short.
                thread::sleep(Duration::from_micros(100));
            }
        }
    });
    let counts = Arc::clone(&steps);
    thread::spawn(move || {
        loop {
            rodeo.iter().for_each(|(key, string)| assert_eq!(rodeo.get(string), Some(key)));
            counts[1].fetch_add(1, Relaxed);
        }
    });
    let now = || (steps[0].load(Relaxed), steps[1].load(Relaxed));
    for _ in 0..seconds.div_ceil(2) {
        let before = now();
        thread::sleep(Duration::from_secs(2));
        if now() == before && before.0 > 0 {
            println!("nothing moves after {} strings and {} iterations", before.0, before.1);
            return ExitCode::FAILURE;
        }
    }
    println!("{:?} strings and iterations, and no deadlock", now());
    ExitCode::SUCCESS
}
