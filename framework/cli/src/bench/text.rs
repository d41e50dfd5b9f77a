//! What was measured, as text of at most 100 columns.

use super::claims::{self, Claim};
use super::lines::{Figure, Verdict};
use super::statistics::{self, Spread};
use super::words::{exact, number};
use super::{Results, distinct, title};

/// Columns of a line.
const COLUMNS: usize = 100;
/// Columns of a row's name.
const NAME: usize = 36;

/// The machine, the claims, then each group's figures.
pub fn text(results: &Results) -> String {
    let mut out = machine(results);
    let claims = results.claims();
    if !claims.is_empty() {
        out += &format!("\n{}\n", results.tally().words());
        out += &row("", ["median", "quartiles", "limit", ""]);
    }
    for group in results.groups() {
        let own: Vec<&Claim<'_>> = claims.iter().filter(|claim| claim.group == group).collect();
        for subject in distinct(own.iter().map(|claim| claim.subject)) {
            out += &wrapped(subject);
            own.iter().filter(|claim| claim.subject == subject).for_each(|c| out += &claim(c));
        }
    }
    results.groups().iter().for_each(|name| out += &group(results, name));
    for failed in &results.failed {
        out += &wrapped(&format!("failed: {} {}: {}", failed.producer, failed.group, failed.how));
    }
    out
}

fn machine(results: &Results) -> String {
    let mut out = String::new();
    for (name, told) in results.machine.told() {
        let line = format!("{name:<11} {told}");
        let fits = line.chars().count() <= COLUMNS;
        out += &if fits { line + "\n" } else { wrapped(&line) };
    }
    let load = |load: Option<f64>| load.map_or("unknown".into(), |load| format!("{load:.2}"));
    let (start, end) = (load(results.machine.load), load(results.load));
    out += &format!("{:<11} {start} at the start, {end} at the end, measuring included\n", "load");
    if let Some(warning) = results.machine.warning() {
        out += &wrapped(&format!("warning: {warning}"));
    }
    out
}

/// A name and four cells.
fn row(name: &str, cells: [&str; 4]) -> String {
    let [median, spread, last, word] = cells;
    let cells = format!("{median:>15}  {spread:<20} {last:<14}{word}");
    let cells = cells.trim_end();
    match name.chars().count() {
        // The word at the end is short, and what is too long moves down as a whole.
        0..=NAME => format!("{name:<NAME$}{cells}\n"),
        _ => format!("{}{:NAME$}{cells}\n", wrapped(name), ""),
    }
}

fn claim(claim: &Claim<'_>) -> String {
    let (median, quartiles) = match &claim.spread {
        Some(spread) => (with_unit(spread.median, claim.unit), quartiles(spread)),
        None => ("-".into(), String::new()),
    };
    let (limit, word) = (claim.limit_words(), claim.word());
    let name = format!("  {}", claim.what());
    let mut out = row(&name, [&median, &quartiles, &limit, word]);
    out += &claim.text.map(|text| wrapped(&format!("    {text}"))).unwrap_or_default();
    out
}

/// A value with its unit, where that is short.
fn with_unit(value: f64, unit: &str) -> String {
    let told = format!("{} {unit}", number(value));
    if told.chars().count() <= 15 { told } else { number(value) }
}

fn quartiles(spread: &Spread) -> String {
    if spread.samples == 1 {
        return String::new();
    }
    format!("{} … {}", number(spread.lower), number(spread.upper))
}

fn group(results: &Results, group: &str) -> String {
    let mut out = format!("\n{group}: {}\n", title(group));
    let figures = results.figures_of(group);
    let skipped = results.skipped.iter().filter(|skipped| skipped.group == group);
    for unit in distinct(figures.iter().map(|figure| figure.unit.as_str())) {
        let head = format!("in {unit}");
        out += &row(&head, ["median", "quartiles", "range", ""]);
        let own = figures.iter().filter(|figure| figure.unit == unit);
        for subject in distinct(own.clone().map(|figure| figure.subject.as_str())) {
            out += &wrapped(subject);
            let rows: Vec<&Figure> =
                own.clone().filter(|f| f.subject == subject).copied().collect();
            let rows = by_variant(rows);
            rows.iter().for_each(|figure| out += &self::figure(figure));
            curves(&rows).for_each(|said| out += &wrapped(&format!("    {said}")));
        }
    }
    out += &verdicts(results.verdicts.iter().filter(|verdict| verdict.group == group));
    for one in skipped {
        let parts = [&one.subject, &one.variant].into_iter().filter(|part| !part.is_empty());
        let what: Vec<&str> = parts.map(String::as_str).collect();
        out += &wrapped(&format!("skipped: {}: {}", what.join(", "), one.why).replace(": :", ":"));
    }
    out
}

fn figure(figure: &Figure) -> String {
    let spread = Spread::of(&figure.samples);
    let at = claims::at(figure);
    let name = if at.is_empty() { String::new() } else { format!(", {at}") };
    let name = format!("  {}{name}", figure.variant);
    let range = format!("{} … {}", number(spread.min), number(spread.max));
    let range = if spread.samples == 1 { "one sample".into() } else { range };
    let mut out = row(&name, [&number(spread.median), &quartiles(&spread), &range, ""]);
    out += &figure.text.as_ref().map(|text| wrapped(&format!("    {text}"))).unwrap_or_default();
    out
}

/// Each variant's together, in the order of its first.
fn by_variant(mut rows: Vec<&Figure>) -> Vec<&Figure> {
    let variants = distinct(rows.iter().copied().map(|figure| figure.variant.as_str()));
    rows.sort_by_key(|figure| variants.iter().position(|known| *known == figure.variant));
    rows
}

/// How each variant of one subject grows, where it has a curve.
pub fn curves<'a>(rows: &'a [&'a Figure]) -> impl Iterator<Item = String> + 'a {
    let variants = distinct(rows.iter().map(|figure| figure.variant.as_str()));
    variants.into_iter().filter_map(|variant| {
        let own: Vec<&&Figure> = rows.iter().filter(|figure| figure.variant == variant).collect();
        let points: Vec<(f64, f64)> = own
            .iter()
            .filter_map(|figure| Some((figure.x?, Spread::of(&figure.samples).median)))
            .collect();
        let growth = statistics::growth(&points)?;
        let unit = own[0].x_unit.as_deref().unwrap_or("x");
        Some(format!(
            "{variant}: {}; {} times the {unit}, {} times the figure",
            growth.words(unit),
            times(growth.x_times),
            number(growth.y_times)
        ))
    })
}

/// A whole number as one, if it is near.
fn times(value: f64) -> String {
    let whole = (value - value.round()).abs() < 1e-6 * value;
    if whole { exact(value.round()) } else { number(value) }
}

fn verdicts<'a>(all: impl Iterator<Item = &'a Verdict>) -> String {
    all.map(|v| wrapped(&format!("{}, {}: {}", v.subject, v.variant, v.text))).collect()
}

/// Lines that fit, each but the first a little to the right of where the first begins.
fn wrapped(text: &str) -> String {
    let indent = text.len() - text.trim_start().len();
    let mut out = " ".repeat(indent);
    let mut width = indent;
    for (place, word) in text.split_whitespace().enumerate() {
        let length = word.chars().count();
        if place > 0 && width + 1 + length > COLUMNS {
            out += &format!("\n{:indent$}    ", "");
            width = indent + 4;
        } else if place > 0 {
            out.push(' ');
            width += 1;
        }
        out += word;
        width += length;
    }
    out + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::samples;

    #[test]
    fn the_claims_come_first_and_everything_fits_the_screen() {
        let mut results = samples::results();
        let long = "word ".repeat(60);
        for (key, value) in [("subject", long.as_str()), ("variant", &long), ("text", &long)] {
            let mut line = samples::rate("v", &[1e9, 2e14, 3.0]);
            line[key] = value.into();
            results.take(&line).unwrap();
        }
        let text = text(&results);
        let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > COLUMNS).collect();
        assert!(wide.is_empty(), "{wide:?}");
        let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what}: {text}"));
        assert!(at("1 of 2 limits reached") < at("reached") + 40);
        assert!(at("at least 3") < at("scale: How cost grows"));
        assert!(at("scale:") < at("peers:") && at("peers:") < at("delete:"));
    }

    #[test]
    fn medians_have_their_spread() {
        let text = text(&samples::results());
        let line = |start: &str| {
            let found = text.lines().rfind(|line| line.trim_start().starts_with(start));
            found
                .unwrap_or_else(|| panic!("no {start}: {text}"))
                .split_whitespace()
                .collect::<Vec<_>>()
        };
        assert_eq!(
            line("mapcheck random "),
            ["mapcheck", "random", "350", "325", "…", "375", "300", "…", "400"]
        );
        assert_eq!(line("skipped:"), ["skipped:", "ThreadSanitizer:", "no", "toolchain"]);
        assert_eq!(line("map <a>"), ["map", "<a>,", "retain:", "held"]);
        assert!(
            text.contains(
                "random: does not grow with threads (exponent 0.02); 32 times the threads"
            ),
            "{text}"
        );
    }
}
