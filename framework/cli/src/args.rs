//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Fault-injection tests for concurrent maps.
#[derive(Debug, Parser)]
#[command(name = "cargo mapcheck", bin_name = "cargo mapcheck", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the targets with their contracts, the scenario families, faults and schedulers
    List(List),
    /// Explore the executions of targets, within a budget
    Check(Box<Check>),
    /// Run `cargo test` with instrumentation, in any crate
    Test(Test),
    /// Replay a repro
    Replay(Replay),
    /// Make a repro's finding smaller
    Shrink(Shrink),
    /// Show what runs have found that the corpus does not know, and accept or reject it
    Review(Review),
    /// Look for every mutant of the catalogue, and tell how soon it is found
    Faults(Box<Faults>),
    /// Run each pattern of deletion against each target, and tell which promises were kept
    Matrix(Box<Matrix>),
    /// Measure executions and schedule points a second
    Bench,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Format {
    /// The name, as runners read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct List {
    /// How to print it
    #[arg(long)]
    pub format: Option<Format>,
}

/// What every exploring command has. What is not given is left to the runner.
#[derive(Debug, Args)]
pub struct Budget {
    /// Stop after so many executions of a target
    #[arg(long, value_name = "N")]
    pub executions: Option<u64>,
    /// Stop after this time, such as 500ms, 30s, 10m or 2h
    #[arg(long, value_parser = duration)]
    pub time: Option<String>,
    /// Start the random decisions from this number
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How many worker processes run at one time; as many as processors unless given
    #[arg(long, value_name = "N")]
    pub workers: Option<u64>,
    /// Where repros are written
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How to print the results
    #[arg(long)]
    pub format: Option<Format>,
}

/// Arguments of `faults`.
#[derive(Debug, Args)]
pub struct Faults {
    /// Mutants, such as F26 or delete-without-barrier; all of them unless given
    #[arg(value_name = "MUTANT")]
    pub mutants: Vec<String>,
    /// What runs the executions: native, shuttle or loom; may be given several times, all unless given
    #[arg(long = "engine", value_name = "ENGINE")]
    pub engines: Vec<String>,
    /// Compare schedulers: look for each mutant with so many seeds, and for what known-bad targets have
    #[arg(long, value_name = "N")]
    pub seeds: Option<u64>,
    /// Which scheduler picks the next thread; with --seeds it may be given several times
    #[arg(long = "scheduler", value_name = "SCHEDULER")]
    pub schedulers: Vec<String>,
    /// How much is explored for each mutant, and where it goes
    #[command(flatten)]
    pub budget: Budget,
}

/// Arguments of `matrix`.
#[derive(Debug, Args)]
pub struct Matrix {
    /// Targets; all of them unless given, the known-bad ones too
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,
    /// A column for this fault in place of the patterns; may be given several times, or be `all`
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<String>,
    /// Leave out what has a repro in this folder; may be given several times
    #[arg(long = "known", value_name = "DIR")]
    pub known: Vec<PathBuf>,
    /// Write the matrix as a page to this file, too
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// How much is explored for each cell
    #[command(flatten)]
    pub budget: Budget,
}

/// Arguments of `check`. What is not given is left to the runner.
#[derive(Debug, Args)]
pub struct Check {
    /// Targets, as `cargo mapcheck list` shows them
    #[arg(value_name = "TARGET", required = true)]
    pub targets: Vec<String>,
    /// Only scenarios whose name begins like this; or the one in a file, such as FILE.toml
    #[arg(long)]
    pub scenario: Option<String>,
    /// Which scheduler picks the next thread
    #[arg(long)]
    pub scheduler: Option<String>,
    /// What runs the executions: native, shuttle or loom
    #[arg(long)]
    pub engine: Option<String>,
    /// Inject this fault; may be given several times
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<String>,
    /// How much is explored, and where it goes
    #[command(flatten)]
    pub budget: Budget,
    /// Stop each execution's preemptions at this number
    #[arg(long, value_name = "N")]
    pub bound: Option<u64>,
    /// Explore only this part of the executions, such as 2/8
    #[arg(long, value_name = "I/N")]
    pub shard: Option<String>,
    /// How many threads a scenario has
    #[arg(long, value_name = "N")]
    pub threads: Option<u32>,
    /// Schedule points after which an execution counts as not ending
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// After so many points without a completed operation look for a livelock
    #[arg(long, value_name = "N")]
    pub patience: Option<u64>,
    /// In each execution, suspend all threads but one until that one has completed its operation
    #[arg(long)]
    pub obstruction_freedom: bool,
    /// Do not tell data races in functions with this in their names, but count them
    #[arg(long = "accept-race", value_name = "SYMBOL")]
    pub accept_races: Vec<String>,
    /// Go on after a finding, until the budget ends
    #[arg(long)]
    pub keep_going: bool,
    /// Go on with a run that was ended before its time, of the same settings
    #[arg(long, conflicts_with = "add")]
    pub resume: bool,
    /// Add to the out directory, and do not move an earlier run's results away
    #[arg(long)]
    pub add: bool,
    /// Count what has a repro in this folder, and do not tell it; may be given several times
    #[arg(long = "known", value_name = "DIR")]
    pub known: Vec<PathBuf>,
}

/// Arguments of `test`: cargo test's own.
#[derive(Debug, Args)]
pub struct Test {
    /// cargo test's own arguments
    #[arg(
        value_name = "CARGO TEST ARGUMENTS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub args: Vec<OsString>,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// The repro file
    pub repro: PathBuf,
    /// How many times to replay it
    #[arg(long, value_name = "N")]
    pub times: Option<u64>,
}

/// Arguments of `shrink`.
#[derive(Debug, Args)]
pub struct Shrink {
    /// The repro file
    pub repro: PathBuf,
}

/// Arguments of `review`.
#[derive(Debug, Args)]
pub struct Review {
    /// The out directory whose findings are reviewed; mapcheck.out unless given
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The folder with the repros of what is known
    #[arg(long, value_name = "DIR", default_value = "corpus")]
    pub corpus: PathBuf,
    /// Copy this repro or scenario to the corpus, or all that is new; may be given several times
    #[arg(long = "accept", value_name = "REPRO|all")]
    pub accept: Vec<PathBuf>,
    /// Move this repro to the corpus's rejected ones, or all that is new; may be given several times
    #[arg(long = "reject", value_name = "REPRO|all")]
    pub reject: Vec<PathBuf>,
    /// Why it is rejected
    #[arg(long, value_name = "TEXT", requires = "reject")]
    pub because: Option<String>,
    /// How to print it
    #[arg(long)]
    pub format: Option<Format>,
}

/// Accepts a whole number and a unit, and hands it on as written.
fn duration(text: &str) -> Result<String, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let known = ["ms", "s", "m", "h"].contains(&unit);
    // Runners count it so, and would refuse what does not fit.
    if known && text[..text.len() - unit.len()].parse::<u64>().is_ok() {
        Ok(text.to_owned())
    } else {
        Err("a time is a whole number and ms, s, m or h, such as 30s".into())
    }
}

/// Reads the process's arguments, with or without the `mapcheck` that cargo puts first.
///
/// # Errors
/// clap's: a wrong usage, or a request for help or the version.
pub fn parse(mut args: Vec<OsString>) -> Result<Cli, clap::Error> {
    if args.get(1).is_some_and(|arg| arg == "mapcheck") {
        args.remove(1);
    }
    let mut cli = Cli::try_parse_from(&args)?;
    if let Command::Test(test) = &mut cli.command {
        // clap would swallow a leading `--`, which is cargo's to read.
        // The first word is the program's name, which may be anything.
        let found = args.iter().skip(1).position(|arg| arg == "test");
        let start = found.map_or(args.len(), |at| at + 2);
        test.args = args.split_off(start);
    }
    Ok(cli)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cli(line: &str) -> Result<Cli, clap::Error> {
        parse(line.split(' ').map(OsString::from).collect())
    }

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn cargo_s_own_first_argument_is_accepted() {
        assert!(matches!(cli("cargo-mapcheck mapcheck list").unwrap().command, Command::List(_)));
        assert!(matches!(cli("cargo-mapcheck list").unwrap().command, Command::List(_)));
    }

    #[test]
    fn test_hands_on_every_argument_as_it_is() {
        for rest in ["-- --nocapture", "name -- --exact", "--lib --all-features", "-p a test"] {
            let Command::Test(test) =
                cli(&format!("cargo-mapcheck mapcheck test {rest}")).unwrap().command
            else {
                panic!("not test");
            };
            assert_eq!(test.args.join(" ".as_ref()), rest);
        }
    }

    #[test]
    fn a_program_may_have_the_name_of_a_subcommand() {
        let Command::Test(test) = cli("test test --lib").unwrap().command else {
            panic!("not test");
        };
        assert_eq!(test.args, ["--lib"]);
    }

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(duration("30s").as_deref(), Ok("30s"));
        for wrong in ["30", "s", "", "30 s", "30d", "-1s", "18446744073709551616s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
