//! The models of Go's maps under libFuzzer: `cargo mapcheck fuzz`, or `cargo fuzz`.

mapcheck::fuzz_maps!(mapcheck_targets::go_models());
