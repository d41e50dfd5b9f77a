//! Rewrites the outputs of commands that README.md and `docs/` quote: `cargo run -p mapcheck-tests --bin
//! quote-outputs`. With `--slow` also those of commands that take minutes.
#![forbid(unsafe_code)]

use mapcheck_tests::documents::{documents, rewritten};
use mapcheck_tests::read;

fn main() {
    let slow_too = std::env::args().any(|arg| arg == "--slow");
    for path in documents() {
        let old = read(&path);
        let new = rewritten(&old, slow_too);
        if new != old {
            std::fs::write(&path, new)
                .unwrap_or_else(|e| panic!("{} cannot be written: {e}", path.display()));
            println!("rewritten: {}", path.display());
        }
    }
}
