//! From something a worker saw to a finding: replayed in a fresh process, shrunk, and told in full.

use mapcheck_machine as machine;

use super::{Candidate, Subject};
use crate::decision::Decisions;
use crate::explain;
use crate::oracle::{Class, race};
use crate::report::{Finding, Race};
use crate::repro::{self, History, Repro};
use crate::scenario::Scenario;
use crate::settings::Settings;
use crate::shrink;
use crate::worker::watch;

/// A finding, how to replay it, and what the reader must know.
pub(super) struct Settled {
    pub finding: Finding,
    pub repro: Repro,
    pub notes: Vec<String>,
}

/// Whether a finding is a data race in a function where such are accepted; `repro` replays it. From now on workers pass
/// it over.
pub(crate) fn is_accepted(
    subject: &Subject<'_>,
    finding: &Finding,
    repro: &dyn Fn() -> Repro,
) -> Result<bool, String> {
    let may_be = |race: &&Race| !subject.accepts.is_empty() || race.functions.is_empty();
    let Some(race) = finding.race.as_ref().filter(may_be) else { return Ok(false) };
    // Replaying it accepts it.
    let before = race::accepted();
    if !before.contains(&race.pair) {
        watch::replay(subject.code(), &repro(), true)?;
    }
    Ok(race::accepted().contains(&race.pair))
}

/// Replays a candidate: alone, or else from the start of its batch. `None` if `is_new` says so, which sees the repro
/// before it is shrunk.
pub(super) fn settle(
    subject: &Subject<'_>,
    settings: &Settings,
    candidate: &Candidate,
    is_new: &mut dyn FnMut(&Repro) -> bool,
) -> Result<Option<Settled>, String> {
    let repro = repro(subject, settings, candidate);
    if subject.foreign.is_some() {
        // Other engines are deterministic for a seed, but their executions are not ours to replay.
        let finding = candidate.finding.clone();
        return Ok(Some(Settled { finding, repro, notes: Vec::new() }));
    }
    if let Some(finding) = replayed(subject, &repro, candidate)? {
        let repro = repro.with_sites_of(&finding);
        if !is_new(&repro) {
            return Ok(None);
        }
        return settle_alone(subject, settings, repro, finding).map(Some);
    }
    let random = candidate.job.batch.seed;
    let repro = Repro { history: Some(history(candidate)), random, ..repro };
    let (finding, note) = match replayed(subject, &repro, candidate)? {
        Some(finding) => {
            let before = candidate.execution - candidate.job.batch.first;
            (finding, format!("it needs the {before} executions before it in the same process"))
        }
        None => {
            let note = "it did not happen again: something that is not a decision plays a part";
            (candidate.finding.clone(), note.to_owned())
        }
    };
    let repro = repro.with_sites_of(&finding);
    Ok(is_new(&repro).then(|| Settled { finding, repro, notes: vec![note] }))
}

/// Settles what a repro finds when it is replayed.
pub(super) fn settle_alone(
    subject: &Subject<'_>,
    settings: &Settings,
    repro: Repro,
    finding: Finding,
) -> Result<Settled, String> {
    match settings.shrink {
        true => shrunk(subject, repro, finding),
        false => Ok(Settled { finding, repro, notes: Vec::new() }),
    }
}

/// The finding of a repro, if it is the candidate's.
fn replayed(
    subject: &Subject<'_>,
    repro: &Repro,
    candidate: &Candidate,
) -> Result<Option<Finding>, String> {
    if repro.history.is_none() && candidate.decisions.is_none() {
        return Ok(None);
    }
    let found = watch::replay(subject.code(), repro, true)?;
    Ok(found.filter(|f| f.same_as(&candidate.finding)))
}

fn history(candidate: &Candidate) -> History {
    let batch = &candidate.job.batch;
    History {
        scheduler: batch.scheduler.clone(),
        seed: batch.seed,
        bound: batch.bound,
        suspend: batch.suspend,
        first: batch.first,
        executions: candidate.execution - batch.first + 1,
        learnt: batch.learnt.clone(),
    }
}

/// What replays a candidate alone.
pub(super) fn repro(subject: &Subject<'_>, settings: &Settings, candidate: &Candidate) -> Repro {
    let seen = Seen {
        class: candidate.finding.class,
        random: candidate.job.batch.random(candidate.execution),
        decisions: candidate.decisions.clone(),
        scenario: &subject.scenarios[candidate.job.scenario],
    };
    seen.repro(subject, settings).with_sites_of(&candidate.finding)
}

/// An execution in which something was found.
pub(crate) struct Seen<'a> {
    pub class: Class,
    /// Seed of the randomness that the code under test asked for.
    pub random: u64,
    /// `None` if there were too many to keep.
    pub decisions: Option<Decisions>,
    pub scenario: &'a Scenario,
}

impl Seen<'_> {
    /// What replays it, without the sites of what was found.
    pub(crate) fn repro(self, subject: &Subject<'_>, settings: &Settings) -> Repro {
        Repro {
            mapcheck: repro::MAPCHECK.to_owned(),
            target: subject.target.clone(),
            versions: subject.versions.clone(),
            runner: subject.runner.clone(),
            test: subject.test.clone(),
            instrumented: machine::instrumented(),
            class: self.class,
            site: String::new(),
            earlier_site: String::new(),
            random: self.random,
            max_steps: settings.max_steps,
            patience: settings.patience,
            faults: settings.faults.clone(),
            mutant: subject.mutant.map(|m| m.name.to_owned()),
            decisions: self.decisions.unwrap_or_default(),
            history: None,
            order: Vec::new(),
            inflection: String::new(),
            scenario: self.scenario.clone(),
        }
    }
}

/// Shrinks a finding that replays alone, and tells it anew.
fn shrunk(subject: &Subject<'_>, repro: Repro, finding: Finding) -> Result<Settled, String> {
    let shrunk = shrink::shrink(subject.code(), &repro, &finding)?;
    let smaller = shrunk.repro;
    let told = watch::replay(subject.code(), &smaller, true)?.filter(|f| f.same_as(&finding));
    let (finding, repro) = told.map_or((finding, repro), |told| (told, smaller));
    // Of a data race, either access may be the later one; a leak's site is known of a recorded execution alone.
    let mut repro = repro.with_sites_of(&finding);
    if machine::interrupted() {
        return Ok(Settled { finding, repro, notes: shrunk.notes });
    }
    explain::explain(subject.code(), &mut repro, &finding)?;
    let finding = finding.with_order(&repro);
    Ok(Settled { finding, repro, notes: shrunk.notes })
}
