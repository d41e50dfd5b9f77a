//! A fault-injection test framework for concurrent maps.
#![forbid(unsafe_code)]

pub mod decision;
pub mod element;
pub mod map;
pub mod scenario;
pub mod scheduler;
pub(crate) mod text;
