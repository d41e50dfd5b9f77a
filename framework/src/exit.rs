//! Exit codes, the same for every command.

/// Nothing was found.
pub const CLEAN: u8 = 0;
/// It was asked for something it cannot do.
pub const USAGE: u8 = 1;
/// There is at least one finding.
pub const FINDING: u8 = 2;
/// The budget ended before the bound that was asked for.
pub const BUDGET: u8 = 3;
/// An adapter failed its self-check.
pub const ADAPTER: u8 = 4;
/// mapcheck itself went wrong.
pub const INTERNAL: u8 = 70;
