//! `explain`: how a repro's finding came about, as text, as a page, or for programs.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::args::{Explain, Written};
use crate::commands::repro::{self, By, Ready};
use crate::commands::run_for_lines;
use crate::commands::test::run_tests;
use crate::error::{Error, exit};
use crate::explain::{Explanation, markdown, page};
use crate::runners::Runner;

/// Has the repro explained, or reads the explanation, and writes it as it is wanted.
///
/// # Errors
/// As for `replay`; when the explanation is unusable, or the file cannot be written.
pub fn run(args: &Explain) -> Result<i32, Error> {
    let (told, code) = match Written::of(&args.repro) {
        Some(Written::Json) => (Some(kept(&args.repro)?), exit::CLEAN),
        _ => explained(&args.repro)?,
    };
    if let Some((explanation, value)) = told {
        match &args.output {
            Some(path) => write(path, &rendered(path, &explanation, &value))?,
            None => out!("{}", markdown::text(&explanation)),
        }
    }
    Ok(code)
}

/// An explanation, and the object it was read from.
type Told = (Explanation, Value);

/// An explanation that was written earlier.
fn kept(path: &Path) -> Result<Told, Error> {
    let bad = |what: String| Error::Explanation { path: path.to_owned(), what };
    let text = std::fs::read_to_string(path).map_err(|e| match e.kind() {
        io::ErrorKind::InvalidData => bad("is not an explanation: it is not text".into()),
        _ => Error::read(path, e),
    })?;
    Explanation::parse(&text).map_err(bad)
}

/// What the repro's runner or test explains, if it finds anything; and the exit code.
fn explained(repro: &Path) -> Result<(Option<Told>, i32), Error> {
    let Ready { command, by } = repro::ready(repro, "explain", &[])?;
    match by {
        By::Runner(runner) => by_runner(command, &runner),
        By::Test(test) => by_test(command, test),
    }
}

/// What a runner prints.
fn by_runner(command: Command, runner: &Runner) -> Result<(Option<Told>, i32), Error> {
    let mut told = None;
    let ran =
        run_for_lines(command, &runner.package, "explaining", &mut |line| match line["type"]
            .as_str()
        {
            Some("explanation") => told = Some(line.clone()),
            Some("nothing") => say_nothing(line),
            _ => {}
        })?;
    let broken = |how: String| Error::Runner { runner: runner.package.clone(), how };
    match told {
        None if ran.code == exit::FINDING => {
            Err(broken("found something and explained nothing".into()))
        }
        None => Ok((None, ran.code)),
        Some(value) => {
            let read = Explanation::read(&value);
            let read = read.map_err(|what| broken(format!("told what {what}")))?;
            Ok((Some((read, value)), ran.code))
        }
    }
}

/// Tells the reader that there is nothing to explain.
fn say_nothing(line: &Value) {
    let said = line["message"].as_str().unwrap_or("the repro finds nothing any more");
    anstream::eprintln!("{said}: there is nothing to explain");
}

/// What a test writes into a file that it is given.
fn by_test(mut command: Command, test: String) -> Result<(Option<Told>, i32), Error> {
    let scratch = Scratch::new();
    command.env("MAPCHECK_EXPLAIN", &scratch.0);
    // What the test prints is no part of the explanation.
    command.stdout(Stdio::from(io::stderr()));
    let code = run_tests(command)?;
    match std::fs::read_to_string(&scratch.0) {
        Ok(text) => {
            let bad = |what| Error::Explanation { path: scratch.0.clone(), what };
            Ok((Some(Explanation::parse(&text).map_err(bad)?), code))
        }
        Err(_) if code == exit::FINDING => Err(Error::Unexplained { test }),
        Err(_) => {
            say_nothing(&Value::Null);
            Ok((None, code))
        }
    }
}

/// A file that is gone when this is.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let name = format!("mapcheck-explain-{}.json", std::process::id());
        let path = std::env::temp_dir().join(name);
        // One of an earlier process of this number would pass for ours.
        let _ = std::fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The text of a file of this name.
fn rendered(path: &Path, explanation: &Explanation, value: &Value) -> String {
    match Written::of(path) {
        Some(Written::Html) => page::page(explanation, value).into_string(),
        Some(Written::Markdown) => markdown::text(explanation),
        Some(Written::Json) | None => format!("{value}\n"),
    }
}

/// Writes the file, and says so.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|e| Error::write(path, e))?;
    outln!("explained: {} ({})", path.display(), size(text.len()));
    Ok(())
}

/// A file's size for people.
fn size(bytes: usize) -> String {
    if bytes < 1024 { format!("{bytes} bytes") } else { format!("{} KiB", bytes.div_ceil(1024)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_told_in_a_unit_that_suits_it() {
        assert_eq!([7, 1023, 1024, 1025].map(size), ["7 bytes", "1023 bytes", "1 KiB", "2 KiB"]);
    }

    #[test]
    fn what_cannot_be_read_is_no_explanation() {
        let error = kept(Path::new("/nowhere/a.json")).unwrap_err();
        assert!(matches!(error, Error::Read { .. }), "{error}");
    }
}
