//! What is printed: JSON, one object a line.

use serde_json::{Value, json};

use crate::Cell;
use crate::size::Size;
use crate::ways::Way;
use crate::workload::Outcome;

/// Something that is measured of every cell.
struct Metric {
    what: &'static str,
    unit: &'static str,
    better: &'static str,
    of: fn(&Outcome, &Size) -> Option<f64>,
}

const METRICS: &[Metric] = &[
    more("deletes", "deletes/s", |o, size| Some(size.doomed() as f64 / o.deleting.as_secs_f64())),
    more("deletes, as readers see them", "deletes/s", |o, size| {
        let marking = o.deleting.saturating_sub(o.sweeping).as_secs_f64();
        (!o.sweeping.is_zero()).then(|| size.doomed() as f64 / marking)
    }),
    more("all operations", "operations/s", |o, _| Some(o.operations as f64 / o.all.as_secs_f64())),
    less("P50 of a delete", "ns", |o, _| Some(o.deletes.value_at_quantile(0.5) as f64)),
    less("P99 of a delete", "ns", |o, _| Some(o.deletes.value_at_quantile(0.99) as f64)),
    less("P99.9 of a delete", "ns", |o, _| Some(o.deletes.value_at_quantile(0.999) as f64)),
    less("P50 of a get", "ns", |o, _| Some(o.gets.value_at_quantile(0.5) as f64)),
    less("P99 of a get", "ns", |o, _| Some(o.gets.value_at_quantile(0.99) as f64)),
    less("P99.9 of a get", "ns", |o, _| Some(o.gets.value_at_quantile(0.999) as f64)),
    less("sweeping", "ms", |o, _| {
        (!o.sweeping.is_zero()).then_some(o.sweeping.as_secs_f64() * 1e3)
    }),
    less("memory, peak over start", "MiB", |o, _| Some(mib(o.memory.peak))),
    less("memory, guards dropped", "MiB", |o, _| Some(mib(o.memory.at_the_end))),
    less("memory, flushed", "MiB", |o, _| Some(mib(o.memory.settled))),
    less("memory, shrunk", "MiB", |o, _| o.memory.shrunk.map(mib)),
];

type Of = fn(&Outcome, &Size) -> Option<f64>;

const fn more(what: &'static str, unit: &'static str, of: Of) -> Metric {
    Metric { what, unit, better: "more", of }
}

const fn less(what: &'static str, unit: &'static str, of: Of) -> Metric {
    Metric { what, unit, better: "less", of }
}

fn mib(bytes: i64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Prints the figures, row by row; then what must not be; then the ratios that are asked for.
pub fn print(cells: &[Cell], size: &Size) {
    for metric in METRICS {
        for cell in cells {
            let samples = cell.outcomes.iter().filter_map(|outcome| (metric.of)(outcome, size));
            let samples: Vec<f64> = samples.collect();
            if !samples.is_empty() {
                let subject = format!("{}: {}", metric.what, cell.map);
                figure(&subject, cell.way.name(), metric, &samples);
            }
        }
    }
    cells.iter().for_each(|cell| verdict(cell, size));
    cells.iter().filter(|cell| cell.way != Way::Collect).for_each(ratio);
}

fn figure(subject: &str, variant: &str, metric: &Metric, samples: &[f64]) {
    let Metric { unit, better, .. } = metric;
    line(json!({
        "type": "figure", "group": "delete", "subject": subject, "variant": variant, "unit": unit,
        "better": better, "x": null, "samples": samples,
    }));
}

/// Bytes that a new map takes for what is left, more than one takes for what was there.
pub fn fresh_map(map: &str, bytes: i64) {
    line(json!({
        "type": "figure", "group": "delete", "subject": format!("memory, flushed: {map}"),
        "variant": "a new map of what is left", "unit": "MiB", "better": "less", "x": null,
        "samples": [mib(bytes)],
    }));
}

/// How many times as many deletes a second as when keys are collected first.
fn ratio(cell: &Cell) {
    line(json!({
        "type": "ratio", "group": "delete", "subject": format!("deletes: {}", cell.map),
        "of": cell.way.name(), "to": Way::Collect.name(),
    }));
}

fn verdict(cell: &Cell, size: &Size) {
    let broken = cell.broken().words(cell.may_repeat);
    let kept = broken.is_none();
    let text = broken.map_or_else(|| held(cell, size), |words| format!("broken: {words}"));
    line(json!({
        "type": "verdict", "group": "delete", "subject": format!("contract: {}", cell.map),
        "variant": cell.way.name(), "text": text, "kept": kept,
    }));
}

fn held(cell: &Cell, size: &Size) -> String {
    let iterations: u64 = cell.outcomes.iter().map(|outcome| outcome.iterations).sum();
    let stable = size.keys - size.doomed();
    let times = match cell.broken().repeated {
        0 => "once".to_owned(),
        again => format!("at least once ({again} times again, which it announces)"),
    };
    format!(
        "held: each of {stable} stable keys shown {times} in each of {iterations} iterations, none deleted before"
    )
}

fn line(object: Value) {
    println!("{object}");
}
