//! What a finding looks like to its reader: text with three stacks and the schedule, and JSON.

mod frames;
mod injected;
mod json;
mod order;
mod schedule;
mod standing;

use std::fmt::Write as _;

use mapcheck_machine::{Block, Fact, Found, Stack, Stamp, WaitsFor};

use crate::oracle::{self, Class, Promises, Violation, race};
use crate::repro::Repro;
use crate::scenario::Scenario;
use crate::text::{Section, Writer};
pub(crate) use frames::{Place, from_here, places, short_file, short_name};
pub(crate) use injected::{injected, injects, sentence};
pub(crate) use json::Object;
pub(crate) use order::{Inflection, Order, Switch};
pub(crate) use schedule::{Trace, WIDTH};

/// What an execution found, told so that it can be understood without the process that found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its class.
    pub class: Class,
    /// What happened, a lower-case fragment.
    pub message: String,
    /// Where: the innermost line of the map's crate, `crate-1.2.3/src/file.rs:12`, or else of any
    /// code that is neither the standard library's nor mapcheck's; empty where there is none.
    pub site: String,
    /// The report: the headline, the stacks, the schedule. Ends with a line feed.
    pub report: String,
    /// Virtual threads of the execution, the root thread included.
    pub threads: u64,
    /// Operations of the scenario.
    pub operations: u64,
    /// Switches that left a thread which could have gone on.
    pub preemptions: u64,
    /// Who waits for whom and why, a sentence a thread, where the finding is that threads wait.
    pub waits: Vec<String>,
    /// What more is known of a data race.
    pub race: Option<Race>,
    /// What it needs of the order of steps, a sentence a switch, and from where on it cannot be avoided: known of
    /// findings that were shrunk, or replayed.
    pub order: Vec<String>,
    /// See there; empty where it is not known.
    pub inflection: String,
    /// Whether it is what an execution has left behind, which had run to its end.
    pub left_behind: bool,
}

/// The two accesses of a data race.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Race {
    /// Where they were made, as addresses of code, the smaller first; 0 where that is not known.
    pub pair: (usize, usize),
    /// The step of the earlier.
    pub earlier_step: u64,
    /// Where the earlier was made, as [`Finding::site`]; empty where that is not known.
    pub earlier_site: String,
    /// The functions of the map in which they were made, with those that called them.
    pub functions: Vec<String>,
}

impl Race {
    /// Whether one of these parts of names is in the name of a function in which it happened; or both accesses were
    /// made by the standard library for itself, which comes compiled, with locks that nobody sees: it keeps a list of
    /// its threads, say.
    pub(crate) fn is_accepted(&self, accepts: &[String]) -> bool {
        self.functions.is_empty()
            || self
                .functions
                .iter()
                .any(|function| accepts.iter().any(|part| function.contains(part)))
    }

    /// Whether it is a race of the same two sites, as far as that is known.
    fn same_as(&self, other: &Race) -> Option<bool> {
        (self.pair.0 > 0 && other.pair.0 > 0).then_some(self.pair == other.pair)
    }
}

impl Finding {
    /// Whether it is the same mistake as another: same class, same site; of a data race, the same two sites. Where a
    /// leaked block was allocated is only known of an execution that was recorded: without it one leak is as good as
    /// another.
    pub fn same_as(&self, other: &Finding) -> bool {
        let races = self.race.as_ref().zip(other.race.as_ref());
        let same = races.and_then(|(a, b)| a.same_as(b));
        let unknown = self.site.is_empty() || other.site.is_empty();
        let same = same.or((self.class == Class::Leak && unknown).then_some(true));
        self.class == other.class && same.unwrap_or(self.site == other.site)
    }

    /// Adds what its repro tells of the faults that were injected, and of the order of steps.
    pub(crate) fn with_order(mut self, repro: &Repro) -> Finding {
        self.report += &injected::section(repro);
        self.report += &order::section(&repro.order, &repro.inflection);
        self.order.clone_from(&repro.order);
        self.inflection.clone_from(&repro.inflection);
        self
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        to.text("class", &self.class.to_string());
        to.text("message", &self.message);
        to.text("site", &self.site);
        to.text("report", &self.report);
        to.number("threads", self.threads);
        to.number("operations", self.operations);
        to.number("preemptions", self.preemptions);
        to.texts("waits", &self.waits);
        to.number("left-behind", self.left_behind.into());
        to.texts("order", &self.order);
        to.text("inflection", &self.inflection);
        let Some(race) = &self.race else { return };
        to.number("race-low", race.pair.0 as u64);
        to.number("race-high", race.pair.1 as u64);
        to.number("earlier-step", race.earlier_step);
        to.text("earlier-site", &race.earlier_site);
        to.texts("functions", &race.functions);
    }

    pub(crate) fn read(from: &Section<'_>) -> Result<Finding, String> {
        Ok(Finding {
            class: from.text("class")?.parse()?,
            message: from.text("message")?,
            site: from.text("site")?,
            report: from.text("report")?,
            threads: from.number("threads")?,
            operations: from.number("operations")?,
            preemptions: from.number("preemptions")?,
            waits: from.texts("waits")?,
            order: from.texts("order")?,
            inflection: from.text("inflection")?,
            left_behind: from.number("left-behind")? > 0,
            race: from.has("earlier-step").then(|| Race::read(from)).transpose()?,
        })
    }
}

impl Race {
    fn read(from: &Section<'_>) -> Result<Race, String> {
        let site = |key| from.number(key).map(|n| n as usize);
        Ok(Race {
            pair: (site("race-low")?, site("race-high")?),
            earlier_step: from.number("earlier-step")?,
            earlier_site: from.text("earlier-site")?,
            functions: from.texts("functions")?,
        })
    }
}

/// A panic as the panic hook saw it.
#[derive(Clone, Debug)]
pub(crate) struct PanicNote {
    /// The message and the place, as the panic says them.
    pub message: String,
    /// Its stack, which unwinding has taken away since.
    pub stack: Stack,
}

/// Everything a report is made of.
pub(crate) struct Diagnosis<'a> {
    pub found: &'a Found,
    pub scenario: &'a Scenario,
    /// The map's crate; empty where there is none.
    pub home: &'a str,
    /// `None` if the execution was not recorded: the report then has no schedule.
    pub trace: Option<&'a Trace>,
    /// Virtual threads of the execution.
    pub threads: u32,
    /// Schedule points it passed.
    pub steps: u64,
    pub panic: Option<&'a PanicNote>,
    /// What the calls of the scenario answered, if it came to its end.
    pub past: Option<&'a Promises>,
}

impl Diagnosis<'_> {
    /// Composes the finding.
    pub(crate) fn finding(&self) -> Finding {
        let violation = self.violation();
        let places = places(self.stack());
        let site = self.site(&places).unwrap_or_default().to_owned();
        Finding {
            report: self.report(&violation, &places),
            class: violation.class,
            message: violation.message,
            site,
            threads: self.threads.into(),
            operations: self.scenario.operations() as u64,
            preemptions: self.trace.map_or(0, |t| t.preemptions),
            waits: self.waits(),
            race: self.race(&places),
            order: Vec::new(),
            inflection: String::new(),
            left_behind: matches!(
                self.found.fact,
                Fact::Leaked { .. } | Fact::Told { class: "leak", .. }
            ),
        }
    }

    /// What more is known of a data race, whose later access is at these places.
    fn race(&self, later: &[Place]) -> Option<Race> {
        let Fact::Race { site, earlier, earlier_stack, .. } = &self.found.fact else { return None };
        let before = places(earlier_stack);
        let functions = later.iter().chain(&before).map(|place| place.function.clone());
        Some(Race {
            pair: race::pair(*site, earlier.site),
            earlier_step: earlier.step,
            earlier_site: before.first().map_or_else(String::new, |p| p.site.clone()),
            functions: functions.collect(),
        })
    }

    /// The innermost place in the map's crate, or else in any.
    fn site<'p>(&self, places: &'p [Place]) -> Option<&'p str> {
        site_of(places, self.home).map(|p| p.site.as_str())
    }

    /// The stack that tells where it happened: where threads wait for each other, that of the first one that does not
    /// wait for the end of another; in a livelock, of the first one that goes on;
    /// of a leak, that of the allocation.
    pub(crate) fn stack(&self) -> &Stack {
        let elsewhere = match &self.found.fact {
            Fact::Obstructed { .. } => None,
            Fact::Leaked { blocks, .. } => blocks.first().map(|lost| &lost.block.alloc_stack),
            Fact::Livelock { threads, .. } => {
                threads.iter().find(|w| w.on == WaitsFor::Nothing).map(|w| &w.stack)
            }
            _ => self.standing().iter().find(|w| !w.joins()).map(|w| &w.stack),
        };
        self.panic.map(|p| &p.stack).or(elsewhere).unwrap_or(&self.found.stack)
    }

    fn violation(&self) -> Violation {
        let mut violation = oracle::judge_with(&self.found.fact, self.past);
        if let Some(told) = oracle::told(&self.found.fact, &self.edges(), &|at| self.named(at)) {
            violation.message = told;
        }
        match (self.panic, violation.class) {
            (None, _) => {}
            (Some(panic), Class::Crash) => {
                violation.message = format!("{}: {}", violation.message, panic.message);
            }
            (Some(panic), _) => violation.message = panic.message.clone(),
        }
        violation
    }

    fn report(&self, violation: &Violation, places: &[Place]) -> String {
        let mut out = headline(violation);
        let verb = oracle::verb(&self.found.fact);
        if self.standing().is_empty() && !matches!(self.found.fact, Fact::Leaked { .. }) {
            self.actor(&mut out, verb, &self.found.at, places);
        }
        if let Fact::Race { earlier, earlier_at, earlier_stack, .. } = &self.found.fact {
            let before = frames::places(earlier_stack);
            self.actor(&mut out, oracle::verb_of(earlier.kind), earlier_at, &before);
        }
        if let Some(block) = oracle::block_of(&self.found.fact) {
            self.lifecycle(&mut out, block);
        }
        self.threads_stand(&mut out);
        if let Some(trace) = self.trace {
            self.schedule(&mut out, trace, &format!("x {verb}"));
        }
        out
    }

    /// Who did it, in which operation, and where.
    fn actor(&self, out: &mut String, verb: &str, at: &Stamp, places: &[Place]) {
        let (role, operation) = self.who(at);
        let mut line = format!("  {verb:<10} by {role}");
        if let Some(operation) = operation {
            let _ = write!(line, ", in `{operation}`");
        }
        let _ = write!(line, ", at step {}", at.step);
        push(out, &line);
        push_places(out, places);
    }

    fn who(&self, at: &Stamp) -> (String, Option<String>) {
        match self.scenario.operation(at.label) {
            Some(operation) => (operation.role, Some(operation.text)),
            None => (self.thread_name(at.thread), None),
        }
    }

    fn thread_name(&self, thread: u32) -> String {
        match thread {
            0 if self.scenario.operations() == 0 => "the main thread".to_owned(),
            0 => "setup".to_owned(),
            t => format!("thread {t}"),
        }
    }

    /// The life of the block: who freed it and who allocated it.
    fn lifecycle(&self, out: &mut String, block: &Block) {
        if let Some(free) = &block.free {
            self.actor(out, "freed", free, &places(&block.free_stack));
        }
        self.actor(out, "allocated", &block.alloc, &places(&block.alloc_stack));
        if block.earlier_execution {
            push(out, "  note: an earlier execution of the same process allocated the block");
        }
    }

    fn schedule(&self, out: &mut String, trace: &Trace, end: &str) {
        let (p, n) = (trace.preemptions, self.steps);
        let plural = if p == 1 { "" } else { "s" };
        let mark = if p == 0 { "" } else { ", marked !" };
        push(out, &format!("  schedule: {n} steps, {p} preemption{plural}{mark}"));
        let block = oracle::block_of(&self.found.fact).map_or(0, |b| b.addr);
        let end = (self.found.at.thread, end.to_owned());
        out.push_str(&schedule::table(trace, self.scenario, &self.column_names(), block, end));
    }

    fn column_names(&self) -> Vec<String> {
        let roles = self.scenario.roles();
        let name = |t: u32| match roles.get((t as usize).wrapping_sub(1)) {
            Some(role) => format!("{t}: {role}"),
            None => self.thread_name(t),
        };
        (0..self.threads).map(name).collect()
    }
}

/// The innermost place in the map's crate, or else in any.
pub(crate) fn site_of<'p>(places: &'p [Place], home: &str) -> Option<&'p Place> {
    places.iter().find(|p| is_of(&p.site, home)).or(places.first())
}

/// Whether a site is in this crate of a registry: `crate-1.2.3/…`.
fn is_of(site: &str, home: &str) -> bool {
    let version = site.strip_prefix(home).and_then(|rest| rest.strip_prefix('-'));
    !home.is_empty() && version.is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()))
}

fn headline(violation: &Violation) -> String {
    let mut out = String::new();
    let mut start = format!("error[{}]: ", violation.class);
    for line in violation.message.lines() {
        push_wrapped(&mut out, &start, line, "    ");
        start = "    ".to_owned();
    }
    out
}

/// Adds words after a start, and below it, indented, where a line is full.
fn push_wrapped(out: &mut String, start: &str, words: &str, indent: &str) {
    let mut line = start.to_owned();
    let mut width = line.chars().count();
    for word in words.split_inclusive(' ') {
        let more = word.trim_end().chars().count();
        if width + more > WIDTH && width > start.len() {
            push(out, &line);
            line = indent.to_owned();
            width = indent.len();
        }
        line.push_str(word);
        width += word.chars().count();
    }
    push(out, &line);
}

fn push_places(out: &mut String, places: &[Place]) {
    for place in places {
        let site = format!("{:13}{:<44} ", "", place.site);
        // The end of a name says more than its beginning.
        let room = WIDTH.saturating_sub(site.chars().count());
        push(out, &format!("{site}{}", tail(&place.function, room)));
    }
}

/// The text, or as much of its end as there is room for.
fn tail(text: &str, room: usize) -> String {
    let long = text.chars().count().saturating_sub(room);
    if long == 0 {
        return text.to_owned();
    }
    format!("..{}", text.chars().skip(long + 2).collect::<String>())
}

/// Appends a line, cut to the width of a report.
fn push(out: &mut String, line: &str) {
    let line = line.trim_end();
    if line.chars().count() <= WIDTH {
        out.push_str(line);
    } else {
        out.extend(line.chars().take(WIDTH - 2));
        out.push_str("..");
    }
    out.push('\n');
}

/// A finding of a worker that died before it could tell what it saw.
pub(crate) fn died(how: &str, scenario: &Scenario) -> Finding {
    told(Class::Crash, how, scenario)
}

/// A finding of which nothing is known but what was said.
pub(crate) fn told(class: Class, message: &str, scenario: &Scenario) -> Finding {
    let violation = Violation { class, message: message.to_owned() };
    Finding {
        class: violation.class,
        site: String::new(),
        report: headline(&violation),
        message: violation.message,
        threads: scenario.threads.len() as u64 + 1,
        operations: scenario.operations() as u64,
        preemptions: 0,
        waits: Vec::new(),
        race: None,
        order: Vec::new(),
        inflection: String::new(),
        left_behind: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headline_keeps_all_its_words() {
        let message = "the iteration passed over key 3, ".repeat(5);
        let told = headline(&Violation { class: Class::MissedElement, message: message.clone() });
        assert!(told.lines().all(|line| line.chars().count() <= WIDTH), "{told}");
        let words: Vec<&str> = told.split_whitespace().skip(1).collect();
        assert_eq!(words, message.split_whitespace().collect::<Vec<_>>());
    }
    use mapcheck_machine::{Access, Event, Kind, Observer, Order};

    /// A setup, an iterator and a remover.
    pub(super) fn scenario() -> Scenario {
        let ops = |text: &str| text.split(", ").map(|op| op.parse().unwrap()).collect::<Vec<_>>();
        Scenario {
            setup: ops("insert 0..8"),
            threads: vec![ops("iterate"), ops("remove 3")],
            ..Scenario::default()
        }
    }

    fn found() -> Found {
        let alloc = Stamp { thread: 0, label: 1, step: 7 };
        let free = Some(Stamp { thread: 2, label: 3, step: 40 });
        let block = Block { addr: 4096, size: 48, align: 8, alloc, free, ..Block::default() };
        let access = Access { kind: Kind::Read, addr: 4112, size: 8, order: Order::Relaxed };
        Found {
            fact: Fact::BadAccess { access, block: Some(block) },
            at: Stamp { thread: 1, label: 2, step: 55 },
            stack: Stack::default(),
        }
    }

    #[test]
    fn a_report_names_who_read_who_freed_and_who_allocated() {
        let (found, scenario) = (found(), scenario());
        let mut trace = Trace::default();
        trace.event(&Event::Label { at: Stamp { thread: 0, label: 1, step: 0 } });
        let diagnosis = Diagnosis {
            found: &found,
            scenario: &scenario,
            home: "",
            trace: Some(&trace),
            threads: 3,
            steps: 0,
            panic: None,
            past: None,
        };
        let report = diagnosis.finding().report;
        let lines: Vec<&str> = report.lines().collect();
        assert_eq!(
            lines[..5],
            [
                "error[premature-reclamation]: read 8 bytes, 16 into a block of 48 bytes that had been freed",
                "  read       by thread 1: iterator, in `iterate`, at step 55",
                "  freed      by thread 2: remover, in `remove 3`, at step 40",
                "  allocated  by setup, in `insert 0..8`, at step 7",
                "  schedule: 0 steps, 0 preemptions",
            ]
        );
        assert!(lines[5].contains("setup") && lines[5].contains("2: remover"), "{report}");
        assert!(lines.iter().all(|l| l.chars().count() <= WIDTH));
    }

    #[test]
    fn a_site_is_of_the_map_s_crate_by_name_and_version() {
        assert!(is_of("flurry-0.5.2/src/map.rs:7", "flurry"));
        assert!(!is_of("flurry-more-0.5.2/src/map.rs:7", "flurry"));
        assert!(!is_of("src/map.rs:7", "") && !is_of("seize-0.3.3/src/raw.rs:1", "flurry"));
    }

    #[test]
    fn a_finding_crosses_the_border_between_processes_as_text() {
        let (found, scenario) = (found(), scenario());
        let diagnosis = Diagnosis {
            found: &found,
            scenario: &scenario,
            home: "",
            trace: None,
            threads: 3,
            steps: 0,
            panic: None,
            past: None,
        };
        let finding = diagnosis.finding();
        let mut writer = Writer::default();
        finding.write(&mut writer);
        assert_eq!(crate::text::parse(&writer.0, Finding::read), Ok(finding));
    }
}
