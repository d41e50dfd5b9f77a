//! `import`: repros of files that libFuzzer wrote.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::args::Import;
use crate::cargo::{self, Cargo};
use crate::commands::check::{absolute, out_dir};
use crate::commands::fuzz::known_beside;
use crate::commands::list::wants_json;
use crate::commands::{run_for_lines, run_runner_showing};
use crate::error::{Error, exit};
use crate::fuzzers::{self, Fuzzer};
use crate::runners::{Runner, Runners};
use crate::summary::worse;

/// Asks each runner of the workspace which files are for its targets, and has it import those.
///
/// # Errors
/// When a file cannot be read, or a runner does not build.
pub fn run(import: &Import) -> Result<i32, Error> {
    // A file that is not there is not worth a build.
    import.files.iter().try_for_each(|path| match std::fs::read(path) {
        Ok(_) => Ok(()),
        Err(e) => Err(Error::read(path, e)),
    })?;
    let metadata = cargo::metadata()?;
    let runners = Runners::find(&metadata)?.require()?;
    let cargo = Cargo::new(&metadata)?;
    let mut code = exit::CLEAN;
    let mut left = import.files.clone();
    for runner in runners.0.iter().filter(|runner| runner.is_member()) {
        if left.is_empty() {
            break;
        }
        runner.build(&cargo, &format!("runner `{}`", runner.package))?;
        let own = whose(runner, &cargo, &left)?;
        left.retain(|path| !own.contains(path));
        for path in own {
            let mut command = runner.command(&cargo);
            command.arg("import").arg(&path);
            code = worse(code, one(import, command, runner)?);
        }
    }
    Ok(worse(code, closures(import, left, &runners, &cargo, &metadata)?))
}

/// Has the fuzz targets of closures import what is for no runner's target; the exit code.
fn closures(
    import: &Import,
    mut left: Vec<PathBuf>,
    runners: &Runners,
    cargo: &Cargo,
    metadata: &Value,
) -> Result<i32, Error> {
    let mut code = exit::CLEAN;
    for (runner, Fuzzer { bin, features, .. }) in fuzzers::of_closures(&runners.0, metadata)? {
        if left.is_empty() {
            break;
        }
        let what = format!("fuzz target `{bin}`");
        let mut command = runner.build_bin(cargo, &what, &bin, &features)?;
        let files =
            std::env::join_paths(&left).map_err(|_| Error::NoInput { path: left[0].clone() });
        command.env("MAPCHECK_WHOSE", files?);
        let own = told(command, runner)?;
        left.retain(|path| !own.contains(path));
        for path in own {
            let mut command = runner.command_of(cargo, &bin);
            command.env("MAPCHECK_IMPORT", &path);
            code = worse(code, one(import, command, runner)?);
        }
    }
    for path in left {
        let error = Error::NoInput { path };
        error.print();
        code = worse(code, error.code());
    }
    Ok(code)
}

/// Those of the files that are for targets of a runner, which is built.
fn whose(runner: &Runner, cargo: &Cargo, files: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut command = runner.command(cargo);
    command.arg("whose").args(files);
    told(command, runner)
}

/// The files that a command tells of.
fn told(command: Command, runner: &Runner) -> Result<Vec<PathBuf>, Error> {
    let mut own = Vec::new();
    let each = &mut |line: &Value| {
        let file = line["file"].as_str().filter(|_| line["type"] == "input");
        own.extend(file.map(PathBuf::from));
    };
    run_for_lines(command, &runner.package, "reading inputs", each)?;
    Ok(own)
}

/// Runs what imports a file; the exit code.
fn one(import: &Import, mut command: Command, runner: &Runner) -> Result<i32, Error> {
    let out = absolute(&out_dir(import.out.as_ref()))?;
    command.env("MAPCHECK_OUT", &out);
    command.env("MAPCHECK_FORMAT", if wants_json(import.format) { "json" } else { "text" });
    if !import.faults.is_empty() {
        command.env("MAPCHECK_FAULTS", import.faults.join(","));
    }
    known_beside(&mut command, import.known.iter().cloned(), &out)?;
    run_runner_showing(command, runner, "importing")
}
