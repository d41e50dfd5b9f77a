//! What a campaign prints: findings on stdout, progress on stderr where somebody watches.
//!
//! A supervisor that is gone closes both; that must not keep a campaign from saving what it has.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Totals, github};
use crate::report::{Finding, Object, from_here};
use crate::scheduler::{Coverage, Limit};
use crate::settings::{Format, Settings};

/// How often the progress line changes.
const EVERY: Duration = Duration::from_millis(200);
/// What a line of JSON on stderr begins with that tells the supervisor of the progress.
const MARK: char = '\u{1e}';

/// The printer of one target's campaign.
pub(crate) struct Console {
    format: Format,
    target: String,
    watched: bool,
    /// Whether a supervisor shows the progress.
    supervised: bool,
    quiet: bool,
    started: Instant,
    shown: Option<Instant>,
}

impl Console {
    pub(crate) fn new(format: Format, target: &str) -> Console {
        let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        let watched = std::io::stderr().is_terminal() && format == Format::Text && !set("CI");
        let supervised = set("MAPCHECK_PROGRESS");
        Console { watched, supervised, quiet: false, format, ..Console::quiet(target) }
    }

    /// One that prints nothing.
    pub(crate) fn quiet(target: &str) -> Console {
        Console {
            format: Format::Text,
            target: target.to_owned(),
            watched: false,
            supervised: false,
            quiet: true,
            started: Instant::now(),
            shown: None,
        }
    }

    /// Updates the progress line, or tells the supervisor: it shows what there is.
    pub(crate) fn progress(&mut self, progress: &Progress) {
        let due = self.shown.is_none_or(|at| at.elapsed() > EVERY);
        if !(self.watched || self.supervised) || !due {
            return;
        }
        self.shown = Some(Instant::now());
        if self.supervised {
            return say(&format!("{MARK}{}\n", progress.line(&self.target)));
        }
        let seconds = self.started.elapsed().as_secs_f64();
        let n = progress.executions;
        let rate = n as f64 / seconds.max(0.001);
        let of = progress.goal.map_or_else(String::new, |goal| format!(" of {goal}"));
        say(&format!("\r\x1b[2K{}: {n}{of} executions, {rate:.0}/s, {seconds:.0} s", self.target));
    }

    /// The next progress is shown, however soon after the last.
    pub(crate) fn refresh(&mut self) {
        self.shown = None;
    }

    /// Says what takes time when exploring is over.
    pub(crate) fn note(&mut self, what: &str) {
        if self.watched {
            say(&format!("\r\x1b[2K{}: {what}", self.target));
            self.shown = None;
        }
    }

    /// Removes the progress line.
    pub(crate) fn clear(&mut self) {
        if self.watched {
            say("\r\x1b[2K");
        }
    }

    /// Tells the reader something that is no finding.
    pub(crate) fn warn(&mut self, what: &str) {
        if self.quiet {
            return;
        }
        self.clear();
        say(&format!("warning: {}: {what}\n", self.target));
    }

    /// Tells the reader something that is neither a finding nor a warning.
    pub(crate) fn tell(&mut self, what: &str) {
        if self.quiet {
            return;
        }
        self.clear();
        say(&format!("note: {}: {what}\n", self.target));
    }

    /// Prints a finding.
    pub(crate) fn finding(&mut self, told: &Told<'_>) {
        if self.quiet {
            return;
        }
        self.clear();
        let text = match self.format {
            Format::Text => told.text(&self.target),
            Format::Json => told.json(&self.target) + "\n",
        };
        out!("{text}");
        github::annotate(told.finding, &self.target, told.replay);
    }

    /// Says what was explored, in lines for programs.
    pub(crate) fn explored(&mut self, lines: &[String]) {
        if self.quiet || self.format != Format::Json {
            return;
        }
        self.clear();
        lines.iter().for_each(|line| outln!("{line}"));
    }

    /// Says what an exhaustive search has covered.
    pub(crate) fn covered(&mut self, covered: &BTreeMap<String, Coverage>) {
        if self.quiet {
            return;
        }
        self.clear();
        for (scenario, coverage) in covered {
            match self.format {
                Format::Text => outln!("{} {scenario}: {coverage}", self.target),
                Format::Json => outln!("{}", covered_line(&self.target, scenario, coverage)),
            }
        }
    }
}

fn covered_line(target: &str, scenario: &str, coverage: &Coverage) -> String {
    let (kind, bound) = match coverage.limit {
        Limit::Unbounded => ("none", None),
        Limit::Preemptions(bound) => ("preemptions", Some(bound)),
        Limit::Delays(bound) => ("delays", Some(bound)),
        Limit::EachFault => ("faults", Some(1)),
    };
    let line = Object::of_type("coverage")
        .text("target", target)
        .text("scenario", scenario)
        .text("bounded", kind)
        .flag("complete", coverage.holds())
        .number("executions", coverage.executions)
        .number("redundant", coverage.redundant);
    let optional = [("bound", bound), ("remaining", coverage.remaining)];
    let add = |line: Object, (key, n): (&str, Option<u64>)| match n {
        Some(n) => line.number(key, n),
        None => line,
    };
    optional.into_iter().fold(line, add).line()
}

/// Writes to stderr, if anybody listens.
fn say(text: &str) {
    let mut stderr = std::io::stderr();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// How far a campaign has come.
#[derive(Default)]
pub(crate) struct Progress {
    pub executions: u64,
    /// Executions in all, if their number ends the campaign.
    pub goal: Option<u64>,
    /// Wall time used, and how much there is, if that ends the campaign.
    pub wall: Duration,
    pub time: Option<Duration>,
    pub findings: u64,
    /// Findings that are known from elsewhere.
    pub known: u64,
    /// Interleavings that were not alike, where they are counted.
    pub interleavings: Option<u64>,
    /// What was new to the last round of executions, where that is measured.
    pub news: Option<u64>,
    /// Executions that are left, where that can be estimated.
    pub remaining: Option<u64>,
}

impl Progress {
    /// That of a campaign with these settings, which has used this wall time.
    pub(crate) fn of(totals: Totals, settings: &Settings, wall: Duration) -> Progress {
        Progress {
            executions: totals.executions,
            goal: Some(settings.goal()).filter(|goal| *goal < u64::MAX).map(|n| share(n, settings)),
            wall,
            time: settings.time,
            ..Progress::default()
        }
    }

    fn line(&self, target: &str) -> String {
        let millis = |time: Duration| time.as_millis() as u64;
        let optional = [
            ("goal", self.goal),
            ("time_ms", self.time.map(millis)),
            ("interleavings", self.interleavings),
            ("news", self.news),
            ("remaining", self.remaining),
        ];
        let object = Object::of_type("progress")
            .text("target", target)
            .number("executions", self.executions)
            .number("wall_ms", millis(self.wall))
            .number("findings", self.findings)
            .number("known", self.known);
        let add = |object: Object, (key, n): (&str, Option<u64>)| match n {
            Some(n) => object.number(key, n),
            None => object,
        };
        optional.into_iter().fold(object, add).line()
    }
}

/// About how many of these executions are this shard's.
fn share(executions: u64, settings: &Settings) -> u64 {
    executions / settings.shard.1
}

/// A finding and where it came from.
pub(crate) struct Told<'a> {
    pub finding: &'a Finding,
    pub scenario: &'a str,
    /// Its execution's number in the campaign, from 0.
    pub execution: u64,
    /// CPU time until it was found.
    pub cpu: Duration,
    /// The repro, if it could be written.
    pub repro: Option<&'a Path>,
    /// The command that replays it.
    pub replay: &'a str,
    /// What the reader must know besides.
    pub notes: &'a [String],
}

impl Told<'_> {
    pub(crate) fn text(&self, target: &str) -> String {
        let notes: String = self.notes.iter().map(|n| format!("note: {n}\n")).collect();
        // What another engine found is searched for again, and cannot be explained.
        let explain = self.repro.map_or_else(String::new, |path| {
            format!("explain: cargo mapcheck explain {}\n", from_here(path))
        });
        format!(
            "{}target: {target}, scenario {}, execution {}\n{notes}{explain}replay: {}\n\n",
            self.finding.report, self.scenario, self.execution, self.replay
        )
    }

    fn json(&self, target: &str) -> String {
        let repro = self.repro.map(|p| p.display().to_string()).unwrap_or_default();
        Object::of_type("finding")
            .text("target", target)
            .text("scenario", self.scenario)
            .text("class", &self.finding.class.to_string())
            .text("site", &self.finding.site)
            .text("message", &self.finding.message)
            .text("repro", &repro)
            .number("execution", self.execution)
            .number("cpu_ms", self.cpu.as_millis() as u64)
            .number("threads", self.finding.threads)
            .number("operations", self.finding.operations)
            .number("preemptions", self.finding.preemptions)
            .texts("waits", &self.finding.waits)
            .texts("order", &self.finding.order)
            .text("inflection", &self.finding.inflection)
            .line()
    }
}
