//! The fuzz target, which `cargo mapcheck fuzz` starts.
#![no_main]

mapcheck::fuzz_maps!(shardmap_checks::targets());
