//! The published maps under libFuzzer: `cargo mapcheck fuzz`, or `cargo fuzz`.
#![no_main]

mapcheck::fuzz_maps!(mapcheck_targets::published());
