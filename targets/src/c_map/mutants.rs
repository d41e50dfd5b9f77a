//! Mistakes that are easily made where C and its callers share elements, each in one place of the map in C.

use std::ffi::c_int;

use mapcheck::mutant::{Mutant, Mutants};
use mapcheck::oracle::Class;
use mapcheck::{Fault, Needs};

/// All of them.
pub static ALL: Mutants = &[&C1, &C2, &C2B, &C3, &C4];

/// What it takes besides schedules.
pub static NEEDS: Needs = &[(&C3, Fault::WeakCasFailure), (&C4, Fault::AllocationFailure)];

/// What C calls the mistake that is switched on.
pub(super) fn mistake() -> Option<c_int> {
    (1..).zip(ALL).find(|(_, mutant)| mutant.on()).map(|(number, _)| number)
}

/// Who looks at an element, or drops it, although it was freed.
const FREED: &[Class] = &[Class::PrematureReclamation, Class::DoubleFree];

static C1: Mutant = Mutant {
    id: "C1",
    name: "foreign-free-under-iteration",
    what: "`cmap_remove` frees the element at once, though an iteration may stand on it",
    classes: FREED,
    exposure: "iterate remove-current",
};

static C2: Mutant = Mutant {
    id: "C2",
    name: "foreign-free-of-visited-handle",
    what: "an iteration frees the element that its visitor has removed, which `cmap_remove` frees too",
    classes: FREED,
    exposure: "iterate remove-current",
};

static C2B: Mutant = Mutant {
    id: "C2b",
    name: "foreign-free-of-refused-handle",
    what: "`cmap_insert` frees an element that it refuses, which stays its caller's",
    classes: FREED,
    exposure: "insert 0, insert 0",
};

static C3: Mutant = Mutant {
    id: "C3",
    name: "weak-compare-exchange-once",
    what: "who removes an element claims it by a compare-exchange that may fail for nothing, and does not try again",
    classes: &[Class::NotLinearizable, Class::GhostElement],
    exposure: "remove 0 or clear, whose compare-exchange fails for nothing",
};

static C4: Mutant = Mutant {
    id: "C4",
    name: "growth-trusts-malloc",
    what: "the copy of a table is written to without a look at what `malloc` has returned",
    classes: &[Class::Crash],
    exposure: "insert so many that the table is replaced, while memory is short",
};
