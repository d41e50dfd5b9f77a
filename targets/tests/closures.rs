//! The programs that the fuzz target `closures` fuzzes, explored: its repros are replayed here.

use mapcheck_targets::closures;

#[test]
fn entries_count_every_call() {
    mapcheck::explore(closures::entries_count_every_call);
}

#[test]
fn updates_survive_growth() {
    mapcheck::explore(closures::updates_survive_growth);
}

#[test]
fn the_front_is_taken_once() {
    mapcheck::explore(closures::the_front_is_taken_once);
}
