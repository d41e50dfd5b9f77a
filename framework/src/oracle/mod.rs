//! Oracles: what must not happen, and the verdict on what did.
//!
//! Each is one file, sees events only, and knows no map: facts of the machine, touches of memory and what orders
//! threads, or the calls and iterations of a scenario. An author's own, see [`Oracle`], is a file of the author's: an
//! adapter names it in [`Map::oracles`](crate::Map::oracles), and nothing else changes.

mod blame;
#[cfg(test)]
mod cross_check;
mod failure;
mod iteration;
pub(crate) mod leak;
mod linearizability;
mod own;
pub(crate) mod pointer;
mod problem;
mod progress;
pub(crate) mod promises;
pub(crate) mod race;
mod sequential;
mod snapshot;
#[cfg(test)]
mod testing;
mod wait_for;
mod whole;

use std::fmt;
use std::str::FromStr;

use mapcheck_machine::{Block, Fact, Kind};

pub use own::{Answer, Call, Event, Oracle};
pub(crate) use progress::{stamp, told};
pub(crate) use promises::{Past, Promises, ended};
pub(crate) use wait_for::{Edge, Touch, WaitFor, Why};

/// What kind of finding it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// A block was read or written after it was freed, or an element after it was dropped.
    PrematureReclamation,
    /// A block was freed twice, or an element dropped twice.
    DoubleFree,
    /// Something was freed that is no block, or with another layout than it was allocated with.
    InvalidFree,
    /// Memory next to a block was accessed, or memory that was never allocated.
    OutOfBounds,
    /// Bytes that were taken for an element are none.
    TornValue,
    /// A map left memory that nothing refers to when it was gone, or all memory is gone and most of it is live.
    Leak,
    /// Every thread waits for another.
    Deadlock,
    /// An execution does not end.
    Livelock,
    /// A panic.
    Panic,
    /// A fatal signal, an abort, a stack overflow, or an exit.
    Crash,
    /// An iteration passed over an element that was there all the time.
    MissedElement,
    /// An iteration visited an element twice.
    DuplicateElement,
    /// An iteration visited an element, or a value, that was no longer there.
    GhostElement,
    /// No order of the operations on a key explains what they returned.
    NotLinearizable,
    /// No order of the operations on a key that keeps each thread's own explains what they returned.
    NotSequential,
    /// Threads used memory at once that only one at a time may use.
    DataRace,
}

/// All classes, with their names.
const CLASSES: [(Class, &str); 16] = [
    (Class::PrematureReclamation, "premature-reclamation"),
    (Class::DoubleFree, "double-free"),
    (Class::InvalidFree, "invalid-free"),
    (Class::OutOfBounds, "out-of-bounds"),
    (Class::TornValue, "torn-value"),
    (Class::Leak, "leak"),
    (Class::Deadlock, "deadlock"),
    (Class::Livelock, "livelock"),
    (Class::Panic, "panic"),
    (Class::Crash, "crash"),
    (Class::MissedElement, "missed-element"),
    (Class::DuplicateElement, "duplicate-element"),
    (Class::GhostElement, "ghost-element"),
    (Class::NotLinearizable, "not-linearizable"),
    (Class::NotSequential, "not-sequential"),
    (Class::DataRace, "data-race"),
];

impl Class {
    /// Its name, in kebab case.
    pub fn name(self) -> &'static str {
        CLASSES.iter().find(|c| c.0 == self).map_or("", |c| c.1)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Class {
    type Err = String;

    fn from_str(name: &str) -> Result<Class, String> {
        let found = CLASSES.iter().find(|c| c.1 == name);
        found.map(|c| c.0).ok_or_else(|| format!("there is no finding class `{name}`"))
    }
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its class.
    pub class: Class,
    /// What happened, a lower-case fragment.
    pub message: String,
}

/// The verdict on a fact: the first oracle that knows it speaks.
pub fn judge(fact: &Fact) -> Violation {
    judge_with(fact, None)
}

/// The verdict on a fact of an execution in which these calls were made.
pub(crate) fn judge_with(fact: &Fact, past: Option<&Promises>) -> Violation {
    let known =
        pointer::judge(fact).or_else(|| progress::judge(fact)).or_else(|| race::judge(fact));
    let known = known.or_else(|| leak::judge(fact, past));
    known.unwrap_or_else(|| failure::judge(fact))
}

/// The block that a fact is about.
pub(crate) fn block_of(fact: &Fact) -> Option<&Block> {
    match fact {
        Fact::BadAccess { block, .. } | Fact::Race { block, .. } => block.as_ref(),
        Fact::InvalidFree { block, .. } | Fact::Told { block, .. } => block.as_ref(),
        Fact::DoubleFree { block, .. } => Some(block),
        Fact::Leaked { blocks, .. } => blocks.first().map(|lost| &lost.block),
        _ => None,
    }
}

/// What a thread did when a fact was seen, in one word.
pub(crate) fn verb(fact: &Fact) -> &'static str {
    match fact {
        Fact::BadAccess { access, .. } | Fact::Race { access, .. } => verb_of(access.kind),
        Fact::DoubleFree { .. } => "freed",
        Fact::InvalidFree { .. } => "freed",
        Fact::Told { class: "panic", .. } => "panicked",
        Fact::Told { class: "leak", .. } => "leaked",
        Fact::Told { class, .. } if class.ends_with("element") => "saw",
        Fact::Told { class: "not-linearizable" | "not-sequential", .. } => "returned",
        Fact::Told { .. } => "used",
        Fact::Leaked { .. } => "leaked",
        Fact::Deadlock { .. } | Fact::Obstructed { waits: true, .. } => "waited",
        Fact::Signal { .. } | Fact::StackOverflow => "crashed",
        Fact::StepLimit { .. } | Fact::Stuck | Fact::HeapExhausted { .. } => "stopped",
        Fact::Livelock { .. } | Fact::Obstructed { .. } => "stopped",
    }
}

/// What an access of this kind did.
pub(crate) fn verb_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Write => "wrote",
        Kind::Alloc => "allocated",
        Kind::Free => "freed",
        Kind::AtomicLoad => "loaded",
        Kind::AtomicStore => "stored",
        Kind::AtomicRmw => "updated",
        _ => "read",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_every_class_reads_back() {
        for (class, name) in CLASSES {
            assert_eq!(class.to_string(), name);
            assert_eq!(name.parse(), Ok(class));
        }
        assert!("smell".parse::<Class>().is_err());
    }
}
