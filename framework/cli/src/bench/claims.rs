//! What is claimed of the figures: ratios, and limits that medians have to reach.

use serde_json::{Value, json};

use super::lines::{Ask, Better, Figure};
use super::statistics::{self, Spread};
use super::words;

/// A ratio, or a figure with a limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim<'a> {
    /// The figures' group.
    pub group: &'a str,
    /// Their subject.
    pub subject: &'a str,
    /// The variant that it is about.
    pub of: &'a str,
    /// The variant that it is compared with; `None` for a figure with a limit.
    pub to: Option<&'a str>,
    /// What the values are in.
    pub unit: &'a str,
    /// Where on a curve, with its unit; empty if on none.
    pub at: String,
    /// The values; `None` if there are none.
    pub spread: Option<Spread>,
    /// What the median has to reach.
    pub limit: Option<f64>,
    /// Which way is better.
    pub better: Option<Better>,
    /// A remark.
    pub text: Option<&'a str>,
}

impl<'a> Claim<'a> {
    /// A ratio, at each place of the curve that both figures have; without a value if there is none.
    pub fn of_ratio(ask: &'a Ask, figures: &'a [Figure]) -> Vec<Self> {
        let mut claims = Vec::new();
        let mut unit = ask.unit.as_ref();
        for of in figures.iter().filter(|figure| is_of(figure, ask, &ask.of)) {
            let same = |to: &&Figure| (&to.unit, to.x) == (&of.unit, of.x);
            let to = figures.iter().filter(|figure| is_of(figure, ask, &ask.to)).find(same);
            let Some(to) = to.filter(|to| unit.is_none_or(|unit| *unit == to.unit)) else {
                continue;
            };
            unit = Some(&to.unit);
            claims.push(Self {
                unit: "times",
                at: at(of),
                spread: statistics::ratio(&of.samples, &to.samples),
                better: of.better,
                ..Self::empty(ask)
            });
        }
        if claims.is_empty() {
            // One of the two may be there, and says which way is better.
            let one = figures.iter().find(|f| is_of(f, ask, &ask.of) || is_of(f, ask, &ask.to));
            claims.push(Self { better: one.and_then(|one| one.better), ..Self::empty(ask) });
        }
        claims
    }

    fn empty(ask: &'a Ask) -> Self {
        Self {
            group: &ask.group,
            subject: &ask.subject,
            of: &ask.of,
            to: Some(&ask.to),
            unit: "times",
            at: String::new(),
            spread: None,
            limit: ask.limit,
            better: None,
            text: ask.text.as_deref(),
        }
    }

    /// A figure with a limit; `None` for one without.
    pub fn of_figure(figure: &'a Figure) -> Option<Self> {
        figure.limit.map(|limit| Self {
            group: &figure.group,
            subject: &figure.subject,
            of: &figure.variant,
            to: None,
            unit: &figure.unit,
            at: at(figure),
            spread: Some(Spread::of(&figure.samples)),
            limit: Some(limit),
            better: figure.better,
            text: figure.text.as_deref(),
        })
    }

    /// Whether the median reaches the limit; `None` without a limit, a value, or a better way.
    pub fn reached(&self) -> Option<bool> {
        let (limit, median) = (self.limit?, self.spread?.median);
        Some(match self.better? {
            Better::More => median >= limit,
            Better::Less => median <= limit,
        })
    }

    /// The word for that; empty without a limit.
    pub fn word(&self) -> &'static str {
        match (self.spread, self.limit, self.reached()) {
            (None, _, _) => "not measured",
            (_, None, _) => "",
            (_, _, Some(true)) => "reached",
            (_, _, Some(false)) => "missed",
            // Neither way is better, so there is nothing to reach.
            (_, Some(_), None) => "undecided",
        }
    }

    /// What it is of, within its subject.
    pub fn what(&self) -> String {
        let to = self.to.map(|to| format!(" to {to}")).unwrap_or_default();
        let at = if self.at.is_empty() { String::new() } else { format!(", {}", self.at) };
        format!("{}{to}{at}", self.of)
    }

    /// The limit in words; empty without one.
    pub fn limit_words(&self) -> String {
        self.limit.map(|limit| words::limit(limit, self.better)).unwrap_or_default()
    }

    /// It as a part of the summary.
    pub fn json(&self) -> Value {
        let part = |part: fn(&Spread) -> f64| self.spread.as_ref().map(part);
        json!({"group": self.group, "subject": self.subject, "of": self.of, "to": self.to, "unit": self.unit,
            "at": self.at, "value": part(|s| s.median), "lower": part(|s| s.lower), "upper": part(|s| s.upper),
            "limit": self.limit, "reached": self.reached()})
    }
}

/// Whether a figure is what a ratio asks for under this variant.
fn is_of(figure: &Figure, ask: &Ask, variant: &str) -> bool {
    figure.group == ask.group
        && figure.subject == ask.subject
        && figure.variant == variant
        && ask.x.is_none_or(|x| figure.x == Some(x))
}

/// Where on its curve a figure is; empty if on none.
pub fn at(figure: &Figure) -> String {
    let unit = figure.x_unit.as_deref().unwrap_or_default();
    figure.x.map(|x| format!("{} {unit}", words::exact(x)).trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Results;
    use crate::bench::samples::{point, rate, ratio, results};

    #[test]
    fn a_limit_is_reached_from_the_better_side() {
        let results = results();
        let claims = results.claims();
        let told: Vec<_> = claims.iter().map(|c| (c.what(), c.limit_words(), c.word())).collect();
        let [first, second] = &told[..] else { panic!("{told:?}") };
        assert_eq!(first.0, "mapcheck random to shuttle random");
        assert_eq!((&*first.1, first.2), ("at least 3", "reached"));
        assert_eq!((&*second.0, second.2), ("mapcheck random to loom", "not measured"));
    }

    #[test]
    fn a_cost_above_its_limit_is_missed() {
        let mut results = Results::default();
        let mut line = point(2.0, &[8.5, 9.0, 8.0]);
        for (limit, word) in [(8.5, "reached"), (8.4, "missed")] {
            line["limit"] = json!(limit);
            results.figures.clear();
            results.take(&line).unwrap();
            assert_eq!(results.claims()[0].word(), word);
        }
        assert_eq!(results.claims()[0].what(), "random, 2 threads");
    }

    #[test]
    fn a_ratio_is_of_one_unit() {
        let mut results = results();
        for variant in ["mapcheck random", "shuttle random"] {
            let mut line = rate(variant, &[7.0]);
            (line["unit"], line["better"]) = (json!("bytes"), json!("less"));
            results.take(&line).unwrap();
        }
        assert_eq!(results.claims().len(), 2, "executions alone");
        let mut line = ratio("mapcheck random", "shuttle random", 2.0);
        line["unit"] = json!("bytes");
        results.take(&line).unwrap();
        let claims = results.claims();
        let of_bytes = claims.iter().find(|claim| claim.limit == Some(2.0)).unwrap();
        assert_eq!((of_bytes.spread.unwrap().median, of_bytes.word()), (1.0, "reached"));
    }

    #[test]
    fn a_ratio_of_curves_is_one_at_each_place_that_both_have() {
        let mut results = Results::default();
        for (variant, x) in [("a", 2.0), ("a", 4.0), ("b", 4.0)] {
            let mut line = rate(variant, &[x]);
            line["x"] = json!(x);
            results.take(&line).unwrap();
        }
        results.take(&ratio("a", "b", 1.0)).unwrap();
        let claims = results.claims();
        assert_eq!((claims.len(), claims[0].what().as_str()), (1, "a to b, 4"));
    }
}
