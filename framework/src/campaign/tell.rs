//! What becomes of a candidate that is no known finding: it is saved, settled and told.

use std::path::PathBuf;
use std::time::Duration;

use mapcheck_machine as machine;

use super::console::Told;
use super::line::Line;
use super::{Campaign, Candidate, Reported, confirm, replay_command};
use crate::report::{Finding, Object};
use crate::repro::Repro;
use crate::settings::Settings;

/// All that is told of a finding.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Telling {
    pub finding: Finding,
    /// The order of its job.
    order: u64,
    /// The number of the execution within its chain, and in the campaign.
    execution: u64,
    number: u64,
    scenario: String,
    cpu: Duration,
    wall: Duration,
    decisions: u64,
    repro: Option<PathBuf>,
    replay: String,
    notes: Vec<String>,
    /// Whether it is as small as it gets: an interrupted run shrinks nothing.
    pub shrunk: bool,
}

impl Telling {
    /// The candidate that it is of, by its job and its execution.
    pub(super) fn at(&self) -> (u64, u64) {
        (self.order, self.execution)
    }

    /// The name of its repro's file.
    pub(super) fn repro_name(&self) -> Option<&str> {
        self.repro.as_deref()?.file_name()?.to_str()
    }

    /// Its line in the journal, without the finding.
    pub(super) fn line(&self) -> Object {
        let repro = self.repro.as_deref().map(|p| p.display().to_string()).unwrap_or_default();
        Object::of_type("told")
            .number("order", self.order)
            .number("execution", self.execution)
            .number("number", self.number)
            .text("scenario", &self.scenario)
            .text("class", &self.finding.class.to_string())
            .text("site", &self.finding.site)
            .number("cpu_ms", self.cpu.as_millis() as u64)
            .number("wall_ms", self.wall.as_millis() as u64)
            .number("decisions", self.decisions)
            .text("repro", &repro)
            .text("replay", &self.replay)
            .texts("notes", &self.notes)
            .flag("shrunk", self.shrunk)
    }

    /// Reads such a line.
    pub(super) fn read(line: &Line, finding: Finding) -> Option<Telling> {
        let millis = |key| line.number(key).map(Duration::from_millis);
        Some(Telling {
            finding,
            order: line.number("order")?,
            execution: line.number("execution")?,
            number: line.number("number")?,
            scenario: line.text("scenario")?.to_owned(),
            cpu: millis("cpu_ms")?,
            wall: millis("wall_ms")?,
            decisions: line.number("decisions")?,
            repro: Some(line.text("repro")?).filter(|p| !p.is_empty()).map(PathBuf::from),
            replay: line.text("replay")?.to_owned(),
            notes: line.texts("notes")?.to_vec(),
            shrunk: line.flag("shrunk"),
        })
    }

    fn told(&self) -> Told<'_> {
        Told {
            finding: &self.finding,
            scenario: &self.scenario,
            execution: self.number,
            cpu: self.cpu,
            repro: self.repro.as_deref(),
            replay: &self.replay,
            notes: &self.notes,
        }
    }

    /// What the campaign's caller gets of it.
    fn reported(self, target: &str) -> Reported {
        Reported {
            text: self.told().text(target),
            execution: self.number,
            cpu: self.cpu,
            wall: self.wall,
            decisions: self.decisions,
            finding: self.finding,
            repro: self.repro,
        }
    }
}

impl Campaign<'_> {
    /// Confirms, saves, shrinks and prints a finding, unless it is known from elsewhere.
    pub(super) fn report(&mut self, candidate: &Candidate) -> Result<(), String> {
        self.known.push(candidate.finding.clone());
        let again = self.journal.tells_again();
        let at = (candidate.job.order, candidate.execution);
        let family = &self.subject.scenarios[candidate.job.scenario].family;
        let before = self.journal.told(at, &candidate.finding);
        if let Some(before) = before {
            self.tell(before, again);
            self.families.found(family);
            return Ok(());
        }
        let Some(telling) = self.telling(candidate)? else {
            self.done.known += 1;
            return Ok(());
        };
        self.tell(telling.clone(), true);
        self.families.found(family);
        self.note(|journal| journal.note_told(&telling));
        Ok(())
    }

    fn tell(&mut self, telling: Telling, print: bool) {
        if print {
            self.console.finding(&telling.told());
        }
        self.done.findings.push(telling.reported(&self.subject.target));
    }

    /// Settles a candidate; `None` where it turns out to be known from elsewhere.
    fn telling(&mut self, candidate: &Candidate) -> Result<Option<Telling>, String> {
        let (wall, cpu) = self.used();
        self.console.note("found something; replaying and shrinking it");
        if self.known.len() == 1 {
            // The workers that replay it inherit the debug information that is read here.
            machine::Stack::capture().frames();
        }
        let mut notes = Vec::new();
        let (out, journal) = (&mut self.out, &mut self.journal);
        let mut is_new = |repro: &Repro| {
            let new = !out.knows(repro);
            if new {
                // If this fails, saving it when it is shrunk does too, and that is told.
                let _ = out.keep(repro, journal);
            }
            new
        };
        let settled = confirm::settle(self.subject, self.settings, candidate, &mut is_new)?;
        let Some(settled) = settled else { return Ok(None) };
        notes.extend(settled.notes);
        let path = match self.subject.foreign {
            Some(_) => None,
            None => {
                let saved = self.out.save(&settled.repro, &mut self.journal);
                saved.map_err(|e| notes.push(e)).ok()
            }
        };
        Ok(Some(Telling {
            replay: path.as_deref().map_or_else(|| self.anew(candidate), replay_command),
            finding: settled.finding,
            order: candidate.job.order,
            execution: candidate.execution,
            number: candidate.job.number_of(candidate.execution),
            scenario: settled.repro.scenario.name,
            cpu,
            wall,
            decisions: settled.repro.decisions.0.len() as u64,
            repro: path,
            notes,
            shrunk: !machine::interrupted(),
        }))
    }

    /// How a finding without a repro is seen again.
    fn anew(&self, candidate: &Candidate) -> String {
        if self.subject.foreign.is_none() {
            return "not possible, because the repro could not be written".to_owned();
        }
        let Settings { engine, seed, scheduler, bound, threads, .. } = self.settings;
        let drawn = &self.subject.scenarios[candidate.job.scenario].name;
        let file = self.settings.scenario.as_ref().filter(|name| name.ends_with(".toml"));
        let scenario = file.unwrap_or(drawn);
        let target = &self.subject.target;
        let mut command = format!(
            "cargo mapcheck check {target} --engine {engine} --seed {seed} --scenario {scenario} \
             --scheduler {scheduler}"
        );
        let flag = |name: &str, value: Option<String>| {
            value.map_or_else(String::new, |value| format!(" --{name} {value}"))
        };
        command += &flag("fault", self.subject.mutant.map(|m| m.id.to_owned()));
        command += &flag("bound", bound.map(|n| n.to_string()));
        command += &flag("threads", threads.map(|n| n.to_string()));
        command
    }
}
