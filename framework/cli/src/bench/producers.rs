//! Who measures: what a runner's crate says under `[package.metadata.mapcheck.bench]`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::args::Bench;
use crate::cargo::{self, Cargo};
use crate::error::Error;
use crate::runners::Runner;

/// The groups that a producer measures.
type Groups = Vec<String>;

/// What a crate declares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Declared {
    /// The groups of the runner's own subcommand `bench`, with instrumentation.
    runner: Groups,
    /// Those of them for which the runner is built without instrumentation, too, to be measured against.
    native: Groups,
    /// Bench targets of the package with a main function of their own, without instrumentation.
    benches: std::collections::BTreeMap<String, Groups>,
    /// Crates of their own, by their folders from the manifest on, without instrumentation.
    apart: std::collections::BTreeMap<String, Groups>,
}

impl Declared {
    /// What `[package.metadata.mapcheck]` says.
    ///
    /// # Errors
    /// When it is not as it should be.
    pub fn read(settings: &Value) -> Result<Self, String> {
        match &settings["bench"] {
            Value::Null => Ok(Self::default()),
            bench => Self::deserialize(bench)
                .map_err(|e| format!("[package.metadata.mapcheck.bench]: {e}")),
        }
    }
}

/// How a producer is built.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// The runner; and the groups for which it is built once more without instrumentation.
    Runner { native: Groups },
    /// A bench target of the package.
    Bench,
    /// The package of this manifest.
    Apart(PathBuf),
}

/// What measures some groups.
#[derive(Clone, Debug)]
pub struct Producer<'a> {
    /// Its name.
    pub name: String,
    /// What it measures.
    pub groups: Vec<String>,
    kind: Kind,
    runner: &'a Runner,
}

/// All producers of the workspace's runners.
///
/// # Errors
/// When a manifest says something unusable.
pub fn all<'a>(runners: &'a [Runner], metadata: &Value) -> Result<Vec<Producer<'a>>, Error> {
    let mut found = Vec::new();
    for runner in runners.iter().filter(|runner| runner.is_member()) {
        let packages = metadata["packages"].as_array().into_iter().flatten();
        let own = packages.into_iter().find(|package| package["name"] == *runner.package);
        let settings = own.map_or(&Value::Null, |package| &package["metadata"]["mapcheck"]);
        let declared = Declared::read(settings)
            .map_err(|what| Error::Manifest { path: runner.manifest.clone(), what })?;
        found.extend(of(runner, declared));
    }
    Ok(found)
}

fn of(runner: &Runner, declared: Declared) -> Vec<Producer<'_>> {
    let producer = |name: String, groups, kind| Producer { name, groups, kind, runner };
    let Declared { runner: own, native, benches, apart } = declared;
    let mut found = Vec::new();
    if !own.is_empty() {
        found.push(producer(runner.package.clone(), own, Kind::Runner { native }));
    }
    found.extend(benches.into_iter().map(|(name, groups)| producer(name, groups, Kind::Bench)));
    found.extend(apart.into_iter().map(|(folder, groups)| {
        let manifest = beside(&runner.manifest, &folder);
        producer(folder, groups, Kind::Apart(manifest))
    }));
    found
}

fn beside(manifest: &Path, folder: &str) -> PathBuf {
    manifest.with_file_name(folder).join("Cargo.toml")
}

impl Producer<'_> {
    /// Builds what it needs for these groups, and returns what it is started with.
    ///
    /// # Errors
    /// When it does not build.
    pub fn build(&self, cargo: &Cargo, groups: &[String]) -> Result<Started, Error> {
        let mut started = match &self.kind {
            Kind::Runner { native } => {
                self.build_runner(cargo, native.iter().any(|own| groups.contains(own)))?
            }
            Kind::Bench => {
                let mut command = cargo::plain("bench");
                command.args(["--no-run", "--bench", &self.name]);
                self.build_plain(command, &self.runner.manifest)?
            }
            Kind::Apart(manifest) => self.build_plain(cargo.native_command("build"), manifest)?,
        };
        started.settings.push(("MAPCHECK_ROOT".into(), cargo.root.clone().into()));
        Ok(started)
    }

    fn build_runner(&self, cargo: &Cargo, native: bool) -> Result<Started, Error> {
        let command = self.runner.build(cargo, &format!("runner `{}`", self.name))?;
        let mut settings: Vec<_> = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        if native {
            let program = self.runner.build_native(cargo)?;
            settings.push(("MAPCHECK_BENCH_NATIVE".into(), program.into()));
        }
        Ok(Started {
            program: command.get_program().into(),
            args: vec!["bench"],
            settings,
            dir: None,
        })
    }

    /// Builds without instrumentation.
    fn build_plain(&self, mut command: Command, manifest: &Path) -> Result<Started, Error> {
        let what = format!("benchmark `{}`", self.name);
        command.arg("--manifest-path").arg(manifest);
        let name = Some(self.name.as_str()).filter(|_| self.kind == Kind::Bench);
        let program = cargo::build_executable(command, name, &what)?;
        // What cargo itself hands to a benchmark.
        let args = if self.kind == Kind::Bench { vec!["--bench"] } else { vec![] };
        let dir = manifest.parent().map(Path::to_owned);
        Ok(Started { program, args, settings: vec![], dir })
    }

    /// Whether it measures this group.
    pub fn measures(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
    }
}

/// What a producer is started with.
#[derive(Clone, Debug)]
pub struct Started {
    program: PathBuf,
    args: Vec<&'static str>,
    settings: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    dir: Option<PathBuf>,
}

impl Started {
    /// A command that measures one group.
    pub fn command(&self, group: &str, bench: &Bench) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).envs(self.settings.iter().cloned());
        command.env("MAPCHECK_BENCH_GROUPS", group);
        if bench.quick {
            command.env("MAPCHECK_BENCH_QUICK", "1");
        }
        if let Some(samples) = bench.samples {
            command.env("MAPCHECK_BENCH_SAMPLES", samples.to_string());
        }
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_manifest_says_who_measures_what() {
        let bench = json!({"runner": ["cost"], "native": ["cost"], "benches": {"deleting": ["delete"]},
            "apart": {"apart/stress": ["stress", "more"]}});
        let declared = Declared::read(&json!({ "bench": bench })).unwrap();
        let runner =
            Runner { package: "p".into(), manifest: "/a/Cargo.toml".into(), ..Runner::default() };
        let producers = of(&runner, declared);
        let told: Vec<_> = producers.iter().map(|p| (&*p.name, p.groups.join(" "))).collect();
        let wanted = [
            ("p", "cost".into()),
            ("deleting", "delete".into()),
            ("apart/stress", "stress more".into()),
        ];
        assert_eq!(told, wanted);
        assert_eq!(producers[2].kind, Kind::Apart("/a/apart/stress/Cargo.toml".into()));
        assert!(producers[2].measures("more") && !producers[2].measures("cost"));
    }

    #[test]
    fn what_nobody_understands_is_refused() {
        assert_eq!(Declared::read(&json!({})), Ok(Declared::default()));
        let refused = Declared::read(&json!({"bench": {"runners": ["cost"]}})).unwrap_err();
        assert!(refused.contains("unknown field `runners`"), "{refused}");
        assert!(Declared::read(&json!({"bench": true})).is_err());
    }
}
