//! What GitHub shows of a job: a table of the targets that were checked, where `GITHUB_STEP_SUMMARY` names a file.

use std::fs::OpenOptions;
use std::io::Write as _;

use serde_json::{Map, Value};

use crate::summary::counted;

/// The table's head.
const HEAD: &str = "| target | executions | findings | replay |\n|---|---|---|---|\n";

/// The rows of a table, one a target.
#[derive(Debug, Default)]
pub struct StepSummary(String);

impl StepSummary {
    /// Adds a runner's summary, and takes out of it what is for this table alone.
    pub fn add(&mut self, summary: &mut Map<String, Value>) {
        let [told, replays] = ["told", "replays"].map(|key| words(summary.shift_remove(key)));
        let targets = words(summary.get("targets").cloned()).join(", ");
        let number = |key: &str| summary.get(key).and_then(Value::as_u64).unwrap_or(0);
        let findings = match (told.is_empty(), number("known")) {
            (true, 0) => "none".to_owned(),
            (true, known) => counted(known, "known finding"),
            (false, _) => told.iter().map(|what| cell(what)).collect::<Vec<_>>().join("<br>"),
        };
        let replays = replays.iter().filter(|replay| !replay.is_empty());
        let replays: Vec<String> = replays.map(|replay| format!("`{}`", cell(replay))).collect();
        let executions = counted(number("executions"), "execution");
        let executions = executions.split(' ').next().unwrap_or_default().to_owned();
        self.0 += &format!(
            "| {} | {executions} | {findings} | {} |\n",
            cell(&targets),
            replays.join("<br>")
        );
    }

    /// Appends the table to the file, if there is to be one.
    pub fn write(&self) {
        let path = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty());
        let Some(path) = path.filter(|_| !self.0.is_empty()) else { return };
        let text = format!("### mapcheck\n\n{HEAD}{}\n", self.0);
        // It is a convenience: all of it is told on stdout.
        let opened = OpenOptions::new().append(true).create(true).open(path);
        let _ = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    }
}

/// The strings of a list.
fn words(value: Option<Value>) -> Vec<String> {
    let Some(Value::Array(all)) = value else { return Vec::new() };
    all.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

/// What may stand in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\r', '\n'], " ").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_target_is_a_row_and_its_findings_are_in_it() {
        let mut table = StepSummary::default();
        let mut clean = json!({"targets": ["a"], "executions": 12345, "findings": 0, "told": []});
        table.add(clean.as_object_mut().unwrap());
        let mut found = json!({"targets": ["b"], "executions": 2, "known": 0,
            "told": ["leak: a | b", "panic: <x>\ny"], "replays": ["cargo mapcheck replay f", ""]});
        table.add(found.as_object_mut().unwrap());
        let wanted = "| a | 12,345 | none |  |\n\
            | b | 2 | leak: a \\| b<br>panic: &lt;x> y | `cargo mapcheck replay f` |\n";
        assert_eq!(table.0, wanted);
        assert_eq!(found, json!({"targets": ["b"], "executions": 2, "known": 0}));
        let mut known = json!({"targets": ["c"], "executions": 1, "known": 2});
        table.add(known.as_object_mut().unwrap());
        assert!(table.0.ends_with("| c | 1 | 2 known findings |  |\n"), "{}", table.0);
    }
}
