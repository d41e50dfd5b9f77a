//! The models of Go's maps under libFuzzer: `cargo mapcheck fuzz`, or `cargo fuzz run --fuzz-dir targets --features fuzz`.
#![no_main]

mapcheck::fuzz_maps!(mapcheck_targets::go_models());
