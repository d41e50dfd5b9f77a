//! `list`: the targets and what can be done with them.

use serde_json::json;

use crate::args::{Format, List};
use crate::cargo::{self, Cargo};
use crate::commands::run_runner;
use crate::error::{Error, exit};
use crate::runners::{Runner, Runners};
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
    for runner in runners.0.iter().filter(|runner| runner.is_member()) {
        let mut command = runner.build(&cargo, &format!("runner `{}`", runner.package))?;
        command.arg("list");
        if let Some(format) = list.format {
            command.env("MAPCHECK_FORMAT", format.name());
        }
        code = summary::worse(code, run_runner(command, runner)?);
    }
    let json = wants_json(list.format);
    print_apart(&runners, json, "known-bad targets (built on demand):", |r| r.known_bad);
    print_apart(&runners, json, "more targets (built on demand):", |r| r.apart);
    Ok(code)
}

/// Whether the user wants JSON, by the flag or else by the environment.
pub fn wants_json(format: Option<Format>) -> bool {
    let from_env = || std::env::var("MAPCHECK_FORMAT").is_ok_and(|name| name == "json");
    format.map_or_else(from_env, |format| format == Format::Json)
}

/// The targets of crates on their own: their manifests say enough, they are not built for this.
fn print_apart(runners: &Runners, json: bool, title: &str, which: fn(&Runner) -> bool) {
    let apart: Vec<_> = runners.0.iter().filter(|runner| which(runner)).collect();
    if apart.is_empty() {
        return;
    }
    if !json {
        outln!("\n{title}");
    }
    for runner in apart {
        for target in &runner.targets {
            if json {
                let line = json!({
                    "type": "target",
                    "target": target,
                    "runner": runner.package,
                    "known_bad": runner.known_bad,
                    "apart": runner.apart,
                });
                outln!("{line}");
            } else {
                outln!("  {target}");
            }
        }
    }
}
