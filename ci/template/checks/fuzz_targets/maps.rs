//! The fuzz target, which `cargo mapcheck fuzz` starts.

mapcheck::fuzz_maps!(shardmap_checks::targets());
