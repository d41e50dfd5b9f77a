//! The runner of the published maps, driven by `cargo mapcheck`.
#![forbid(unsafe_code)]

mod bench;

use std::process::ExitCode;

fn main() -> ExitCode {
    let targets = mapcheck_targets::all();
    if std::env::args().nth(1).as_deref() == Some("bench") {
        return bench::main(&targets);
    }
    mapcheck::runner::main(&targets)
}
