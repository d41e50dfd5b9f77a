//! A fault-injection test framework for concurrent maps.
#![forbid(unsafe_code)]

pub mod bench;
mod campaign;
pub mod decision;
pub mod element;
pub mod fault;
mod in_test;
pub mod map;
pub mod oracle;
mod replay;
pub mod report;
pub mod repro;
pub mod runner;
pub mod scenario;
pub mod scheduler;
mod settings;
mod shrink;
mod target;
pub(crate) mod text;

pub use fault::Fault;
pub use in_test::{check, explore};
pub use map::{Iteration, Key, Map, Previous, Profile, Unsupported, Value};
pub use settings::{Format, Settings};
pub use target::Target;
