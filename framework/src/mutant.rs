//! Mutants: targets with one deliberate mistake, to measure what finds them.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use crate::oracle::Class;

/// A mutation of a target's code in one place, which a run switches on by name.
///
/// Make each a `static` and ask [`Mutant::on`] where the code is to go wrong:
///
/// ```
/// use mapcheck::mutant::Mutant;
/// use mapcheck::oracle::Class;
///
/// static F99: Mutant = Mutant {
///     id: "F99",
///     name: "count-forgets-removals",
///     what: "`remove` leaves the count as it is",
///     classes: &[Class::NotLinearizable],
///     exposure: "insert, remove, len",
/// };
/// let count = |inserted: u32, removed: u32| if F99.on() { inserted } else { inserted - removed };
/// assert_eq!(count(3, 1), 2);
/// ```
#[derive(Debug)]
pub struct Mutant {
    /// Its short name in the catalogue: `F26`; where one number has variants, `F11b`.
    pub id: &'static str,
    /// Its name: `delete-without-barrier`.
    pub name: &'static str,
    /// What is mutated, in a fragment.
    pub what: &'static str,
    /// The classes of finding that it is documented to show. Empty for an equivalent mutant: one that changes nothing a
    /// map promises, and must stay silent.
    pub classes: &'static [Class],
    /// The least that exposes it.
    pub exposure: &'static str,
}

/// The mutants of a target.
pub type Mutants = &'static [&'static Mutant];

/// The mutant that is switched on in this process.
static ACTIVE: AtomicPtr<Mutant> = AtomicPtr::new(ptr::null_mut());

impl Mutant {
    /// Whether this mutant is the one that is switched on.
    #[inline(never)]
    pub fn on(&'static self) -> bool {
        ptr::eq(ACTIVE.load(Relaxed), self)
    }

    /// Whether nothing may be found.
    pub fn equivalent(&self) -> bool {
        self.classes.is_empty()
    }

    /// Whether it goes by this name, or by this short name.
    pub fn is_named(&self, name: &str) -> bool {
        self.name == name || self.id.eq_ignore_ascii_case(name)
    }
}

/// Switches a mutant on, or all off, for the rest of the process.
pub(crate) fn switch(mutant: Option<&'static Mutant>) {
    ACTIVE.store(mutant.map_or(ptr::null_mut(), |m| ptr::from_ref(m).cast_mut()), Relaxed);
}

/// Switches a mutant on, or all off, for the rest of the process: for tests of models, which run in a process of their
/// own.
#[doc(hidden)]
pub fn switch_for_test(mutant: Option<&'static Mutant>) {
    switch(mutant);
}
