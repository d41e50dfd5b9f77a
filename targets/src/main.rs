//! The runner of the published maps, driven by `cargo mapcheck`.
#![forbid(unsafe_code)]

mod bench;

use std::process::ExitCode;

fn main() -> ExitCode {
    let targets = mapcheck_targets::all();
    match std::env::args().nth(1).as_deref() {
        Some("bench") => bench::main(&targets),
        Some(bench::NATIVE) => bench::native(&targets),
        _ => mapcheck::runner::main(&targets),
    }
}
