//! `replay` and `shrink`: what is done with a repro file.

use std::path::{Path, PathBuf};
use std::process::Command;

use toml::de::DeTable;

use crate::args;
use crate::cargo::{self, Cargo};
use crate::commands::check::absolute;
use crate::commands::run_runner_showing;
use crate::commands::test::run_tests;
use crate::error::Error;
use crate::out;
use crate::runners::{Runner, Runners};

/// The newest format of repro files this command reads.
const FORMAT: u64 = 1;

/// What the command needs to know of a repro; the rest is its runner's.
#[derive(Debug, PartialEq, Eq)]
pub struct Repro {
    path: PathBuf,
    /// The target's name, or the test's.
    pub target: String,
    runner: String,
    test: Option<String>,
    /// Schedule points are others without instrumentation, so it is replayed as it was found.
    instrumented: bool,
}

/// `replay`: runs the recorded decisions again.
///
/// # Errors
/// When the repro is unusable, or its target or test is gone or does not build.
pub fn replay(args: &args::Replay) -> Result<i32, Error> {
    let times = args.times.map(|n| ("MAPCHECK_TIMES", n.to_string()));
    act(&args.repro, "replay", &times.into_iter().collect::<Vec<_>>())
}

/// `shrink`: looks for fewer and smaller decisions with the same finding.
///
/// # Errors
/// As for [`replay`].
pub fn shrink(path: &Path) -> Result<i32, Error> {
    act(path, "shrink", &[])
}

/// Has the repro's runner, or its test, do `action`.
fn act(path: &Path, action: &str, settings: &[(&str, String)]) -> Result<i32, Error> {
    let Ready { command, by } = ready(path, action, settings)?;
    match by {
        By::Runner(runner) => run_runner_showing(command, &runner, doing(action)),
        By::Test(_) => run_tests(command),
    }
}

/// What the progress line says.
fn doing(action: &str) -> &'static str {
    if action == "shrink" { "shrinking" } else { "replaying" }
}

/// A command that does something with a repro.
pub struct Ready {
    /// What is to be run.
    pub command: Command,
    /// What that is.
    pub by: By,
}

/// What has been built to do something with a repro.
pub enum By {
    /// The runner that knows its target.
    Runner(Runner),
    /// The test, by its name.
    Test(String),
}

/// Builds the repro's runner, or its test, and makes the command that has it do `action`.
///
/// # Errors
/// As for [`replay`].
pub fn ready(path: &Path, action: &str, settings: &[(&str, String)]) -> Result<Ready, Error> {
    let repro = Repro::read(path)?;
    let metadata = cargo::metadata()?;
    if let Some(test) = &repro.test {
        let cargo = Cargo::new(&metadata)?;
        let command = ready_test(&repro, test, action, settings, &cargo)?;
        return Ok(Ready { command, by: By::Test(test.clone()) });
    }
    let runners = Runners::find(&metadata)?.require()?;
    let runner = repro.find_runner(&runners)?;
    let cargo = Cargo::new(&metadata)?;
    let mut command = runner.build(&cargo, &format!("target `{}`", repro.target))?;
    command.arg(action).arg(&repro.path).envs(settings.iter().map(|(key, value)| (key, value)));
    Ok(Ready { command, by: By::Runner(runner.clone()) })
}

/// The command that replays a repro in the test that found it.
fn ready_test(
    repro: &Repro,
    test: &str,
    action: &str,
    settings: &[(&str, String)],
    cargo: &Cargo,
) -> Result<Command, Error> {
    let command = |more: &[&str]| -> Result<Command, Error> {
        let mut command = match repro.instrumented {
            true => cargo.command("test")?,
            false => cargo::plain("test"),
        };
        command.args(["-p", &repro.runner]).args(more);
        Ok(command)
    };
    cargo::build(command(&["--no-run"])?, &format!("package `{}`", repro.runner))?;
    // A filter that matches nothing would pass for a replay that found nothing.
    let listed = command(&["--quiet", "--", "--exact", test, "--list"])?.output();
    let listed = listed.map_err(|e| Error::start("cargo", e))?;
    let wanted = format!("{test}: test");
    if !String::from_utf8_lossy(&listed.stdout).lines().any(|line| line == wanted) {
        return Err(Error::UnknownTest { package: repro.runner.clone(), test: test.to_owned() });
    }
    let mut run = command(&["--", "--exact", test, "--nocapture"])?;
    run.env("MAPCHECK_REPLAY", &repro.path).envs(settings.iter().map(|(key, value)| (key, value)));
    if action == "shrink" {
        run.env("MAPCHECK_SHRINK", "1");
    }
    Ok(run)
}

/// The text of a repro file.
///
/// # Errors
/// When there is none; a later run may have moved it.
pub fn text_of(path: &Path) -> Result<String, Error> {
    let bad = |what: String| Error::Repro { path: path.to_owned(), what };
    std::fs::read_to_string(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => bad(match out::moved(path) {
            Some(now) => format!("is now {}: a later run moved it", now.display()),
            None => "does not exist".into(),
        }),
        std::io::ErrorKind::IsADirectory => {
            bad("is a folder, and not a repro: give one of the files in it".into())
        }
        std::io::ErrorKind::InvalidData => bad("is not a repro: it is not text".into()),
        _ => Error::read(path, e),
    })
}

/// A whole number, in any base; a string where it may exceed 63 bits.
pub fn number(table: &DeTable<'_>, key: &str) -> Option<u64> {
    let value = table.get(key)?.get_ref();
    match value.as_integer() {
        Some(n) => u64::from_str_radix(n.as_str(), n.radix()).ok(),
        None => value.as_str()?.parse().ok(),
    }
}

impl Repro {
    /// Reads the file.
    fn read(path: &Path) -> Result<Self, Error> {
        let text = text_of(path)?;
        let bad = |what: String| Error::Repro { path: path.to_owned(), what };
        Self::parse(&text, absolute(path)?).map_err(bad)
    }

    /// Reads the file's text; the error completes a sentence that starts with the file's name.
    ///
    /// # Errors
    /// When a key is missing, or the format is newer.
    pub fn parse(text: &str, path: PathBuf) -> Result<Self, String> {
        let table = DeTable::parse(text).map_err(|e| {
            let line = e.span().map_or(1, |span| text[..span.start].lines().count().max(1));
            format!("is not a repro, or only a part of one: line {line}: {}", e.message())
        })?;
        let table = table.get_ref();
        let missing =
            |key: &str| format!("is not a repro, or only a part of one: it has no `{key}`");
        let format = number(table, "format").ok_or_else(|| missing("format"))?;
        if format > FORMAT {
            return Err(format!(
                "has format {format}, and this mapcheck reads up to {FORMAT}: a newer one made it"
            ));
        }
        let word = |key: &str| {
            table.get(key).and_then(|value| value.get_ref().as_str()).map(str::to_owned)
        };
        Ok(Self {
            path,
            target: word("target").ok_or_else(|| missing("target"))?,
            runner: word("runner").ok_or_else(|| missing("runner"))?,
            test: word("test").filter(|name| !name.is_empty()),
            instrumented: table
                .get("instrumented")
                .and_then(|value| value.get_ref().as_bool())
                .ok_or_else(|| missing("instrumented"))?,
        })
    }

    /// The runner that made the repro if it still knows the target, or else one that does.
    fn find_runner<'a>(&self, runners: &'a Runners) -> Result<&'a Runner, Error> {
        let same = runners
            .0
            .iter()
            .find(|runner| runner.package == self.runner && runner.targets.contains(&self.target));
        same.map_or_else(|| runners.of_target(&self.target), Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Repro, String> {
        Repro::parse(text, PathBuf::from("/r"))
    }

    #[test]
    fn a_repro_names_its_target_and_runner() {
        let repro = parse(
            "format = 1\ntarget = \"a\"\nrunner = \"b\"\ninstrumented = true\n[scenario]\nx = 1",
        )
        .unwrap();
        assert_eq!((repro.target.as_str(), repro.runner.as_str(), repro.test), ("a", "b", None));
    }

    #[test]
    fn a_number_is_read_as_runners_read_it() {
        let text = "a = 0x10\nb = '18446744073709551615'\nc = -1\nd = 'x'";
        let table = DeTable::parse(text).unwrap();
        let read = ["a", "b", "c", "d", "e"].map(|key| number(table.get_ref(), key));
        assert_eq!(read, [Some(16), Some(u64::MAX), None, None, None]);
    }

    #[test]
    fn a_newer_format_is_refused() {
        assert!(parse("format = 2").unwrap_err().contains("format 2"));
    }

    #[test]
    fn a_truncated_repro_is_refused() {
        assert!(parse("").unwrap_err().ends_with("it has no `format`"));
        assert!(parse("format = 1\ntarget = \"a\"").unwrap_err().ends_with("it has no `runner`"));
        assert!(parse("format = 1\ntarget = \"a").unwrap_err().contains("line 2: "));
    }
}
