//! The known-bad maps under plain threads: how soon a crash, a sanitizer, a panic, a canary or a broken promise of an
//! iteration shows the mistake. And how soon `cargo mapcheck check` does.
//!
//! Without arguments it drives all of that and prints what was measured, a line of JSON each. `attempt TARGET SECONDS`
//! is one attempt, in a process that may crash.

mod attempt;
mod builds;
mod drive;
mod element;
mod maps;
mod rounds;
mod seen;

use std::process::ExitCode;

/// Exit code of an attempt that found something.
pub const FOUND: i32 = 3;

/// The maps by their names as targets of mapcheck, and what stresses each.
pub const TARGETS: [(&str, fn() -> !); 5] = [
    stressed::<maps::Flurry>(),
    stressed::<maps::Papaya01>(),
    stressed::<maps::Papaya024>(),
    stressed::<maps::Leapfrog>(),
    stressed::<maps::BPlusTree>(),
];

const fn stressed<S: maps::Suspect>() -> (&'static str, fn() -> !) {
    (S::TARGET, rounds::forever::<S>)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["attempt", target, seconds] => attempt::attempt(target, seconds),
        _ => drive::main(),
    }
}
