//! What a campaign prints: findings on stdout, progress on stderr where somebody watches.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::Totals;
use crate::report::{Finding, Object};
use crate::settings::Format;

/// How often the progress line changes.
const EVERY: Duration = Duration::from_millis(200);

/// The printer of one target's campaign.
pub(crate) struct Console {
    format: Format,
    target: String,
    watched: bool,
    quiet: bool,
    started: Instant,
    shown: Option<Instant>,
}

impl Console {
    pub(crate) fn new(format: Format, target: &str) -> Console {
        let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        let watched = std::io::stderr().is_terminal() && format == Format::Text && !set("CI");
        Console { watched, quiet: false, format, ..Console::quiet(target) }
    }

    /// One that prints nothing.
    pub(crate) fn quiet(target: &str) -> Console {
        Console {
            format: Format::Text,
            target: target.to_owned(),
            watched: false,
            quiet: true,
            started: Instant::now(),
            shown: None,
        }
    }

    /// Updates the progress line.
    pub(crate) fn progress(&mut self, totals: Totals, goal: u64) {
        let due = self.shown.is_none_or(|at| at.elapsed() > EVERY);
        if !self.watched || !due {
            return;
        }
        self.shown = Some(Instant::now());
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = totals.executions as f64 / seconds.max(0.001);
        let of = if goal == u64::MAX { String::new() } else { format!(" of {goal}") };
        let n = totals.executions;
        eprint!("\r\x1b[2K{}: {n}{of} executions, {rate:.0}/s, {seconds:.0} s", self.target);
        let _ = std::io::stderr().flush();
    }

    /// Says what takes time when exploring is over.
    pub(crate) fn note(&mut self, what: &str) {
        if self.watched {
            eprint!("\r\x1b[2K{}: {what}", self.target);
            let _ = std::io::stderr().flush();
            self.shown = None;
        }
    }

    /// Removes the progress line.
    pub(crate) fn clear(&mut self) {
        if self.watched {
            eprint!("\r\x1b[2K");
        }
    }

    /// Tells the reader something that is no finding.
    pub(crate) fn warn(&mut self, what: &str) {
        if self.quiet {
            return;
        }
        self.clear();
        eprintln!("warning: {}: {what}", self.target);
    }

    /// Prints a finding.
    pub(crate) fn finding(&mut self, told: &Told<'_>) {
        if self.quiet {
            return;
        }
        self.clear();
        match self.format {
            Format::Text => print!("{}", told.text(&self.target)),
            Format::Json => println!("{}", told.json(&self.target)),
        }
        let _ = std::io::stdout().flush();
    }
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
        format!(
            "{}target: {target}, scenario {}, execution {}\n{notes}replay: {}\n\n",
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
