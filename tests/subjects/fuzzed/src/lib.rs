//! Some of the maps of the subject `broken`, for a runner and for a fuzz target.

#[path = "../../broken/src/bugs.rs"]
pub mod bugs;
#[path = "../../broken/src/map.rs"]
pub mod map;

use mapcheck::Target;

/// The targets, in the order of this package's manifest.
pub fn all() -> Vec<Target> {
    vec![
        Target::of::<map::Broken<bugs::None>>("healthy", "std", LOCK),
        Target::of::<map::Broken<bugs::Several>>("several", "std", LOCK),
    ]
}

const LOCK: &str = include_str!("../Cargo.lock");
