//! The runner.

use std::process::ExitCode;

use mapcheck::Target;
use mapcheck_events::{Falls, Told};

const LOCK: &str = include_str!("../Cargo.lock");

fn main() -> ExitCode {
    mapcheck::runner::main(&[
        Target::of::<Told<true>>("told", "std", LOCK),
        Target::of::<Told<false>>("untold", "std", LOCK),
        Target::of::<Falls>("falls", "std", LOCK),
    ])
}
