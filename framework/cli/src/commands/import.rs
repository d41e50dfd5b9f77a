//! `import`: repros of files that libFuzzer wrote.

use std::path::PathBuf;

use serde_json::Value;

use crate::args::Import;
use crate::cargo::{self, Cargo};
use crate::commands::check::{absolute, out_dir};
use crate::commands::fuzz::known_beside;
use crate::commands::list::wants_json;
use crate::commands::{run_for_lines, run_runner};
use crate::error::{Error, exit};
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
            code = worse(code, one(import, runner, &cargo, &path)?);
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
    let mut own = Vec::new();
    let each = &mut |line: &Value| {
        let file = line["file"].as_str().filter(|_| line["type"] == "input");
        own.extend(file.map(PathBuf::from));
    };
    run_for_lines(command, runner, each)?;
    Ok(own)
}

/// Has a file's runner import it; the exit code.
fn one(import: &Import, runner: &Runner, cargo: &Cargo, path: &PathBuf) -> Result<i32, Error> {
    let out = absolute(&out_dir(import.out.as_ref()))?;
    let mut command = runner.command(cargo);
    command.arg("import").arg(path).env("MAPCHECK_OUT", &out);
    command.env("MAPCHECK_FORMAT", if wants_json(import.format) { "json" } else { "text" });
    if !import.faults.is_empty() {
        command.env("MAPCHECK_FAULTS", import.faults.join(","));
    }
    known_beside(&mut command, import.known.iter().cloned(), &out)?;
    run_runner(command, runner)
}
