//! Closures that tests explore, under libFuzzer.

use mapcheck_targets::closures;

mapcheck::fuzz_tests!(
    "entries_count_every_call" => closures::entries_count_every_call,
    "updates_survive_growth" => closures::updates_survive_growth,
    "the_front_is_taken_once" => closures::the_front_is_taken_once,
);
