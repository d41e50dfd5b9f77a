//! The classic Go map beside a map that is surely right, under random operations: unmutated it
//! shows nothing, and each of its mutants something that it is documented to show.
//!
//! Mutants are switched on for the whole process, so what is here runs one after the other, in one
//! test.

mod go_trial;

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

use mapcheck::mutant::{Mutant, switch_for_test};
use mapcheck_targets::go::classic::mutants;

use go_trial::trial;

/// Trials of the unmutated map, and of each equivalent mutant.
const SILENT: u64 = 400;
/// Trials in which a mutant has to be found.
const ENOUGH: u64 = 10_000;
/// Mutants that are seen only while one thread writes and another reads.
const RACING: [&str; 2] = ["F29", "F30"];

/// What a trial shows: the name of a class of finding, and more.
fn violation(seed: u64) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(|| trial(seed))) {
        Ok(found) => found.err(),
        Err(panic) => Some(match panic.downcast::<String>() {
            Ok(said) => *said,
            Err(other) => format!("panic: {:?}", other.downcast_ref::<&str>()),
        }),
    }
}

fn first_violation(trials: u64) -> Option<(u64, String)> {
    (0..trials).find_map(|seed| violation(seed).map(|said| (seed, said)))
}

fn check(mutant: &'static Mutant) -> Result<(), String> {
    switch_for_test(Some(mutant));
    let trials = if mutant.equivalent() { SILENT } else { ENOUGH };
    let found = first_violation(trials);
    switch_for_test(None);
    println!("{:4} {:36} {found:?}", mutant.id, mutant.name);
    match found {
        None if mutant.equivalent() => Ok(()),
        None => Err(format!("{} was not found", mutant.id)),
        Some((_, said)) => {
            let documented = mutant.classes.iter().any(|class| said.starts_with(class.name()));
            if documented { Ok(()) } else { Err(format!("{} showed {said}", mutant.id)) }
        }
    }
}

#[test]
fn the_map_keeps_its_promises_and_each_mutant_breaks_one() {
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let unmutated = first_violation(SILENT);
    let sequential = mutants::ALL.iter().filter(|mutant| !RACING.contains(&mutant.id));
    let wrong: Vec<String> = sequential.filter_map(|mutant| check(mutant).err()).collect();
    set_hook(hook);
    assert_eq!((unmutated, wrong), (None, Vec::new()));
}
