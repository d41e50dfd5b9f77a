//! What a campaign has explored, family by family: the rows of a table of maps and scenarios.

use std::collections::{BTreeMap, HashSet};

use super::Totals;
use crate::report::Object;
use crate::settings::Settings;

/// What was done with the scenarios of each family, by its name.
#[derive(Debug, Default)]
pub(crate) struct Families(BTreeMap<String, Family>);

#[derive(Debug, Default)]
struct Family {
    /// Scenarios of which there is at least one execution.
    scenarios: HashSet<usize>,
    executions: u64,
    points: u64,
    /// Executions whose interleaving was looked at.
    looked_at: u64,
    /// The different ones among those.
    interleavings: HashSet<u64>,
    findings: u64,
    exhausted: u64,
}

impl Families {
    fn of(&mut self, name: &str) -> &mut Family {
        self.0.entry(name.to_owned()).or_default()
    }

    /// Executions of a scenario, and the interleavings of those that were looked at.
    pub fn executed(
        &mut self,
        (family, scenario): (&str, usize),
        totals: Totals,
        interleavings: impl ExactSizeIterator<Item = u64>,
    ) {
        let of = self.of(family);
        of.scenarios.insert(scenario);
        of.executions += totals.executions;
        of.points += totals.points;
        of.looked_at += interleavings.len() as u64;
        of.interleavings.extend(interleavings);
    }

    /// A finding in one of its scenarios was told.
    pub fn found(&mut self, family: &str) {
        self.of(family).findings += 1;
    }

    /// Every execution of one of its scenarios was made, within the bound.
    pub fn exhausted(&mut self, family: &str) {
        self.of(family).exhausted += 1;
    }

    /// The different interleavings that were met in all.
    pub fn interleavings(&self) -> u64 {
        self.0.values().map(|of| of.interleavings.len() as u64).sum()
    }

    /// A line of JSON for each.
    pub fn lines(&self, target: &str, settings: &Settings) -> Vec<String> {
        let faults: Vec<String> = settings.faults.iter().map(|f| f.name().to_owned()).collect();
        let line = |(name, of): (&String, &Family)| {
            Object::of_type("family")
                .text("target", target)
                .text("family", name)
                .text("scheduler", &settings.scheduler)
                .texts("faults", &faults)
                .number("seed", settings.seed)
                .number("scenarios", of.scenarios.len() as u64)
                .number("executions", of.executions)
                .number("schedule_points", of.points)
                .number("looked_at", of.looked_at)
                .number("interleavings", of.interleavings.len() as u64)
                .number("findings", of.findings)
                .number("exhausted", of.exhausted)
                .line()
        };
        self.0.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_counts_what_differs_once_and_what_was_done_as_often_as_it_was() {
        let mut families = Families::default();
        let totals = Totals { executions: 10, points: 100, ..Totals::default() };
        families.executed(("b", 1), totals, [1, 2, 2].into_iter());
        families.executed(("b", 1), totals, [2, 3].into_iter());
        families.executed(("a", 0), totals, [].into_iter());
        families.found("b");
        families.exhausted("a");
        assert_eq!(families.interleavings(), 3);
        let lines = families.lines("map", &Settings::default());
        let told = |line: &str, parts: &[&str]| {
            parts.iter().for_each(|part| assert!(line.contains(part), "{part}: {line}"));
        };
        assert_eq!(lines.len(), 2);
        told(&lines[0], &[r#""family":"a""#, r#""executions":10"#, r#""exhausted":1"#]);
        told(&lines[1], &[r#""executions":20"#, r#""looked_at":5"#, r#""interleavings":3"#]);
        told(&lines[1], &[r#""scenarios":1,"#, r#""findings":1"#, r#""exhausted":0"#]);
    }
}
