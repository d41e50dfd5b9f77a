//! Small random programs over the primitives of the standard library. Each exists twice: as code that runs on real
//! `std` types in mapcheck's machine, and as a model of what the primitives are documented to do, all of whose
//! interleavings are enumerated. What the one shows and what the other allows must be the same.
#![forbid(unsafe_code)]

mod draw;
mod explore;
mod model;
mod program;
mod real;

pub use explore::{Lanes, Verdict};
pub use program::Program;
