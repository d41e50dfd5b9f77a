//! `cargo mapcheck bench`: what executions cost, what they cost the peers, and how that grows.
//!
//! Prints a line of JSON for each figure, which the command makes tables and plots of. What is compared is measured by
//! turns, so that whatever else the computer does slows all of it.

mod ask;
mod cost;
mod exhaust;
mod figure;
mod maps;
mod models;
mod numbers;
mod once;
mod peers;
mod scale;
mod work;

use std::process::ExitCode;

use mapcheck::Target;
use mapcheck::scenario::Scenario;

use self::ask::Ask;
use self::once::Once;

/// The subcommand of what is measured in a process of its own.
pub const NATIVE: &str = "bench-native";

/// Measures one group of figures and prints them.
type Group = fn(&Ask, &[Target]) -> Result<(), String>;

const GROUPS: [(&str, Group); 5] = [
    ("cost", cost::measure),
    ("scale", scale::measure),
    ("maps", maps::measure),
    ("peers", peers::measure),
    ("exhaust", exhaust::measure),
];

/// Measures what the environment asks for.
pub fn main(targets: &[Target]) -> ExitCode {
    code(Ask::from_env().and_then(|ask| {
        let wanted = GROUPS.iter().filter(|group| ask.wants(group.0));
        wanted.into_iter().try_for_each(|group| group.1(&ask, targets))
    }))
}

/// Runs what is measured in a process of its own.
pub fn native(targets: &[Target]) -> ExitCode {
    let words: Vec<String> = std::env::args().skip(2).collect();
    let sample = match &words[..] {
        [what, words @ ..] if what == "once" => {
            Once::read(words).ok_or("is not understood".to_owned()).and_then(|o| o.run(targets))
        }
        [what, name, executions] if what == "map" => maps::run_natively(name, executions),
        _ => Err(format!("{words:?} is not understood")),
    };
    code(sample.map(|sample| println!("{}", once::line_of(&sample))))
}

fn code(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("error: {what}");
            ExitCode::from(70)
        }
    }
}

/// Threads that each insert so many keys, iterate, and remove one.
fn scenario(threads: u32, inserts: u32) -> Scenario {
    let ops = |t: u32| {
        let first = inserts * t;
        let texts = [
            format!("insert {first}..{}", first + inserts),
            "iterate".to_owned(),
            format!("remove {}", first + inserts / 2),
        ];
        texts.iter().map(|op| op.parse().expect("these are operations")).collect()
    };
    let threads = (0..threads).map(ops).collect();
    Scenario { name: "bench".into(), threads, ..Scenario::default() }
}
