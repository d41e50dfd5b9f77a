//! The group `faults`: executions and CPU time until each mutant of the catalogue is found, by each contender.

use serde_json::{Value, json};

use crate::args::{Bench, Budget, Faults};
use crate::bench::{count, distinct};
use crate::cargo::Cargo;
use crate::commands::compare::{Contender, Outcome, Search};
use crate::error::Error;
use crate::runners::Runner;

/// Who looks. The first is compared with each other.
const CONTENDERS: [(&str, &str); 5] = [
    ("native", "portfolio"),
    ("native", "random"),
    ("shuttle", "pct"),
    ("shuttle", "random"),
    // It explores in an order of its own.
    ("loom", ""),
];

/// How much is looked for a mutant.
struct Effort {
    seeds: u64,
    /// Executions after which it counts as not found.
    goal: u64,
    /// The time after which it does.
    time: &'static str,
}

/// What one contender found with one seed.
struct Look {
    contender: usize,
    seed: u64,
    outcome: Outcome,
}

/// Looks by turns, and tells the figures; false if somebody asked for the end.
///
/// # Errors
/// When a runner does not build, or goes wrong.
pub fn figures(
    cargo: &Cargo,
    runners: &[&Runner],
    bench: &Bench,
    tell: &mut dyn FnMut(&Value),
) -> Result<bool, Error> {
    let effort = match bench.quick {
        true => Effort { seeds: bench.samples.unwrap_or(1), goal: 1_000, time: "1s" },
        false => Effort { seeds: bench.samples.unwrap_or(5), goal: 10_000, time: "20s" },
    };
    let budget = Budget { time: Some(effort.time.into()), ..Budget::default() };
    let (mutants, engines, schedulers) = (vec![], vec![], vec![]);
    let faults = Faults { mutants, engines, schedulers, seeds: Some(effort.seeds), budget };
    let contenders = CONTENDERS.map(|(engine, scheduler)| Contender::new(engine, scheduler));
    let search = Search::build(cargo, runners.to_vec(), &faults, effort.goal, &contenders)?;
    let mut looks = Vec::new();
    for seed in 0..effort.seeds {
        for (number, contender) in contenders.iter().enumerate() {
            let each = &mut |outcome| looks.push(Look { contender: number, seed, outcome });
            if !search.look(contender, seed, each)? {
                return Ok(false);
            }
        }
    }
    let names = contenders.each_ref().map(Contender::short);
    told(&looks, &names, &effort).iter().for_each(tell);
    Ok(true)
}

/// The lines: what all took together first.
fn told(looks: &[Look], names: &[String], effort: &Effort) -> Vec<Value> {
    let mut lines = Vec::new();
    for other in 1..names.len() {
        lines.extend(together(looks, names, other, effort));
    }
    for mutant in distinct(looks.iter().map(|look| &look.outcome.name)) {
        for (number, name) in names.iter().enumerate() {
            let own: Vec<&Look> = looks
                .iter()
                .filter(|look| look.contender == number && look.outcome.name == *mutant)
                .collect();
            lines.extend(one(&own, mutant, name, effort));
        }
    }
    lines
}

/// The first and another, on the mutants that both have looked for.
fn together(looks: &[Look], names: &[String], other: usize, effort: &Effort) -> Vec<Value> {
    let by = |contender: usize| {
        distinct(looks.iter().filter(|l| l.contender == contender).map(|l| &l.outcome.name))
    };
    let (first, both) = (by(0), by(other));
    let both: Vec<&String> = both.into_iter().filter(|name| first.contains(name)).collect();
    if both.is_empty() {
        return vec![skipped(&names[other])];
    }
    let subject = format!("{} that {} looks for, too", count(both.len(), "mutant"), names[other]);
    let mut lines = Vec::new();
    for contender in [0, other] {
        let means: Vec<f64> = (0..effort.seeds)
            .map(|seed| {
                let own = looks.iter().filter(|l| (l.contender, l.seed) == (contender, seed));
                mean(own.filter(|look| both.contains(&&look.outcome.name)), effort.goal)
            })
            .collect();
        let text = format!("what was not found counts as found after {}", effort.goal);
        lines.push(figure(
            &subject,
            &names[contender],
            "executions, geometric mean",
            &means,
            &text,
        ));
    }
    lines.push(
        json!({"type": "ratio", "group": super::MUTANTS, "subject": subject, "of": names[other],
        "to": names[0]}),
    );
    lines
}

fn skipped(name: &str) -> Value {
    json!({"type": "skipped", "group": super::MUTANTS, "variant": name, "why": "no mutant is a model's that it runs"})
}

/// The geometric mean of executions.
fn mean<'a>(looks: impl Iterator<Item = &'a Look>, goal: u64) -> f64 {
    let logs: Vec<f64> = looks.map(|look| (spent(look, goal) as f64).ln()).collect();
    (logs.iter().sum::<f64>() / logs.len().max(1) as f64).exp()
}

fn spent(look: &Look, goal: u64) -> u64 {
    look.outcome.executions.unwrap_or(goal).max(1)
}

/// The figures of one mutant and one contender.
fn one(looks: &[&Look], mutant: &str, name: &str, effort: &Effort) -> Vec<Value> {
    if looks.is_empty() {
        return Vec::new();
    }
    let spent: Vec<f64> = looks.iter().map(|look| spent(look, effort.goal) as f64).collect();
    let found = looks.iter().filter(|look| look.outcome.executions.is_some()).count();
    let text = format!("found with {found} of {}", count(looks.len(), "seed"));
    let mut lines = vec![figure(mutant, name, "executions", &spent, &text)];
    let cpu: Vec<f64> = looks.iter().filter_map(|l| l.outcome.cpu_ms.map(|ms| ms as f64)).collect();
    if !cpu.is_empty() {
        lines.push(figure(mutant, name, "CPU ms, where found", &cpu, ""));
    }
    lines
}

fn figure(subject: &str, variant: &str, unit: &str, samples: &[f64], text: &str) -> Value {
    let text = Some(text).filter(|text| !text.is_empty());
    json!({"type": "figure", "group": super::MUTANTS, "subject": subject, "variant": variant, "unit": unit,
        "better": "less", "samples": samples, "text": text})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(contender: usize, seed: u64, name: &str, executions: Option<u64>) -> Look {
        let cpu_ms = executions.map(|n| n * 2);
        Look { contender, seed, outcome: Outcome { name: name.into(), executions, cpu_ms } }
    }

    #[test]
    fn contenders_are_compared_seed_by_seed_on_what_both_looked_for() {
        let looks = [
            look(0, 0, "F1", Some(10)),
            look(0, 0, "F2", Some(10)),
            look(0, 0, "F3", Some(1)),
            look(1, 0, "F1", Some(40)),
            look(1, 0, "F2", None),
        ];
        let names = ["portfolio", "loom"].map(str::to_owned);
        let lines = told(&looks, &names, &Effort { seeds: 1, goal: 1000, time: "1s" });
        assert_eq!(lines[0]["subject"], "2 mutants that loom looks for, too");
        let near = |line: &Value, wanted: f64| {
            (line["samples"][0].as_f64().unwrap() - wanted).abs() < 1e-9
        };
        assert!(near(&lines[0], 10.0) && near(&lines[1], 200.0), "{lines:?}");
        assert_eq!((&lines[2]["of"], &lines[2]["to"]), (&json!("loom"), &json!("portfolio")));
        let missed = lines.iter().find(|l| l["subject"] == "F2" && l["variant"] == "loom").unwrap();
        assert_eq!(
            (&missed["samples"], &missed["text"]),
            (&json!([1000.0]), &json!("found with 0 of 1 seed"))
        );
        let cpu = lines.iter().filter(|line| line["unit"] == "CPU ms, where found").count();
        assert_eq!(cpu, 4, "what was not found took no known time");
    }

    #[test]
    fn an_engine_without_mutants_is_told_as_left_out() {
        let names = ["portfolio", "loom"].map(str::to_owned);
        let lines =
            told(&[look(0, 0, "F1", Some(1))], &names, &Effort { seeds: 1, goal: 9, time: "1s" });
        assert_eq!((&lines[0]["type"], &lines[0]["variant"]), (&json!("skipped"), &json!("loom")));
    }
}
