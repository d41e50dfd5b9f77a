//! The runner of the map.
#![forbid(unsafe_code)]

mod adapter;
mod others;

use std::process::ExitCode;

use adapter::Adapter;
use mapcheck::Target;
use others::{Boxed, Wrapped};

/// The versions of what is checked.
const LOCK: &str = include_str!("../../Cargo.lock");

fn main() -> ExitCode {
    mapcheck::runner::main(&[
        Target::of::<Adapter>("shelf", "shelf", LOCK),
        Target::of::<Wrapped>("shelf-wrapped", "shelf", LOCK),
        Target::of::<Boxed<Adapter>>("shelf-boxed", "shelf", LOCK),
    ])
}
