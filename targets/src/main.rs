//! The runner of the targets in this crate; `cargo mapcheck` builds and drives it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    mapcheck::runner::main(&mapcheck_targets::all())
}
