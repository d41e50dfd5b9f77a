//! The matrix: each pattern of deletion against each target, and which of its promises the map kept.

use crate::campaign::{self, Done, Subject};
use crate::oracle::Class;
use crate::report::Object;
use crate::settings::Settings;

/// Executions of a cell, unless the settings say.
const EXECUTIONS: u64 = 4000;

/// What was seen of one target under one pattern.
pub(crate) struct Cell(Option<Done>);

/// Explores a cell: the subject's scenarios are those of one pattern.
///
/// Nothing is explored where the map lacks what the pattern needs.
pub(crate) fn fill(subject: &Subject<'_>, settings: &Settings) -> Result<Cell, String> {
    if subject.scenarios.is_empty() {
        return Ok(Cell(None));
    }
    let settings = Settings { keep_going: true, ..settings.clone() };
    let settings = match settings.counted || settings.time.is_some() {
        true => settings,
        false => settings.executions(EXECUTIONS),
    };
    campaign::run_quietly(subject, &settings).map(|done| Cell(Some(done)))
}

impl Cell {
    /// Whether nothing of these classes was found.
    fn without(&self, classes: &[Class]) -> Option<bool> {
        let done = self.0.as_ref()?;
        Some(!done.findings.iter().any(|f| classes.contains(&f.finding.class)))
    }

    /// The cell as a line of JSON.
    pub(crate) fn line(&self, target: &str, pattern: &str) -> String {
        use Class::*;
        let found = self.0.iter().flat_map(|done| &done.findings);
        let mut classes: Vec<&str> = found.map(|f| f.finding.class.name()).collect();
        classes.sort_unstable();
        classes.dedup();
        Object::of_type("cell")
            .text("target", target)
            .text("scenario", pattern)
            .optional_flag("terminates", self.without(&[Panic, Deadlock, Livelock, Crash]))
            .optional_flag("complete", self.without(&[MissedElement]))
            .optional_flag(
                "consistent",
                self.without(&[
                    DuplicateElement,
                    GhostElement,
                    TornValue,
                    NotLinearizable,
                    NotSequential,
                    DataRace,
                ]),
            )
            .optional_flag(
                "pointer",
                self.without(&[PrematureReclamation, DoubleFree, InvalidFree, OutOfBounds]),
            )
            .texts("found", &classes)
            .number("executions", self.0.as_ref().map_or(0, |done| done.totals.executions))
            .line()
    }
}
