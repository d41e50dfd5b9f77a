//! Faults: what is injected besides schedules. Each injection is a decision.
//!
//! A fault point asks [`machine::choose`]; which faults are switched on is the same for all executions of a batch.
//! Where the framework's own code runs, the machine is told to [spare](machine::spare) it.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use mapcheck_machine::{self as machine, ChoiceKind, Choices};

/// A kind of fault that can be switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// The allocator hands out the block that was freed last, as soon as one of its layout is asked
    /// for: exposes ABA, and hides uses after free for as long.
    AddressReuse,
    /// Keys collide: some in pairs, some all of them, decided anew for each execution.
    HashCollisions,
    /// A key's `Hash` panics.
    PanicInHash,
    /// A key's `Eq` or `Ord` panics.
    PanicInEq,
    /// The `Clone` of a key or a value panics.
    PanicInClone,
    /// The `Drop` of a key or a value panics, where nothing unwinds already.
    PanicInDrop,
    /// The visitor of an iteration, the predicate of `retain` or the reader of `get` panics.
    PanicInVisitor,
    /// An allocation of the map fails. Code that then aborts, as Rust's collections do, ends the execution.
    AllocationFailure,
    /// A block is aligned to no more than was asked for, or to 8 bytes: not all low bits of its address are free.
    MinimalAlignment,
    /// A weak compare-exchange fails though it found what it expected. Of C code: what Rust is compiled to does not
    /// tell weak from strong.
    WeakCasFailure,
    /// A futex wait ends though nobody woke it: condition variables wake for nothing. `std::thread::park` does not: the
    /// standard library parks again.
    SpuriousWake,
    /// A thread stalls in the midst of an operation, until no other can go on.
    StalledThread,
    /// The map is made to grow before an operation.
    ForcedGrowth,
    /// The map is made to shrink before an operation.
    ForcedShrink,
    /// Reclamation is driven before an operation.
    ForcedReclaim,
    /// Reclamation that is asked for is not driven, and a visitor keeps what it was given until no other thread can go
    /// on.
    DelayedReclamation,
    /// A thread ends with an iterator or guard that it left behind, or iterates while its thread-local variables are
    /// destroyed.
    ThreadExit,
    /// A future is dropped where it waits.
    DroppedFuture,
}

/// The faults there are: name, and what it does in a sentence.
pub const NAMES: &[(Fault, &str, &str)] = &[
    (Fault::AddressReuse, "address-reuse", "a freed block is handed out again at once"),
    (Fault::HashCollisions, "hash-collisions", "keys collide, in pairs or all of them"),
    (Fault::PanicInHash, "panic-in-hash", "a key's Hash panics"),
    (Fault::PanicInEq, "panic-in-eq", "a key's Eq or Ord panics"),
    (Fault::PanicInClone, "panic-in-clone", "the Clone of a key or value panics"),
    (Fault::PanicInDrop, "panic-in-drop", "the Drop of a key or value panics"),
    (Fault::PanicInVisitor, "panic-in-visitor", "a closure that the map was given panics"),
    (Fault::AllocationFailure, "allocation-failure", "an allocation of the map fails"),
    (Fault::MinimalAlignment, "minimal-alignment", "a block is aligned to no more than asked for"),
    (
        Fault::WeakCasFailure,
        "weak-cas-failure",
        "a weak compare-exchange of C code fails for nothing",
    ),
    (Fault::SpuriousWake, "spurious-wake", "a futex wait ends though nobody woke it"),
    (
        Fault::StalledThread,
        "stalled-thread",
        "a thread stalls for good in the midst of an operation",
    ),
    (Fault::ForcedGrowth, "forced-growth", "the map is made to grow before an operation"),
    (Fault::ForcedShrink, "forced-shrink", "the map is made to shrink before an operation"),
    (Fault::ForcedReclaim, "forced-reclaim", "reclamation is driven before an operation"),
    (
        Fault::DelayedReclamation,
        "delayed-reclamation",
        "reclamation is not driven, and a visitor keeps its references for long",
    ),
    (
        Fault::ThreadExit,
        "thread-exit",
        "a thread ends with a live guard, or iterates in its thread-local destructors",
    ),
    (Fault::DroppedFuture, "dropped-future", "a future is dropped where it waits"),
];

impl Fault {
    /// The fault with a name of [`NAMES`].
    ///
    /// # Errors
    /// A fragment that goes on after the name and lists those there are.
    ///
    /// ```
    /// use mapcheck::Fault;
    /// assert_eq!(Fault::by_name("address-reuse"), Ok(Fault::AddressReuse));
    /// ```
    pub fn by_name(name: &str) -> Result<Fault, String> {
        let found = NAMES.iter().find(|f| f.1 == name).map(|f| f.0);
        found.ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|f| f.1).collect();
            format!("is no fault; there are {}", names.join(", "))
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|f| f.0 == self).map_or("", |f| f.1)
    }

    /// The kind of choice that injects it; `None` for one that is drawn as data, when an execution begins.
    pub(crate) fn choice(self) -> Option<ChoiceKind> {
        Some(match self {
            Fault::HashCollisions => return None,
            Fault::AddressReuse => ChoiceKind::Reuse,
            Fault::PanicInHash
            | Fault::PanicInEq
            | Fault::PanicInClone
            | Fault::PanicInDrop
            | Fault::PanicInVisitor => ChoiceKind::Panic,
            Fault::AllocationFailure => ChoiceKind::Allocation,
            Fault::MinimalAlignment => ChoiceKind::Alignment,
            Fault::WeakCasFailure => ChoiceKind::WeakCas,
            Fault::SpuriousWake => ChoiceKind::Wake,
            Fault::StalledThread => ChoiceKind::Stall,
            Fault::ForcedGrowth | Fault::ForcedShrink | Fault::ForcedReclaim => ChoiceKind::Force,
            Fault::DelayedReclamation => ChoiceKind::Delay,
            Fault::ThreadExit => ChoiceKind::Exit,
            Fault::DroppedFuture => ChoiceKind::Cancel,
        })
    }
}

impl Fault {
    /// Whether it takes no other thread to show what it does: then one at each point in turn says most.
    pub(crate) fn is_local(self) -> bool {
        matches!(self.choice(), Some(ChoiceKind::Panic | ChoiceKind::Allocation))
    }
}

/// The kinds of choices that inject these.
pub(crate) fn choices(faults: &[Fault]) -> Choices {
    faults.iter().filter_map(|f| f.choice()).fold(Choices::NONE, Choices::with)
}

/// Which faults are switched on, a bit for each.
static ON: AtomicU32 = AtomicU32::new(0);

/// Whether a panic was injected in the execution under way.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Whether a fault has happened in this execution after which a map may be as a panic has left it. Known at once, since
/// another thread may come upon it while the panic still unwinds.
#[inline(never)]
pub(crate) fn cut_short() -> bool {
    PANICKED.load(Relaxed) || machine::allocation_failed()
}

/// Switches these on and all others off, for the rest of the process.
pub(crate) fn switch(faults: &[Fault]) {
    PANICKED.store(false, Relaxed);
    ON.store(faults.iter().fold(0, |on, f| on | 1 << *f as u32), Relaxed);
}

/// Switches these off for the execution under way. Not inlined, so that it is no access of the code under test.
#[inline(never)]
pub(crate) fn exclude(faults: &[Fault]) {
    faults.iter().for_each(|f| _ = ON.fetch_and(!(1 << *f as u32), Relaxed));
}

/// Whether it is switched on. Not inlined, so that it is no access of the code under test.
#[inline(never)]
pub(crate) fn is_on(fault: Fault) -> bool {
    ON.load(Relaxed) >> fault as u32 & 1 == 1
}

/// What an injected panic carries.
#[derive(Debug)]
pub(crate) struct Injected;

/// What an operation unwinds with that was given up.
#[derive(Debug)]
pub(crate) struct GivenUp;

/// A point at which user code that the map calls may panic.
#[inline(never)]
pub(crate) fn may_panic(fault: Fault) {
    if is_on(fault) && !std::thread::panicking() && machine::choose(ChoiceKind::Panic, 2) == 1 {
        PANICKED.store(true, Relaxed);
        // What unwinds may meet code that must not, and abort; and what it passes by need not be freed.
        machine::excuse_abort();
        machine::tolerate_leaks();
        resume_unwind(Box::new(Injected));
    }
}

/// Whether the future that waits here is to be dropped: a fault that whoever drives futures injects. It drops the
/// future, with all that it holds, and then calls [`give_up`].
#[inline(never)]
pub fn drops_future() -> bool {
    is_on(Fault::DroppedFuture) && machine::choose(ChoiceKind::Cancel, 2) == 1
}

/// Leaves the operation under way, which was given up: whether it took effect is not known. It unwinds to where the
/// framework called the map.
pub fn give_up() -> ! {
    resume_unwind(Box::new(GivenUp))
}

/// Which of the forced operations is to be done here.
#[inline(never)]
pub(crate) fn forced() -> Option<Fault> {
    let n = FORCED.into_iter().filter(|f| is_on(*f)).count() as u32;
    if n == 0 {
        return None;
    }
    let chosen = machine::choose(ChoiceKind::Force, 1 + n);
    nth_of(FORCED.into_iter().filter(|f| is_on(*f)), chosen)
}

/// What the map may be made to do.
const FORCED: [Fault; 3] = [Fault::ForcedGrowth, Fault::ForcedShrink, Fault::ForcedReclaim];

fn nth_of(mut on: impl Iterator<Item = Fault>, choice: u32) -> Option<Fault> {
    on.nth(choice.checked_sub(1)? as usize)
}

/// What this choice stands for where these faults are switched on.
pub(crate) fn nth_forced(faults: &[Fault], choice: u32) -> Option<Fault> {
    nth_of(FORCED.into_iter().filter(|f| faults.contains(f)), choice)
}

/// Whether what is due here is put off.
#[inline(never)]
pub(crate) fn delays() -> bool {
    is_on(Fault::DelayedReclamation) && machine::choose(ChoiceKind::Delay, 2) == 1
}

/// How a thread ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its last operation is its end.
    Plain,
    /// It leaves a guard behind.
    Abandoning,
    /// It iterates once more when its thread-local variables are destroyed; this was registered before its first
    /// operation.
    IteratingLast,
    /// As that, but registered after its last operation, so that it comes before most other destructors.
    IteratingFirst,
}

/// How the thread that begins is to end.
#[inline(never)]
pub(crate) fn ending() -> Ending {
    let choice = if is_on(Fault::ThreadExit) { machine::choose(ChoiceKind::Exit, 4) } else { 0 };
    match choice {
        1 => Ending::Abandoning,
        2 => Ending::IteratingLast,
        3 => Ending::IteratingFirst,
        _ => Ending::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_one_name_and_a_bit_of_its_own() {
        for (i, (fault, name, _)) in NAMES.iter().enumerate() {
            assert_eq!(*fault as usize, i);
            assert_eq!((Fault::by_name(name), fault.name()), (Ok(*fault), *name));
        }
        assert!(NAMES.len() <= 32);
    }

    #[test]
    fn all_choices_but_those_that_are_no_faults_inject_one() {
        let all: Vec<Fault> = NAMES.iter().map(|f| f.0).collect();
        for kind in ChoiceKind::ALL {
            assert_eq!(choices(&all).has(kind), !kind.is_no_fault(), "{kind:?}");
        }
    }
}
