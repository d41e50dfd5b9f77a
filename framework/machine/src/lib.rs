//! The machine under mapcheck: it runs code under test on virtual threads that it schedules itself, sees every access
//! that instrumented code makes, and models the heap. It knows no map, no scheduler and no oracle: it asks a
//! [`Decider`] and tells an [`Observer`].
//!
//! All the unsafe code of mapcheck is here. Nothing at this border is generic or inlined: what is inlined into an
//! instrumented crate would be instrumented with it.
//!
//! Limits: Linux only; virtual threads on one carrier need x86-64 with FSGSBASE (Linux 5.9), and fall back to handing a
//! baton between operating-system threads elsewhere.
//!
//! ```
//! use mapcheck_machine::*;
//! struct InOrder;
//! impl Decider for InOrder {
//!     fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
//!         Slice::new(consult.default_thread(), u64::MAX)
//!     }
//!     fn choose(&mut self, _: ChoiceKind, _: ThreadId, _: u64, _: u32) -> u32 { 0 }
//! }
//! let ended = execute(&Options::default(), &mut InOrder, &mut NoObserver, &mut || {
//!     std::thread::spawn(|| Box::new(7)).join().unwrap();
//! });
//! assert!(ended.found.is_none());
//! assert_eq!(ended.threads, 2);
//! ```

#[cfg(not(target_os = "linux"))]
compile_error!("mapcheck-machine supports Linux only");

mod api;
mod atomic;
mod border;
mod c_code;
mod fuzzing;
mod globals;
mod granules;
mod heap;
mod interrupt;
mod memory;
mod process;
mod progress;
mod runnable;
mod shim;
mod signals;
mod stack;
mod state;
mod thread;
mod usage;
mod watch;

pub use api::*;
pub use border::*;
pub use fuzzing::{EXTRA_COUNTERS, libfuzzer_main, prepare_fuzzing, show};
pub use heap::allocator::{ModelledHeap, allocations};
pub use heap::leaks::searched;
pub use interrupt::{heed_interrupts, interrupted, stop_with_parent};
pub use process::{Exit, Shared, Worker, addresses_fixed, fix_addresses, single_threaded, unmoved};
pub use runnable::Runnable;
pub use stack::{Frame, Stack};
pub use thread::execute::execute;
pub use usage::{cpu_time, silence, wait_until_others_sleep};

/// The allocator of every program that links mapcheck: the system's outside executions, the modelled heap inside.
#[global_allocator]
static GLOBAL: ModelledHeap = ModelledHeap;
