//! `matrix`: the patterns of deletion, or faults, against every target, as text, JSON lines and a page.

use std::collections::BTreeMap;
use std::path::Path;

use maud::{Markup, html};
use serde_json::Value;

use crate::args::Matrix;
use crate::cargo::{self, Cargo};
use crate::commands::check::{budget, known};
use crate::commands::list::wants_json;
use crate::commands::run_for_lines;
use crate::error::{Error, exit};
use crate::runners::{Runner, Runners};
use crate::summary;

/// What is asked of a cell, and what is said when it is not so.
const QUESTIONS: [(&str, &str, &str); 4] = [
    ("terminates", "panics, deadlocks or does not end", "H"),
    ("complete", "passes over an element", "M"),
    ("consistent", "shows what is not there", "L"),
    ("pointer", "uses an invalid pointer", "P"),
];

/// Lets every runner fill its part of the matrix, and prints it.
///
/// # Errors
/// When a target is unknown, a runner does not build, or the page cannot be written.
pub fn run(matrix: &Matrix) -> Result<i32, Error> {
    let metadata = cargo::metadata()?;
    let runners = Runners::find(&metadata)?.require()?;
    let cargo = Cargo::new(&metadata)?;
    let all: Vec<(&Runner, Vec<&str>)> = match &matrix.targets[..] {
        [] => runners
            .0
            .iter()
            .filter(|runner| !runner.apart)
            .map(|runner| (runner, Vec::new()))
            .collect(),
        named => runners.share_out(named)?,
    };
    let json = wants_json(matrix.budget.format);
    let mut cells = Vec::new();
    let mut code = exit::CLEAN;
    for (runner, targets) in all {
        let mut command = runner.build(&cargo, &format!("runner `{}`", runner.package))?;
        command.arg("matrix").args(targets);
        known(&mut command, &matrix.known)?;
        if !matrix.faults.is_empty() {
            command.env("MAPCHECK_FAULTS", matrix.faults.join(","));
        }
        budget(&mut command, &matrix.budget)?;
        let each = &mut |cell: &Value| {
            if cell["type"] == "cell" {
                if json {
                    outln!("{cell}");
                }
                cells.push(cell.clone());
            }
        };
        let ran = run_for_lines(command, &runner.package, "filling the matrix", each)?;
        code = summary::worse(code, ran.code);
        if ran.interrupted {
            break;
        }
    }
    if !json {
        outln!("{}", text(&cells));
    }
    if let Some(path) = &matrix.html {
        write(path, &page(&cells).into_string())?;
    }
    Ok(code)
}

/// What is shown of these cells.
pub fn shown(cells: &[Value]) -> String {
    text(cells) + &page(cells).into_string()
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn word<'a>(cell: &'a Value, key: &str) -> &'a str {
    cell[key].as_str().unwrap_or_default()
}

/// What a cell says in short: `ok`, `-` where the map cannot do it, or what went wrong.
fn verdict(cell: &Value) -> String {
    if cell["terminates"].is_null() {
        return "-".to_owned();
    }
    let bad = QUESTIONS.iter().filter(|q| cell[q.0] == false).map(|q| q.2);
    let bad: Vec<&str> = bad.collect();
    if bad.is_empty() { "ok".to_owned() } else { bad.concat() }
}

/// These words, each once, in the order of their first cell.
fn distinct<'a>(cells: &'a [Value], word: impl Fn(&'a Value) -> &'a str) -> Vec<&'a str> {
    let mut all = Vec::new();
    for word in cells.iter().map(word) {
        if !all.contains(&word) {
            all.push(word);
        }
    }
    all
}

fn target(cell: &Value) -> &str {
    word(cell, "target")
}

/// What a cell's column is: a pattern, or a fault.
fn column(cell: &Value) -> &str {
    if cell["fault"].is_null() { word(cell, "scenario") } else { word(cell, "fault") }
}

/// The first cell of each target and column.
fn by_place(cells: &[Value]) -> BTreeMap<(&str, &str), &Value> {
    cells.iter().rev().map(|cell| ((target(cell), column(cell)), cell)).collect()
}

/// A row of the matrix as text.
fn row(name: &str, told: impl Iterator<Item = String>) -> String {
    let told: String = told.map(|told| format!(" {told:<6}")).collect();
    format!("{}\n", format!("{name:<22}{told}").trim_end())
}

/// Columns that fit beside the names of the targets.
const COLUMNS: usize = 11;

/// The matrix in 100 columns: a row a target, a column a pattern or a fault; what does not fit stands below.
fn text(cells: &[Value]) -> String {
    let (all, targets, cells) = (distinct(cells, column), distinct(cells, target), by_place(cells));
    let mut out = String::new();
    for (some, first) in all.chunks(COLUMNS).zip((1..).step_by(COLUMNS)) {
        let numbers = (first..first + some.len()).map(|n| n.to_string());
        out.push_str(&row("", numbers));
        for &target in &targets {
            let told = |cell: Option<&&Value>| cell.map_or_else(String::new, |cell| verdict(cell));
            out.push_str(&row(target, some.iter().map(|c| told(cells.get(&(target, *c))))));
        }
        out.push('\n');
    }
    all.iter().zip(1..).for_each(|(c, n)| out.push_str(&format!("{n} {c}\n")));
    out.push_str("ok nothing found in what was explored; - the map lacks what the pattern needs");
    QUESTIONS.iter().for_each(|q| out.push_str(&format!("; {} {}", q.2, q.1)));
    wrapped(&out)
}

/// Breaks what is longer than a line.
fn wrapped(text: &str) -> String {
    let line = |line: &str| {
        let mut out = String::new();
        let mut width = 0;
        for part in line.split_inclusive("; ") {
            if width + part.len() > 100 {
                out.truncate(out.trim_end().len());
                out.push('\n');
                width = 0;
            }
            out.push_str(part);
            width += part.len();
        }
        out
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

const STYLE: &str = "
body { padding-top: 1.5rem; }
h1 + p { margin-bottom: 1.2rem; max-width: 48rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top; }
tbody th { font-family: ui-monospace, monospace; white-space: nowrap; }
.ok { background: #2a93; } .bad { background: #d336; } .none { color: var(--quiet); }
small { display: block; color: var(--quiet); }
";

/// The matrix as a page that needs nothing else.
fn page(cells: &[Value]) -> Markup {
    let (patterns, places) = (distinct(cells, column), by_place(cells));
    let title = match cells.iter().any(|cell| !cell["fault"].is_null()) {
        true => "Faults",
        false => "Deleting while iterating",
    };
    let body = html! {
        h1 { (title) }
        p {
            "Each cell is what mapcheck saw in the executions it counts. \u{201c}ok\u{201d} \
             says that nothing was found in them, not that the map is right."
        }
        table {
            thead { tr { th { "target" } @for p in &patterns { th { (p) } } } }
            tbody {
                @for target in distinct(cells, self::target) {
                    tr {
                        th { (target) }
                        @for p in &patterns { (page_cell(places.get(&(target, *p)).copied())) }
                    }
                }
            }
        }
    };
    crate::html::page(title, STYLE, &body)
}

fn page_cell(cell: Option<&Value>) -> Markup {
    let Some(cell) = cell.filter(|c| !c["terminates"].is_null()) else {
        return html! { td class="none" { "\u{2013}" } };
    };
    let bad: Vec<&str> = QUESTIONS.iter().filter(|q| cell[q.0] == false).map(|q| q.1).collect();
    let class = if bad.is_empty() { "ok" } else { "bad" };
    html! {
        td class=(class) {
            @if bad.is_empty() { "ok" } @else { (bad.join("; ")) }
            small {
                (cell["executions"]) " executions"
                @for found in cell["found"].as_array().into_iter().flatten() {
                    br; (found.as_str().unwrap_or_default())
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cells() -> Vec<Value> {
        let cell = |target: &str, scenario: &str, pointer: Option<bool>| {
            let kept = pointer.map(|_| true);
            json!({"type": "cell", "target": target, "scenario": scenario, "terminates": kept,
                "complete": kept, "consistent": kept, "pointer": pointer,
                "found": if pointer == Some(false) { vec!["premature-reclamation"] } else { vec![] },
                "executions": 4000})
        };
        vec![
            cell("dashmap", "delete-current", None),
            cell("dashmap", "concurrent-write", Some(true)),
            cell("flurry@0.4.0", "delete-current", Some(true)),
            cell("flurry@0.4.0", "concurrent-write", Some(false)),
        ]
    }

    #[test]
    fn the_text_has_a_row_a_target_and_fits_the_screen() {
        let text = text(&cells());
        assert!(text.lines().all(|line| line.len() <= 100), "{text}");
        let row = |name: &str| text.lines().find(|l| l.starts_with(name)).unwrap().to_owned();
        let words = |row: String| row.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(row("dashmap")), ["dashmap", "-", "ok"]);
        assert_eq!(words(row("flurry@0.4.0")), ["flurry@0.4.0", "ok", "P"]);
    }

    #[test]
    fn the_page_stands_alone_and_says_what_was_found() {
        let page = page(&cells()).into_string();
        assert!(page.starts_with("<!DOCTYPE html>"));
        assert!(page.contains("uses an invalid pointer") && page.contains("4000 executions"));
        assert!(!page.contains("http"), "nothing is loaded from elsewhere");
    }
}
