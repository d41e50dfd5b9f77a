//! One summary out of several runners'.

use serde_json::{Map, Value};

use crate::error::exit;

/// The summaries of a run's runners, added up.
#[derive(Debug, Default)]
pub struct Summary(Map<String, Value>);

impl Summary {
    /// Adds a runner's summary: numbers are summed, lists united, and a claim holds only if every runner makes it.
    pub fn add(&mut self, other: &Map<String, Value>) {
        for (key, value) in other {
            match self.0.get_mut(key) {
                // One part that is missing is enough.
                Some(known) if key == "interrupted" && value == true => *known = true.into(),
                Some(_) if key == "interrupted" => {}
                Some(known) => merge(known, value),
                None => {
                    self.0.insert(key.clone(), value.clone());
                }
            }
        }
    }

    /// Whether no runner has told anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes that the run was ended before its time, if it had begun.
    pub fn interrupt(&mut self) {
        if self.is_empty() {
            return;
        }
        self.0.insert("interrupted".to_owned(), true.into());
    }

    /// Whether the run was ended before its time.
    pub fn interrupted(&self) -> bool {
        self.0.get("interrupted").is_some_and(|value| value == true)
    }

    /// The summary as a JSON line.
    pub fn json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// How many findings there were.
    pub fn findings(&self) -> u64 {
        self.number("findings")
    }

    /// How many findings were known already.
    pub fn known(&self) -> u64 {
        self.number("known")
    }

    /// Whether there were any, known or not.
    pub fn found(&self) -> bool {
        self.findings() > 0 || self.known() > 0
    }

    /// The summary as a sentence. `complete` says that nothing stopped the run from looking.
    pub fn sentence(&self, complete: bool) -> String {
        let targets =
            self.0.get("targets").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let names: Vec<&str> = targets.iter().filter_map(Value::as_str).collect();
        let wall_ms = self.number("wall_ms");
        let verdict = match self.found() {
            _ if self.interrupted() => "; interrupted, --resume goes on",
            false if complete => "; nothing found",
            _ => "",
        };
        let known = match self.known() {
            0 => String::new(),
            findings => format!(", {}", counted(findings, "known finding")),
        };
        let accepted = match self.number("accepted_races") {
            0 => String::new(),
            races => format!(", {}", counted(races, "accepted data race")),
        };
        format!(
            "checked {}: {}, {}, {}{known}{accepted} in {}.{} s{verdict}",
            names.join(", "),
            counted(self.number("executions"), "execution"),
            counted(self.number("schedule_points"), "schedule point"),
            counted(self.findings(), "finding"),
            wall_ms / 1000,
            wall_ms % 1000 / 100,
        )
    }

    /// A number, or zero.
    fn number(&self, key: &str) -> u64 {
        self.0
            .get(key)
            .and_then(|n| n.as_u64().or_else(|| n.as_f64().map(|f| f as u64)))
            .unwrap_or(0)
    }
}

/// Adds one value to what is known.
fn merge(known: &mut Value, value: &Value) {
    match (known, value) {
        (Value::Bool(known), Value::Bool(value)) => *known &= value,
        (Value::Array(known), Value::Array(value)) => {
            for item in value {
                if !known.contains(item) {
                    known.push(item.clone());
                }
            }
        }
        (known @ Value::Number(_), Value::Number(value)) => {
            *known = match (known.as_u64(), value.as_u64()) {
                (Some(a), Some(b)) => a.saturating_add(b).into(),
                _ => (known.as_f64().unwrap_or(0.0) + value.as_f64().unwrap_or(0.0)).into(),
            };
        }
        _ => {}
    }
}

/// `1 finding`, `2,000 findings`.
pub fn counted(number: u64, noun: &str) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{text} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The worse of two exit codes: an internal error, then an adapter's, a usage error, a finding, a spent budget.
/// A code that no runner should end with counts as internal.
pub fn worse(a: i32, b: i32) -> i32 {
    let order = [
        exit::KILLED,
        exit::INTERNAL,
        exit::ADAPTER,
        exit::USAGE,
        exit::FINDING,
        exit::BUDGET,
        exit::CLEAN,
    ];
    let known = |code: i32| {
        if order.contains(&code) { code } else { exit::INTERNAL }
    };
    order.into_iter().find(|&code| code == known(a) || code == known(b)).unwrap_or(exit::INTERNAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(lines: &[&str]) -> Summary {
        let mut summary = Summary::default();
        for line in lines {
            summary.add(&serde_json::from_str(line).unwrap());
        }
        summary
    }

    #[test]
    fn numbers_are_summed_and_lists_united() {
        let summary = sum(&[
            r#"{"type":"summary","targets":["a"],"executions":1000,"findings":0,"wall_ms":1250,"exhausted":true}"#,
            r#"{"type":"summary","targets":["a","b"],"executions":234,"findings":1,"wall_ms":50,"exhausted":false}"#,
        ]);
        let json = concat!(
            r#"{"type":"summary","targets":["a","b"],"executions":1234,"findings":1,"#,
            r#""wall_ms":1300,"exhausted":false}"#
        );
        assert_eq!(summary.json(), json);
        assert_eq!(
            summary.sentence(true),
            "checked a, b: 1,234 executions, 0 schedule points, 1 finding in 1.3 s"
        );
    }

    #[test]
    fn a_clean_run_says_that_nothing_was_found() {
        let clean = sum(&[r#"{"targets":["a"],"executions":1,"findings":0,"schedule_points":2}"#]);
        assert!(clean.sentence(true).ends_with("0 findings in 0.0 s; nothing found"));
        assert!(!clean.sentence(false).contains("nothing found"));
    }

    #[test]
    fn accepted_data_races_are_mentioned_if_there_are_any() {
        let clean = |races: u64| {
            let line = format!(r#"{{"targets":["a"],"executions":1,"accepted_races":{races}}}"#);
            sum(&[&line]).sentence(true)
        };
        assert!(clean(2).contains("0 findings, 2 accepted data races in 0.0 s; nothing found"));
        assert!(!clean(0).contains("accepted"));
    }

    #[test]
    fn a_run_of_which_one_part_was_interrupted_was() {
        for flags in [["true", "false"], ["false", "true"]] {
            let lines = flags.map(|f| format!(r#"{{"targets":["a"],"interrupted":{f}}}"#));
            let sum = sum(&lines.each_ref().map(String::as_str));
            assert!(sum.sentence(true).ends_with("; interrupted, --resume goes on"));
        }
    }

    #[test]
    fn known_findings_are_mentioned_and_are_not_nothing() {
        let sum = sum(&[r#"{"targets":["a"],"findings":0,"known":2}"#]);
        assert!(sum.sentence(true).ends_with("0 findings, 2 known findings in 0.0 s"));
    }

    #[test]
    fn as_many_findings_as_there_are_numbers_are_findings() {
        let most = format!(r#"{{"targets":["a"],"findings":{0},"known":{0}}}"#, u64::MAX);
        let sum = sum(&[&most, &most]);
        assert!(sum.found() && !sum.sentence(true).contains("nothing found"));
    }

    #[test]
    fn the_worst_exit_code_wins() {
        for (a, b, worst) in
            [(0, 3, 3), (3, 2, 2), (2, 1, 1), (1, 4, 4), (4, 70, 70), (0, 101, 70), (0, 0, 0)]
        {
            assert_eq!(worse(a, b), worst);
            assert_eq!(worse(b, a), worst);
        }
    }
}
