//! The maps in other languages under libFuzzer: `cargo mapcheck fuzz`, or `cargo fuzz`.

mapcheck::fuzz_maps!(mapcheck_targets::foreign());
