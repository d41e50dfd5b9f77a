//! Some of the maps of the subject `broken`, for a runner and for a fuzz target.

#[path = "../../broken/src/bugs.rs"]
pub mod bugs;
#[path = "../../broken/src/map.rs"]
pub mod map;

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

use mapcheck::Target;

/// Two threads count, in two steps that others may come between.
pub fn count() {
    let n = AtomicU32::new(0);
    thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| n.store(n.load(SeqCst) + 1, SeqCst));
        }
    });
    assert_eq!(n.load(SeqCst), 2, "a count is lost");
}

/// The targets, in the order of this package's manifest.
pub fn all() -> Vec<Target> {
    vec![
        Target::of::<map::Broken<bugs::None>>("healthy", "std", LOCK),
        Target::of::<map::Broken<bugs::Several>>("several", "std", LOCK),
    ]
}

const LOCK: &str = include_str!("../Cargo.lock");
