//! `list`: the targets and what can be done with them.

use serde_json::json;

use crate::args::{Format, List};
use crate::cargo::{self, Cargo};
use crate::commands::run_runner;
use crate::error::{Error, exit};
use crate::runners::Runners;
use crate::summary;

/// Lets every runner of the workspace print its list, then names the known-bad targets.
///
/// # Errors
/// When there are no runners, or one does not build.
pub fn run(list: &List) -> Result<i32, Error> {
    let metadata = cargo::metadata()?;
    let runners = Runners::find(&metadata)?.require()?;
    let cargo = Cargo::new(&metadata)?;
    let mut code = exit::CLEAN;
    for runner in runners.0.iter().filter(|runner| !runner.known_bad) {
        let mut command = runner.build(&cargo, &format!("runner `{}`", runner.package))?;
        command.arg("list");
        if let Some(format) = list.format {
            command.env("MAPCHECK_FORMAT", format.name());
        }
        code = summary::worse(code, run_runner(command, runner)?);
    }
    print_known_bad(&runners, wants_json(list.format));
    Ok(code)
}

/// Whether the user wants JSON, by the flag or else by the environment.
pub fn wants_json(format: Option<Format>) -> bool {
    let from_env = || std::env::var("MAPCHECK_FORMAT").is_ok_and(|name| name == "json");
    format.map_or_else(from_env, |format| format == Format::Json)
}

/// The known-bad targets: their manifests say enough, they are not built for this.
fn print_known_bad(runners: &Runners, json: bool) {
    let known_bad: Vec<_> = runners.0.iter().filter(|runner| runner.known_bad).collect();
    if known_bad.is_empty() {
        return;
    }
    if !json {
        anstream::println!("\nknown-bad targets (built on demand):");
    }
    for runner in known_bad {
        for target in &runner.targets {
            if json {
                let line = json!({"type": "target", "target": target, "runner": runner.package, "known_bad": true});
                anstream::println!("{line}");
            } else {
                anstream::println!("  {target}");
            }
        }
    }
}
