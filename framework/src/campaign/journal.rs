//! The journal of a campaign: a line for every job that has ended, and for every finding that was told.
//!
//! A campaign that goes on takes the same decisions again, and where a worker would run, or a finding would be settled,
//! it takes what the journal has of it. So nothing needs to be restored, and what a job's successors are planned from
//! may be any of what its line holds.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use super::line::Line;
use super::queue::Job;
use super::tell::Telling;
use super::{Subject, out};
use crate::decision::Decisions;
use crate::report::{Finding, Object};
use crate::repro::{self, MAPCHECK};
use crate::settings::Settings;
use crate::text::{self, Writer};
use crate::worker::watch::{Outcome, Watched};
use crate::worker::{self, BatchResult, Learnt, Totals, Words};

/// The format this version writes, and the newest it goes on with.
const FORMAT: u64 = 1;
/// How the names of journals begin and end; between them is the hash of the settings.
const NAME: (&str, &str) = ("journal-", ".jsonl");

/// What a campaign does with journals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It keeps none.
    Off,
    /// It goes on with the journal of the same settings, if there is one.
    Add,
    /// The same, and the user expects one, see [`resumable`].
    Resume,
    /// As [`Mode::Add`], after the death of a process whose output has been seen: that is not told again.
    Restart,
}

impl Mode {
    /// What the command that started this process asks for.
    pub(crate) fn from_env() -> Mode {
        match std::env::var("MAPCHECK_JOURNAL").as_deref() {
            Ok("add") => Mode::Add,
            Ok("resume") => Mode::Resume,
            Ok("restart") => Mode::Restart,
            _ => Mode::Off,
        }
    }
}

/// How a job ended: all that its campaign goes by.
#[derive(Debug, PartialEq)]
pub(super) struct Ended {
    pub totals: Totals,
    /// The number of its last execution.
    pub execution: u64,
    pub outcome: Outcome,
    /// The decisions of that execution, if something was found in it.
    pub decisions: Option<Decisions>,
    /// Whether an engine has made every execution there is.
    pub exhausted: bool,
    /// What an engine says of its limits.
    pub said: String,
    /// What later jobs of its chain go on from.
    pub learnt: Learnt,
    /// The interleavings of the executions that were looked at.
    pub interleavings: Vec<u64>,
}

impl Ended {
    /// A job of a worker, which has come to it; `last` says that it has come no further.
    pub(super) fn of(
        job: &Job,
        worker: &Watched,
        result: BatchResult,
        last: bool,
        outcome: Outcome,
    ) -> Ended {
        let recording = &worker.recording;
        let found = matches!(outcome, Outcome::Found(_));
        let finished = outcome == Outcome::Finished;
        let BatchResult { totals, learnt, interleavings, exhausted } = result;
        Ended {
            totals,
            learnt,
            interleavings,
            execution: recording.execution().max(job.batch.first),
            decisions: found.then(|| recording.decisions()).flatten(),
            exhausted: finished && exhausted,
            // What a worker says when it is through; before that, the text is of something else.
            said: if finished && last { recording.text() } else { String::new() },
            outcome,
        }
    }

    fn line(&self, job: &Job, scenario: &str) -> Object {
        let object = Object::of_type("job")
            .number("order", job.order)
            .number("first", job.batch.first)
            .number("count", job.batch.count)
            .text("scenario", scenario);
        self.write(object)
    }

    /// What [`Ended::read`] reads.
    fn write(&self, object: Object) -> Object {
        let Totals { executions, points, switches, freed, outlived, unjudged, accepted } =
            self.totals;
        let object = object
            .text("outcome", outcome_name(&self.outcome))
            .number("execution", self.execution)
            .number("executions", executions)
            .number("points", points)
            .number("switches", switches)
            .number("freed", freed)
            .number("outlived", outlived)
            .number("unjudged", unjudged)
            .number("accepted", accepted)
            .flag("exhausted", self.exhausted)
            .text("said", &self.said)
            .text("learnt", &self.learnt.to_string())
            .text("interleavings", &Words(&self.interleavings).to_string());
        let Outcome::Found(finding) = &self.outcome else { return object };
        let object = object.text("finding", &finding_text(finding));
        match &self.decisions {
            Some(decisions) => object.text("decisions", &decisions.to_string()),
            None => object,
        }
    }

    fn read(line: &Line) -> Option<Ended> {
        let outcome = match line.text("outcome")? {
            "finished" => Outcome::Finished,
            "spent" => Outcome::Spent,
            "found" => Outcome::Found(finding(line)?),
            _ => return None,
        };
        let decisions = line.text("decisions").map(str::parse).transpose().ok()?;
        Some(Ended {
            totals: Totals {
                executions: line.number("executions")?,
                points: line.number("points")?,
                switches: line.number("switches")?,
                freed: line.number("freed")?,
                outlived: line.number("outlived")?,
                unjudged: line.number("unjudged")?,
                accepted: line.number("accepted")?,
            },
            execution: line.number("execution")?,
            outcome,
            decisions,
            exhausted: line.flag("exhausted"),
            said: line.text("said")?.to_owned(),
            learnt: line.text("learnt")?.parse().ok()?,
            interleavings: worker::words(line.text("interleavings")?).ok()?,
        })
    }
}

fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Finished => "finished",
        Outcome::Spent => "spent",
        Outcome::Found(_) => "found",
        Outcome::Killed => "killed",
    }
}

fn finding_text(finding: &Finding) -> String {
    let mut text = Writer::default();
    finding.write(&mut text);
    text.0
}

/// The finding of a line. Addresses of another process mean nothing here, unless they are fixed.
fn finding(line: &Line) -> Option<Finding> {
    let mut finding = text::parse(line.text("finding")?, Finding::read).ok()?;
    if let Some(race) = finding.race.as_mut().filter(|_| !mapcheck_machine::addresses_fixed()) {
        race.pair = (0, 0);
    }
    Some(finding)
}

fn telling(line: &Line) -> Option<Telling> {
    Telling::read(line, finding(line)?)
}

fn telling_line(telling: &Telling) -> String {
    telling.line().text("finding", &finding_text(&telling.finding)).line()
}

/// How many jobs, findings and repros the text of a journal tells of.
///
/// The error is a fragment that goes on after the file's name.
pub(crate) fn told_by(text: &str) -> Result<[usize; 3], &'static str> {
    let mut journal = Journal::new(Mode::Add);
    journal.take_all(text)?;
    Ok([journal.jobs.len(), journal.told.len(), journal.saved.len()])
}

/// Whether a line, written anew as it was understood, is understood the same; `None` where it is not understood.
pub(crate) fn reads_back(line: &str) -> Option<bool> {
    let line = Line::read(line)?;
    Some(match line.text("type")? {
        "job" => {
            let ended = Ended::read(&line)?;
            let again = Line::read(&ended.write(Object::of_type("job")).line());
            again.and_then(|line| Ended::read(&line)) == Some(ended)
        }
        "told" => {
            let told = telling(&line)?;
            Line::read(&telling_line(&told)).and_then(|line| telling(&line)) == Some(told)
        }
        _ => return None,
    })
}

/// A job, or what is left of one: its order, its first execution, how many there are.
type Part = (u64, u64, u64);

fn part(job: &Job) -> Part {
    (job.order, job.batch.first, job.batch.count)
}

/// The journal of a campaign under way.
pub(super) struct Journal {
    /// `None` where none is kept.
    file: Option<File>,
    mode: Mode,
    /// Jobs that earlier processes have done and this one has not come to yet.
    jobs: BTreeMap<Part, Ended>,
    /// What they told.
    told: Vec<Telling>,
    /// Repros that they saved before they told of them.
    pub saved: Vec<String>,
    /// Wall time and CPU time that they used.
    pub before: (Duration, Duration),
}

impl Journal {
    /// One that tells of nothing, and keeps nothing.
    fn new(mode: Mode) -> Journal {
        Journal {
            file: None,
            mode,
            jobs: BTreeMap::new(),
            told: Vec::new(),
            saved: Vec::new(),
            before: Default::default(),
        }
    }

    /// The journal of this campaign, of which there may be a part.
    ///
    /// The error is a sentence that names the file.
    pub(super) fn open(
        subject: &Subject<'_>,
        settings: &Settings,
        mode: Mode,
    ) -> Result<Journal, String> {
        let mut journal = Journal::new(mode);
        if mode == Mode::Off {
            return Ok(journal);
        }
        let words = words(subject, settings);
        let folder = out::folder(&settings.out, &subject.target);
        let path = folder.join(name(&words));
        let failed = |e: std::io::Error| format!("{} could not be written: {e}", path.display());
        fs::create_dir_all(&folder).map_err(failed)?;
        journal.take_over(&path)?;
        let mut file = OpenOptions::new().append(true).create(true).open(&path).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() == 0 {
            let head = Object::of_type("campaign")
                .number("format", FORMAT)
                .text("mapcheck", MAPCHECK)
                .text("target", &subject.target)
                .texts("settings", &words);
            file.write_all((head.line() + "\n").as_bytes()).map_err(failed)?;
            file.sync_all().map_err(failed)?;
        }
        journal.file = Some(file);
        Ok(journal)
    }

    /// Reads what there is, and cuts off a last line that was not written to its end.
    fn take_over(&mut self, path: &Path) -> Result<(), String> {
        let Ok(bytes) = fs::read(path) else { return Ok(()) };
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        if whole < bytes.len() {
            let cut = OpenOptions::new().write(true).open(path);
            cut.and_then(|file| file.set_len(whole as u64))
                .map_err(|e| format!("{} could not be mended: {e}", path.display()))?;
        }
        let text = String::from_utf8_lossy(&bytes[..whole]);
        self.take_all(&text).map_err(|what| format!("{} {what}", path.display()))
    }

    /// Takes what the lines of a text tell. A damaged one costs no more than that its job is done again.
    fn take_all(&mut self, text: &str) -> Result<(), &'static str> {
        for line in text.lines().filter_map(Line::read) {
            if line.number("format").is_some_and(|format| format > FORMAT) {
                return Err("was written by a newer mapcheck");
            }
            self.take(&line);
        }
        Ok(())
    }

    fn take(&mut self, line: &Line) -> Option<()> {
        let millis = |key| line.number(key).map(Duration::from_millis);
        match line.text("type")? {
            "job" => {
                let ended = Ended::read(line)?;
                let part = (line.number("order")?, line.number("first")?, line.number("count")?);
                self.before = (millis("wall_ms")?, millis("cpu_ms")?);
                self.jobs.insert(part, ended);
            }
            "told" => {
                let telling = telling(line)?;
                // What an interrupted run told, and did not shrink, is told anew.
                self.told.retain(|t| t.at() != telling.at());
                self.told.push(telling);
            }
            "saved" => self.saved.push(line.text("repro")?.to_owned()),
            _ => {}
        }
        Some(())
    }

    /// Whether a journal is kept.
    pub(super) fn is_kept(&self) -> bool {
        self.file.is_some()
    }

    /// How an earlier process says that this job ended.
    pub(super) fn ended(&mut self, job: &Job) -> Option<Ended> {
        self.jobs.remove(&part(job))
    }

    /// Whether an earlier process has done this job or a later one, as far as this one has not come to it.
    pub(super) fn goes_beyond(&self, job: &Job) -> bool {
        self.jobs.last_key_value().is_some_and(|(last, _)| *last >= part(job))
    }

    /// What was told of a candidate, or of another that was the same mistake and came to be looked at sooner. What was
    /// told and not shrunk is settled anew.
    pub(super) fn told(&mut self, at: (u64, u64), finding: &Finding) -> Option<Telling> {
        let shrunk = || self.told.iter().enumerate().filter(|(_, told)| told.shrunk);
        let found = shrunk().find(|(_, told)| told.at() == at);
        let (i, _) = found.or_else(|| shrunk().find(|(_, told)| told.finding.same_as(finding)))?;
        Some(self.told.swap_remove(i))
    }

    /// The names of the repros of what was told.
    pub(super) fn told_repros(&self) -> impl Iterator<Item = &str> {
        self.told.iter().filter_map(Telling::repro_name)
    }

    /// Whether what earlier processes told is printed again.
    pub(super) fn tells_again(&self) -> bool {
        self.mode != Mode::Restart
    }

    /// Notes that a job has ended. What was found is on the disk before anybody looks at it.
    pub(super) fn note_job(
        &mut self,
        job: &Job,
        scenario: &str,
        ended: &Ended,
        used: (Duration, Duration),
    ) -> Result<(), String> {
        let (wall, cpu) = (used.0.as_millis() as u64, used.1.as_millis() as u64);
        let line = || {
            let object = ended.line(job, scenario);
            object.number("wall_ms", wall).number("cpu_ms", cpu).line() + "\n"
        };
        self.append(line, matches!(ended.outcome, Outcome::Found(_)))
    }

    /// Notes that a repro is about to be saved of what is not told yet: were this process to die in between, it is no
    /// earlier run's.
    pub(super) fn note_saved(&mut self, path: &Path) -> Result<(), String> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Who is started anew and saves it again has come no further than before, and a journal that grows says so.
        if self.saved.contains(&name) {
            return Ok(());
        }
        self.append(|| Object::of_type("saved").text("repro", &name).line() + "\n", true)?;
        self.saved.push(name);
        Ok(())
    }

    /// Notes that a finding was told.
    pub(super) fn note_told(&mut self, telling: &Telling) -> Result<(), String> {
        self.append(|| telling_line(telling) + "\n", true)
    }

    /// Notes that the campaign has come to its end.
    pub(super) fn note_end(&mut self, complete: bool) -> Result<(), String> {
        self.append(|| Object::of_type("end").flag("complete", complete).line() + "\n", true)
    }

    /// One write, so that a death in between leaves whole lines and a part of one at most.
    fn append(&mut self, lines: impl FnOnce() -> String, sync: bool) -> Result<(), String> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let written = file.write_all(lines().as_bytes());
        let written = written.and_then(|()| if sync { file.sync_data() } else { Ok(()) });
        written.map_err(|e| {
            // After a line that may be torn nothing must follow.
            self.file = None;
            format!("the journal could not be written, so the run cannot be resumed: {e}")
        })
    }
}

/// The settings that decide which executions a campaign consists of, and what they are executions of.
fn words(subject: &Subject<'_>, settings: &Settings) -> Vec<String> {
    let Settings { engine, scheduler, batch, seed, races, leaks, max_steps, patience, .. } =
        settings;
    let goal = settings.goal();
    let scenarios: String = subject.scenarios.iter().map(|s| format!("{s:?}\n")).collect();
    let faults: Vec<&str> = settings.faults.iter().map(|f| f.name()).collect();
    vec![
        format!("engine={engine}"),
        format!("scheduler={scheduler}"),
        format!("seed={seed}"),
        format!("executions={}", if goal == u64::MAX { "any".into() } else { goal.to_string() }),
        format!("scenario={}", settings.scenario.as_deref().unwrap_or("all")),
        format!("scenarios={:016x}", repro::hash(&scenarios)),
        format!("bound={}", settings.bound.map_or("none".into(), |n| n.to_string())),
        format!("shard={}/{}", settings.shard.0, settings.shard.1),
        format!("fault={}", faults.join(",")),
        format!("mutant={}", subject.mutant.map_or("", |m| m.name)),
        format!("accept-race={}", subject.accepts.join(",")),
        format!("races={races}"),
        format!("leaks={leaks}"),
        format!("batch={batch:?}"),
        format!("steps={max_steps}"),
        format!("patience={patience}"),
        format!("obstruction-freedom={}", settings.obstruction_freedom),
        format!("keep-going={}", settings.keep_going),
        format!("versions={}", subject.versions),
        format!("build={:016x}", build()),
    ]
}

/// The hash of this program: another build makes other executions of the same decisions.
fn build() -> u64 {
    static BUILD: OnceLock<u64> = OnceLock::new();
    let read = || fs::read("/proc/self/exe").map_or(0, |bytes| repro::hash_bytes(&bytes));
    *BUILD.get_or_init(read)
}

/// The name of the journal of a campaign with these settings.
fn name(words: &[String]) -> String {
    let hash = repro::hash(&words.join("\n")) as u32;
    format!("{}{hash:08x}{}", NAME.0, NAME.1)
}

/// Refuses to resume a campaign where there are journals, and none of these settings.
///
/// The error is a sentence that says in what the nearest differs.
pub(crate) fn resumable(subject: &Subject<'_>, settings: &Settings) -> Result<(), String> {
    let words = words(subject, settings);
    let folder = out::folder(&settings.out, &subject.target);
    let others = journals(&folder);
    if folder.join(name(&words)).exists() {
        return Ok(());
    }
    refuse_others(&others, &words)
}

fn refuse_others(others: &[PathBuf], words: &[String]) -> Result<(), String> {
    let different = others.iter().filter_map(|path| {
        let (was, is) = differences(path, words)?;
        Some((was.len(), was, is, path))
    });
    let Some((_, was, is, path)) = different.min() else { return Ok(()) };
    Err(format!(
        "there is no run with these settings to resume: {} is of one with {}, and this is one with {}; it was left as \
         it is",
        crate::report::from_here(path),
        was.join(", "),
        is.join(", "),
    ))
}

/// The settings of a journal in which it differs from these, as they are there and here.
fn differences(path: &Path, words: &[String]) -> Option<(Vec<String>, Vec<String>)> {
    let text = fs::read_to_string(path).ok()?;
    let head = Line::read(text.lines().next()?)?;
    let there = head.texts("settings")?.to_vec();
    let without = |a: &[String], b: &[String]| -> Vec<String> {
        a.iter().filter(|word| !b.contains(word)).cloned().collect()
    };
    Some((without(&there, words), without(words, &there)))
}

/// The journals in a folder, sorted by name.
fn journals(folder: &Path) -> Vec<PathBuf> {
    let is_one = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(NAME.0) && name.ends_with(NAME.1)
    };
    let mut found: Vec<PathBuf> = out::files(folder).filter(is_one).collect();
    found.sort();
    found
}

#[cfg(test)]
#[path = "journal/tests.rs"]
mod tests;
