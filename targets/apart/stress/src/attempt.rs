//! One attempt: the map is stressed in this process, which is watched for getting nowhere.

use std::process::{ExitCode, exit};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::rounds::PROGRESS;
use crate::{FOUND, TARGETS};

/// For how long all threads together may get nowhere.
const PATIENCE: Duration = Duration::from_secs(5);

/// Stresses the target for so many seconds.
pub fn attempt(target: &str, seconds: &str) -> ExitCode {
    let stressed = TARGETS.iter().find(|(name, _)| *name == target);
    let (Some((_, forever)), Ok(seconds)) = (stressed, seconds.parse()) else {
        eprintln!("error: no such attempt");
        return ExitCode::from(64);
    };
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        told(panic);
        exit(FOUND);
    }));
    std::thread::spawn(*forever);
    watch(Duration::from_secs(seconds));
    ExitCode::SUCCESS
}

/// Returns when the time is over; ends the process when nothing goes on.
fn watch(limit: Duration) {
    let start = Instant::now();
    let mut last = (PROGRESS.load(Relaxed), start);
    while start.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(100));
        let now = PROGRESS.load(Relaxed);
        if now != last.0 {
            last = (now, Instant::now());
        } else if last.1.elapsed() >= PATIENCE {
            eprintln!("hang: no operation has completed for {} s", PATIENCE.as_secs());
            exit(FOUND);
        }
    }
}
