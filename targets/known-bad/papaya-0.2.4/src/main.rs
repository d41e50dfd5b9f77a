//! papaya 0.2.4: a blocking resize that gives up its table, because the elements do not fit, wakes those who wait for
//! the old table, and not those who wait for the one given up.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use mapcheck::Target;

// The adapter of the control, `papaya@blocking`, so that the version is all that differs.
#[path = "../../../src/papaya_blocking.rs"]
mod papaya_blocking;

const TARGET: Target = Target::of::<papaya_blocking::PapayaBlocking>(
    "papaya@0.2.4",
    "papaya",
    include_str!("../Cargo.lock"),
)
.without_collisions();

fn main() -> ExitCode {
    mapcheck::runner::main(&[TARGET])
}

#[cfg(test)]
mod tests {
    use super::TARGET;

    #[test]
    fn the_adapter_does_on_one_thread_what_the_trait_asks_for() {
        assert_eq!((TARGET.self_check)(), Ok(()));
    }

    #[test]
    fn the_lock_file_keeps_the_version_that_is_bad() {
        assert!(TARGET.versions().starts_with("papaya 0.2.4, "), "{}", TARGET.versions());
    }
}
