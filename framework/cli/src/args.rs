//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::help;

/// Fault-injection tests for concurrent maps.
#[derive(Debug, Parser)]
#[command(name = "cargo mapcheck", bin_name = "cargo mapcheck", version)]
#[command(after_help = help::COMMAND, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the targets with their contracts, the scenario families, faults and schedulers
    #[command(after_help = help::LIST)]
    List(List),
    /// Explore the executions of targets, within a budget
    #[command(after_help = help::CHECK)]
    Check(Box<Check>),
    /// Explore the executions of targets with libFuzzer, and make repros of what it finds
    #[command(after_help = FUZZ_EXAMPLES)]
    Fuzz(Box<Fuzz>),
    /// Make repros of files that libFuzzer wrote
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(Import),
    /// Run `cargo test` with instrumentation, in any crate
    #[command(after_help = help::TEST)]
    Test(Test),
    /// Replay a repro
    #[command(after_help = help::REPLAY)]
    Replay(Replay),
    /// Tell how a repro's finding came about: as text, or as a page
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(Explain),
    /// Make a repro's finding smaller
    #[command(after_help = help::SHRINK)]
    Shrink(Shrink),
    /// Write a regression test of a repro, for the map's own repository
    #[command(after_help = help::EXPORT_TEST)]
    ExportTest(ExportTest),
    /// Show what runs have found that the corpus does not know, and accept or reject it
    #[command(after_help = help::REVIEW)]
    Review(Review),
    /// Look for every mutant of the catalogue, and tell how soon it is found
    #[command(after_help = help::FAULTS)]
    Faults(Box<Faults>),
    /// Run each pattern of deletion against each target, and tell which promises were kept
    #[command(after_help = help::MATRIX)]
    Matrix(Box<Matrix>),
    /// Measure what executions cost, side by side with other tools: ratios, medians and their spread
    #[command(after_help = help::BENCH)]
    Bench(Bench),
    /// Print what makes a shell complete this command
    #[command(after_help = help::COMPLETIONS)]
    Completions(Completions),
}

const FUZZ_EXAMPLES: &str = "\
Examples:
  cargo mapcheck fuzz lock-free-map                             one minute, all processors
  cargo mapcheck fuzz go-map go-swiss-map --time 10m            ten minutes each
  cargo mapcheck fuzz lock-free-map --fault F34                 with a mistake switched on
  cargo mapcheck fuzz papaya --corpus corpus --keep-going       begin with the inputs kept, keep more
  cargo mapcheck fuzz --list                                    what can be fuzzed
  cargo mapcheck fuzz --build-only                              binaries that run anywhere";
const IMPORT_EXAMPLES: &str = "\
Examples:
  cargo mapcheck import targets/artifacts/lock_free/crash-2f1a      what cargo fuzz has found
  cargo mapcheck import --fault F34 crash-*                         made with a mistake switched on";
const EXPLAIN_EXAMPLES: &str = "\
Examples:
  cargo mapcheck explain mapcheck.out/papaya/leak-2f1a.toml     on the terminal
  cargo mapcheck explain leak-2f1a.toml -o leak.html            a page that needs nothing else
  cargo mapcheck explain leak-2f1a.toml -o leak.md              for a bug report
  cargo mapcheck explain leak-2f1a.toml -o leak.json            for programs
  cargo mapcheck explain leak.json -o leak.html                 of an explanation kept, without a replay";

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
#[derive(Debug, Default, Args)]
pub struct Budget {
    /// Stop after so many executions of a target
    #[arg(long, value_name = "N", value_parser = whole)]
    pub executions: Option<u64>,
    /// Stop after this time, such as 500ms, 30s, 10m or 2h
    #[arg(long, value_parser = duration)]
    pub time: Option<String>,
    /// Start the random decisions from this number
    #[arg(long, value_name = "N", value_parser = whole)]
    pub seed: Option<u64>,
    /// Executions of a scenario before the next has its turn; unless given few at first, and more later
    #[arg(long, value_name = "N", value_parser = above_zero)]
    pub batch: Option<u64>,
    /// How many worker processes run at one time; as many as processors unless given
    #[arg(long, value_name = "N", value_parser = whole)]
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
    #[arg(long, value_name = "N", value_parser = above_zero)]
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
    #[arg(long, value_name = "N", value_parser = whole)]
    pub bound: Option<u64>,
    /// Explore only this part of the executions, such as 2/8
    #[arg(long, value_name = "I/N")]
    pub shard: Option<String>,
    /// How many threads a scenario has
    #[arg(long, value_name = "N")]
    pub threads: Option<u32>,
    /// Schedule points after which an execution counts as not ending
    #[arg(long, value_name = "N", value_parser = whole)]
    pub steps: Option<u64>,
    /// After so many points without a completed operation look for a livelock
    #[arg(long, value_name = "N", value_parser = whole)]
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

/// Arguments of `fuzz`.
#[derive(Debug, Args)]
pub struct Fuzz {
    /// Targets, one after the other, each with all of the budget; a minute unless one is given
    #[arg(value_name = "TARGET", required_unless_present_any = ["list", "build_only"])]
    pub targets: Vec<String>,
    /// Show the targets that can be fuzzed, each with the fuzz target that does it, and do nothing else
    #[arg(long, conflicts_with = "build_only")]
    pub list: bool,
    /// Build the fuzz targets, of all targets unless some are named, show where they are, and run none
    #[arg(long)]
    pub build_only: bool,
    /// Inject this fault, or switch this mutant of the target on; may be given several times
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<String>,
    /// How much is explored, and where it goes
    #[command(flatten)]
    pub budget: Budget,
    /// Go on after a finding, until the budget ends
    #[arg(long)]
    pub keep_going: bool,
    /// Pass over what has a repro in this folder; may be given several times
    #[arg(long = "known", value_name = "DIR")]
    pub known: Vec<PathBuf>,
    /// Begin with the inputs in DIR/inputs, add there what shows more, and pass over what DIR knows
    #[arg(long, value_name = "DIR")]
    pub corpus: Option<PathBuf>,
    /// Whether libFuzzer is told where threads communicated, besides which branches were taken
    #[arg(long, value_name = "on|off", default_value = "on")]
    pub interleavings: Switch,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// It is told of both
    On,
    /// It is told of branches alone
    Off,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct Import {
    /// Files that libFuzzer wrote, such as crash-2f1a
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// What was injected or switched on when it was found; may be given several times
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<String>,
    /// Pass over what has a repro in this folder; may be given several times
    #[arg(long = "known", value_name = "DIR")]
    pub known: Vec<PathBuf>,
    /// Where repros are written; mapcheck.out unless given
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How to print the results
    #[arg(long)]
    pub format: Option<Format>,
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
    #[arg(long, value_name = "N", value_parser = above_zero)]
    pub times: Option<u64>,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The repro file, or an explanation that was written as FILE.json
    pub repro: PathBuf,
    /// Write it to this file, whose name ends with .html, .md or .json
    #[arg(short, long, value_name = "FILE", value_parser = explained)]
    pub output: Option<PathBuf>,
}

/// What an explanation is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// A page.
    Html,
    /// Text.
    Markdown,
    /// As the runner told it.
    Json,
}

impl Written {
    /// What a file of this name is to be.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "html" => Some(Self::Html),
            "md" => Some(Self::Markdown),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Accepts the name of a file that an explanation can be written to.
fn explained(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match Written::of(&path) {
        Some(_) => Ok(path),
        None => Err("it must end with .html, .md or .json, which says what is written".into()),
    }
}

/// Arguments of `shrink`.
#[derive(Debug, Args)]
pub struct Shrink {
    /// The repro file
    pub repro: PathBuf,
}

/// Arguments of `export-test`.
#[derive(Debug, Args)]
pub struct ExportTest {
    /// The repro file
    pub repro: PathBuf,
    /// Where the test is written; tests/regression_CLASS_HASH.rs unless given
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// For which shell
    pub shell: Shell,
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

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct Bench {
    /// What to measure, such as cost or peers; all but `faults` unless given
    #[arg(value_name = "GROUP")]
    pub groups: Vec<String>,
    /// Smaller sizes and fewer samples: enough to see that it runs, and little more
    #[arg(long)]
    pub quick: bool,
    /// How many samples are taken of each figure
    #[arg(long, value_name = "N", value_parser = above_zero)]
    pub samples: Option<u64>,
    /// Measure nothing, and show again what --format json has printed into this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["groups", "quick", "samples"])]
    pub from: Option<PathBuf>,
    /// Write a page with plots to this file, too, which must be a new one; - prints the page alone
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// How to print the results
    #[arg(long)]
    pub format: Option<Format>,
}

/// Accepts a whole number and a unit, and hands it on as written.
fn duration(text: &str) -> Result<String, String> {
    match time(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("a time is a whole number and ms, s, m or h, such as 30s".into()),
    }
}

/// A whole number.
fn whole(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "it is a whole number, without separators, such as 20000".into())
}

/// A whole number that is not 0.
fn above_zero(text: &str) -> Result<u64, String> {
    match whole(text)? {
        0 => Err("it is at least 1".into()),
        number => Ok(number),
    }
}

/// A time that is given as a whole number and a unit, as runners read it; `None` for anything else.
pub fn time(text: &str) -> Option<Duration> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let number: u64 = text[..text.len() - unit.len()].parse().ok()?;
    Some(Duration::from_millis(number.saturating_mul(millis)))
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
    fn every_subcommand_shows_examples_and_fits_the_screen() {
        let mut command = <Cli as clap::CommandFactory>::command();
        command.build();
        let subcommands = command.get_subcommands().filter(|c| c.get_name() != "help").cloned();
        for mut command in subcommands.collect::<Vec<_>>().into_iter().chain([command]) {
            let help = command.render_long_help().to_string();
            assert!(help.contains("\nExamples:\n"), "{help}");
            let wide: Vec<_> = help.lines().filter(|line| line.chars().count() > 100).collect();
            assert!(wide.is_empty(), "{}: {wide:?}", command.get_name());
        }
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
    fn fuzzing_has_check_s_budget_and_switches_of_its_own() {
        let line = "cargo-mapcheck fuzz a b --time 90s --workers 3 --seed 7 --fault F26 --fault x \
                    --known k --corpus c --out o --keep-going --interleavings off --format json";
        let Command::Fuzz(fuzz) =
            cli(&line.split_whitespace().collect::<Vec<_>>().join(" ")).unwrap().command
        else {
            panic!("not fuzz");
        };
        assert_eq!(
            (&fuzz.targets[..], &fuzz.faults[..]),
            (&["a", "b"].map(String::from)[..], &["F26", "x"].map(String::from)[..])
        );
        assert_eq!((fuzz.budget.workers, fuzz.budget.seed), (Some(3), Some(7)));
        assert_eq!((fuzz.keep_going, fuzz.interleavings), (true, Switch::Off));
        assert!(cli("cargo-mapcheck fuzz").is_err(), "it says which target");
        assert!(cli("cargo-mapcheck fuzz a --interleavings some").is_err());
        assert!(cli("cargo-mapcheck import").is_err(), "it says which file");
    }

    #[test]
    fn a_number_is_refused_with_what_it_should_be() {
        for wrong in ["1,000", "1e6", "-1", "many", ""] {
            assert!(whole(wrong).unwrap_err().contains("such as 20000"), "{wrong}");
        }
        assert_eq!((whole("7"), above_zero("7")), (Ok(7), Ok(7)));
        assert_eq!(above_zero("0").unwrap_err(), "it is at least 1");
    }

    #[test]
    fn an_explanation_is_what_the_file_s_name_ends_with() {
        let written = |name: &str| {
            let cli = cli(&format!("cargo-mapcheck explain r.toml -o {name}"))?;
            let Command::Explain(explain) = cli.command else { panic!("not explain") };
            Ok::<_, clap::Error>(Written::of(&explain.output.unwrap()))
        };
        let wanted =
            [("a.html", Written::Html), ("b.md", Written::Markdown), ("C.JSON", Written::Json)];
        for (name, wanted) in wanted {
            assert_eq!(written(name).unwrap(), Some(wanted));
        }
        let said = written("a.txt").unwrap_err().to_string();
        assert!(said.contains(".html, .md or .json"), "{said}");
        assert!(written("html").is_err(), "a name alone says nothing");
    }

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(duration("30s").as_deref(), Ok("30s"));
        assert_eq!(time("2m"), Some(Duration::from_secs(120)));
        for wrong in ["30", "s", "", "30 s", "30d", "-1s", "18446744073709551616s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
