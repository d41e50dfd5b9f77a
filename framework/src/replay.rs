//! Replaying and shrinking repro files, for runners and for tests.

use std::fmt::Write as _;
use std::path::Path;

use mapcheck_machine as machine;

use crate::campaign::replay_command;
use crate::exit;
use crate::explain;
use crate::log;
use crate::report::Finding;
use crate::repro::Repro;
use crate::shrink as shrinker;
use crate::worker::{Code, watch};

/// How often to replay: `MAPCHECK_TIMES`, or once.
pub(crate) fn times() -> Result<u64, String> {
    let Some(text) = std::env::var_os("MAPCHECK_TIMES") else { return Ok(1) };
    match text.to_str().and_then(|text| text.parse().ok()) {
        Some(n @ 1..) => Ok(n),
        _ => Err(format!("MAPCHECK_TIMES: `{}` is not a whole number above 0", text.display())),
    }
}

/// Refuses a repro that this build cannot replay: it would run something else and find nothing.
pub(crate) fn fits(repro: &Repro, path: &Path, versions: &str) -> Result<(), String> {
    let path = path.display();
    if repro.versions != versions {
        let (was, is) = difference(&repro.versions, versions);
        return Err(format!(
            "{path} was made with {was}, and this build has {is}: check out the lock file it was \
             made with"
        ));
    }
    if repro.instrumented && !machine::instrumented() {
        return Err(format!(
            "{path} was made with instrumentation: replay it with `cargo mapcheck replay`"
        ));
    }
    if !repro.instrumented && machine::instrumented() {
        return Err(format!(
            "{path} was made without instrumentation: run its test by plain `cargo test` with \
             MAPCHECK_REPLAY set to it"
        ));
    }
    Ok(())
}

/// The versions in which two lists differ.
fn difference(was: &str, is: &str) -> (String, String) {
    let only = |a: &str, b: &str| {
        let others: Vec<&str> = b.split(", ").collect();
        let own: Vec<&str> = a.split(", ").filter(|v| !others.contains(v)).collect();
        if own.is_empty() { "fewer dependencies".to_owned() } else { own.join(", ") }
    };
    (only(was, is), only(is, was))
}

/// What some replays of a repro found.
pub(crate) struct Replayed {
    /// The first one's finding.
    first: Option<Finding>,
    times: u64,
    /// Replays whose report was not the first one's, byte for byte.
    different: u64,
}

/// Replays a repro so many times, each in a process of its own.
///
/// If a log is asked for, that of one more is printed first.
pub(crate) fn run(repro: &Repro, code: Code<'_>, times: u64) -> Result<Replayed, String> {
    if log::is_asked_for() {
        watch::print_log(code, repro)?;
    }
    let first = watch::replay(code, repro, true)?;
    let mut different = 0;
    for _ in 1..times {
        different += u64::from(watch::replay(code, repro, true)? != first);
    }
    let first = match first {
        // It is costly to find out, and an execution is a function of its repro.
        Some(first) if repro.is_of(&first) => Some(first.with_order(repro)),
        other => other,
    };
    Ok(Replayed { first, times, different })
}

impl Replayed {
    /// What the first replay has found.
    pub(crate) fn finding(&self) -> Option<&Finding> {
        self.first.as_ref()
    }

    /// What to tell the reader.
    pub(crate) fn text(&self, repro: &Repro) -> String {
        let mut out = self.first.as_ref().map_or_else(String::new, |f| f.report.clone());
        let (times, different) = (self.times, self.different);
        let replayed = match times {
            1 => "replayed once:".to_owned(),
            n => format!("replayed {n} times, each time:"),
        };
        // Writing to a string does not fail.
        let _ = match &self.first {
            _ if different > 0 => {
                writeln!(out, "replayed {times} times: {different} of them were not like the first")
            }
            Some(f) if repro.is_of(f) => {
                writeln!(out, "{replayed} the same finding")
            }
            Some(_) => writeln!(
                out,
                "{replayed} not the {} at {} that the repro tells of",
                repro.class, repro.site
            ),
            None => writeln!(
                out,
                "{replayed} nothing found\nnote: decisions count schedule points, so a repro holds \
                 for the build that made it (mapcheck {}):\n      it finds nothing where the mistake is \
                 mended, or where the map's adapter or mapcheck changed since",
                repro.mapcheck
            ),
        };
        out
    }

    pub(crate) fn code(&self) -> u8 {
        match &self.first {
            _ if self.different > 0 => exit::INTERNAL,
            Some(_) => exit::FINDING,
            None => exit::CLEAN,
        }
    }
}

/// Shrinks a repro into a file beside it, and tells how far it got.
pub(crate) fn shrink(repro: &Repro, code: Code<'_>, path: &Path) -> Result<String, String> {
    let Some(finding) = watch::replay(code, repro, true)? else {
        return Ok("nothing found, so there is nothing to shrink\n".to_owned());
    };
    let shrunk = shrinker::shrink(code, repro, &finding)?;
    let notes: String = shrunk.notes.iter().map(|note| format!("note: {note}\n")).collect();
    let (mut smaller, cost) = (shrunk.repro, shrunk.cost);
    if smaller == *repro {
        return Ok(format!("it does not get smaller\n{notes}"));
    }
    explain::explain(code, &mut smaller, &finding)?;
    let name = smaller.path(Path::new("."));
    let beside = path.with_file_name(name.file_name().unwrap_or_default());
    smaller.save_as(&beside)?;
    let size = |r: &Repro| {
        let (threads, ops) = (r.scenario.threads.len(), r.scenario.operations());
        format!("{threads} threads, {ops} operations, {} decisions", r.decisions.0.len())
    };
    Ok(format!(
        "{}\n  became {}, with {} executions in {} processes\n{notes}replay: {}\n",
        size(repro),
        size(&smaller),
        cost.executions,
        cost.workers,
        replay_command(&beside)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_versions_that_differ() {
        let (was, is) = difference("a 1.0, b 2.0, c 3.0", "a 1.1, b 2.0");
        assert_eq!((was.as_str(), is.as_str()), ("a 1.0, c 3.0", "a 1.1"));
        assert_eq!(difference("a 1.0", "a 1.0, b 1.0").0, "fewer dependencies");
    }
}
