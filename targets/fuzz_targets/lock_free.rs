//! The models of a lock-free map under libFuzzer: `cargo mapcheck fuzz`, or `cargo fuzz`.

mapcheck::fuzz_maps!(mapcheck_targets::lock_free_models());
