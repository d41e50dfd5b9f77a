//! What its fuzz target fuzzes, explored.

#[test]
fn no_count_is_lost() {
    mapcheck::explore(mapcheck_fuzzed::count);
}
