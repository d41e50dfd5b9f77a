//! `faults`: the catalogue of mutants, each looked for on each engine.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::args::Faults;
use crate::cargo::{self, Cargo};
use crate::commands::check::budget;
use crate::commands::list::wants_json;
use crate::commands::run_for_lines;
use crate::error::{Error, exit};
use crate::runners::Runners;
use crate::summary;

/// The engines that are used unless the user names some.
const ENGINES: [&str; 3] = ["native", "shuttle", "loom"];

/// What each engine cannot see, for the reader of its rows.
const LIMITS: [(&str, &str); 3] = [
    ("native", "sequentially consistent; every access to modelled memory is a schedule point"),
    ("shuttle", "sequentially consistent; lifetimes are watched by the modelled heap alone"),
    (
        "loom",
        "at most 4 threads and 2 preemptions; SeqCst counts as AcqRel; cells are no schedule \
         points;\n  what a collector does to them is explored through its lock; lifetimes are \
         watched by\n  the modelled heap alone",
    ),
];

/// Lets every runner of the workspace look for its mutants, and prints a row for each.
///
/// # Errors
/// When a runner does not build, or there is no such mutant.
pub fn run(faults: &Faults) -> Result<i32, Error> {
    let metadata = cargo::metadata()?;
    let runners = Runners::find(&metadata)?.require()?;
    let cargo = Cargo::new(&metadata)?;
    let engines: Vec<&str> = match &faults.engines[..] {
        [] => ENGINES.to_vec(),
        named => named.iter().map(String::as_str).collect(),
    };
    let mut table = Table { json: wants_json(faults.budget.format), ..Table::default() };
    let mut code = exit::CLEAN;
    'all: for runner in runners.0.iter().filter(|runner| runner.is_member()) {
        for engine in &engines {
            let mut command = runner.build(&cargo, &format!("runner `{}`", runner.package))?;
            command.arg("faults").args(&faults.mutants).env("MAPCHECK_ENGINE", engine);
            budget(&mut command, &faults.budget)?;
            command.envs(faults.schedulers.last().map(|s| ("MAPCHECK_SCHEDULER", s)));
            let what = format!("looking for mutants on {engine}");
            let ran = run_for_lines(command, &runner.package, &what, &mut |row| table.row(row))?;
            code = summary::worse(code, ran.code);
            if ran.interrupted {
                break 'all;
            }
        }
    }
    if table.engines.is_empty() && code == exit::CLEAN {
        return Err(Error::UnknownMutant(faults.mutants.join(", ")));
    }
    table.end();
    Ok(code)
}

/// What is printed, row by row.
#[derive(Default)]
struct Table {
    json: bool,
    /// What each engine did so far, in the order of its first row.
    engines: Vec<(String, Tally)>,
    /// The scopes already told.
    notes: BTreeMap<String, Vec<String>>,
}

/// Counts of one engine.
#[derive(Default)]
struct Tally {
    mutants: u32,
    found: u32,
    within_ten: u32,
    equivalent: u32,
    silent: u32,
    wrong: Vec<String>,
}

impl Table {
    fn row(&mut self, row: &Value) {
        if row["type"] != "fault" {
            return;
        }
        let engine = row["engine"].as_str().unwrap_or_default();
        let first = self.engines.iter().all(|(name, _)| name != engine);
        if first {
            self.engines.push((engine.to_owned(), Tally::default()));
        }
        let tally = self.engines.iter_mut().find(|(name, _)| name == engine);
        tally.into_iter().for_each(|(_, tally)| tally.add(row));
        if let Some(note) = row["note"].as_str().filter(|note| !note.is_empty()) {
            let faults = self.notes.entry(format!("{engine}: {note}")).or_default();
            faults.push(row["fault"].as_str().unwrap_or_default().to_owned());
        }
        if self.json {
            outln!("{row}");
            return;
        }
        if first {
            outln!("{}", heading(engine));
        }
        outln!("{}", told(row));
    }

    fn end(&self) {
        if self.json {
            return;
        }
        outln!();
        for (engine, tally) in &self.engines {
            outln!("{}", tally.sentence(engine));
            for (_, limits) in LIMITS.iter().filter(|l| l.0 == engine) {
                outln!("  {limits}");
            }
        }
        for (note, faults) in &self.notes {
            outln!("note: {note} ({})", faults.join(", "));
        }
    }
}

/// What is shown of these rows.
pub fn shown(rows: &[Value]) -> String {
    let mut tally = Tally::default();
    rows.iter().for_each(|row| tally.add(row));
    rows.iter().map(told).collect::<String>() + &tally.sentence("engine")
}

fn heading(engine: &str) -> String {
    let columns = format!(
        "{:<5} {:<38} {:<21}{:>10} {:>7}  repro",
        "fault", "name", "found", "executions", "seconds"
    );
    format!("on {engine}:\n{columns}")
}

/// Cuts what is longer than its column.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['\u{2026}']).collect()
}

/// A row in 100 columns.
fn told(row: &Value) -> String {
    let text = |key: &str| row[key].as_str().unwrap_or_default();
    let number = |key: &str| row[key].as_u64().unwrap_or_default();
    let equivalent = row["expected"].as_array().is_some_and(Vec::is_empty);
    let class = match (text("class"), equivalent) {
        ("", true) => "nothing (equivalent)",
        ("", false) => "NOT FOUND",
        (class, _) => class,
    };
    let mark = if row["as_expected"] == true { " " } else { "!" };
    let seconds = number("wall_ms") as f64 / 1000.0;
    let repro = match number("operations") {
        0 => String::new(),
        n => format!("{n} ops, {} dec", number("decisions")),
    };
    let line = format!(
        "{:<5} {:<38} {:<21}{:>10} {seconds:>7.1} {mark}{repro}",
        text("fault"),
        cut(text("name"), 38),
        class,
        number("executions"),
    );
    line.trim_end().to_owned()
}

impl Tally {
    fn add(&mut self, row: &Value) {
        let right = row["as_expected"] == true;
        if row["expected"].as_array().is_some_and(Vec::is_empty) {
            self.equivalent += 1;
            self.silent += u32::from(right);
        } else {
            self.mutants += 1;
            self.found += u32::from(right);
            self.within_ten +=
                u32::from(right && row["wall_ms"].as_u64().is_some_and(|ms| ms <= 10_000));
        }
        if !right {
            self.wrong.push(row["fault"].as_str().unwrap_or_default().to_owned());
        }
    }

    fn sentence(&self, engine: &str) -> String {
        let Tally { mutants, found, within_ten, equivalent, silent, wrong } = self;
        let mut line = format!(
            "{engine}: {found} of {mutants} mutants found as documented, {within_ten} of them \
             within 10 s; {silent} of {equivalent} equivalent mutants silent"
        );
        if !wrong.is_empty() {
            line.push_str(&format!("\n  not as documented: {}", wrong.join(", ")));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(found: bool, expected: &[&str]) -> Value {
        json!({"type": "fault", "fault": "F26", "name": "delete-without-barrier",
            "engine": "native", "expected": expected, "found": found,
            "as_expected": found != expected.is_empty(),
            "class": if found { "premature-reclamation" } else { "" },
            "executions": 1203, "wall_ms": 340, "operations": if found { 4 } else { 0 },
            "decisions": 2})
    }

    #[test]
    fn a_row_fits_the_screen_and_says_what_was_found() {
        let told = told(&row(true, &["premature-reclamation"]));
        assert!(told.chars().count() <= 100 && told.contains("premature-reclamation"), "{told}");
        assert!(told.ends_with("4 ops, 2 dec"), "{told}");
    }

    #[test]
    fn what_is_not_as_documented_is_named() {
        let mut tally = Tally::default();
        tally.add(&row(true, &["premature-reclamation"]));
        tally.add(&row(false, &["premature-reclamation"]));
        tally.add(&row(false, &[]));
        let said = tally.sentence("native");
        assert!(said.starts_with("native: 1 of 2 mutants found as documented, 1 of them"));
        assert!(said.contains("1 of 1 equivalent mutants silent"));
        assert!(said.ends_with("not as documented: F26"), "{said}");
    }
}
