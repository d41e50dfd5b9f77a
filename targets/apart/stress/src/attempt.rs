//! One attempt: the map is stressed in this process, which is watched for getting nowhere.

use std::process::{ExitCode, exit};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::rounds::PROGRESS;
use crate::{FOUND, TARGETS};

/// For how long all threads together may get nowhere.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many times as long as its CPU time an attempt may take.
pub const SLOWEST: u32 = 8;

/// Stresses the target for so many seconds of CPU time.
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

/// Seconds of CPU time of this process, by the kernel's ticks: there are 100 a second.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    // The fields count from the state, which is the third: user's and system's time are the 14th and the 15th.
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Returns when the time is over; ends the process when nothing goes on.
///
/// CPU time and not the clock's: on a busy machine an attempt is not to be worth less.
fn watch(limit: Duration) {
    let start = Instant::now();
    let mut last = (PROGRESS.load(Relaxed), start);
    while cpu() < limit.as_secs_f64() && start.elapsed() < SLOWEST * limit {
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
