//! What can go wrong before a runner takes over, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use owo_colors::OwoColorize as _;

/// The command's exit codes, the same for every subcommand.
pub mod exit {
    /// Nothing was found.
    pub const CLEAN: i32 = 0;
    /// The command was asked for something it cannot do.
    pub const USAGE: i32 = 1;
    /// There is at least one finding.
    pub const FINDING: i32 = 2;
    /// The budget ended before the bound that was asked for.
    pub const BUDGET: i32 = 3;
    /// An adapter failed its self-check.
    pub const ADAPTER: i32 = 4;
    /// mapcheck itself went wrong.
    pub const INTERNAL: i32 = 70;
    /// It was asked twice to stop, and has saved nothing that was not saved yet.
    pub const KILLED: i32 = 130;
}

/// An error for people: what happened, lower-case; [`Error::help`] says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program could not be started.
    #[error("`{program}` could not be started: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A file or directory could not be written.
    #[error("{} could not be written: {source}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be read.
    #[error("{} could not be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The archive of stub callbacks did not compile.
    #[error("mapcheck's stub callbacks do not compile with this rustc:\n{0}")]
    Stubs(String),
    /// `cargo metadata` failed.
    #[error("cargo cannot read this workspace: {0}")]
    Metadata(String),
    /// A manifest is not what it should be.
    #[error("{}: {what}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// `rustc -vV` names no host.
    #[error("`rustc -vV` names no host platform")]
    NoHost,
    /// No package of the workspace, and no crate beside one, declares targets.
    #[error("no package of this workspace declares mapcheck targets")]
    NoTargets,
    /// No runner offers benchmarks.
    #[error("no package of this workspace has mapcheck benchmarks")]
    NoBench,
    /// Benchmarks that nobody declares.
    #[error("there is no group `{name}` of benchmarks")]
    UnknownGroup {
        /// What was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// What was kept of measuring is unusable.
    #[error("{} {what}", path.display())]
    Figures {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A page is there that would have to be overwritten.
    #[error("{} exists", path.display())]
    PageExists {
        /// The file.
        path: PathBuf,
    },
    /// A target that no runner declares.
    #[error("there is no target `{name}`")]
    UnknownTarget {
        /// What was asked for.
        name: String,
        /// The targets with a similar name.
        near: Vec<String>,
    },
    /// No target has a mutant of this name.
    #[error("no target has a mutant {0}")]
    UnknownMutant(String),
    /// A build failed for a reason that cargo's output explains.
    #[error("{what} does not build: see the compiler's messages above")]
    Build {
        /// What was being built.
        what: String,
    },
    /// cargo did not understand its arguments.
    #[error("cargo refuses these arguments: see its message above")]
    Arguments,
    /// rustc has nothing to link with.
    #[error("{what} does not build: rustc finds no linker")]
    Linker {
        /// What was being built.
        what: String,
    },
    /// The crate's own global allocator takes the place of the modelled heap.
    #[error(
        "this crate has its own #[global_allocator]; mapcheck needs that place for its modelled heap"
    )]
    Allocator,
    /// A runner stopped without saying how its run went.
    #[error("runner `{runner}` {how}")]
    Runner {
        /// The runner's package.
        runner: String,
        /// How it ended.
        how: String,
    },
    /// Another run writes to the out directory.
    #[error("{} is used by another run{}", path.display(), of_process(process))]
    OutTaken {
        /// The directory.
        path: PathBuf,
        /// The process of that run; empty if it is not known.
        process: String,
    },
    /// An earlier run's results cannot be moved.
    #[error("{} {what}", path.display())]
    OutOld {
        /// Where they would go.
        path: PathBuf,
        /// What keeps them from it.
        what: String,
    },
    /// No fuzz target has a target of a runner.
    #[error("package `{package}` has no fuzz target for `{target}`{}", and(why))]
    NoFuzzer {
        /// The package.
        package: String,
        /// The target.
        target: String,
        /// What is wrong with what the manifest says; empty if it says nothing.
        why: String,
    },
    /// A process of libFuzzer ended and said nothing of an input.
    #[error("fuzz target `{bin}` {how}; {} ends with:\n{last}", log.display())]
    Fuzzer {
        /// The binary.
        bin: String,
        /// How it ended.
        how: String,
        /// The exit code that this ends the command with.
        code: i32,
        /// What it printed.
        log: PathBuf,
        /// The last lines of that.
        last: String,
    },
    /// A file is no input of a fuzzer for any target.
    #[error("{} is no input of a fuzzer for a target of this workspace", path.display())]
    NoInput {
        /// The file.
        path: PathBuf,
    },
    /// A repro file is unusable.
    #[error("{} {what}", path.display())]
    Repro {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A repro that no regression test can be made of.
    #[error("{} {what}", path.display())]
    NoTest {
        /// The file.
        path: PathBuf,
        /// Why not.
        what: String,
    },
    /// A file is there that would have to be overwritten.
    #[error("{} exists, and is another", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A runner has said itself what is wrong; with the code that it ended with.
    #[error("")]
    Said(i32),
    /// An explanation is unusable.
    #[error("{} {what}", path.display())]
    Explanation {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A test that replayed a repro told no explanation.
    #[error("test `{test}` failed, and explained nothing")]
    Unexplained {
        /// The test.
        test: String,
    },
    /// A scenario file is unusable.
    #[error("{} is not a scenario: {what}", path.display())]
    Scenario {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// There is no out directory.
    #[error("{} is no directory", path.display())]
    NoResults {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A repro names a test that is gone.
    #[error("package `{package}` has no test `{test}`")]
    UnknownTest {
        /// The package.
        package: String,
        /// The test.
        test: String,
    },
}

impl Error {
    /// A program that could not be started.
    pub fn start(program: impl Into<String>, source: io::Error) -> Self {
        Self::Start { program: program.into(), source }
    }

    /// A path that could not be written.
    pub fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.to_owned(), source }
    }

    /// A path that could not be read.
    pub fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    /// What the reader can do next.
    pub fn help(&self) -> String {
        match self {
            Self::Start { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "check that it is installed and on the PATH; cargo and rustc come with rustup"
                    .into()
            }
            Self::Start { .. } => "check its permissions, and the limits on processes".into(),
            Self::Write { .. } => {
                "check the permissions and the space left, or set CARGO_TARGET_DIR".into()
            }
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "there is no such file: check the path, which is read from the current folder"
                    .into()
            }
            Self::Read { .. } => "check the path and the permissions".into(),
            Self::Stubs(_) | Self::NoHost => "report this with the output of `rustc -vV`".into(),
            Self::Metadata(what) if what.contains("could not find `Cargo.toml`") => {
                "run the command inside a cargo workspace".into()
            }
            Self::Metadata(_) => "mend the manifest; `cargo metadata` says the same of it".into(),
            Self::Manifest { .. } => {
                "write `[package.metadata.mapcheck]` with `targets = [\"name\"]`".into()
            }
            Self::NoTargets => {
                "for a map's own crate use `cargo mapcheck test`; a runner crate declares its \
                                targets in `[package.metadata.mapcheck]`"
                    .into()
            }
            Self::NoBench => "a runner with benchmarks says `runner = [\"GROUP\"]` in \
                 `[package.metadata.mapcheck.bench]`"
                .into(),
            Self::UnknownGroup { known, .. } => format!("there are {}", known.join(", ")),
            Self::UnknownTarget { near, .. } if near.is_empty() => {
                "`cargo mapcheck list` shows the targets".into()
            }
            Self::UnknownTarget { near, .. } => {
                format!("did you mean {}? `cargo mapcheck list` shows all", near.join(" or "))
            }
            Self::UnknownMutant(_) => "`cargo mapcheck list` shows the mutants there are".into(),
            Self::Arguments => {
                "what follows `cargo mapcheck test` is `cargo test`'s own: `cargo test --help`"
                    .into()
            }
            Self::Linker { .. } => {
                "install a C compiler, such as gcc or clang: rustc links with it".into()
            }
            Self::Build { .. } => "the first error is the one to mend".into(),
            Self::Allocator => "put it behind #[cfg(not(test))] or a feature".into(),
            Self::Runner { .. } => {
                "this is mapcheck's own fault: please report it with the command you gave".into()
            }
            _ => self.help_with_files(),
        }
    }

    /// The same of what is wrong with a file, a folder or what a file names.
    fn help_with_files(&self) -> String {
        match self {
            Self::OutTaken { .. } => {
                "wait for its end, or give this run a directory of its own with --out".into()
            }
            Self::OutOld { .. } => "move it away, or add to what is there with --add".into(),
            Self::NoFuzzer { .. } => "write a file of three lines in fuzz_targets/ with \
                 `mapcheck::fuzz_maps!`, a [[bin]] of it, and in the manifest \
                 `[package.metadata.mapcheck.fuzz]` with `BIN = [\"TARGET\"]`: docs/fuzzing.md"
                .into(),
            Self::Fuzzer { .. } => {
                "this is no finding: mend what it says, or report it with the command you gave"
                    .into()
            }
            Self::NoInput { .. } => {
                "it must be as libFuzzer wrote it; one that was cut off within \
                 its first two bytes does not say any more which target it is for"
                    .into()
            }
            Self::Repro { .. } => {
                "a repro is written by `cargo mapcheck check` into its --out directory".into()
            }
            Self::NoTest { .. } => {
                "docs/guide.md, \"A regression test of a finding\", says what can be exported"
                    .into()
            }
            Self::Exists { .. } => "give another with -o, or move it away".into(),
            Self::PageExists { .. } => "give another name with --html, or move it away".into(),
            Self::Figures { .. } => {
                "`cargo mapcheck bench --format json` prints what can be shown again".into()
            }
            Self::Explanation { .. } => {
                "`cargo mapcheck explain REPRO -o FILE.json` makes it".into()
            }
            Self::Unexplained { .. } => {
                "see its output above; the test must be of a crate with this version of mapcheck"
                    .into()
            }
            Self::Scenario { .. } => "docs/formats.md says what a scenario file is".into(),
            Self::NoResults { .. } => {
                "`cargo mapcheck check` makes it; --out says which one is meant".into()
            }
            Self::UnknownTest { .. } => {
                "the test was renamed or removed after the repro was made: check out the \
                                         commit it was made at"
                    .into()
            }
            _ => String::new(),
        }
    }

    /// The exit code this error ends the command with.
    pub fn code(&self) -> i32 {
        match self {
            Self::Runner { .. } | Self::Stubs(_) | Self::NoHost => exit::INTERNAL,
            Self::Fuzzer { code, .. } | Self::Said(code) => *code,
            _ => exit::USAGE,
        }
    }

    /// Prints the error and its help on stderr.
    pub fn print(&self) {
        if matches!(self, Self::Said(_)) {
            return;
        }
        anstream::eprintln!("{} {self}", "error:".red().bold());
        anstream::eprintln!("{} {}", "help:".cyan().bold(), self.help());
    }
}

/// `: why`.
fn and(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

/// `, process 7`.
fn of_process(process: &str) -> String {
    if process.is_empty() { String::new() } else { format!(", process {process}") }
}
