//! A fault-injection test framework for concurrent maps.
//!
//! Give it an adapter of about fifteen lines and it explores, for the unmodified map, how iteration,
//! deletion, growth and memory reclamation interleave; the map's memory comes from a modelled heap
//! that poisons what is freed and never hands it out again. A schedule that yields an invalid
//! pointer, a deadlock, a panic or a crash becomes a report with three stacks, and a repro file that
//! replays for ever.
//!
//! ```no_run
//! use std::collections::HashMap;
//! use std::ops::ControlFlow;
//! use std::sync::RwLock;
//! use mapcheck::{Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Value};
//!
//! struct Locked(RwLock<HashMap<Key, Value>>);
//!
//! impl Map for Locked {
//!     fn profile() -> Profile {
//!         Profile {
//!             iteration: Iteration::Locked,
//!             promised_by: "std docs, RwLock",
//!             consistency: Consistency::Linearizable,
//!             atomic: Atomic::NONE,
//!             grows_at: 3,
//!             write_in_visit: false,
//!             knobs: "",
//!         }
//!     }
//!     fn new() -> Self {
//!         Locked(RwLock::default())
//!     }
//!     fn insert(&self, key: Key, value: Value) -> Previous {
//!         let old = self.0.write().unwrap().insert(key, value);
//!         old.map_or(Previous::Absent, |v| Previous::Present(v.id()))
//!     }
//!     fn remove(&self, key: &Key) -> Previous {
//!         let old = self.0.write().unwrap().remove(key);
//!         old.map_or(Previous::Absent, |v| Previous::Present(v.id()))
//!     }
//!     fn get(&self, key: &Key, read: &mut dyn FnMut(&Value)) -> bool {
//!         self.0.read().unwrap().get(key).map(read).is_some()
//!     }
//!     fn for_each(&self, visit: &mut dyn FnMut(&Key, &Value) -> ControlFlow<()>) {
//!         let _ = self.0.read().unwrap().iter().try_for_each(|(k, v)| visit(k, v));
//!     }
//! }
//!
//! #[cfg(test)]
//! mod delete_while_iterating {
//!     mapcheck::map_tests!(super::Locked);
//! }
//! # fn main() {}
//! ```
//!
//! [`explore`] does the same for any closure that uses plain `std` threads.
//!
//! A test sees more under `cargo mapcheck test`, which instruments the map: then every access of
//! shared memory is a schedule point and is checked. Under plain `cargo test` only operations,
//! allocations, callbacks of keys and values, locks and thread starts are, and freed memory is
//! guarded by the processor.
//!
//! # Limits
//!
//! A test that passes says what was explored, never that the map is right. Memory is sequentially
//! consistent: reorderings that weaker machines show are not explored. Linux on x86-64 only, with a
//! slower fallback elsewhere on Linux. The program gets mapcheck's global allocator, so it can have
//! none of its own.
#![forbid(unsafe_code)]

#[macro_use]
mod stdout;

pub mod async_map;
mod attribute;
pub mod bench;
mod campaign;
mod catalogue;
mod coverage;
pub mod decision;
pub mod element;
pub mod engine;
pub mod exit;
mod explain;
pub mod fault;
pub mod fuzz;
mod in_test;
pub mod log;
pub mod map;
mod matrix;
pub mod model;
pub mod mutant;
pub mod oracle;
#[doc(hidden)]
pub mod parsers;
mod pcg;
mod regression;
mod replay;
pub mod report;
pub mod repro;
mod reused;
pub mod runner;
pub mod scenario;
pub mod scheduler;
mod settings;
mod shrink;
mod target;
pub(crate) mod text;
mod worker;

pub use async_map::{Async, AsyncMap, Reader, Visitor};
#[doc(hidden)]
pub use attribute::{TestResult, explore_panic as __explore_panic, explore_test as __explore_test};
pub use element::Member;
pub use fault::Fault;
pub use in_test::{check, explore, forbid_leaks};
pub use map::{
    AfterPanic, Atomic, Consistency, Iteration, Key, Map, Previous, Profile, Unsupported, Value,
};
pub use mapcheck_macros::test;
pub use settings::{Format, Settings};
pub use target::{Needs, Target};
