//! What the map under test tells of itself, as `tracing` events and spans: notes on the timeline of an execution, and a
//! log for people.
//!
//! An execution is a function of its decisions, whether anybody listens or not. The `tracing` macros are compiled into
//! the map and load atomics, which are schedule points; so the same subscriber is installed in every worker, always,
//! and wants everything: the map takes the same path through the macros each time. What the subscriber does is outside
//! of the execution. While mapcheck explores, that is nothing at all. When an execution is recorded, it passes events
//! on to layers of `tracing-subscriber`: a [`Timeline`] that keeps [`Note`]s, and, if `MAPCHECK_LOG` is set, one that
//! prints what this filter lets through, among it what the machine did: `mapcheck::schedule`, `mapcheck::heap`,
//! `mapcheck::access`, `mapcheck::fault`.
//!
//! All of this is behind the feature `tracing`. Without it there are no notes.

mod machine;
#[cfg(not(feature = "tracing"))]
mod off;
#[cfg(feature = "tracing")]
mod subscriber;
#[cfg(feature = "tracing")]
mod timeline;

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsFd as _;

pub(crate) use machine::{Heard, Teller};
#[cfg(not(feature = "tracing"))]
pub(crate) use off::{begin, check, install, is_spent, is_telling, lets_through, listening, tell};
#[cfg(feature = "tracing")]
pub(crate) use subscriber::{
    begin, check, install, is_spent, is_telling, lets_through, listening, tell,
};
#[cfg(feature = "tracing")]
pub use timeline::Timeline;

use crate::scenario::Scenario;

/// The variable that filters the log.
pub(crate) const VARIABLE: &str = "MAPCHECK_LOG";

/// Something that the map under test told of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// The virtual thread that told it.
    pub thread: u32,
    /// Schedule points of all threads before it.
    pub step: u64,
    /// The label under which it was told, see [`Scenario::operation`]; 0 between operations.
    pub label: u32,
    /// The level of the event, in lower case: `debug`.
    pub level: &'static str,
    /// Its target, by default the module it stands in.
    pub target: String,
    /// The message and the fields in a line, `resize from=8 to=16`; of a span that is entered `> name field=1`, of one
    /// that is left `< name`.
    pub text: String,
}

/// The notes of the execution that was recorded last in this process, in order; none are left behind. Empty without the
/// feature `tracing`, and of an execution that was not recorded.
pub fn take_notes() -> Vec<Note> {
    #[cfg(feature = "tracing")]
    return timeline::take();
    #[cfg(not(feature = "tracing"))]
    Vec::new()
}

/// Whether the environment asks for a log.
pub(crate) fn is_asked_for() -> bool {
    filter().is_some()
}

/// What it is to show.
fn filter() -> Option<OsString> {
    std::env::var_os(VARIABLE).filter(|value| !value.is_empty())
}

/// Where a log of an execution goes, and what it needs to name its operations.
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "nothing is printed"))]
pub(crate) struct Log<'a> {
    pub scenario: &'a Scenario,
    out: &'a File,
}

impl<'a> Log<'a> {
    pub(crate) fn new(scenario: &'a Scenario, out: &'a File) -> Log<'a> {
        Log { scenario, out }
    }
}

/// This process's stderr, for later: workers silence their own. `None` if it has none.
pub(crate) fn stderr() -> Option<File> {
    std::io::stderr().as_fd().try_clone_to_owned().ok().map(File::from)
}
