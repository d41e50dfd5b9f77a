//! `test`: an instrumented `cargo test`.

use std::ffi::OsString;
use std::process::Command;

use crate::cargo::{self, Cargo, before_separator};
use crate::error::{Error, exit};

/// Runs `cargo test` with instrumentation in the current crate.
///
/// # Errors
/// When the tests do not build.
pub fn run(args: &[OsString]) -> Result<i32, Error> {
    let metadata = cargo::metadata()?;
    let cargo = Cargo::new(&metadata)?;
    // Building first tells a failed build from a failed test. Doctests cannot be built without being run.
    let for_cargo = || args.iter().take_while(|arg| *arg != "--");
    if !for_cargo().any(|arg| arg == "--doc") {
        let mut build = cargo.command("test")?;
        let no_run = for_cargo().any(|arg| arg == "--no-run");
        build.args(if no_run { args.to_vec() } else { before_separator(args, "--no-run") });
        cargo::build(build, "the instrumented test")?;
        if no_run {
            return Ok(exit::CLEAN);
        }
    }
    let mut command = cargo.command("test")?;
    command.args(args);
    run_tests(command)
}

/// Runs tests that are built already: a failure is a finding.
pub fn run_tests(mut command: Command) -> Result<i32, Error> {
    let status = command.status().map_err(|e| Error::start("cargo", e))?;
    Ok(if status.success() { exit::CLEAN } else { exit::FINDING })
}
