//! `export-test`: a repro as a regression test, in one file for the map's repository.

mod adapter;
mod text;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use owo_colors::OwoColorize as _;
use serde_json::Value;
use toml::de::DeTable;

use crate::args::ExportTest;
use crate::cargo;
use crate::commands::repro::{By, Ready, ready, text_of};
use crate::commands::run_for_lines;
use crate::error::{Error, exit};
use crate::runners::Runner;
use adapter::Adapter;
use text::Story;

/// What takes long.
const MEASURING: &str = "finding out how many executions a test needs";

/// Has the repro's runner, or its test, tell what a test has to do, and writes that test.
///
/// # Errors
/// When the repro is unusable, cannot become a test, or leads to nothing in this build, or the file is there already.
pub fn run(args: &ExportTest) -> Result<i32, Error> {
    let repro = text_of(&args.repro)?;
    let refused = |what: String| Error::NoTest { path: args.repro.clone(), what };
    let head =
        Head::read(&repro).map_err(|what| Error::Repro { path: args.repro.clone(), what })?;
    if let Some(mutant) = &head.mutant {
        return Err(refused(format!(
            "was made with the mutant `{mutant}`: a test of it would be a test of the model that has it, and there \
             `cargo mapcheck check {} --fault {mutant}` is one",
            head.target
        )));
    }
    let Ready { mut command, by } =
        ready(&args.repro, "regression", &[("MAPCHECK_REGRESSION", "1".to_owned())])?;
    let (facts, adapter) = match by {
        By::Runner(runner) => {
            let facts = told_by_runner(command, &runner)?;
            let adapter = adapter::of_runner(name_of(&facts), &runner);
            (facts, adapter)
        }
        By::Test(test) => {
            note(MEASURING);
            let output = command.stderr(Stdio::inherit()).output();
            let output = output.map_err(|e| Error::start("cargo", e))?;
            let facts =
                facts_in(&output.stdout).ok_or_else(|| refused(in_a_test(&output.stdout)))?;
            if name_of(&facts).is_empty() {
                return Err(refused(format!(
                    "is of the test `{test}`, which explores its own code and no scenario: it is the regression \
                     test already"
                )));
            }
            let adapter = adapter::of_test(name_of(&facts));
            (facts, adapter)
        }
    };
    let story = Story { head: &head, facts: &facts, repro: &repro, path: &args.repro };
    let path = match &args.output {
        Some(path) => path.clone(),
        None => default_path(&facts, &story.name())?,
    };
    write(&path, &text::file(&story, &adapter))?;
    tell(&path, &adapter, &story);
    Ok(exit::CLEAN)
}

/// What this command reads of a repro.
pub struct Head {
    target: String,
    class: String,
    mapcheck: String,
    versions: String,
    mutant: Option<String>,
    instrumented: bool,
}

impl Head {
    fn read(text: &str) -> Result<Head, String> {
        let what = "is not a repro, or only a part of one";
        let table = DeTable::parse(text).map_err(|e| format!("{what}: {}", e.message()))?;
        let optional = |key: &str| Some(table.get_ref().get(key)?.get_ref().as_str()?.to_owned());
        let word = |key: &str| optional(key).ok_or_else(|| format!("{what}: it has no `{key}`"));
        Ok(Head {
            target: word("target")?,
            class: word("class")?,
            mapcheck: word("mapcheck")?,
            versions: word("versions")?,
            mutant: optional("mutant"),
            instrumented: table
                .get_ref()
                .get("instrumented")
                .is_some_and(|flag| flag.get_ref().as_bool() == Some(true)),
        })
    }
}

/// The name of the adapter's type; empty if there is none.
fn name_of(facts: &Value) -> &str {
    facts["adapter"].as_str().unwrap_or_default()
}

/// What a runner tells of the test to be.
fn told_by_runner(command: std::process::Command, runner: &Runner) -> Result<Value, Error> {
    let mut facts = None;
    let ran = run_for_lines(command, &runner.package, MEASURING, &mut |line| {
        if line["type"] == "regression" {
            facts = Some(line.clone());
        }
    })?;
    match facts {
        Some(facts) if ran.code == exit::CLEAN => Ok(facts),
        // It has said what it does not like.
        _ => Err(Error::Said(ran.code)),
    }
}

/// The line of JSON that a test prints of the test to be, among what the harness prints.
fn facts_in(stdout: &[u8]) -> Option<Value> {
    let lines = stdout.split(|byte| *byte == b'\n');
    let mut values = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    values.find(|value| value["type"] == "regression")
}

/// Why a test did not tell: the last line that says more than that it failed.
fn in_a_test(stdout: &[u8]) -> String {
    let text = String::from_utf8_lossy(stdout);
    let told =
        text.lines().rev().find(|line| line.contains("decisions") || line.contains("was made"));
    format!("cannot become a test: {}", told.unwrap_or("its own test does not replay it").trim())
}

/// Where a test goes unless the user says: beside the tests of the crate in this folder; one that belongs into another
/// test's file below that, where cargo does not take it for a test of its own.
fn default_path(facts: &Value, name: &str) -> Result<PathBuf, Error> {
    let name = format!("{name}.rs");
    let Some(beside) = facts["file"].as_str() else { return Ok(Path::new("tests").join(name)) };
    let metadata = cargo::metadata()?;
    let root = Path::new(metadata["workspace_root"].as_str().unwrap_or_default());
    Ok(root.join(beside).with_file_name("regressions").join(name))
}

/// Writes the file, unless there is another of its name.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    match std::fs::read_to_string(path) {
        Ok(there) if there == text => return Ok(()),
        Ok(_) => return Err(Error::Exists { path: path.to_owned() }),
        Err(_) => {}
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|e| Error::write(folder, e))?;
    std::fs::write(path, text).map_err(|e| Error::write(path, e))
}

/// Tells what was written, and what is to be done with it.
fn tell(path: &Path, adapter: &Adapter, story: &Story<'_>) {
    outln!("wrote {}", path.display());
    match adapter {
        Adapter::Own { .. } => {
            let file = story.facts["file"].as_str().unwrap_or_default();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            outln!("add this line to {file}: include!(\"regressions/{name}\");");
        }
        Adapter::Copied { .. } => outln!(
            "put it into the `tests` of the map's crate; there: cargo mapcheck test --test {}",
            path.file_stem().unwrap_or_default().to_string_lossy()
        ),
        Adapter::Missing { why, .. } => {
            outln!("it does not compile before the adapter is filled in: {why}");
        }
    }
    if story.searches().contains(&"none") {
        warn("not every search found it: the test may pass though the mistake is there");
    }
}

fn note(what: &str) {
    anstream::eprintln!("{} {what}", "note:".green().bold());
}

fn warn(what: &str) {
    anstream::eprintln!("{} {what}", "warning:".yellow().bold());
}

/// The packages of the workspace that a runner's manifest belongs to.
fn packages(runner: &Runner) -> Result<Value, Error> {
    cargo::metadata_of(Some(&runner.manifest))
}
