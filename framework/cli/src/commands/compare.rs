//! `faults --seeds N`: how many executions each scheduler needs until it finds what is there.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use crate::args::Faults;
use crate::cargo::{self, Cargo};
use crate::commands::check::budget;
use crate::commands::list::wants_json;
use crate::commands::run_for_lines;
use crate::error::{Error, exit};
use crate::runners::{Runner, Runners};

/// Executions after which something counts as not found, unless the user says.
const EXECUTIONS: u64 = 10_000;
/// What is compared unless the user names engines or schedulers. shuttle's `surw` is its `urw`.
const CONTENDERS: [(&str, &str); 8] = [
    ("native", "portfolio"),
    ("native", "surw"),
    ("native", "pos"),
    ("native", "pct"),
    ("native", "random"),
    ("shuttle", "surw"),
    ("shuttle", "pct"),
    ("shuttle", "random"),
];

/// An engine and a scheduler.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contender {
    engine: String,
    /// Empty for the engine's own.
    scheduler: String,
}

/// What was looked for, and what it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The mutant, or the known-bad target.
    pub name: String,
    /// Executions until it was found, if it was.
    pub executions: Option<u64>,
    /// CPU time until then, in milliseconds, if the runner says.
    pub cpu_ms: Option<u64>,
}

/// Runs every contender over the catalogue and over the known-bad targets, with each seed, and prints the table.
///
/// # Errors
/// When a runner does not build, or there is no such mutant.
pub fn run(faults: &Faults) -> Result<i32, Error> {
    let metadata = cargo::metadata()?;
    let runners = Runners::find(&metadata)?.require()?;
    let cargo = Cargo::new(&metadata)?;
    let goal = faults.budget.executions.unwrap_or(EXECUTIONS);
    let mut table = Table { goal, json: wants_json(faults.budget.format), ..Table::default() };
    let contenders = contenders(faults);
    let all = runners.0.iter().filter(|runner| !runner.apart);
    let search = Search::build(&cargo, all.collect(), faults, goal, &contenders)?;
    for contender in contenders {
        for seed in 0..faults.seeds.unwrap_or(1) {
            let each = &mut |outcome: Outcome| table.add(&contender, outcome);
            if !search.look(&contender, seed, each)? {
                return Ok(exit::BUDGET);
            }
        }
        table.sums(&contender);
    }
    if table.rows.is_empty() {
        return Err(Error::UnknownMutant(faults.mutants.join(", ")));
    }
    table.end();
    Ok(exit::CLEAN)
}

fn contenders(faults: &Faults) -> Vec<Contender> {
    let wanted = |list: &[String], name: &str| list.is_empty() || list.iter().any(|n| n == name);
    let known: Vec<Contender> = CONTENDERS
        .iter()
        .filter(|(engine, scheduler)| {
            wanted(&faults.engines, engine) && wanted(&faults.schedulers, scheduler)
        })
        .map(|(engine, scheduler)| Contender::new(engine, scheduler))
        .collect();
    // Whatever else was asked for by name.
    let of = |engine: &str| {
        faults.schedulers.iter().map(|s| Contender::new(engine, s)).collect::<Vec<_>>()
    };
    let engines: Vec<&str> = match &faults.engines[..] {
        [] => vec!["native"],
        named => named.iter().map(String::as_str).collect(),
    };
    let others = engines.into_iter().flat_map(of).filter(|c| !known.contains(c));
    known.iter().cloned().chain(others).collect()
}

/// Looks for what is known to be there.
#[derive(Debug)]
pub struct Search<'a> {
    cargo: &'a Cargo,
    runners: Vec<&'a Runner>,
    faults: &'a Faults,
    /// Executions after which something counts as not found.
    goal: u64,
}

impl<'a> Search<'a> {
    /// Builds those of the runners that the contenders need.
    ///
    /// # Errors
    /// When one does not build.
    pub fn build(
        cargo: &'a Cargo,
        runners: Vec<&'a Runner>,
        faults: &'a Faults,
        goal: u64,
        contenders: &[Contender],
    ) -> Result<Self, Error> {
        let search = Self { cargo, runners, faults, goal };
        for runner in &search.runners {
            if contenders.iter().any(|contender| search.is_for(runner, contender)) {
                runner.build(cargo, &format!("runner `{}`", runner.package))?;
            }
        }
        Ok(search)
    }

    /// Whether a runner has something for a contender: only models run on engines other than the machine, and only the
    /// machine finds what is in real code.
    fn is_for(&self, runner: &Runner, contender: &Contender) -> bool {
        !runner.known_bad || contender.engine == "native" && self.faults.mutants.is_empty()
    }

    /// One contender and seed on all runners, each outcome as it comes; false if somebody asked for the end.
    ///
    /// # Errors
    /// When a runner goes wrong.
    pub fn look(
        &self,
        contender: &Contender,
        seed: u64,
        each: &mut dyn FnMut(Outcome),
    ) -> Result<bool, Error> {
        for runner in self.runners.iter().filter(|runner| self.is_for(runner, contender)) {
            let mut command = runner.command(self.cargo);
            if runner.known_bad {
                command.arg("check").args(&runner.targets);
                // A leak would end the search for what these versions are known for.
                command.env("MAPCHECK_LEAKS", "0").env("MAPCHECK_SUMMARY", "/dev/null");
            } else {
                command.arg("faults").args(&self.faults.mutants);
            }
            self.set(&mut command, contender, seed)?;
            let mut found = Vec::new();
            let add = &mut |row: &Value| found.extend(outcome(row, self.goal));
            if run_for_lines(command, &runner.package, "comparing schedulers", add)?.interrupted {
                return Ok(false);
            }
            if runner.known_bad {
                let is_there = |target: &&String| found.iter().all(|known| known.name != **target);
                let missing = runner.targets.iter().filter(is_there).map(|t| Outcome::missed(t));
                let missing: Vec<Outcome> = missing.collect();
                found.extend(missing);
            }
            found.into_iter().for_each(&mut *each);
        }
        Ok(true)
    }

    fn set(&self, command: &mut Command, contender: &Contender, seed: u64) -> Result<(), Error> {
        budget(command, &self.faults.budget)?;
        let seed = seed.wrapping_add(self.faults.budget.seed.unwrap_or_default());
        if !contender.scheduler.is_empty() {
            command.env("MAPCHECK_SCHEDULER", &contender.scheduler);
        }
        command
            .env("MAPCHECK_ENGINE", &contender.engine)
            .env("MAPCHECK_SEED", seed.to_string())
            .env("MAPCHECK_EXECUTIONS", self.goal.to_string())
            .env("MAPCHECK_SHRINK", "0")
            .env("MAPCHECK_FORMAT", "json");
        Ok(())
    }
}

impl Outcome {
    fn missed(name: &str) -> Self {
        Self { name: name.to_owned(), executions: None, cpu_ms: None }
    }
}

/// What became of what was looked for; `None` for lines about other things.
fn outcome(row: &Value, goal: u64) -> Option<Outcome> {
    let of = |key: &str, executions: Option<u64>| {
        let cpu_ms = executions.and(row["cpu_ms"].as_u64());
        let name = row[key].as_str().unwrap_or_default().to_owned();
        Some(Outcome { name, executions, cpu_ms })
    };
    match row["type"].as_str()? {
        // An equivalent mutant is not to be found.
        "fault" if row["expected"].as_array().is_some_and(Vec::is_empty) => None,
        "fault" => {
            let executions = row["executions"].as_u64().filter(|n| *n <= goal);
            of("fault", executions.filter(|_| row["found"] == true))
        }
        "finding" => of("target", row["execution"].as_u64().map(|n| n.saturating_add(1))),
        _ => None,
    }
}

/// What is shown of these lines.
pub fn shown(lines: &[Value]) -> String {
    let contender = Contender::new("engine", "scheduler");
    let mut table = Table { goal: EXECUTIONS, ..Table::default() };
    for outcome in lines.iter().filter_map(|line| outcome(line, EXECUTIONS)) {
        table.add(&contender, outcome);
    }
    table.order.iter().map(|name| table.cell(name, &contender)).collect()
}

/// The executions until something was found, seed by seed.
type Row = Vec<Option<u64>>;

#[derive(Default)]
struct Table {
    json: bool,
    goal: u64,
    order: Vec<String>,
    rows: BTreeMap<String, BTreeMap<Contender, Row>>,
    contenders: Vec<Contender>,
    sums: Vec<Sums>,
}

/// How a contender did on everything.
#[derive(Clone, Debug, PartialEq)]
struct Sums {
    pairs: usize,
    found: usize,
    /// Geometric mean of executions; what was not found counts as found at the goal.
    mean: f64,
}

impl Sums {
    fn of(rows: &[&Row], goal: u64) -> Sums {
        let all: Vec<Option<u64>> = rows.iter().flat_map(|row| row.iter().copied()).collect();
        let logarithm = |n: &Option<u64>| (n.unwrap_or(goal).max(1) as f64).ln();
        let sum: f64 = all.iter().map(logarithm).sum();
        Sums {
            pairs: all.len(),
            found: all.iter().flatten().count(),
            mean: (sum / all.len().max(1) as f64).exp(),
        }
    }
}

impl Table {
    fn add(&mut self, contender: &Contender, outcome: Outcome) {
        let Outcome { name, executions, .. } = outcome;
        if !self.order.contains(&name) {
            self.order.push(name.clone());
        }
        let row = self.rows.entry(name).or_default();
        row.entry(contender.clone()).or_default().push(executions);
    }

    /// Tells how a contender did, and keeps it.
    fn sums(&mut self, contender: &Contender) {
        let rows: Vec<&Row> = self.rows.values().filter_map(|row| row.get(contender)).collect();
        if rows.is_empty() {
            return;
        }
        let sums = Sums::of(&rows, self.goal);
        let Contender { engine, scheduler } = contender;
        if self.json {
            for name in &self.order {
                let Some(row) = self.rows[name].get(contender) else { continue };
                let line = json!({"type": "search", "engine": engine, "scheduler": scheduler,
                    "name": name, "executions": row, "goal": self.goal});
                outln!("{line}");
            }
            let Sums { pairs, found, mean } = sums;
            let line = json!({"type": "search-summary", "engine": engine, "scheduler": scheduler,
                "pairs": pairs, "found": found, "geometric_mean": mean, "goal": self.goal});
            outln!("{line}");
        } else {
            outln!("{}", said(contender, &sums));
        }
        self.contenders.push(contender.clone());
        self.sums.push(sums);
    }

    fn end(&self) {
        if self.json {
            return;
        }
        outln!("\nexecutions until found: how many seeds found it, and the geometric mean");
        for few in self.contenders.chunks(5) {
            let head: String = few.iter().map(|c| format!("{:>17}", c.short())).collect();
            outln!("\n{:<14}{head}", "");
            for name in &self.order {
                let cells: String = few.iter().map(|c| self.cell(name, c)).collect();
                outln!("{:<14}{cells}", name);
            }
        }
        for comparison in self.comparisons() {
            outln!("{comparison}");
        }
    }

    fn cell(&self, name: &str, contender: &Contender) -> String {
        let Some(row) = self.rows[name].get(contender) else { return format!("{:>17}", "-") };
        let Sums { pairs, found, mean } = Sums::of(&[row], self.goal);
        format!("{:>17}", format!("{found}/{pairs} {mean:.0}"))
    }

    /// The first contender against each other, on what both have looked for.
    fn comparisons(&self) -> Vec<String> {
        let Some((first, others)) = self.contenders.split_first() else { return Vec::new() };
        let both = |other: &Contender| {
            let rows = self.rows.values().filter(|row| row.contains_key(other));
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for row in rows.filter(|row| row.contains_key(first)) {
                ours.push(&row[first]);
                theirs.push(&row[other]);
            }
            (Sums::of(&ours, self.goal), Sums::of(&theirs, self.goal))
        };
        let told = |other: &Contender| {
            let (ours, theirs) = both(other);
            format!(
                "{} needs {:.2} times the executions of {}, on the {} pairs that both have looked for",
                first.short(),
                ours.mean / theirs.mean,
                other.short(),
                ours.pairs
            )
        };
        std::iter::once(String::new()).chain(others.iter().map(told)).collect()
    }
}

fn said(contender: &Contender, sums: &Sums) -> String {
    let Sums { pairs, found, mean } = sums;
    let percent = 100.0 * *found as f64 / (*pairs).max(1) as f64;
    let name = contender.short();
    format!(
        "{name:<17} found {found} of {pairs} ({percent:.1} %), geometric mean {mean:.1} executions"
    )
}

impl Contender {
    /// An engine with a scheduler of its; an empty one is the engine's own.
    pub fn new(engine: &str, scheduler: &str) -> Self {
        Self { engine: engine.to_owned(), scheduler: scheduler.to_owned() }
    }

    /// Its name in a table.
    pub fn short(&self) -> String {
        match &*self.engine {
            "native" => self.scheduler.clone(),
            engine => format!("{engine} {}", self.scheduler).trim_end().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contender(scheduler: &str) -> Contender {
        Contender::new("native", scheduler)
    }

    fn took(name: &str, executions: Option<u64>) -> Outcome {
        Outcome { name: name.into(), executions, cpu_ms: None }
    }

    #[test]
    fn what_was_not_found_counts_as_found_at_the_goal() {
        let sums = Sums::of(&[&vec![Some(1), Some(100)], &vec![None, Some(1)]], 10_000);
        assert_eq!((sums.pairs, sums.found), (4, 3));
        assert!((sums.mean - 1e6_f64.powf(0.25)).abs() < 1e-9, "{sums:?}");
    }

    #[test]
    fn a_line_of_a_runner_is_an_outcome_if_something_was_looked_for() {
        let fault = |found, executions| {
            json!({"type": "fault", "fault": "F1", "expected": ["crash"], "found": found,
                "executions": executions})
        };
        let goal = 100;
        assert_eq!(outcome(&fault(true, 7), goal), Some(took("F1", Some(7))));
        assert_eq!(outcome(&fault(false, 100), goal), Some(took("F1", None)));
        let silent = json!({"type": "fault", "fault": "E1", "expected": [], "found": false});
        assert_eq!(outcome(&silent, goal), None);
        let finding =
            json!({"type": "finding", "target": "flurry@0.4.0", "execution": 0, "cpu_ms": 3});
        assert_eq!(
            outcome(&finding, goal),
            Some(Outcome { cpu_ms: Some(3), ..took("flurry@0.4.0", Some(1)) })
        );
    }

    #[test]
    fn contenders_are_compared_on_what_both_have_looked_for() {
        let mut table = Table { goal: 100, ..Table::default() };
        let (ours, theirs) = (contender("portfolio"), contender("pct"));
        table.add(&ours, took("F1", Some(2)));
        table.add(&ours, took("map@1", Some(99)));
        table.add(&theirs, took("F1", Some(8)));
        table.contenders = vec![ours, theirs];
        let said = table.comparisons().join("\n");
        assert!(
            said.contains("portfolio needs 0.25 times the executions of pct, on the 1 pairs"),
            "{said}"
        );
    }
}
