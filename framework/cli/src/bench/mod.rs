//! What was measured: read from the lines of those who measure, and shown as text, as lines of JSON and as a page.
//!
//! Nothing here knows what is measured. A producer says what each figure is of, in what unit, and which way is better.

mod claims;
pub mod lines;
pub mod machine;
pub mod page;
pub mod producers;
mod statistics;
pub mod text;
mod words;

use serde::Deserialize as _;
use serde_json::{Value, json};

pub use claims::Claim;
use lines::{Failed, Figure, Line, Skipped, Verdict};
use machine::Machine;
pub use words::count;

/// The groups in the order in which they are measured and shown. Others come after, as they come.
pub const GROUPS: [&str; 8] =
    ["cost", "scale", "maps", "peers", "exhaust", "faults", "stress", "delete"];

/// What a group is about.
pub fn title(group: &str) -> &str {
    match group {
        "cost" => "What each part costs",
        "scale" => "How cost grows",
        "maps" => "Maps, against their native speed",
        "peers" => "Against loom and shuttle",
        "exhaust" => "Until all executions are made",
        "faults" => "Until a mutant is found",
        "stress" => "Against stress tests and sanitizers",
        "delete" => "Three ways to delete while iterating",
        other => other,
    }
}

/// All that was told of one run.
#[derive(Debug, Default)]
pub struct Results {
    /// What it was measured on.
    pub machine: Machine,
    /// What was measured, in the order told.
    pub figures: Vec<Figure>,
    asks: Vec<lines::Ask>,
    /// The cells that are words.
    pub verdicts: Vec<Verdict>,
    /// What was not measured.
    pub skipped: Vec<Skipped>,
    /// Who could not measure.
    pub failed: Vec<Failed>,
    /// The load average at the end, most of it made by measuring.
    pub load: Option<f64>,
    /// When it ended, in UTC; empty if it did not say.
    pub ended: String,
}

impl Results {
    /// What is measured on this machine.
    pub fn on(machine: Machine) -> Self {
        Self { machine, ..Self::default() }
    }

    /// Reads what an earlier run has printed as JSON.
    ///
    /// # Errors
    /// What is wrong with it, with the line's number.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut results = Self::default();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let value: Value = serde_json::from_str(line)
                .map_err(|e| format!("is not JSON, line by line: line {number}: {e}"))?;
            results.take(&value).map_err(|what| format!("has a line {number} that {what}"))?;
        }
        if results.groups().is_empty() && results.failed.is_empty() {
            return Err("has no figures".into());
        }
        Ok(results)
    }

    /// Takes in a line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn take(&mut self, value: &Value) -> Result<(), String> {
        match Line::read(value)? {
            Some(Line::Figure(figure)) => self.add(figure),
            Some(Line::Ratio(ask)) => self.asks.push(ask),
            Some(Line::Verdict(verdict)) => self.verdicts.push(verdict),
            Some(Line::Skipped(skipped)) => self.skipped.push(skipped),
            Some(Line::Failed(failed)) => self.failed.push(failed),
            None => self.take_own(value)?,
        }
        Ok(())
    }

    /// A line of the command's own.
    fn take_own(&mut self, value: &Value) -> Result<(), String> {
        if value["type"] == "machine" {
            let machine = Machine::deserialize(value);
            self.machine = machine.map_err(|e| format!("is no machine: {e}"))?;
        } else if value["type"] == "summary" {
            self.load = value["load"].as_f64();
            self.ended = value["ended"].as_str().unwrap_or_default().to_owned();
        }
        Ok(())
    }

    /// A figure that is told again has more samples.
    fn add(&mut self, figure: Figure) {
        let key = |f: &Figure| {
            (
                f.group.clone(),
                f.subject.clone(),
                f.variant.clone(),
                f.unit.clone(),
                f.x.map(f64::to_bits),
            )
        };
        match self.figures.iter_mut().find(|known| key(known) == key(&figure)) {
            Some(known) => known.samples.extend(figure.samples),
            None => self.figures.push(figure),
        }
    }

    /// The groups of which there is something, in order.
    pub fn groups(&self) -> Vec<&str> {
        let told = self.figures.iter().map(|f| &f.group);
        let told = told.chain(self.verdicts.iter().map(|v| &v.group));
        let told = told.chain(self.asks.iter().map(|ask| &ask.group));
        let told = told.chain(self.skipped.iter().map(|s| &s.group));
        let mut groups: Vec<&str> = distinct(told.map(String::as_str));
        groups.sort_by_key(|group| place(group));
        groups
    }

    /// What has a limit, and every ratio, in the groups' order; in each the ratios first.
    pub fn claims(&self) -> Vec<Claim<'_>> {
        let mut claims: Vec<Claim<'_>> =
            self.asks.iter().flat_map(|ask| Claim::of_ratio(ask, &self.figures)).collect();
        claims.extend(self.figures.iter().filter_map(Claim::of_figure));
        let groups = self.groups();
        claims.sort_by_key(|claim| groups.iter().position(|group| *group == claim.group));
        claims
    }

    /// How many limits are reached, missed, and not measured.
    pub fn tally(&self) -> Tally {
        let claims = self.claims();
        let limits = || claims.iter().filter(|claim| claim.limit.is_some());
        let of = |wanted| limits().filter(|claim| claim.reached() == wanted).count();
        Tally { reached: of(Some(true)), missed: of(Some(false)), unknown: of(None) }
    }

    /// The figures of a group, in the order told.
    pub fn figures_of(&self, group: &str) -> Vec<&Figure> {
        self.figures.iter().filter(|figure| figure.group == group).collect()
    }

    /// The last line of JSON: what was concluded from those before.
    pub fn summary(&self) -> Value {
        let Tally { reached, missed, unknown } = self.tally();
        let claims: Vec<Value> = self.claims().iter().map(Claim::json).collect();
        json!({"type": "summary", "ended": self.ended, "load": self.load, "figures": self.figures.len(),
            "reached": reached, "missed": missed, "unmeasured": unknown, "skipped": self.skipped.len(),
            "failed": self.failed.len(), "claims": claims})
    }
}

/// How the limits were kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Limits that the medians reach.
    pub reached: usize,
    /// Those that they do not.
    pub missed: usize,
    /// Those of which there is no figure.
    pub unknown: usize,
}

impl Tally {
    /// It in a sentence.
    pub fn words(&self) -> String {
        let Self { reached, missed, unknown } = *self;
        let all = reached + missed + unknown;
        let mut said = match (all, reached) {
            (0, _) => "No limits were set".to_owned(),
            (1, 1) => "The limit is reached".to_owned(),
            (all, reached) if all == reached => format!("All {all} limits are reached"),
            _ => format!("{reached} of {} reached", count(all, "limit")),
        };
        if missed > 0 {
            said += &format!(", {missed} missed");
        }
        if unknown > 0 {
            said += &format!(", {unknown} not measured");
        }
        said
    }
}

/// Where a group stands among all.
pub fn place(group: &str) -> usize {
    GROUPS.iter().position(|known| *known == group).unwrap_or(GROUPS.len())
}

/// Each once, in the order of its first.
pub fn distinct<T: PartialEq>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for one in all {
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

/// What is shown of these lines, as text and as a page; nothing if one of them is unusable.
pub fn shown(lines: &[Value]) -> String {
    let mut results = Results::default();
    match lines.iter().try_for_each(|line| results.take(line)) {
        Ok(()) => text::text(&results) + &page::page(&results).into_string(),
        Err(_) => String::new(),
    }
}

/// Lines for the tests: two variants of one thing, a curve, words, and something left out.
#[cfg(test)]
pub mod samples {
    use serde_json::{Value, json};

    use super::Results;

    /// A figure of a rate.
    pub fn rate(variant: &str, samples: &[f64]) -> Value {
        json!({"type": "figure", "group": "peers", "subject": "peer model, 3 threads", "variant": variant,
            "unit": "executions/cpu-s", "better": "more", "samples": samples})
    }

    /// A point of a curve of costs.
    pub fn point(x: f64, samples: &[f64]) -> Value {
        json!({"type": "figure", "group": "scale", "subject": "schedule point", "variant": "random", "unit": "ns",
            "better": "less", "x": x, "x_unit": "threads", "samples": samples})
    }

    /// A ratio that is asked for.
    pub fn ratio(of: &str, to: &str, limit: f64) -> Value {
        json!({"type": "ratio", "group": "peers", "subject": "peer model, 3 threads", "of": of, "to": to,
            "limit": limit})
    }

    /// All of them.
    pub fn lines() -> Vec<Value> {
        vec![
            rate("mapcheck random", &[400.0, 300.0, 350.0]),
            rate("shuttle random", &[100.0, 100.0, 100.0]),
            ratio("mapcheck random", "shuttle random", 3.0),
            ratio("mapcheck random", "loom", 20.0),
            point(2.0, &[10.0, 11.0, 12.0]),
            point(16.0, &[11.0]),
            point(64.0, &[12.0]),
            json!({"type": "verdict", "group": "delete", "subject": "map <a>", "variant": "retain", "text": "held"}),
            json!({"type": "skipped", "group": "stress", "variant": "ThreadSanitizer", "why": "no toolchain"}),
        ]
    }

    /// Them, taken in.
    pub fn results() -> Results {
        let mut results = Results::default();
        lines().iter().for_each(|line| results.take(line).unwrap());
        results
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_groups_stand_in_order_and_strangers_last() {
        let mut results = samples::results();
        results.take(&json!({"type": "skipped", "group": "mine", "why": "?"})).unwrap();
        assert_eq!(results.groups(), ["scale", "peers", "stress", "delete", "mine"]);
    }

    #[test]
    fn a_figure_that_is_told_again_has_more_samples() {
        let mut results = samples::results();
        let before = results.figures.len();
        results.take(&samples::rate("shuttle random", &[7.0])).unwrap();
        assert_eq!(results.figures.len(), before);
        assert_eq!(results.figures[1].samples, [100.0, 100.0, 100.0, 7.0]);
    }

    #[test]
    fn the_summary_says_how_the_limits_were_kept() {
        let summary = samples::results().summary();
        assert_eq!(
            (&summary["reached"], &summary["missed"], &summary["unmeasured"]),
            (&json!(1), &json!(0), &json!(1))
        );
        assert_eq!(summary["claims"][0]["value"], 3.5);
    }

    #[test]
    fn a_tally_is_said_in_a_sentence() {
        let said = |reached, missed, unknown| Tally { reached, missed, unknown }.words();
        assert_eq!(said(0, 0, 0), "No limits were set");
        assert_eq!(said(1, 0, 0), "The limit is reached");
        assert_eq!(said(4, 0, 0), "All 4 limits are reached");
        assert_eq!(said(2, 1, 1), "2 of 4 limits reached, 1 missed, 1 not measured");
        assert_eq!(said(0, 1, 0), "0 of 1 limit reached, 1 missed");
    }

    #[test]
    fn what_is_no_measurement_is_told_with_its_line() {
        assert_eq!(Results::parse("\n{\"type\": \"other\"}").unwrap_err(), "has no figures");
        assert!(
            Results::parse("{}\nmedian")
                .unwrap_err()
                .starts_with("is not JSON, line by line: line 2")
        );
        let bad = samples::rate("a", &[]).to_string();
        assert_eq!(
            Results::parse(&bad).unwrap_err(),
            "has a line 1 that is no figure: it has no samples"
        );
        let kept: String = samples::lines().iter().map(|line| format!("{line}\n")).collect();
        assert_eq!(Results::parse(&kept).unwrap().figures.len(), 5);
    }
}
