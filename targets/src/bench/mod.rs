//! `cargo mapcheck bench`: what a schedule point, a switch and an execution cost.

mod models;
mod once;

use std::process::ExitCode;

use mapcheck::Target;
use mapcheck::scenario::Scenario;

use self::once::Once;

/// The subcommand of what is measured in a process of its own.
pub const NATIVE: &str = "bench-native";

/// Runs what is measured in a process of its own.
pub fn native(targets: &[Target]) -> ExitCode {
    let words: Vec<String> = std::env::args().skip(3).collect();
    let Some(once) = Once::read(&words) else {
        eprintln!("error: {words:?} is not understood");
        return ExitCode::from(1);
    };
    match once.run(targets) {
        Ok(sample) => println!("{}", once::line_of(&sample)),
        Err(what) => {
            eprintln!("error: {what}");
            return ExitCode::from(70);
        }
    }
    ExitCode::SUCCESS
}

/// A scenario that all engines manage: each thread inserts two keys, iterates, and removes one.
fn small(threads: u32) -> Scenario {
    let ops = |t: u32| {
        let texts = [
            format!("insert {}..{}", 2 * t, 2 * t + 2),
            "iterate".to_owned(),
            format!("remove {}", 2 * t),
        ];
        texts.iter().map(|op| op.parse().expect("these are operations")).collect()
    };
    Scenario { name: "small".into(), threads: (0..threads).map(ops).collect(), ..Scenario::default() }
}
