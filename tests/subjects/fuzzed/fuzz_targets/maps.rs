//! The fuzz target.

mapcheck::fuzz_maps!(mapcheck_fuzzed::all());
