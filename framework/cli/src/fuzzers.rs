//! The fuzz targets: binaries with libFuzzer in them, found by their package's `[package.metadata.mapcheck.fuzz]`.

use std::path::Path;

use serde_json::Value;

use crate::cargo;
use crate::error::Error;
use crate::runners::Runner;

/// Where their sources lie.
const FOLDER: &str = "fuzz_targets";

/// A binary that fuzzes some targets of its package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fuzzer {
    /// Its name.
    pub bin: String,
    /// The features that it is built with.
    pub features: Vec<String>,
    /// Whether what it fuzzes is no runner's target but the closure of a test, which it knows alone.
    pub knows_alone: bool,
}

/// The fuzz target of a closure that a test explores, in the package of one of these runners.
///
/// # Errors
/// When the manifest of that package is wrong. `None` when no manifest has it.
pub fn of_closure<'a>(
    runners: &'a [Runner],
    name: &str,
    metadata: &Value,
) -> Result<Option<(&'a Runner, Fuzzer)>, Error> {
    let has = |(_, runner, names): &(&String, &Runner, &Value)| {
        runner.is_member() && list(names).any(|known| known == name)
    };
    let found = all(runners, metadata).find(has);
    let Some(runner) = found.map(|row| row.1) else { return Ok(None) };
    let fuzzer = of_target(runner, name, metadata)?;
    Ok(Some((runner, Fuzzer { knows_alone: true, ..fuzzer })))
}

/// The fuzz targets that know something which is no runner's target.
///
/// # Errors
/// When a manifest is wrong.
pub fn of_closures<'a>(
    runners: &'a [Runner],
    metadata: &Value,
) -> Result<Vec<(&'a Runner, Fuzzer)>, Error> {
    let mut found: Vec<(&Runner, Fuzzer)> = Vec::new();
    for (bin, runner, names) in all(runners, metadata) {
        let own = |name: &&str| !runner.targets.iter().any(|target| target == name);
        let alone = list(names).filter_map(Value::as_str).find(own);
        if let Some(name) = alone.filter(|_| found.iter().all(|(_, known)| known.bin != *bin)) {
            found.extend(of_closure(runners, name, metadata)?);
        }
    }
    Ok(found)
}

/// The rows of all tables: a bin, the runner of its package, and what it fuzzes.
fn all<'a, 'm>(
    runners: &'a [Runner],
    metadata: &'m Value,
) -> impl Iterator<Item = (&'m String, &'a Runner, &'m Value)> {
    list(&metadata["packages"]).flat_map(|package| {
        let runner = runners.iter().find(|runner| package["name"] == *runner.package);
        let table = package["metadata"]["mapcheck"]["fuzz"].as_object();
        let rows = table.into_iter().flatten();
        rows.filter_map(move |(bin, names)| Some((bin, runner?, names)))
    })
}

/// The binary that fuzzes a runner's target; `metadata` is cargo's, of this workspace.
///
/// # Errors
/// When there is none, or the manifest does not say which one it is.
pub fn of_target(runner: &Runner, target: &str, metadata: &Value) -> Result<Fuzzer, Error> {
    // One that stands beside the workspace is not in its metadata.
    let own = match runner.is_member() {
        true => None,
        false => Some(cargo::metadata_of(Some(&runner.manifest))?),
    };
    let mut packages = list(&own.as_ref().unwrap_or(metadata)["packages"]);
    let package = packages.find(|package| package["name"] == *runner.package);
    choose(package.unwrap_or(&Value::Null), target).map_err(|why| Error::NoFuzzer {
        package: runner.package.clone(),
        target: target.to_owned(),
        why,
    })
}

/// What a member's package fuzzes: what its table says, or else the runner's targets, if it has a fuzz target. What the
/// table says may be wrong still.
pub fn fuzzable<'a>(runner: &'a Runner, metadata: &'a Value) -> Vec<&'a str> {
    let mut packages = list(&metadata["packages"]);
    let package = packages.find(|package| package["name"] == *runner.package);
    meant(package.unwrap_or(&Value::Null), &runner.targets)
}

fn meant<'a>(package: &'a Value, targets: &'a [String]) -> Vec<&'a str> {
    let is_fuzzed = || list(&package["targets"]).filter_map(read).any(|(is_fuzzer, _)| is_fuzzer);
    match package["metadata"]["mapcheck"]["fuzz"].as_object() {
        Some(table) => table.values().flat_map(list).filter_map(Value::as_str).collect(),
        None if is_fuzzed() => targets.iter().map(String::as_str).collect(),
        None => Vec::new(),
    }
}

/// The one of a package that is a target's. The error says what is wrong with the manifest, if there is something.
fn choose(package: &Value, target: &str) -> Result<Fuzzer, String> {
    let bins: Vec<(bool, Fuzzer)> = list(&package["targets"]).filter_map(read).collect();
    let find = |bin: &str| bins.iter().find(|(_, fuzzer)| fuzzer.bin == bin);
    let Some(table) = package["metadata"]["mapcheck"]["fuzz"].as_object() else {
        let mut fuzzers = bins.iter().filter(|(is_fuzzer, _)| *is_fuzzer);
        return match (fuzzers.next(), fuzzers.next()) {
            (Some((_, only)), None) => Ok(only.clone()),
            (None, _) => Err(String::new()),
            _ => Err(format!("it has several bins in {FOLDER}, and says of none what it fuzzes")),
        };
    };
    let named = table.iter().find(|(_, targets)| list(targets).any(|name| name == target));
    let (bin, _) = named.ok_or("its table names no bin for it")?;
    let (_, fuzzer) =
        find(bin).ok_or_else(|| format!("its table names `{bin}`, which is no bin"))?;
    Ok(fuzzer.clone())
}

/// A target of cargo's that is a binary, and whether it lies where fuzz targets do.
fn read(target: &Value) -> Option<(bool, Fuzzer)> {
    list(&target["kind"]).find(|kind| *kind == "bin")?;
    let folder = Path::new(target["src_path"].as_str()?).parent()?;
    let features = list(&target["required-features"]).filter_map(Value::as_str);
    let features = features.map(str::to_owned).collect();
    let bin = target["name"].as_str()?.to_owned();
    Some((folder.ends_with(FOLDER), Fuzzer { bin, features, knows_alone: false }))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bin(name: &str, folder: &str) -> Value {
        let path = format!("/a/{folder}/{name}.rs");
        json!({"kind": ["bin"], "name": name, "src_path": path, "required-features": ["fuzz", "more"]})
    }

    #[test]
    fn the_table_says_which_bin_fuzzes_a_target() {
        let fuzz = json!({"one": ["a", "b"], "two": ["c"], "gone": ["d"]});
        let package = json!({
            "targets": [bin("one", "fuzz_targets"), bin("two", "src"), bin("main", "src")],
            "metadata": {"mapcheck": {"fuzz": fuzz}},
        });
        let of = |target| choose(&package, target);
        let features = ["fuzz", "more"].map(str::to_owned).to_vec();
        assert_eq!(of("b"), Ok(Fuzzer { bin: "one".into(), features, knows_alone: false }));
        assert_eq!(of("c").map(|fuzzer| fuzzer.bin), Ok("two".into()));
        assert_eq!(of("d"), Err("its table names `gone`, which is no bin".into()));
        assert_eq!(of("e"), Err("its table names no bin for it".into()));
        // `d` is wrong, and must be told and not passed over.
        let targets = ["a", "e"].map(str::to_owned);
        let mut all = meant(&package, &targets);
        all.sort_unstable();
        assert_eq!(all, ["a", "b", "c", "d"]);
    }

    #[test]
    fn what_is_no_runner_s_target_is_a_closure_of_its_fuzz_target() {
        let package = json!({
            "name": "p",
            "targets": [bin("one", "fuzz_targets"), bin("two", "fuzz_targets")],
            "metadata": {"mapcheck": {"fuzz": {"one": ["a"], "two": ["tests::b", "c"]}}},
        });
        let metadata = json!({"packages": [package]});
        let runners =
            [Runner { package: "p".into(), targets: vec!["a".into()], ..Runner::default() }];
        let of =
            |name| of_closure(&runners, name, &metadata).unwrap().map(|(_, fuzzer)| fuzzer.bin);
        assert_eq!((of("tests::b"), of("d")), (Some("two".into()), None));
        let all = of_closures(&runners, &metadata).unwrap();
        let bins: Vec<(&str, bool)> = all.iter().map(|(_, f)| (&*f.bin, f.knows_alone)).collect();
        assert_eq!(bins, [("two", true)]);
    }

    #[test]
    fn without_a_table_a_bin_that_is_alone_in_its_folder_fuzzes_all() {
        let of = |bins: &[Value]| choose(&json!({"targets": bins}), "a").map(|fuzzer| fuzzer.bin);
        let (main, one, two) =
            (bin("main", "src"), bin("one", "fuzz_targets"), bin("two", "fuzz_targets"));
        assert_eq!(of(&[main.clone(), one.clone()]), Ok("one".into()));
        assert_eq!(of(std::slice::from_ref(&main)), Err(String::new()));
        let targets = ["a".to_owned()];
        assert_eq!(meant(&json!({"targets": [main]}), &targets), [""; 0]);
        assert_eq!(meant(&json!({"targets": [one]}), &targets), ["a"]);
        assert!(of(&[one, two]).unwrap_err().starts_with("it has several bins"));
    }
}
