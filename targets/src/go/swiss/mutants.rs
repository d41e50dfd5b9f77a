//! The Swiss map's part of the catalogue of mistakes.

use mapcheck::mutant::Mutant;
use mapcheck::oracle::Class::{DuplicateElement, GhostElement, MissedElement, NotLinearizable};

/// The mutants of this map, in the order of their numbers. The last two are equivalent.
pub static ALL: &[&Mutant] = &[&F31, &F31B, &F32, &F32B, &F32C, &F33, &F33B, &F41, &E5, &E6];

/// The table that a range is in was replaced.
pub static F31: Mutant = Mutant {
    id: "F31",
    name: "swiss-stale-index-ignored",
    what: "a range takes what a stale table holds, as if the table were not stale",
    classes: &[GhostElement],
    exposure: "next; grow or split; delete an unreached key; next",
};

/// The group that a range is in was replaced.
pub static F31B: Mutant = Mutant {
    id: "F31b",
    name: "swiss-no-relookup",
    what: "a range looks no key up again, in a table that was replaced or a small map that grew",
    classes: &[GhostElement],
    exposure: "next; grow the small map; delete an unreached key; next",
};

/// A table has several directory entries.
pub static F32: Mutant = Mutant {
    id: "F32",
    name: "swiss-next-directory-index-plus-one",
    what: "a range goes on to the next directory entry, not to the next table",
    classes: &[DuplicateElement, MissedElement],
    exposure: "a table with two directory entries, from the first or by a split; range",
};

/// The directory doubles under a range.
pub static F32B: Mutant = Mutant {
    id: "F32b",
    name: "swiss-no-directory-shift",
    what: "a range keeps its place in the directory when the directory doubles",
    classes: &[DuplicateElement, MissedElement],
    exposure: "two tables; next; split so that the directory doubles; next to the end",
};

/// A range begins at a random directory entry.
pub static F32C: Mutant = Mutant {
    id: "F32c",
    name: "swiss-no-first-table-align",
    what: "a range that begins amid a table's directory entries counts on from there",
    classes: &[DuplicateElement, MissedElement],
    exposure: "tables of unlike localDepth; range",
};

/// Probes have to go on past a full group.
pub static F33: Mutant = Mutant {
    id: "F33",
    name: "swiss-full-group-delete-to-empty",
    what: "a delete from a full group leaves an empty slot, no tombstone",
    classes: &[NotLinearizable, DuplicateElement, GhostElement],
    exposure: "a key probed past a full group; delete from that group; get the key",
};

/// A key may be further on than a tombstone.
pub static F33B: Mutant = Mutant {
    id: "F33b",
    name: "swiss-insert-at-first-tombstone",
    what: "an insert takes the first tombstone without probing on for the key",
    classes: &[NotLinearizable, DuplicateElement, GhostElement],
    exposure: "a key probed past a full group; delete from that group; put the key; delete it; get",
};

/// A key may be put back elsewhere than it was.
pub static F41: Mutant = Mutant {
    id: "F41",
    name: "swiss-new-seed-when-emptied",
    what: "a map that becomes empty draws a new hash seed, as Go's does",
    classes: &[DuplicateElement],
    exposure: "two tables; next; split the range's table; clear; put its keys; next to the end",
};

/// Tombstones and growth.
pub static E5: Mutant = Mutant {
    id: "E5",
    name: "swiss-growth-left-consumed-on-tombstone-reuse",
    what: "an insert into a tombstone counts against growthLeft",
    classes: &[],
    exposure: "the table only grows earlier",
};

/// Clears that a range can do without noticing.
pub static E6: Mutant = Mutant {
    id: "E6",
    name: "swiss-no-clear-counter",
    what: "clear does not count itself",
    classes: &[],
    exposure: "only keys that are not equal to themselves, such as NaN, would show it",
};
