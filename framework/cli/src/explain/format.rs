//! What an explanation holds: the fields are its keys.
#![allow(
    dead_code,
    reason = "some are for the page's script alone; reading them here finds what is malformed"
)]

use serde::Deserialize;

/// A finding, explained.
#[derive(Debug, Default, Deserialize)]
pub struct Explanation {
    /// mapcheck's version.
    pub mapcheck: String,
    /// The target's name, or the test's.
    pub target: String,
    /// The map and what it depends on.
    pub versions: String,
    /// The scenario's name.
    pub scenario: String,
    /// The file that it was made of.
    pub repro: String,
    /// The command that replays it.
    pub replay: String,
    /// The mutant that was switched on.
    pub mutant: Option<String>,
    /// What was injected, in sentences.
    pub injected: Vec<String>,
    /// The finding's class.
    pub class: String,
    /// What was found.
    pub message: String,
    /// The innermost line of the map's code.
    pub site: String,
    /// What happened, in a few sentences.
    pub summary: Vec<String>,
    /// Where to look first.
    pub suspects: Vec<Suspect>,
    /// The threads, the root first.
    pub threads: Vec<Thread>,
    /// How many steps the execution has.
    pub steps: u64,
    /// What the threads did to the map.
    pub operations: Vec<Operation>,
    /// Who ran when.
    pub runs: Vec<Stretch>,
    /// What was injected, at its step.
    pub faults: Vec<Fault>,
    /// The map's own events.
    pub notes: Vec<Note>,
    /// The block that the finding is about.
    pub block: Option<u64>,
    /// What befell that block, from its use back to its allocation.
    pub walk: Vec<Event>,
    /// Why it was taken for free, in sentences.
    pub why: Vec<String>,
    /// The blocks around it.
    pub blocks: Vec<Block>,
    /// Holders of pointers that are no blocks.
    pub roots: Vec<Root>,
    /// Which pointers there were, and when.
    pub pointers: Vec<Pointer>,
    /// Which order of steps the finding needs, in sentences.
    pub order: Vec<String>,
    /// From where on it could not be avoided.
    pub inflection: String,
    /// The step of that.
    pub inflection_step: Option<u64>,
    /// The lines of code that are spoken of, with those around them.
    pub sources: Vec<Source>,
    /// The report that `check` prints.
    pub report: String,
}

/// A place to look at.
#[derive(Debug, Default, Deserialize)]
pub struct Suspect {
    /// The reason.
    pub why: String,
    /// Where it is, the innermost line first.
    pub places: Vec<Place>,
}

/// A line of code.
#[derive(Debug, Default, Deserialize)]
pub struct Place {
    /// `FILE:LINE`.
    pub site: String,
    /// The function around it.
    pub function: String,
}

/// A thread.
#[derive(Debug, Default, Deserialize)]
pub struct Thread {
    /// Its number.
    pub id: u64,
    /// What it is there for.
    pub name: String,
}

/// A call of an operation.
#[derive(Debug, Default, Deserialize)]
pub struct Operation {
    /// Who called it.
    pub thread: u64,
    /// Which it is.
    pub text: String,
    /// Its first step.
    pub from: u64,
    /// Its last step.
    pub to: u64,
}

/// Steps that one thread made without another in between.
#[derive(Debug, Default, Deserialize)]
pub struct Stretch {
    /// Who made them.
    pub thread: u64,
    /// The first one.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// Why it is the last one: `preempted`, `waits`, `yields` or `end`.
    pub ends: String,
}

/// An injected fault.
#[derive(Debug, Default, Deserialize)]
pub struct Fault {
    /// Whom it befell.
    pub thread: u64,
    /// At which step.
    pub step: u64,
    /// What it was.
    pub text: String,
}

/// An event that the map told of.
#[derive(Debug, Default, Deserialize)]
pub struct Note {
    /// Who told it.
    pub thread: u64,
    /// At which step.
    pub step: u64,
    /// How grave it is.
    pub level: String,
    /// The module.
    pub target: String,
    /// What was told.
    pub text: String,
}

/// Something that befell the block.
#[derive(Debug, Default, Deserialize)]
pub struct Event {
    /// What it is to the finding, such as `used` or `freed`.
    pub role: String,
    /// Who did it.
    pub thread: u64,
    /// At which step.
    pub step: u64,
    /// In which operation; empty outside of any.
    pub operation: String,
    /// What was done, after `thread 1`.
    pub what: String,
    /// Where, the innermost line first.
    pub places: Vec<Place>,
    /// What else is to be said of it.
    pub note: String,
}

/// A block of memory.
#[derive(Debug, Default, Deserialize)]
pub struct Block {
    /// Its number.
    pub id: u64,
    /// What to call it.
    pub name: String,
    /// Who made it where, in words.
    pub from: String,
    /// Its bytes.
    pub size: u64,
    /// The step of its allocation.
    pub allocated: u64,
    /// The step at which it was freed.
    pub freed: Option<u64>,
    /// Who allocated it.
    pub by: u64,
    /// Who freed it.
    pub freed_by: Option<u64>,
}

/// What holds pointers and is no block.
#[derive(Debug, Default, Deserialize)]
pub struct Root {
    /// Its number, unlike any block's.
    pub id: u64,
    /// What to call it.
    pub name: String,
}

/// A pointer, from the step at which it was written to the one at which it was overwritten.
#[derive(Debug, Default, Deserialize)]
pub struct Pointer {
    /// The block or root that it lies in.
    pub holder: u64,
    /// Where in there.
    pub offset: u64,
    /// The block that it leads to.
    pub to: u64,
    /// Where in there.
    pub to_offset: u64,
    /// The step that wrote it.
    pub since: u64,
    /// The step from which on it is no more.
    pub until: Option<u64>,
    /// Who wrote it.
    pub by: u64,
}

/// Lines of a file.
#[derive(Debug, Default, Deserialize)]
pub struct Source {
    /// The file.
    pub file: String,
    /// The number of the first line.
    pub first: u64,
    /// The lines.
    pub lines: Vec<String>,
    /// Which of them the walk is about.
    pub marks: Vec<Mark>,
}

/// A line that is spoken of.
#[derive(Debug, Default, Deserialize)]
pub struct Mark {
    /// Its number.
    pub line: u64,
    /// The role of the event there.
    pub role: String,
}
