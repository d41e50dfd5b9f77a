//! An explanation as text: Markdown for a bug report, that reads well on a terminal too.
//!
//! What happened comes first, in the order in which it happened, on one screen. Whoever doubts it finds the rest below.

use std::fmt::Write as _;

use super::{Event, Explanation, Place, Source, Suspect};

/// Columns of a line, where nothing in it is longer.
const WIDTH: usize = 100;
/// Columns before what a step did, where it needs more than a line.
const INDENT: usize = 13;
/// The column at which the place of a step begins.
const COLUMN: usize = 46;
/// Callers of a line that are named.
const CALLERS: usize = 3;

/// The text.
pub fn text(explanation: &Explanation) -> String {
    let mut out = String::new();
    headline(&mut out, explanation);
    paragraph(&mut out, &explanation.summary.join(" "));
    if !explanation.why.is_empty() {
        let freed = explanation.walk.iter().any(|event| event.role == "freed");
        let what = if freed { "Why it was taken for free:" } else { "What was looked at before:" };
        paragraph(&mut out, what);
        items(&mut out, &explanation.why);
    }
    suspects(&mut out, explanation);
    steps(&mut out, explanation);
    if !explanation.inflection.is_empty() {
        let words = match explanation.inflection.strip_prefix("none: ") {
            Some(always) => format!("It takes no certain schedule: {always}."),
            None => format!("Point of no return: {}.", explanation.inflection),
        };
        paragraph(&mut out, &words);
    }
    let _ = writeln!(out, "\nReplay it: `{}`", explanation.replay);
    details(&mut out, explanation);
    out
}

fn headline(out: &mut String, explanation: &Explanation) {
    let Explanation { class, target, scenario, versions, .. } = explanation;
    let _ = writeln!(out, "# {class} in {target}");
    let mutant = explanation.mutant.as_ref().map(|m| format!(", with the mutant {m}"));
    let scenario = format!("scenario `{scenario}`{}", mutant.unwrap_or_default());
    // The first is the map; what it depends on is in the details.
    let map = versions.split(", ").next().filter(|map| map.contains(' ')).unwrap_or(target);
    // Where the summary says so much, once is enough.
    let first = explanation.summary.first().map(|first| first.to_lowercase());
    let known = first.is_some_and(|first| first.starts_with(&explanation.message.to_lowercase()));
    let message = if known { String::new() } else { format!(": {}", explanation.message) };
    paragraph(out, &format!("{map}, {scenario}{message}."));
}

/// Words, wrapped, after an empty line.
fn paragraph(out: &mut String, words: &str) {
    out.push('\n');
    wrapped(out, "", words, "");
}

fn items(out: &mut String, all: &[String]) {
    out.push('\n');
    all.iter().for_each(|item| wrapped(out, "- ", item, "  "));
}

/// Words after a start, and below it, indented, where a line is full.
fn wrapped(out: &mut String, start: &str, words: &str, indent: &str) {
    let mut line = start.to_owned();
    let mut empty = true;
    for word in words.split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{}", line.trim_end());
            (line, empty) = (indent.to_owned(), true);
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    let _ = writeln!(out, "{}", line.trim_end());
}

/// A function without the path to it: its last name, with the type before it.
fn short(function: &str) -> &str {
    let function = function.trim_end_matches("::{closure}");
    let start = function.rmatch_indices("::").nth(1).map_or(0, |(at, _)| at + 2);
    &function[start..]
}

/// `src/map.rs:12 Map::get < Map::find`: a line, its function, and who called that.
fn line_of(places: &[Place], callers: usize) -> Option<String> {
    let place = places.first()?;
    let mut names: Vec<&str> = places.iter().map(|place| short(&place.function)).collect();
    names.dedup();
    names.truncate(1 + callers);
    Some(format!("{} {}", place.site, names.join(" < ")))
}

fn suspects(out: &mut String, explanation: &Explanation) {
    if explanation.suspects.is_empty() {
        return;
    }
    out.push_str("\nLook here first:\n\n");
    for (Suspect { why, places }, nth) in explanation.suspects.iter().zip(1..) {
        let line = line_of(places, CALLERS).unwrap_or_default();
        let (site, names) = line.split_once(' ').unwrap_or((&line, ""));
        wrapped(out, &format!("{nth}. "), &format!("`{site}` `{names}`: {why}"), "   ");
    }
}

/// What happened, in the order in which it did.
fn steps(out: &mut String, explanation: &Explanation) {
    let mut walk: Vec<&Event> = explanation.walk.iter().collect();
    if walk.len() < 2 {
        return;
    }
    walk.sort_by_key(|event| (event.step, event.role == "used"));
    out.push_str("\n```text\n");
    let mut before = (u64::MAX, "");
    for event in walk {
        let doing = (event.thread, event.operation.as_str());
        if doing != before {
            let operation =
                Some(doing.1).filter(|o| !o.is_empty()).unwrap_or("(outside operations)");
            let _ = writeln!(out, "{}: {operation}", explanation.thread(event.thread));
            before = doing;
        }
        step(out, event);
    }
    out.push_str("```\n");
}

/// A step on one line where that is enough, else on two.
fn step(out: &mut String, event: &Event) {
    let mark = if event.role == "used" { "x" } else { " " };
    let start = format!("{mark} {:>9}  {}", event.step, event.what);
    let Some(line) = line_of(&event.places, 0) else {
        let _ = writeln!(out, "{start}");
        return;
    };
    let room = start.chars().count().max(COLUMN - 2) + 2;
    if room + line.chars().count() <= WIDTH {
        let _ = writeln!(out, "{start:<width$}  {line}", width = COLUMN - 2);
    } else {
        wrapped(out, "", &start, &" ".repeat(INDENT));
        let _ = writeln!(out, "{}{line}", " ".repeat(INDENT));
    }
}

// The details.

fn details(out: &mut String, explanation: &Explanation) {
    stacks(out, explanation);
    if !explanation.order.is_empty() || !explanation.injected.is_empty() {
        out.push_str("\n<details><summary>What it needs</summary>\n");
        items(out, &[&explanation.injected[..], &explanation.order[..]].concat());
        out.push_str("\n</details>\n");
    }
    if !explanation.sources.is_empty() {
        out.push_str("\n<details><summary>The lines</summary>\n");
        explanation.sources.iter().for_each(|source| excerpt(out, source));
        out.push_str("\n</details>\n");
    }
    out.push_str("\n<details><summary>The report, and the versions</summary>\n\n```text\n");
    out.push_str(&explanation.report);
    let _ = writeln!(out, "```\n\n{}, mapcheck {}", explanation.versions, explanation.mapcheck);
    out.push_str("\n</details>\n");
}

/// The steps from the use back, with where they were made.
fn stacks(out: &mut String, explanation: &Explanation) {
    if explanation.walk.is_empty() {
        return;
    }
    out.push_str("\n<details><summary>From the use back, with stacks</summary>\n\n```text\n");
    for event in &explanation.walk {
        let Event { role, thread, step, what, note, .. } = event;
        let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
        let operation = Some(&event.operation).filter(|operation| !operation.is_empty());
        let operation =
            operation.map_or_else(String::new, |operation| format!(" in `{operation}`"));
        let line = format!("step {step}: thread {thread}{operation} {what}{note}");
        wrapped(out, &format!("{role:<10} "), &line, "           ");
        for Place { site, function } in &event.places {
            let _ = writeln!(out, "           {site} {}", short(function));
        }
    }
    out.push_str("```\n\n</details>\n");
}

fn excerpt(out: &mut String, source: &Source) {
    let _ = writeln!(out, "\n`{}`\n\n```rust", source.file);
    for (line, number) in source.lines.iter().zip(source.first..) {
        let roles = source.marks.iter().filter(|mark| mark.line == number);
        let mut roles: Vec<&str> = roles.map(|mark| mark.role.as_str()).collect();
        roles.dedup();
        let mark = if roles.is_empty() { " " } else { ">" };
        let told =
            if roles.is_empty() { String::new() } else { format!("  // {}", roles.join(", ")) };
        let _ = writeln!(out, "{}", format!("{mark}{number:>5}  {line}{told}").trim_end());
    }
    out.push_str("```\n");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::explain::tests::smallest;

    fn explanation() -> Explanation {
        let mut value = smallest();
        let step = |role: &str, thread: u64, step: u64, what: &str| {
            json!({"role": role, "thread": thread, "step": step, "operation": "iterate", "note": "",
                "what": what, "places": [{"site": "a.rs:1", "function": "a::map::Map::next"},
                {"site": "a.rs:9", "function": "a::map::Map::each::{closure}"}]})
        };
        value["walk"] =
            json!([step("used", 1, 9, "read 8 bytes"), step("freed", 0, 7, "freed it")]);
        value["suspects"] = json!([{"why": "freed it", "places": value["walk"][0]["places"]}]);
        value["why"] = json!(["word ".repeat(60).trim_end()]);
        Explanation::read(&value).unwrap()
    }

    #[test]
    fn what_happened_is_told_in_its_order() {
        let text = text(&explanation());
        assert!(text.starts_with("# missed-element in a\n"), "{text}");
        let line = |mark: &str, step: u64, what: &str| {
            format!("{:<44}  a.rs:1 Map::next\n", format!("{mark} {step:>9}  {what}"))
        };
        let steps = format!(
            "```text\nthread 0 (setup): iterate\n{}thread 1: iterate\n{}```\n",
            line(" ", 7, "freed it"),
            line("x", 9, "read 8 bytes")
        );
        assert!(text.contains(&steps), "{text}");
        assert!(text.contains("1. `a.rs:1` `Map::next < Map::each`: freed it\n"), "{text}");
    }

    #[test]
    fn lines_are_no_longer_than_they_must_be() {
        let text = text(&explanation());
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    }

    #[test]
    fn a_function_is_named_with_its_type() {
        let names = ["a::map::Map::next", "Map::next", "next", "a::b::Map::each::{closure}"];
        assert_eq!(names.map(short), ["Map::next", "Map::next", "next", "Map::each"]);
    }
}
