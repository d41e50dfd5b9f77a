//! The published maps under libFuzzer: `cargo mapcheck fuzz`, or `cargo fuzz`.

mapcheck::fuzz_maps!(mapcheck_targets::published());
