//! How a target is fuzzed: where, for how long, and with which processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::args::{self, Fuzz, Switch};
use crate::cargo::Cargo;
use crate::commands::check::{absolute, from_env, known, workers};
use crate::commands::list::wants_json;
use crate::corpus::folder_name;
use crate::error::Error;
use crate::fuzzers::Fuzzer;
use crate::runners::Runner;

/// How long a target is fuzzed if nobody says how long or how much.
const TIME: Duration = Duration::from_secs(60);

/// How one target is fuzzed.
#[derive(Debug)]
pub struct Plan {
    pub target: String,
    /// The fuzz target's binary.
    pub bin: String,
    /// What starts libFuzzer, without its arguments.
    fuzzer: Command,
    /// What starts the runner, without its arguments; `None` for a closure, which the runner does not know.
    runner: Option<Command>,
    /// The target's folder of the out directory.
    pub folder: PathBuf,
    /// Inputs to begin with, and to add to.
    pub kept: Option<PathBuf>,
    pub workers: usize,
    /// Executions of all workers.
    pub executions: Option<u64>,
    pub time: Option<Duration>,
    pub seed: u64,
    pub keep_going: bool,
}

impl Plan {
    /// The plan of a target whose binaries are built, with results below `out`.
    ///
    /// # Errors
    /// When a folder's name cannot be handed on, or the seed is no number.
    pub fn new(
        fuzz: &Fuzz,
        target: &str,
        built: (&Runner, &Fuzzer),
        cargo: &Cargo,
        out: &Path,
    ) -> Result<Self, Error> {
        let (runner, Fuzzer { bin, knows_alone, .. }) = built;
        let mut commands = [runner.command_of(cargo, bin), runner.command(cargo)];
        for command in &mut commands {
            settings(command, fuzz, out)?;
            command.env("MAPCHECK_TARGETS", target);
        }
        let [fuzzer, runner] = commands;
        let number = |given: Option<u64>, name: &str| {
            given.or_else(|| from_env(name).and_then(|n| n.parse().ok()))
        };
        let executions = number(fuzz.budget.executions, "MAPCHECK_EXECUTIONS");
        let time = fuzz.budget.time.clone().or_else(|| from_env("MAPCHECK_TIME"));
        let time = time.and_then(|time| args::time(&time));
        let inputs_of = |corpus: &PathBuf| corpus.join("inputs").join(folder_name(target));
        Ok(Self {
            target: target.to_owned(),
            bin: bin.clone(),
            fuzzer,
            runner: Some(runner).filter(|_| !knows_alone),
            folder: out.join(folder_name(target)),
            kept: fuzz.corpus.as_ref().map(inputs_of),
            workers: workers(&fuzz.budget),
            executions,
            time: if executions.is_none() { time.or(Some(TIME)) } else { time },
            seed: number(fuzz.budget.seed, "MAPCHECK_SEED").unwrap_or(0),
            keep_going: fuzz.keep_going,
        })
    }

    /// Where the inputs are that the processes share.
    pub fn inputs(&self) -> PathBuf {
        self.folder.join("fuzz/inputs")
    }

    /// Where libFuzzer writes what it did not survive.
    pub fn artifacts(&self) -> PathBuf {
        self.folder.join("fuzz/artifacts")
    }

    /// Where that goes when there is a repro of it.
    pub fn imported(&self) -> PathBuf {
        self.folder.join("fuzz/imported")
    }

    /// What a process of libFuzzer prints.
    pub fn log(&self, number: &str) -> PathBuf {
        self.folder.join(format!("fuzz/log-{number}.txt"))
    }

    /// Makes the folders.
    pub fn prepare(&self) -> Result<(), Error> {
        let all = [self.inputs(), self.artifacts(), self.imported()];
        all.iter().try_for_each(|dir| fs::create_dir_all(dir).map_err(|e| Error::write(dir, e)))
    }

    /// The `start`th process of a worker, with so many executions; no end of them unless given.
    pub fn worker(&self, number: usize, start: u64, executions: Option<u64>) -> Command {
        let mut command = copy(&self.fuzzer);
        command.arg(self.inputs());
        command.args(self.kept.iter().filter(|dir| dir.is_dir()));
        // Its own is taken from the time if that is 0.
        let seed = self.seed.wrapping_add(start << 16).wrapping_mul(self.workers as u64);
        let seed = (seed.wrapping_add(number as u64) % u64::from(u32::MAX)) + 1;
        // What takes long is changed less often: others show more in the same time.
        command.arg(format!("-seed={seed}")).arg("-entropic_scale_per_exec_time=1");
        command.arg("-print_final_stats=1");
        command.arg(format!("-artifact_prefix={}/", self.artifacts().display()));
        command.args(executions.map(|n| format!("-runs={}", n.min(i32::MAX as u64))));
        command
    }

    /// What adds to one folder the inputs of another that show what those in it do not.
    pub fn merge(&self, into: &Path) -> Command {
        let mut command = copy(&self.fuzzer);
        command.arg("-set_cover_merge=1").arg(into).arg(self.inputs());
        command
    }

    /// What makes a repro of an artifact.
    pub fn import(&self, artifact: &Path) -> Command {
        let mut command = copy(self.runner.as_ref().unwrap_or(&self.fuzzer));
        match self.runner {
            Some(_) => command.arg("import").arg(artifact),
            None => command.env("MAPCHECK_IMPORT", artifact),
        };
        command
    }

    /// The repros of the target so far.
    pub fn repros(&self) -> usize {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.filter(|e| e.path().extension().is_some_and(|e| e == "toml")).count()
    }
}

/// How many files a folder has.
pub fn count(dir: &Path) -> usize {
    fs::read_dir(dir).into_iter().flatten().flatten().filter(|entry| entry.path().is_file()).count()
}

/// The same command once more.
fn copy(command: &Command) -> Command {
    let mut copy = Command::new(command.get_program());
    copy.args(command.get_args());
    copy.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    copy
}

/// Hands on the settings that matter to one execution, and what is known.
///
/// # Errors
/// When a folder's name cannot be handed on.
pub fn settings(command: &mut Command, fuzz: &Fuzz, out: &Path) -> Result<(), Error> {
    let json = wants_json(fuzz.budget.format);
    command.env("MAPCHECK_OUT", out).env("MAPCHECK_FORMAT", if json { "json" } else { "text" });
    command.envs(fuzz.budget.seed.map(|seed| ("MAPCHECK_SEED", seed.to_string())));
    if !fuzz.faults.is_empty() {
        command.env("MAPCHECK_FAULTS", fuzz.faults.join(","));
    }
    if fuzz.interleavings == Switch::Off {
        command.env("MAPCHECK_INTERLEAVINGS", "0");
    }
    let corpus = fuzz.corpus.iter().filter(|dir| dir.is_dir()).cloned();
    known_beside(command, fuzz.known.iter().cloned().chain(corpus), out)
}

/// Hands on the folders with what is known, and the one that is written to.
///
/// # Errors
/// When a folder's name cannot be handed on.
pub fn known_beside(
    command: &mut Command,
    folders: impl Iterator<Item = PathBuf>,
    out: &Path,
) -> Result<(), Error> {
    let mut folders: Vec<PathBuf> = folders.collect();
    if folders.is_empty() {
        let from_env = std::env::var_os("MAPCHECK_KNOWN").unwrap_or_default();
        folders.extend(std::env::split_paths(&from_env).filter(|dir| !dir.as_os_str().is_empty()));
    }
    let folders: Vec<PathBuf> =
        folders.iter().map(|dir| absolute(dir)).collect::<Result<_, _>>()?;
    known(command, &[folders, vec![out.to_owned()]].concat())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A plan for two workers.
    pub fn plan(folder: &Path) -> Plan {
        Plan {
            target: "map".into(),
            bin: "maps".into(),
            fuzzer: Command::new("maps"),
            runner: Some(Command::new("runner")),
            folder: folder.to_owned(),
            kept: None,
            workers: 2,
            executions: None,
            time: None,
            seed: 0,
            keep_going: false,
        }
    }

    #[test]
    fn no_two_processes_have_the_same_seed_and_none_has_one_of_the_time() {
        let plan = plan(Path::new("/o/map"));
        let seed = |number, start| {
            let command = plan.worker(number, start, None);
            let words: Vec<String> =
                command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
            assert_eq!(words[0], "/o/map/fuzz/inputs");
            assert!(words.contains(&"-artifact_prefix=/o/map/fuzz/artifacts/".to_owned()));
            words.iter().find_map(|word| word.strip_prefix("-seed=")?.parse::<u32>().ok()).unwrap()
        };
        let mut seeds = [seed(0, 0), seed(1, 0), seed(0, 1), seed(1, 1)];
        seeds.sort_unstable();
        assert!(seeds[0] > 0 && seeds.windows(2).all(|two| two[0] < two[1]), "{seeds:?}");
    }

    #[test]
    fn a_worker_that_has_executions_left_says_how_many() {
        let command = plan(Path::new("/o")).worker(0, 0, Some(17));
        assert!(command.get_args().any(|word| word == "-runs=17"));
    }
}
