//! Mistakes that are easily made in a lock-free map, each in one place of this one.

use mapcheck::mutant::{Mutant, Mutants};
use mapcheck::oracle::Class;

/// All of them.
pub static ALL: Mutants =
    &[&F34, &F35, &F35B, &F36, &F36B, &F37, &F38, &F38B, &F39, &F39B, &F40, &F40B, &E7, &E8];

/// Those that make a difference where the map reclaims by epochs: all but those of hazard pointers.
pub static OF_EPOCHS: Mutants =
    &[&F34, &F35B, &F36, &F36B, &F37, &F38, &F38B, &F39, &F39B, &F40, &F40B, &E7];

/// Those that only hazard pointers have.
///
/// Of the others, `retire-before-unlink` is masked by hazards: who removes a value announces it until it is unlinked.
/// It takes a third thread that looks at the announcements one by one while the reader and the remover go on, which no
/// search of the usual length comes upon.
pub static OF_HAZARDS_ALONE: Mutants = &[&F35, &E8];

/// What was read is freed although somebody still may reach it.
const EARLY: &[Class] = &[Class::PrematureReclamation];

pub(super) static F34: Mutant = Mutant {
    id: "F34",
    name: "retire-before-unlink",
    what: "`remove` retires the value before it takes it out of its slot",
    classes: &[Class::PrematureReclamation, Class::DoubleFree],
    exposure: "remove 0, reclaim | get 0 hold, begun between the retirement and the removal",
};

pub(super) static F35: Mutant = Mutant {
    id: "F35",
    name: "hazard-without-revalidation",
    what: "what was announced as a hazard is not looked for again where it was found",
    classes: EARLY,
    exposure: "remove 0, reclaim | get 0, which has the pointer and has not announced it",
};

pub(super) static F35B: Mutant = Mutant {
    id: "F35b",
    name: "table-loaded-before-pin",
    what: "an operation loads the root before its guard begins",
    classes: EARLY,
    exposure: "insert so many that the table is replaced, reclaim | get 0, between load and guard",
};

pub(super) static F36: Mutant = Mutant {
    id: "F36",
    name: "epoch-advances-past-pinned",
    what: "the epoch advances without a look at the guards",
    classes: EARLY,
    exposure: "remove 0, reclaim | get 0 hold",
};

pub(super) static F36B: Mutant = Mutant {
    id: "F36b",
    name: "iterator-unpinned-across-next",
    what: "an iteration ends its guard after each visit and begins another",
    classes: EARLY,
    exposure: "iterate | insert so many that the table is replaced, reclaim",
};

pub(super) static F37: Mutant = Mutant {
    id: "F37",
    name: "old-table-freed-while-copied",
    what: "who makes the next table the root frees the old one at once",
    classes: EARLY,
    exposure: "insert 4 | insert 5, in a table of four keys",
};

pub(super) static F38: Mutant = Mutant {
    id: "F38",
    name: "slot-copied-twice",
    what: "an entry is put into the next table although there is one of its key",
    classes: &[
        Class::NotLinearizable,
        Class::GhostElement,
        Class::PrematureReclamation,
        Class::DoubleFree,
    ],
    exposure: "insert 4, insert 0 | insert 5, which copies key 0 late",
};

pub(super) static F38B: Mutant = Mutant {
    id: "F38b",
    name: "recopied-after-delete",
    what: "an entry is put into the next table although its key was removed there",
    classes: &[
        Class::NotLinearizable,
        Class::GhostElement,
        Class::PrematureReclamation,
        Class::DoubleFree,
    ],
    exposure: "insert 4, remove 0 | insert 5, which copies key 0 late",
};

pub(super) static F39: Mutant = Mutant {
    id: "F39",
    name: "aba-on-reused-node",
    what: "the version of a slot is not counted up",
    classes: &[Class::NotLinearizable, Class::DoubleFree],
    exposure: "remove 0, insert 0 | remove 0, which has read the first value",
};

pub(super) static F39B: Mutant = Mutant {
    id: "F39b",
    name: "two-inserters-take-one-tombstone",
    what: "`insert` replaces whatever is in a slot in which it has seen a removed entry",
    classes: &[Class::NotLinearizable],
    exposure: "insert 0 | insert 0, after key 0 was removed",
};

pub(super) static F40: Mutant = Mutant {
    id: "F40",
    name: "retired-twice",
    what: "`remove` retires the value as well if another thread was faster to remove it",
    classes: &[Class::DoubleFree],
    exposure: "remove 0 | remove 0",
};

pub(super) static F40B: Mutant = Mutant {
    id: "F40b",
    name: "foreign-free-of-owned-node",
    what: "a visitor frees the value that it was shown",
    classes: &[Class::PrematureReclamation, Class::DoubleFree],
    exposure: "iterate | get 0 hold",
};

pub(super) static E7: Mutant = Mutant {
    id: "E7",
    name: "one-epoch-more-than-needed",
    what: "what was retired is freed after three advances of the epoch and not after two",
    classes: &[],
    exposure: "nothing: it is freed later",
};

pub(super) static E8: Mutant = Mutant {
    id: "E8",
    name: "hazard-revalidated-twice",
    what: "what was announced as a hazard is looked for twice where it was found",
    classes: &[],
    exposure: "nothing: the second look is of no use",
};
