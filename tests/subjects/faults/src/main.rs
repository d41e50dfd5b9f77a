//! For each fault that mapcheck injects, a map with a mistake that this fault alone exposes, and its twin without the
//! mistake, which survives it.

mod map;
mod memory;
mod panics;
mod tables;
mod threads;

use std::process::ExitCode;

use mapcheck::Target;

use map::{Of, Subject};
use tables::Tables;

fn main() -> ExitCode {
    mapcheck::runner::main(&[
        of::<memory::Versions<true>>("address-reuse"),
        of::<memory::Versions<false>>("address-reuse-right"),
        of::<memory::Hashes<true>>("hash-collisions"),
        of::<memory::Hashes<false>>("hash-collisions-right"),
        of::<panics::InHash<true>>("panic-in-hash"),
        of::<panics::InHash<false>>("panic-in-hash-right"),
        of::<panics::InEq<true>>("panic-in-eq"),
        of::<panics::InEq<false>>("panic-in-eq-right"),
        of::<panics::InClone<true>>("panic-in-clone"),
        of::<panics::InClone<false>>("panic-in-clone-right"),
        of::<panics::InDrop<true>>("panic-in-drop"),
        of::<panics::InDrop<false>>("panic-in-drop-right"),
        of::<panics::InVisitor<true>>("panic-in-visitor"),
        of::<panics::InVisitor<false>>("panic-in-visitor-right"),
        of::<memory::Packs<true>>("allocation-failure"),
        of::<memory::Packs<false>>("allocation-failure-right"),
        of::<memory::Tags<true>>("minimal-alignment"),
        of::<memory::Tags<false>>("minimal-alignment-right"),
        of::<threads::Turns<true>>("spurious-wake"),
        of::<threads::Turns<false>>("spurious-wake-right"),
        of::<threads::Places<true>>("stalled-thread"),
        of::<threads::Places<false>>("stalled-thread-right"),
        of::<tables::Hoards<true>>("stalled-reclamation"),
        of::<tables::Hoards<false>>("stalled-reclamation-right"),
        of::<Tables<{ tables::GROWTH }>>("forced-growth"),
        of::<Tables<{ tables::NONE }>>("forced-growth-right"),
        of::<Tables<{ tables::SHRINK }>>("forced-shrink"),
        of::<Tables<{ tables::NONE }>>("forced-shrink-right"),
        of::<Tables<{ tables::RECLAIM }>>("forced-reclaim"),
        of::<Tables<{ tables::NONE }>>("forced-reclaim-right"),
        of::<Tables<{ tables::DROP }>>("delayed-reclamation"),
        of::<Tables<{ tables::NONE }>>("delayed-reclamation-right"),
        of::<threads::Rooms<true>>("thread-exit"),
        of::<threads::Rooms<false>>("thread-exit-right"),
    ])
}

/// No scenario of its own makes keys collide: that is the fault's.
const fn of<S: Subject>(name: &'static str) -> Target {
    Target::of::<Of<S>>(name, "std", include_str!("../Cargo.lock")).without_collisions()
}
