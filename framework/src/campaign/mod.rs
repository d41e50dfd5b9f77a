//! Campaigns: many executions of a subject in worker processes, within a budget, and what becomes
//! of what they find.

mod confirm;
pub(crate) mod console;
mod families;
pub(crate) mod github;
mod import;
pub(crate) mod journal;
mod keep;
pub(crate) mod line;
mod out;
mod queue;
mod take_in;
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mapcheck_machine as machine;

use crate::engine::Limits;
use crate::fault::Fault;
use crate::map::Profile;
use crate::mutant::{Mutant, Mutants};
use crate::oracle::{Class, race};
use crate::report::Finding;
use crate::scenario::{self, Scenario};
use crate::scheduler::Coverage;
use crate::settings::Settings;
pub(crate) use crate::worker::Totals;
use crate::worker::watch::{Patience, Watched};
use crate::worker::{Code, Foreign, Script, Setting, random_of, sees_races};
pub(crate) use confirm::{Seen, is_accepted};
use console::{Console, Progress};
use families::Families;
pub(crate) use import::{Imported, import};
use journal::Journal;
pub(crate) use journal::{Mode, resumable};
pub(crate) use keep::kept_in;
use out::Out;
pub(crate) use out::known;
use queue::{Job, Next, Queue};

/// Times that a scenario may meet findings that are known already.
const REPEATS: u32 = 20;
/// Executions that a worker gets at least, if there are as many: starting it costs as much as some of them.
const LOAD: u64 = 100;

/// What is checked.
pub(crate) struct Subject<'a> {
    /// The target's name, or the test's.
    pub target: String,
    /// The versions of what is checked.
    pub versions: String,
    /// The map's crate; empty where there is none.
    pub home: String,
    /// The package whose binary this is.
    pub runner: String,
    /// The test that this is a part of.
    pub test: Option<String>,
    pub scenarios: Vec<Scenario>,
    /// What scenarios are shaped by, and whether keys may collide in them; `None` where there are none to draw.
    pub shapes: Option<(fn() -> Profile, bool)>,
    pub run: &'a dyn Fn(&Scenario),
    /// The same on the engine of the settings, where that is not the machine.
    pub foreign: Option<fn(&Scenario)>,
    /// The mutants of what is checked.
    pub mutants: Mutants,
    /// The one that is switched on.
    pub mutant: Option<&'static Mutant>,
    /// Faults that must not happen to it.
    pub excludes: &'static [Fault],
    /// Whether data races are looked for.
    pub races: bool,
    /// Functions in which a data race is accepted.
    pub accepts: Vec<String>,
}

impl Subject<'_> {
    pub(crate) fn code(&self) -> Code<'_> {
        Code {
            run: self.run,
            home: &self.home,
            mutants: self.mutants,
            races: self.races,
            accepts: &self.accepts,
        }
    }

    /// Whether there is a fault to inject, if any is asked for.
    ///
    /// The error is a sentence.
    pub(crate) fn bears(&self, faults: &[Fault]) -> Result<(), String> {
        match faults {
            [first, ..] if faults.iter().all(|f| self.excludes.contains(f)) => Err(format!(
                "{} is not made for the fault `{}`: its documentation says that it must not happen",
                self.target,
                first.name()
            )),
            _ => Ok(()),
        }
    }

    /// Applies what the settings say about scenarios and mutants.
    ///
    /// The error names the scenario or the mutant that does not exist.
    pub(crate) fn restrict(&mut self, settings: &Settings) -> Result<(), String> {
        self.mutant = settings.mutant_of(self.mutants)?;
        if settings.injects_in_vain() {
            return Err(format!(
                "the scheduler `{}` injects no faults: use `each-fault`, or one that draws",
                settings.scheduler
            ));
        }
        self.accepts.extend_from_slice(&settings.accept_races);
        if let Some(path) = settings.scenario.as_ref().filter(|s| s.ends_with(".toml")) {
            self.scenarios = vec![Scenario::load(Path::new(path))?];
        } else if let Some(wanted) = &settings.scenario {
            self.scenarios.retain(|s| s.name.starts_with(wanted.as_str()));
            if self.scenarios.is_empty() {
                return Err(format!("{} has no scenario `{wanted}`", self.target));
            }
        }
        if let Some(threads) = settings.threads {
            let of = |s: &Scenario| scenario::families::with_threads(s, threads);
            self.scenarios = self.scenarios.iter().map(of).collect();
        }
        Ok(())
    }
}

/// A finding as it was reported.
#[derive(Debug)]
pub(crate) struct Reported {
    pub finding: Finding,
    /// What was printed, or would have been.
    pub text: String,
    /// Its repro, if it could be written.
    pub repro: Option<PathBuf>,
    /// Its execution's number in the campaign, from 0.
    pub execution: u64,
    /// CPU time and wall time until it was seen.
    pub cpu: Duration,
    pub wall: Duration,
    /// Decisions of the repro.
    pub decisions: u64,
}

/// What a campaign did.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub totals: Totals,
    pub findings: Vec<Reported>,
    /// Findings that were told before, elsewhere.
    pub known: u64,
    /// Whether every execution asked for was made, or the time asked for was used.
    pub complete: bool,
    /// Whether somebody asked the process to stop before it was.
    pub interrupted: bool,
    pub wall: Duration,
    /// CPU time of earlier processes, where it was resumed.
    pub cpu_before: Duration,
    /// What kept an engine from exploring all it was asked to.
    pub notes: Vec<String>,
    /// Pairs of sites whose data race is accepted.
    pub accepted: u64,
    /// Different interleavings, of the executions that were looked at.
    pub interleavings: u64,
    /// Scenarios of which every execution was made, within the bound.
    pub exhausted: usize,
    /// What an exhaustive search has covered of each scenario that it came to, by name.
    pub covered: BTreeMap<String, Coverage>,
    /// Scenarios in all.
    pub scenarios: usize,
}

/// A campaign under way.
struct Campaign<'a> {
    subject: &'a Subject<'a>,
    settings: &'a Settings,
    console: Console,
    queue: Queue,
    running: Vec<Running>,
    /// What was explored.
    families: Families,
    journal: Journal,
    out: Out,
    /// Jobs whose worker somebody else killed, by order and first execution.
    killed: Vec<(u64, u64)>,
    /// What workers found and nobody has looked at yet.
    candidates: Vec<Candidate>,
    /// Findings that are settled.
    known: Vec<Finding>,
    /// How often each scenario met one of them again.
    repeats: Vec<u32>,
    /// What is not looked for any more in a scenario.
    known_well: Vec<(usize, Class)>,
    /// Scenarios in which something was found.
    found_in: BTreeSet<usize>,
    /// Whether a leak was told and no others are looked for.
    leaks_told: bool,
    done: Done,
    started: Instant,
    /// CPU time of the process when the campaign began.
    cpu: Duration,
}

/// A worker, and what it has been given to do.
struct Running {
    jobs: Vec<Job>,
    worker: Watched,
}

impl Running {
    /// The job that it has come to.
    fn at(&self) -> usize {
        self.worker.recording.at().min(self.jobs.len() - 1)
    }
}

/// What a worker found, before it is confirmed.
struct Candidate {
    job: Job,
    execution: u64,
    finding: Finding,
    decisions: Option<crate::decision::Decisions>,
}

/// Runs a campaign and prints what it finds.
///
/// The error is a sentence about a failure of mapcheck or of the system.
pub(crate) fn run(subject: &Subject<'_>, settings: &Settings) -> Result<Done, String> {
    run_with_journal(subject, settings, Mode::Off)
}

/// As [`run`], with a journal: a campaign that was ended goes on where it was.
pub(crate) fn run_with_journal(
    subject: &Subject<'_>,
    settings: &Settings,
    mode: Mode,
) -> Result<Done, String> {
    run_with(subject, settings, Console::new(settings.format, &subject.target), mode)
}

/// As [`run`], for a caller that tells what was found itself.
pub(crate) fn run_quietly(subject: &Subject<'_>, settings: &Settings) -> Result<Done, String> {
    run_with(subject, settings, Console::quiet(&subject.target), Mode::Off)
}

fn run_with(
    subject: &Subject<'_>,
    settings: &Settings,
    console: Console,
    mode: Mode,
) -> Result<Done, String> {
    race::accept_none();
    let journal = Journal::open(subject, settings, mode)?;
    let mut campaign = Campaign {
        subject,
        settings,
        console,
        queue: Queue::new(settings, subject.scenarios.len()),
        running: Vec::new(),
        families: Families::default(),
        out: Out::open(settings, &subject.target, &journal),
        journal,
        killed: Vec::new(),
        candidates: Vec::new(),
        known: Vec::new(),
        repeats: vec![0; subject.scenarios.len()],
        known_well: Vec::new(),
        found_in: BTreeSet::new(),
        leaks_told: false,
        done: Done { scenarios: subject.scenarios.len(), ..Done::default() },
        started: Instant::now(),
        cpu: machine::cpu_time(),
    };
    let ended = campaign.explore();
    campaign.console.refresh();
    campaign.progress();
    campaign.console.clear();
    if !ended? {
        campaign.keep();
    }
    campaign.done.interleavings = campaign.families.interleavings();
    campaign.console.explored(&campaign.families.lines(&subject.target, settings));
    campaign.done.accepted = race::accepted().len() as u64;
    if settings.limit().is_some() {
        // The time or the number of executions was over before the bound was reached.
        campaign.done.complete &= campaign.done.exhausted == campaign.queue.of_this_shard();
        campaign.console.covered(&campaign.done.covered);
    }
    campaign.warn();
    campaign.done.wall = campaign.used().0;
    campaign.done.cpu_before = campaign.journal.before.1;
    let complete = campaign.done.complete;
    campaign.note(|journal| journal.note_end(complete));
    Ok(campaign.done)
}

impl Campaign<'_> {
    /// True if a finding ended it.
    fn explore(&mut self) -> Result<bool, String> {
        self.done.complete = true;
        let mut patience = Patience::new();
        loop {
            if self.fill()? {
                patience.renew();
            }
            if self.running.is_empty() && self.candidates.is_empty() {
                return Ok(false);
            }
            self.collect()?;
            if self.settle()? {
                return Ok(true);
            }
            if self.is_over() && !self.running.is_empty() {
                self.cut_short();
                self.stop();
            }
            self.progress();
            patience.sleep();
        }
    }

    /// What is done, and what the running workers have done so far.
    fn totals(&self) -> Totals {
        let mut totals = self.done.totals;
        self.running.iter().for_each(|r| totals.add(r.worker.recording.totals()));
        totals
    }

    /// Updates the progress line.
    fn progress(&mut self) {
        let progress = Progress::of(self.totals(), self.settings, self.used().0);
        let findings = self.done.findings.len() as u64;
        let interleavings = Some(self.families.interleavings());
        let left = |c: &Coverage| c.remaining.unwrap_or(0);
        let remaining = self.done.covered.values().map(left).reduce(u64::saturating_add);
        let news = Some(self.queue.news());
        let known = self.done.known;
        self.console.progress(&Progress {
            findings,
            known,
            interleavings,
            news,
            remaining,
            ..progress
        });
    }

    /// Wall time and CPU time that the campaign has used, with what processes before this one used.
    fn used(&self) -> (Duration, Duration) {
        let cpu = machine::cpu_time().saturating_sub(self.cpu);
        (self.journal.before.0 + self.started.elapsed(), self.journal.before.1 + cpu)
    }

    /// Whether no more workers are to be started: the time is used, or somebody asked the process to stop.
    fn is_over(&self) -> bool {
        let wall = self.journal.before.0 + self.started.elapsed();
        machine::interrupted() || self.settings.time.is_some_and(|t| wall > t)
    }

    /// Notes that there was more to do when it was over.
    fn cut_short(&mut self) {
        self.done.interrupted |= machine::interrupted();
        self.done.complete &= !self.settings.counted && !self.done.interrupted;
    }

    /// Writes to the journal, and says so once if that is not possible.
    fn note(&mut self, write: impl FnOnce(&mut Journal) -> Result<(), String>) {
        if let Err(what) = write(&mut self.journal) {
            self.console.warn(&what);
        }
    }

    /// Ends all workers; what they have done counts.
    fn stop(&mut self) {
        // Each is read once: a worker goes on until it is dropped.
        for Running { jobs, worker } in std::mem::take(&mut self.running) {
            for (job, result) in jobs.iter().zip(worker.recording.results()) {
                self.done.totals.add(result.totals);
                self.explored(job.scenario, result.totals, &result.interleavings);
            }
        }
    }

    fn setting(&self, job: &Job) -> Setting<'_> {
        let looked_for = |class| !self.known_well.contains(&(job.scenario, class));
        let races = self.subject.races && sees_races() && looked_for(Class::DataRace);
        Setting {
            code: self.subject.code(),
            scenario: &self.subject.scenarios[job.scenario],
            faults: &self.settings.faults,
            mutant: self.subject.mutant,
            random: job.batch.seed,
            max_steps: self.settings.max_steps,
            races: match self.settings.limit() {
                _ if !races => 0,
                // Of those that are equivalent it makes one.
                Some(_) => self.settings.races.min(1),
                None => self.settings.races,
            },
            judging: true,
            leaks: self.settings.leaks && !self.leaks_told && looked_for(Class::Leak),
            stack_at: None,
            log: false,
            patience: self.settings.patience,
        }
    }

    /// Starts workers while there are jobs; while a candidate waits to be settled, only for earlier ones. Whether any
    /// was started.
    fn fill(&mut self) -> Result<bool, String> {
        let before = self.running.len();
        while self.running.len() < self.settings.workers {
            let jobs = self.load();
            if jobs.is_empty() {
                break;
            }
            let worker = self.start(&jobs)?;
            self.running.push(Running { jobs, worker });
        }
        Ok(self.running.len() > before)
    }

    /// What the next worker does. What the journal has of a job needs no worker, and counts though the time be over.
    fn load(&mut self) -> Vec<Job> {
        let (mut jobs, mut executions) = (Vec::new(), 0);
        while executions < LOAD && !(self.subject.foreign.is_some() && executions > 0) {
            let first = self.candidates.iter().map(|c| c.job.order).min();
            let comes_before = |first| self.queue.earliest_rest().is_some_and(|rest| rest < first);
            if first.is_some_and(|first| !comes_before(first)) {
                break;
            }
            let Next::Job(job) = self.queue.next() else { break };
            if let Some(ended) = self.journal.ended(&job) {
                self.take_in(*job, ended);
            } else if !self.is_over() {
                executions += job.batch.count;
                jobs.push(*job);
            } else {
                self.cut_short();
                if !self.journal.goes_beyond(&job) {
                    break;
                }
            }
        }
        jobs
    }

    fn start(&self, jobs: &[Job]) -> Result<Watched, String> {
        let job = &jobs[0];
        let Some(run) = self.subject.foreign else {
            let batches: Vec<_> = jobs.iter().map(|j| (self.setting(j), &j.batch)).collect();
            return Watched::start(self.setting(job), &Script::Batches(&batches));
        };
        let Settings { engine, scheduler, bound, max_steps, .. } = self.settings;
        let limits = Limits {
            executions: job.batch.count,
            time: self.settings.time.map(|time| time.saturating_sub(self.used().0)),
            seed: random_of(job.batch.seed, job.batch.first),
            scheduler: scheduler.clone(),
            bound: *bound,
            max_steps: *max_steps,
        };
        let foreign = Foreign { engine: *engine, limits, first: job.batch.first, run };
        Watched::start(self.setting(job), &Script::Foreign(&foreign))
    }

    /// Settles the earliest candidate once no earlier job is under way, so that the same seed tells
    /// the same finding however fast the workers are. True if it is the end.
    fn settle(&mut self) -> Result<bool, String> {
        let Some(first) = (0..self.candidates.len()).min_by_key(|&i| self.candidates[i].job.order)
        else {
            return Ok(false);
        };
        let order = self.candidates[first].job.order;
        let under_way = self.running.iter().map(|r| r.jobs[r.at()].order);
        let earliest = under_way.chain(self.queue.earliest_rest()).min();
        if earliest.is_some_and(|earliest| earliest < order) && !self.is_over() {
            return Ok(false);
        }
        let candidate = self.candidates.swap_remove(first);
        let repro = || confirm::repro(self.subject, self.settings, &candidate);
        if confirm::is_accepted(self.subject, &candidate.finding, &repro)? {
            self.queue.done(&candidate.job, Some(candidate.execution));
            return Ok(false);
        }
        let leak = candidate.finding.left_behind;
        // What a leak costs is memory: it is told, and does not keep worse from being found.
        let goes_on = self.settings.keep_going || leak;
        if goes_on {
            self.queue.done(&candidate.job, Some(candidate.execution));
        }
        if leak && self.leaks_told {
            return Ok(false);
        }
        if self.known.iter().any(|known| known.same_as(&candidate.finding)) {
            self.met_again(candidate.job.scenario, candidate.finding.class);
            return Ok(false);
        }
        if !goes_on {
            self.stop();
        }
        self.report(&candidate)?;
        self.leaks_told |= leak && !self.settings.keep_going;
        Ok(!goes_on)
    }

    /// Each time that a scenario meets what is known costs a process. What does not end an execution early is then not
    /// looked for in it any more; with anything else it is given up.
    fn met_again(&mut self, scenario: usize, class: Class) {
        self.repeats[scenario] += 1;
        if self.repeats[scenario] < REPEATS {
            return;
        }
        let name = &self.subject.scenarios[scenario].name;
        if matches!(class, Class::Leak | Class::DataRace)
            && !self.known_well.contains(&(scenario, class))
        {
            self.known_well.push((scenario, class));
            self.repeats[scenario] = 0;
            let what = if class == Class::Leak { "leaks" } else { "data races" };
            self.console.warn(&format!(
                "in scenario {name}, {what} are not looked for any more: {REPEATS} times it met what is known already",
            ));
        } else if self.repeats[scenario] == REPEATS {
            self.queue.give_up(scenario);
            self.console.warn(&format!(
                "scenario {name} is given up: {REPEATS} times it met what is known already",
            ));
        }
    }

    /// Says what makes the run weaker than it looks.
    fn warn(&mut self) {
        let Totals { executions, freed, outlived, unjudged, .. } = self.done.totals;
        let native = self.subject.foreign.is_none();
        let maps = native && self.subject.scenarios.iter().any(|s| !s.threads.is_empty());
        if maps && executions > 0 && freed == 0 && self.done.findings.is_empty() {
            self.console.warn(
                "no execution made the map free an element before the map itself was dropped: turn \
                 its batches down in `new`, or implement `reclaim`",
            );
        }
        if unjudged > 0 {
            self.console.warn(&format!(
                "{unjudged} times the operations on a key, or on the whole map, overlapped too much \
                 to be judged: what they returned is inconclusive",
            ));
        }
        let Done { accepted: pairs, totals: Totals { accepted, .. }, .. } = self.done;
        if pairs > 0 {
            self.console.warn(&format!(
                "data races between {pairs} pair{} of sites are accepted, and were met {accepted} times more",
                if pairs == 1 { "" } else { "s" },
            ));
        }
        if outlived > 0 {
            self.console.warn(&format!(
                "{outlived} executions ended while threads they had started still waited; nothing \
                 joins or wakes them",
            ));
        }
    }
}

/// The command that replays a repro.
pub(crate) fn replay_command(path: &Path) -> String {
    format!("cargo mapcheck replay {}", crate::report::from_here(path))
}
