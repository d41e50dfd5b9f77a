//! From an invalid pointer back to what made it so: which order of steps a finding needs, from where on it cannot be
//! avoided, and who did what to the block that it is about.
//!
//! The way back is read off a replay. A first one, of which every access is kept, shows which accesses matter; a second
//! one has their stacks. Both are in processes of their own, so that what is told is a function of the repro alone.

mod flow;
mod graph;
mod json;
mod order;
mod plot;
mod sources;
mod story;
mod timeline;

use std::path::Path;

use crate::log;
use crate::report::{Finding, Object};
use crate::repro::Repro;
use crate::worker::tape::{Studied, Study, Tape};
use crate::worker::watch::{self, Outcome};
use crate::worker::{Code, Script, Setting};
use flow::Flow;
pub(crate) use order::explain;
use plot::Plot;
use story::Story;

/// What is explained, and where it lies.
pub(crate) struct Shown<'a> {
    pub code: Code<'a>,
    pub repro: &'a Repro,
    pub path: &'a Path,
}

impl Shown<'_> {
    /// The mutant's number and name.
    fn mutant(&self, name: &str) -> String {
        let known = self.code.mutant(name);
        known.map_or_else(|| name.to_owned(), |mutant| format!("{} {}", mutant.id, mutant.name))
    }

    /// Replays, and has the tape studied from within the process. What it says is told as the report.
    fn study(
        &self,
        wanted: &[u64],
        tell: &dyn Fn(&Studied<'_>) -> String,
    ) -> Result<Option<Finding>, String> {
        let study = Study { decisions: &self.repro.decisions, wanted, tell };
        let (outcome, _) = watch::run(Setting::of(self.code, self.repro), &Script::Study(&study))?;
        Ok(match outcome {
            Outcome::Found(finding) => Some(finding),
            _ => None,
        })
    }

    /// What the tape tells; `None` if there is none, since the finding needs other executions before it, or kills its
    /// process.
    fn told(&self, finding: &Finding, bare: &dyn Fn() -> Object) -> Result<Option<String>, String> {
        if self.repro.history.is_some() {
            return Ok(None);
        }
        let same = |told: &Finding| told.class == finding.class;
        // First to see which loads there are, then by which the user came to the block, and then to tell all.
        let mut wanted: Vec<u64> = Vec::new();
        for looks in [plot::candidates, story::steps] {
            let steps = |studied: &Studied<'_>| {
                let flow = Flow::new(studied.tape);
                let steps = looks(&flow, &plot::plot(&flow, studied.found, studied.stack));
                steps.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
            };
            let Some(told) = self.study(&wanted, &steps)?.filter(same) else { return Ok(None) };
            let more: Result<Vec<u64>, _> = told.report.split(' ').map(str::parse).collect();
            // A process that died has told its own report.
            let Ok(more) = more else { return Ok(None) };
            wanted.extend(more);
        }
        let tell = |studied: &Studied<'_>| {
            let flow = Flow::new(studied.tape);
            let plot = plot::plot(&flow, studied.found, studied.stack);
            let (scenario, home) = (&self.repro.scenario, self.code.home);
            let story = story::story(&flow, &plot, studied, scenario, home);
            let told = (studied.notes, studied.steps);
            json::with_tape(bare(), (&flow, &plot), &story, told, self).line()
        };
        Ok(self.study(&wanted, &tell)?.filter(same).map(|told| told.report))
    }
}

/// Explains a repro: one line of JSON. `None` if its replay finds nothing.
pub(crate) fn tell(shown: &Shown<'_>) -> Result<Option<String>, String> {
    if log::is_asked_for() {
        watch::print_log(shown.code, shown.repro)?;
    }
    let Some(finding) = watch::replay(shown.code, shown.repro, true)? else { return Ok(None) };
    let finding = finding.with_order(shown.repro);
    let bare = || json::bare(shown, &finding, finding.threads);
    if let Some(line) = shown.told(&finding, &bare)? {
        return Ok(Some(line));
    }
    let (tape, plot) = (Tape::default(), Plot::default());
    let story = Story { summary: vec![finding.message.clone() + "."], ..Story::default() };
    let none = (&Flow::new(&tape), &plot);
    Ok(Some(json::with_tape(bare(), none, &story, (&[], 0), shown).line()))
}
