//! What libFuzzer's processes print.

use std::path::{Path, PathBuf};

/// What a line tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// How far the process has come.
    Pulse(Pulse),
    /// How many executions it made until its end.
    Executed(u64),
    /// An input that it did not survive is here.
    Artifact(PathBuf),
}

/// How far a process has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Executions.
    pub executions: u64,
    /// Features that its inputs have shown; libFuzzer's word for what is covered, and how often.
    pub features: u64,
    /// Inputs that showed them.
    pub inputs: u64,
    /// Executions a second, since it began.
    pub rate: u64,
}

/// Reads a line. What the code under test prints stands among libFuzzer's.
pub fn parse(line: &str) -> Option<Line> {
    let line = line.trim_end();
    if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
        return Some(Line::Executed(count.trim().parse().ok()?));
    }
    if let Some((_, path)) = line.split_once("Test unit written to ") {
        return is_artifact(Path::new(path)).then(|| Line::Artifact(path.into()));
    }
    pulse(line).map(Line::Pulse)
}

/// `#4096 NEW    ft: 5026 corp: 428/32Kb lim: 4096 exec/s: 622 rss: 50Mb …`
fn pulse(line: &str) -> Option<Pulse> {
    let (number, rest) = line.strip_prefix('#')?.split_once('\t')?;
    let executions = number.parse().ok()?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let after = |key: &str| {
        let at = words.iter().position(|word| *word == key)?;
        let value = words.get(at + 1)?;
        value.split('/').next()?.parse().ok()
    };
    // Every line of this kind has it, and no other begins so.
    let rate = after("exec/s:")?;
    let (features, inputs) = (after("ft:").unwrap_or(0), after("corp:").unwrap_or(0));
    Some(Pulse { executions, features, inputs, rate })
}

/// Whether a file's name is one that libFuzzer gives to an input that it did not survive. It also writes down what is
/// only slow.
pub fn is_artifact(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    ["crash-", "timeout-", "oom-", "leak-"].iter().any(|kind| name.starts_with(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_has_executions_features_inputs_and_a_rate() {
        let all =
            "#4096\tREDUCE cov: 12 ft: 5026 corp: 428/32Kb lim: 4096 exec/s: 622 rss: 50Mb L: 3/90";
        let pulse = Pulse { executions: 4096, features: 5026, inputs: 428, rate: 622 };
        assert_eq!(parse(all), Some(Line::Pulse(pulse)));
        let first = "#2\tINITED exec/s: 0 rss: 50Mb\n";
        let pulse = Pulse { executions: 2, ..Pulse::default() };
        assert_eq!(parse(first), Some(Line::Pulse(pulse)));
    }

    #[test]
    fn an_artifact_is_an_input_that_was_not_survived() {
        let line = |name: &str| format!("artifact_prefix='/o/'; Test unit written to /o/{name}\n");
        for name in ["crash-1f", "timeout-2", "oom-3", "leak-4"] {
            assert_eq!(parse(&line(name)), Some(Line::Artifact(format!("/o/{name}").into())));
        }
        assert_eq!(parse(&line("slow-unit-1f")), None);
    }

    #[test]
    fn final_numbers_are_read_and_what_a_map_prints_is_not() {
        let stat = "stat::number_of_executed_units: 20711";
        assert_eq!(parse(stat), Some(Line::Executed(20711)));
        for other in
            ["", "#", "#x\ty exec/s: 1", "#1 pulse exec/s: 1", "#7\tlucky", "INFO: Seed: 1"]
        {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
