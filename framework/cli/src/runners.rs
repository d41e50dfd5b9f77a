//! The runners: binaries that know some targets, found by their crates' `[package.metadata.mapcheck]`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use toml::de::DeTable;

use crate::cargo::{self, Cargo};
use crate::error::Error;

/// A crate whose binary, of the package's name, runs targets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runner {
    /// The package's name, which is the binary's.
    pub package: String,
    /// The targets it knows.
    pub targets: Vec<String>,
    /// Its manifest.
    pub manifest: PathBuf,
    /// A standalone crate in `known-bad`, with a lock file of its own.
    pub known_bad: bool,
    /// A standalone crate in `apart`: it is built only if one of its targets is named.
    pub apart: bool,
}

/// All runners of a workspace.
#[derive(Debug, Default)]
pub struct Runners(pub Vec<Runner>);

impl Runners {
    /// The runners of the workspace that `metadata` (cargo's) describes. There may be none.
    ///
    /// # Errors
    /// When a manifest in a `known-bad` or `apart` directory is unusable.
    pub fn find(metadata: &Value) -> Result<Self, Error> {
        let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut found = Vec::new();
        for package in packages {
            let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap_or_default());
            found.extend(workspace_runner(package, &manifest));
            found.extend(standalone_runners(&manifest, KNOWN_BAD)?);
            found.extend(standalone_runners(&manifest, APART)?);
        }
        found.sort_by_key(|runner| (runner.apart, runner.known_bad));
        Ok(Self(found))
    }

    /// The same, as an error when there is none.
    ///
    /// # Errors
    /// When no crate declares targets.
    pub fn require(self) -> Result<Self, Error> {
        if self.0.is_empty() { Err(Error::NoTargets) } else { Ok(self) }
    }

    /// The runner that knows `target`.
    ///
    /// # Errors
    /// When none does, with the targets of a similar name.
    pub fn of_target(&self, target: &str) -> Result<&Runner, Error> {
        let found = self.0.iter().find(|runner| runner.targets.iter().any(|name| name == target));
        found.ok_or_else(|| Error::UnknownTarget {
            name: target.to_owned(),
            near: self.near(target),
        })
    }

    /// Up to three targets with a similar name, the nearest first.
    fn near(&self, target: &str) -> Vec<String> {
        let mut ranked: Vec<(usize, &String)> = self
            .0
            .iter()
            .flat_map(|runner| &runner.targets)
            .map(|name| (likeness(name, target), name))
            .filter(|(distance, _)| *distance <= 1 + target.len() / 3)
            .collect();
        ranked.sort();
        ranked.into_iter().take(3).map(|(_, name)| format!("`{name}`")).collect()
    }

    /// The runners that `targets` need, in order, each with its share.
    ///
    /// # Errors
    /// When a target is unknown.
    pub fn share_out<'a>(
        &'a self,
        targets: &'a [String],
    ) -> Result<Vec<(&'a Runner, Vec<&'a str>)>, Error> {
        let mut shares: Vec<(&Runner, Vec<&str>)> = Vec::new();
        for target in targets {
            let runner = self.of_target(target)?;
            match shares.iter_mut().find(|(known, _)| *known == runner) {
                Some((_, share)) => share.push(target),
                None => shares.push((runner, vec![target])),
            }
        }
        Ok(shares)
    }
}

/// The directories beside a member's manifest with standalone runners.
const KNOWN_BAD: &str = "known-bad";
const APART: &str = "apart";

impl Runner {
    /// Whether it is a member of the workspace.
    pub fn is_member(&self) -> bool {
        !self.known_bad && !self.apart
    }

    /// Builds the runner and returns a command that starts it.
    ///
    /// # Errors
    /// When it does not build; `what` names it to the reader.
    pub fn build(&self, cargo: &Cargo, what: &str) -> Result<Command, Error> {
        self.build_bin(cargo, what, &self.package, &[])
    }

    /// Builds a binary of its package with these features, and returns a command that starts it.
    ///
    /// # Errors
    /// As for [`Runner::build`].
    pub fn build_bin(
        &self,
        cargo: &Cargo,
        what: &str,
        bin: &str,
        features: &[String],
    ) -> Result<Command, Error> {
        let mut command = cargo.command("build")?;
        command.arg("--manifest-path").arg(&self.manifest).args(["--bin", bin]);
        if !features.is_empty() {
            command.arg("--features").arg(features.join(","));
        }
        cargo::build(command, what)?;
        Ok(self.command_of(cargo, bin))
    }

    /// Builds the runner without instrumentation, in the same profile, and returns its path.
    ///
    /// # Errors
    /// When it does not build.
    pub fn build_native(&self, cargo: &Cargo) -> Result<PathBuf, Error> {
        let mut command = cargo.native_command("build");
        command.arg("--manifest-path").arg(&self.manifest).args(["--bin", &self.package]);
        let what = format!("runner `{}` as it is", self.package);
        cargo::build_executable(command, Some(&self.package), &what)
    }

    /// A command that starts it, once it is built.
    pub fn command(&self, cargo: &Cargo) -> Command {
        self.command_of(cargo, &self.package)
    }

    /// A command that starts a binary of its package, once that is built.
    pub fn command_of(&self, cargo: &Cargo, bin: &str) -> Command {
        let mut runner = Command::new(cargo.binary(bin));
        runner.env("MAPCHECK_RUNNER", &self.package).env("MAPCHECK_ROOT", &cargo.root);
        runner
    }
}

/// The edit distance, where the plain name of a versioned target is as good as the whole.
fn likeness(name: &str, wanted: &str) -> usize {
    let plain = name.split('@').next().unwrap_or(name);
    let wanted_plain = wanted.split('@').next().unwrap_or(wanted);
    distance(name, wanted).min(distance(plain, wanted_plain) + 1)
}

/// How many characters to insert, delete or replace to make one word the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// The runner a workspace's package is, if it declares targets.
fn workspace_runner(package: &Value, manifest: &Path) -> Option<Runner> {
    let settings = &package["metadata"]["mapcheck"];
    let targets = settings["targets"].as_array()?;
    Some(Runner {
        package: package["name"].as_str()?.to_owned(),
        targets: targets.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        manifest: manifest.to_owned(),
        known_bad: false,
        apart: false,
    })
}

/// The standalone runners in this directory beside a member's manifest, by name.
fn standalone_runners(member: &Path, directory: &str) -> Result<Vec<Runner>, Error> {
    let Some(Ok(entries)) = member.parent().map(|dir| std::fs::read_dir(dir.join(directory)))
    else {
        return Ok(Vec::new());
    };
    let mut manifests: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path().join("Cargo.toml")).collect();
    manifests.retain(|path| path.is_file());
    manifests.sort();
    let (known_bad, apart) = (directory == KNOWN_BAD, directory == APART);
    let runner = |manifest| Ok(Runner { known_bad, apart, ..standalone_runner(manifest)? });
    manifests.into_iter().map(runner).collect()
}

/// The runner of one standalone crate.
fn standalone_runner(manifest: PathBuf) -> Result<Runner, Error> {
    let text = std::fs::read_to_string(&manifest).map_err(|e| Error::read(&manifest, e))?;
    read_manifest(&text, &manifest).map_err(|what| Error::Manifest { path: manifest, what })
}

/// What a standalone manifest says.
pub fn read_manifest(text: &str, manifest: &Path) -> Result<Runner, String> {
    let table = DeTable::parse(text).map_err(|e| e.message().to_owned())?;
    let package = table.get_ref().get("package").ok_or("no [package]")?.get_ref();
    let name =
        package.get("name").and_then(|name| name.get_ref().as_str()).ok_or("no package name")?;
    let settings = package.get("metadata").and_then(|metadata| metadata.get_ref().get("mapcheck"));
    let setting =
        |key: &str| settings.and_then(|s| s.get_ref().get(key)).map(|value| value.get_ref());
    let targets = setting("targets")
        .and_then(|list| list.as_array())
        .ok_or("it declares no mapcheck targets")?;
    Ok(Runner {
        package: name.to_owned(),
        targets: targets
            .iter()
            .filter_map(|name| name.get_ref().as_str().map(str::to_owned))
            .collect(),
        manifest: manifest.to_owned(),
        known_bad: false,
        apart: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runners() -> Runners {
        let one = |package: &str, targets: &[&str]| Runner {
            package: package.into(),
            targets: targets.iter().map(|&name| name.to_owned()).collect(),
            manifest: PathBuf::new(),
            known_bad: false,
            apart: false,
        };
        Runners(vec![one("a", &["dashmap", "papaya", "scc-hashmap"]), one("b", &["flurry@0.4.0"])])
    }

    #[test]
    fn the_distance_counts_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn an_unknown_target_names_its_neighbours() {
        let near = |name: &str| match runners().of_target(name) {
            Err(Error::UnknownTarget { near, .. }) => near,
            other => panic!("{other:?}"),
        };
        assert_eq!(near("dashmp"), ["`dashmap`"]);
        assert_eq!(near("flurry"), ["`flurry@0.4.0`"]);
        assert!(near("xyz").is_empty());
    }

    #[test]
    fn targets_are_shared_out_to_their_runners() {
        let targets = ["papaya", "flurry@0.4.0", "dashmap"].map(str::to_owned);
        let runners = runners();
        let shares = runners.share_out(&targets).unwrap();
        assert_eq!(shares[0].1, ["papaya", "dashmap"]);
        assert_eq!(shares[1].1, ["flurry@0.4.0"]);
    }

    #[test]
    fn what_stands_beside_the_targets_of_this_workspace_is_no_member() {
        let member = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../targets/Cargo.toml");
        for (directory, known_bad, apart) in [(KNOWN_BAD, true, false), (APART, false, true)] {
            let runners = standalone_runners(&member, directory).unwrap();
            assert!(!runners.is_empty(), "{directory}");
            for runner in runners {
                assert_eq!((runner.known_bad, runner.apart), (known_bad, apart), "{directory}");
                assert!(!runner.is_member());
            }
        }
    }

    #[test]
    fn a_standalone_manifest_is_read() {
        let text =
            "[package]\nname = \"old\"\n[package.metadata.mapcheck]\ntargets = [\"flurry@0.4.0\"]";
        let runner = read_manifest(text, Path::new("m")).unwrap();
        assert_eq!((runner.package.as_str(), &runner.targets[0][..]), ("old", "flurry@0.4.0"));
        assert_eq!(
            read_manifest("[package]\nname = \"x\"", Path::new("m")),
            Err("it declares no mapcheck targets".into())
        );
    }
}
