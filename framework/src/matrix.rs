//! The matrix: each pattern of deletion, or each fault, against each target, and which of its promises the map kept.

use crate::campaign::{self, Done, Subject};
use crate::fault::Fault;
use crate::oracle::Class;
use crate::report::Object;
use crate::scenario::families;
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
    let ends = settings.counted || settings.time.is_some() || settings.limit().is_some();
    let settings = match ends {
        true => settings,
        false => settings.executions(EXECUTIONS),
    };
    campaign::run_quietly(subject, &settings).map(|done| Cell(Some(done)))
}

/// A subject with a fault and nothing else, and the settings for it: at every point in turn where that says most.
pub(crate) fn under(fault: Fault, subject: &mut Subject<'_>, settings: &Settings) -> Settings {
    let settings = Settings { faults: vec![fault], ..settings.clone() };
    if !fault.is_local() {
        return settings;
    }
    subject.scenarios.retain(|s| s.family != families::DRAWN);
    settings.scheduler("each-fault")
}

impl Cell {
    /// Whether nothing of these classes was found.
    fn without(&self, classes: &[Class]) -> Option<bool> {
        let done = self.0.as_ref()?;
        Some(!done.findings.iter().any(|f| classes.contains(&f.finding.class)))
    }

    /// The cell as a line of JSON; `of` says what its column is: a `scenario` or a `fault`.
    pub(crate) fn line(&self, target: &str, (of, column): (&'static str, &str)) -> String {
        use Class::*;
        let found = self.0.iter().flat_map(|done| &done.findings);
        let mut classes: Vec<&str> = found.map(|f| f.finding.class.name()).collect();
        classes.sort_unstable();
        classes.dedup();
        Object::of_type("cell")
            .text("target", target)
            .text(of, column)
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
            .optional_flag(
                "exhausted",
                self.0.as_ref().map(|done| done.exhausted > 0 && done.complete),
            )
            .line()
    }
}
