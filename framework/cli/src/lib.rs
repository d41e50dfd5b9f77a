//! `cargo mapcheck`: builds what is to be checked with instrumentation, and runs it. The same program is the rustc
//! wrapper that adds the instrumentation.
#![forbid(unsafe_code)]

#[macro_use]
mod stdout;

mod args;
mod bench;
mod cargo;
mod commands;
mod completions;
mod corpus;
#[cfg(test)]
mod documents;
mod error;
mod explain;
mod fuzzers;
#[doc(hidden)]
pub mod fuzzing;
mod github;
mod help;
mod html;
mod out;
mod pauses;
mod runners;
mod std_calls;
mod stubs;
mod summary;
mod supervisor;
mod wrapper;

use std::ffi::OsString;

use error::exit;

/// Does what the process's arguments ask for, its name first, and returns the exit code.
pub fn main(words: Vec<OsString>) -> i32 {
    if wrapper::is_wrapper_call(&words) { wrapper::run(&words[1..]) } else { command(words) }
}

/// Runs the command and returns its exit code.
fn command(words: Vec<OsString>) -> i32 {
    let cli = match args::parse(words) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed stdout or stderr is not worth another message.
            let _ = error.print();
            return if error.use_stderr() { exit::USAGE } else { exit::CLEAN };
        }
    };
    commands::run(cli.command).unwrap_or_else(|error| {
        error.print();
        error.code()
    })
}
