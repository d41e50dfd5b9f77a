//! The catalogue of mutants: does the tool find each mistake that is known to be there?

use std::time::Duration;

use crate::campaign::{self, Done, Subject};
use crate::engine::Engine;
use crate::exit;
use crate::fault::Fault;
use crate::mutant::Mutant;
use crate::report::Object;
use crate::settings::Settings;

/// Time to find a mutant in, unless the settings say.
const TIME: Duration = Duration::from_secs(60);

/// Executions in which an equivalent mutant must stay silent, unless the settings say.
const SILENT: u64 = 200_000;

/// What became of one mutant on one engine.
pub(crate) struct Row {
    mutant: &'static Mutant,
    done: Done,
}

/// Looks for a mutant, with the faults that it needs: until it is found or the time is over. For equivalent mutants,
/// which must not be found, it makes so many executions, on other engines than the machine within that time.
pub(crate) fn look_for(
    mutant: &'static Mutant,
    needs: Vec<Fault>,
    subject: &Subject<'_>,
    settings: &Settings,
) -> Result<Row, String> {
    let mut settings = Settings { keep_going: false, ..settings.clone() };
    settings.faults.extend(needs);
    let (equivalent, native) = (mutant.equivalent(), settings.engine == Engine::Native);
    if equivalent && !settings.counted {
        settings = settings.executions(SILENT);
    }
    if !equivalent || !native {
        settings.time = settings.time.or(Some(TIME));
    }
    let done = campaign::run_quietly(subject, &settings)?;
    Ok(Row { mutant, done })
}

impl Row {
    /// Whether the first thing found is what the mutant is documented to show.
    fn found(&self) -> bool {
        let first = self.done.findings.first();
        first.is_some_and(|f| self.mutant.classes.contains(&f.finding.class))
    }

    /// Whether it is as it must be.
    fn right(&self) -> bool {
        if self.mutant.equivalent() { self.done.findings.is_empty() } else { self.found() }
    }

    /// The exit code that it alone would give.
    pub(crate) fn code(&self) -> u8 {
        match (self.right(), self.done.findings.is_empty()) {
            (true, _) => exit::CLEAN,
            (false, true) => exit::BUDGET,
            (false, false) => exit::FINDING,
        }
    }

    /// The row as a line of JSON.
    pub(crate) fn line(&self, target: &str, engine: &str) -> String {
        let Row { mutant, done } = self;
        let expected: Vec<&str> = mutant.classes.iter().map(|c| c.name()).collect();
        let row = Object::of_type("fault")
            .text("fault", mutant.id)
            .text("name", mutant.name)
            .text("what", mutant.what)
            .text("exposure", mutant.exposure)
            .text("target", target)
            .text("engine", engine)
            .texts("expected", &expected)
            .flag("found", self.found())
            .flag("as_expected", self.right());
        let Some(first) = done.findings.first() else {
            return row
                .text("class", "")
                .number("executions", done.totals.executions)
                .number("wall_ms", done.wall.as_millis() as u64)
                .text("note", &done.notes.join("; "))
                .line();
        };
        let repro = first.repro.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
        row.text("class", first.finding.class.name())
            .text("message", &first.finding.message)
            .number("executions", first.execution + 1)
            .number("cpu_ms", first.cpu.as_millis() as u64)
            .number("wall_ms", first.wall.as_millis() as u64)
            .number("threads", first.finding.threads)
            .number("operations", first.finding.operations)
            .number("preemptions", first.finding.preemptions)
            .number("decisions", first.decisions)
            .text("repro", &repro)
            .line()
    }
}
