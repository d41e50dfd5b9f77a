//! The maps in other languages under libFuzzer: `cargo mapcheck fuzz`, or `cargo fuzz run --fuzz-dir targets --features fuzz`.
#![no_main]

mapcheck::fuzz_maps!(mapcheck_targets::foreign());
