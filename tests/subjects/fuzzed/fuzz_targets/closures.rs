//! The fuzz target of what a test explores.

mapcheck::fuzz_tests!("no_count_is_lost" => mapcheck_fuzzed::count);
