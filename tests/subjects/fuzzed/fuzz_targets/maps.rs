//! The fuzz target.
#![no_main]

mapcheck::fuzz_maps!(mapcheck_fuzzed::all());
