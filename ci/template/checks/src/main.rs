//! The runner, which `cargo mapcheck` starts.

use std::process::ExitCode;

fn main() -> ExitCode {
    mapcheck::runner::main(&shardmap_checks::targets())
}
