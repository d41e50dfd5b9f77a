//! The classic map's part of the catalogue of mistakes.

use mapcheck::mutant::{Mutant, Mutants};
use mapcheck::oracle::Class::{
    Crash, DataRace, DoubleFree, DuplicateElement, GhostElement, Livelock, MissedElement,
    NotLinearizable, OutOfBounds, PrematureReclamation, TornValue,
};

use crate::go::runtime::F28;

/// The mutants of this map, in the order of their numbers. Those at the end are equivalent.
pub static ALL: Mutants = &[
    &F1, &F1B, &F1C, &F2, &F3, &F4, &F5, &F6, &F7, &F8, &F9, &F10, &F11, &F11B, &F11C, &F12, &F12B,
    &F13, &F14, &F15, &F16, &F16B, &F17, &F18, &F18B, &F19, &F19B, &F20, &F21, &F22, &F22B, &F23,
    &F23B, &F24, &F25, &F26, &F27, &F29, &F30, &E1, &E2, &E3, &E4,
];

/// Those that a program which synchronises can meet: all but those of the checks against racing writes.
pub static OF_PROGRAMS: Mutants = &[
    &F1, &F1B, &F1C, &F2, &F3, &F4, &F5, &F6, &F7, &F8, &F9, &F10, &F11, &F11B, &F11C, &F12, &F12B,
    &F13, &F14, &F15, &F16, &F16B, &F17, &F18, &F18B, &F19, &F19B, &F20, &F21, &F22, &F22B, &F23,
    &F23B, &F24, &F25, &F26, &F27, &F28, &E1, &E2, &E3, &E4,
];

/// Those that it takes a race to meet.
pub static OF_RACES: Mutants = &[&F29, &F30];

pub(super) static F1: Mutant = Mutant {
    id: "F1",
    name: "evacuate-clears-under-iterator",
    what: "an evacuation clears the old bucket though an iterator may be in it",
    classes: &[Crash, MissedElement],
    exposure: "next; grow and evacuate; next",
};

pub(super) static F1B: Mutant = Mutant {
    id: "F1b",
    name: "init-sets-no-flag",
    what: "an iterator does not set the flags that tell of it",
    classes: &[Crash, MissedElement],
    exposure: "next; grow and evacuate; next",
};

pub(super) static F1C: Mutant = Mutant {
    id: "F1c",
    name: "grow-drops-old-iterator",
    what: "a growth forgets that there is an iterator over what is now the old array",
    classes: &[Crash, MissedElement],
    exposure: "next; grow and evacuate; next",
};

pub(super) static F2: Mutant = Mutant {
    id: "F2",
    name: "no-relookup",
    what: "an iterator yields what an evacuated cell still holds",
    classes: &[GhostElement],
    exposure: "next; grow; delete an unreached key; next",
};

pub(super) static F3: Mutant = Mutant {
    id: "F3",
    name: "evacuated-cells-skipped",
    what: "an iterator skips cells whose entry has moved",
    classes: &[MissedElement],
    exposure: "next; grow; next",
};

pub(super) static F4: Mutant = Mutant {
    id: "F4",
    name: "no-check-bucket",
    what: "an iterator in an old bucket yields entries of both buckets that it is split into",
    classes: &[DuplicateElement],
    exposure: "start a growth, then range",
};

pub(super) static F5: Mutant = Mutant {
    id: "F5",
    name: "iterator-reads-current-buckets",
    what: "an iterator enters the buckets of the current array, not of its own",
    classes: &[MissedElement, Crash, DuplicateElement, PrematureReclamation],
    exposure: "next; grow; next",
};

pub(super) static F6: Mutant = Mutant {
    id: "F6",
    name: "wrap-at-current-b",
    what: "an iterator wraps where the current array ends, not its own",
    classes: &[OutOfBounds, DuplicateElement],
    exposure: "next; grow; next",
};

pub(super) static F7: Mutant = Mutant {
    id: "F7",
    name: "no-b-comparison",
    what: "an iterator enters old buckets of a growth that is not its own",
    classes: &[MissedElement, Crash],
    exposure: "11 entries; next; insert up to 27, so that a second growth is under way; next",
};

pub(super) static F8: Mutant = Mutant {
    id: "F8",
    name: "iterator-ignores-oldbuckets",
    what: "an iterator never enters old buckets",
    classes: &[MissedElement],
    exposure: "a range begun in the middle of a growth",
};

pub(super) static F9: Mutant = Mutant {
    id: "F9",
    name: "relookup-ignores-oldbuckets",
    what: "an iterator looks evacuated keys up in the current array alone",
    classes: &[MissedElement],
    exposure: "two doublings in one range",
};

pub(super) static F10: Mutant = Mutant {
    id: "F10",
    name: "empty-one-ends-bucket",
    what: "an iterator takes an empty cell for the end of its bucket",
    classes: &[MissedElement],
    exposure: "two keys in a bucket; delete the current one; next",
};

pub(super) static F11: Mutant = Mutant {
    id: "F11",
    name: "cursor-without-end",
    what: "an iterator does not end when it is back where it began",
    classes: &[Livelock, DuplicateElement],
    exposure: "a range",
};

pub(super) static F11B: Mutant = Mutant {
    id: "F11b",
    name: "cursor-stays-at-cell",
    what: "an iterator does not go on to the next cell",
    classes: &[Livelock, DuplicateElement],
    exposure: "a range",
};

pub(super) static F11C: Mutant = Mutant {
    id: "F11c",
    name: "cursor-offset-not-modulo",
    what: "an iterator visits the cells from its offset on, and not those before it",
    classes: &[MissedElement],
    exposure: "a range with an offset that is not 0",
};

pub(super) static F12: Mutant = Mutant {
    id: "F12",
    name: "empty-rest-without-next-cell",
    what: "a deletion takes the rest of the chain for empty without a look at the next cell",
    classes: &[NotLinearizable, DuplicateElement, GhostElement, MissedElement],
    exposure: "two keys in a bucket; delete the first; get the second",
};

pub(super) static F12B: Mutant = Mutant {
    id: "F12b",
    name: "empty-rest-without-overflow",
    what: "a deletion from the last cell takes the overflow buckets for empty",
    classes: &[NotLinearizable, DuplicateElement, GhostElement, MissedElement],
    exposure: "nine keys in a chain; delete the eighth; get the ninth",
};

pub(super) static F13: Mutant = Mutant {
    id: "F13",
    name: "delete-leaves-elem",
    what: "a deletion leaves the elem in its cell",
    classes: &[NotLinearizable, GhostElement],
    exposure: "delete a; m[b]++ into the same cell",
};

pub(super) static F14: Mutant = Mutant {
    id: "F14",
    name: "assign-stops-at-first-empty",
    what: "an assignment takes the first empty cell for the end of the search",
    classes: &[DuplicateElement, GhostElement, NotLinearizable],
    exposure: "put a, then b into its bucket; delete a; put b",
};

pub(super) static F15: Mutant = Mutant {
    id: "F15",
    name: "no-grow-work-for-target",
    what: "a write does not evacuate the bucket that it is about to use",
    classes: &[NotLinearizable, DuplicateElement, GhostElement, MissedElement],
    exposure: "grow; put a key whose old bucket is not evacuated",
};

pub(super) static F16: Mutant = Mutant {
    id: "F16",
    name: "release-one-bucket-early",
    what: "a growth ends when one old bucket is left",
    classes: &[NotLinearizable, MissedElement, GhostElement],
    exposure: "grow to the last bucket; get",
};

pub(super) static F16B: Mutant = Mutant {
    id: "F16b",
    name: "free-one-bucket-early",
    what: "the old array is freed when one old bucket is left",
    classes: &[PrematureReclamation, DoubleFree],
    exposure: "grow to the last bucket; get",
};

pub(super) static F17: Mutant = Mutant {
    id: "F17",
    name: "lookup-ignores-oldbuckets",
    what: "a lookup searches the current array alone",
    classes: &[NotLinearizable],
    exposure: "get in the middle of a growth",
};

pub(super) static F18: Mutant = Mutant {
    id: "F18",
    name: "not-marked-evacuated",
    what: "an evacuation does not mark the cells that it has moved",
    classes: &[Crash, NotLinearizable, GhostElement, DuplicateElement, MissedElement],
    exposure: "write twice to the same old bucket",
};

pub(super) static F18B: Mutant = Mutant {
    id: "F18b",
    name: "chain-not-followed",
    what: "an evacuation leaves out the overflow buckets",
    classes: &[NotLinearizable, MissedElement, GhostElement],
    exposure: "nine keys in a chain; grow; get",
};

pub(super) static F19: Mutant = Mutant {
    id: "F19",
    name: "next-overflow-handed-out-twice",
    what: "a preallocated overflow bucket is handed out again",
    classes: &[Livelock, NotLinearizable, DuplicateElement, MissedElement],
    exposure: "16 buckets; two chains overflow",
};

pub(super) static F19B: Mutant = Mutant {
    id: "F19b",
    name: "sentinel-not-reset",
    what: "the last preallocated overflow bucket goes on in the first bucket of the array",
    classes: &[Livelock, Crash, NotLinearizable, DuplicateElement, GhostElement, MissedElement],
    exposure: "16 buckets; the preallocated one is taken; a range",
};

pub(super) static F20: Mutant = Mutant {
    id: "F20",
    name: "clear-recycles-overflow",
    what: "clearing goes on with the same array, overflow buckets included: Go 1.21 to 1.23",
    classes: &[DuplicateElement, PrematureReclamation],
    exposure: "16 buckets; an iterator in the preallocated one; clear; refill; next",
};

pub(super) static F21: Mutant = Mutant {
    id: "F21",
    name: "clear-leaves-old-tophashes",
    what: "clearing leaves the old array's tophashes: Go 1.20 and before",
    classes: &[GhostElement],
    exposure: "next; grow; clear; next",
};

pub(super) static F22: Mutant = Mutant {
    id: "F22",
    name: "same-size-flag-kept",
    what: "the end of a growth leaves the flag of a growth to the same size",
    classes: &[OutOfBounds, Crash, NotLinearizable, MissedElement, GhostElement, DuplicateElement],
    exposure: "a growth to the same size; a larger growth",
};

pub(super) static F22B: Mutant = Mutant {
    id: "F22b",
    name: "hash0-reset-while-not-empty",
    what: "each deletion takes a new seed",
    classes: &[NotLinearizable, MissedElement, DuplicateElement, GhostElement],
    exposure: "two keys in two buckets; delete one; get the other",
};

pub(super) static F23: Mutant = Mutant {
    id: "F23",
    name: "overflow-unrecorded",
    what: "an overflow bucket without pointers is not recorded",
    classes: &[PrematureReclamation],
    exposure: "plain elements; overflow; collect; get",
};

pub(super) static F23B: Mutant = Mutant {
    id: "F23b",
    name: "oldoverflow-dropped",
    what: "a growth forgets the recorded overflow buckets of the old array",
    classes: &[PrematureReclamation],
    exposure: "plain elements; overflow; start a growth; collect; get",
};

pub(super) static F24: Mutant = Mutant {
    id: "F24",
    name: "iterator-lacks-overflow-references",
    what: "an iterator does not keep overflow buckets without pointers alive",
    classes: &[PrematureReclamation],
    exposure: "plain elements; overflow; next; a whole growth; collect; next",
};

pub(super) static F25: Mutant = Mutant {
    id: "F25",
    name: "evacuate-unbarriered",
    what: "an evacuation copies and clears without the bulk barrier",
    classes: &[PrematureReclamation],
    exposure: "collect: the new array black, the old one not scanned; evacuate; sweep; get",
};

pub(super) static F26: Mutant = Mutant {
    id: "F26",
    name: "delete-without-barrier",
    what: "a deletion clears its cell without a write barrier",
    classes: &[PrematureReclamation],
    exposure: "collect: stack scanned; v = m[k]; delete; mark and sweep; use v",
};

pub(super) static F27: Mutant = Mutant {
    id: "F27",
    name: "assign-key-without-barrier",
    what: "an assignment stores the key without a write barrier",
    classes: &[PrematureReclamation],
    exposure: "collect: bucket black, stack not; put a key made before; forget it; end; range",
};

pub(super) static F29: Mutant = Mutant {
    id: "F29",
    name: "next-without-write-check",
    what: "an iterator does not look whether somebody writes",
    classes: &[DataRace],
    exposure: "range beside a delete",
};

pub(super) static F30: Mutant = Mutant {
    id: "F30",
    name: "tophash-before-key",
    what: "a new entry's tophash is published before its key",
    classes: &[TornValue],
    exposure: "pause a put between the two stores; range",
};

pub(super) static E1: Mutant = Mutant {
    id: "E1",
    name: "evacuate-copy-unbarriered",
    what: "an evacuation copies without the bulk barrier, but clears with it",
    classes: &[],
    exposure: "none",
};

pub(super) static E2: Mutant = Mutant {
    id: "E2",
    name: "evacuate-clear-unbarriered",
    what: "an evacuation clears without the bulk barrier, but copies with it",
    classes: &[],
    exposure: "none",
};

pub(super) static E3: Mutant = Mutant {
    id: "E3",
    name: "no-same-size-growth",
    what: "a map with many overflow buckets does not grow to the same size",
    classes: &[],
    exposure: "none: chains stay long",
};

pub(super) static E4: Mutant = Mutant {
    id: "E4",
    name: "oldbuckets-stored-without-barrier",
    what: "a growth moves the array to the old one's place without a barrier",
    classes: &[],
    exposure: "none: the array is shaded when its former place is overwritten",
};
