//! Oracles of a map's author: what no contract of mapcheck's says, in a file of the author's own.

use super::Violation;
use crate::map::Previous;
use crate::scenario::Scenario;

/// What a scenario does to the map, as an [`Oracle`] sees it.
///
/// An operation is told by its label: [`Scenario::operation`] has its text and its thread. Operations overlap: a call
/// may take effect at any moment between it and its return.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The scenario begins, on a fresh map.
    Began(&'a Scenario),
    /// A call on a key begins.
    Called {
        /// The operation that it is a part of.
        operation: u32,
        /// The key.
        key: u64,
        /// What it is to do.
        call: Call,
    },
    /// It has returned.
    Returned {
        /// The operation that it is a part of.
        operation: u32,
        /// The key.
        key: u64,
        /// What it was to do.
        call: Call,
        /// What it answered.
        answer: Answer,
    },
    /// An operation on the whole map begins: `clear`, `retain`, `len` or an iteration.
    WholeBegan {
        /// The operation.
        operation: u32,
    },
    /// An iteration shows an element.
    Visited {
        /// The operation.
        operation: u32,
        /// The element's key.
        key: u64,
        /// The id of its value.
        value: u64,
    },
    /// An operation on the whole map has returned.
    WholeEnded {
        /// The operation.
        operation: u32,
        /// What `len` answered; `None` for all others.
        len: Option<usize>,
    },
    /// All threads have ended, and the teardown too. The map is dropped next.
    Ended,
}

/// What a call on a key is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Put the value with this id there.
    Insert(u64),
    /// Remove what is there.
    Remove,
    /// Read what is there.
    Get,
}

/// What a call on a key answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An insert or a removal: what was there before.
    Wrote(Previous),
    /// A read: the id of the value that was there, if there was one.
    Read(Option<u64>),
}

/// A judge of executions. It sees events and nothing else, and may be made up for one map or for all.
///
/// ```
/// use mapcheck::oracle::{Answer, Class, Event, Oracle, Violation};
///
/// /// A cache may forget what was put into it, and must not hold more than it was made for.
/// struct AtMost(usize);
///
/// impl Oracle for AtMost {
///     fn see(&mut self, event: &Event<'_>) -> Option<Violation> {
///         let Event::WholeEnded { len: Some(len), .. } = *event else { return None };
///         let message = format!("`len` returned {len}, and there is room for {}", self.0);
///         (len > self.0).then_some(Violation { class: Class::NotLinearizable, message })
///     }
/// }
///
/// let mut oracle = AtMost(8);
/// assert_eq!(oracle.see(&Event::WholeEnded { operation: 1, len: Some(8) }), None);
/// assert!(oracle.see(&Event::WholeEnded { operation: 1, len: Some(9) }).is_some());
/// ```
pub trait Oracle: Send {
    /// Sees what happened next. What it returns ends the execution as a finding. It must be a function of the events it
    /// has seen: a clock or randomness in it would make findings that do not replay.
    fn see(&mut self, event: &Event<'_>) -> Option<Violation>;
}

/// The oracles of a map's author that watch one execution.
#[derive(Default)]
pub(super) struct Own(pub Vec<Box<dyn Oracle>>);

impl Own {
    /// Shows an event to all of them; the first verdict counts.
    pub(super) fn show(&mut self, event: &Event<'_>) -> Option<Violation> {
        self.0.iter_mut().find_map(|oracle| oracle.see(event))
    }
}
