//! The runner, driven by `cargo mapcheck`.

use std::process::ExitCode;

fn main() -> ExitCode {
    mapcheck::runner::main(&mapcheck_fuzzed::all())
}
