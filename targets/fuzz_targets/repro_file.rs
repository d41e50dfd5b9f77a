//! Fuzzes what reads repros, scenarios and decisions; the properties are in `mapcheck_targets::parsers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mapcheck_targets::parsers::repro_file(bytes));
