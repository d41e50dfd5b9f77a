//! The command `cargo mapcheck`; all of it but its start is in the library.
#![forbid(unsafe_code)]

fn main() {
    std::process::exit(cargo_mapcheck::main(std::env::args_os().collect()));
}
