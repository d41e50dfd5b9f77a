//! Fuzzes what reads lines of JSON; the properties are in `mapcheck_targets::parsers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mapcheck_targets::parsers::json(bytes));
