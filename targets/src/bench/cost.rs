//! What the machine's parts cost: a schedule point, a switch, a thread, an execution, a worker.

use std::time::Duration;

use mapcheck::Target;
use mapcheck::bench::{Oracles, Plan, Sample, sample};
use mapcheck::scenario::Scenario;

use super::ask::Ask;
use super::figure::{Figure, Series, by_turns};
use super::models::PEER;
use super::work;

const GROUP: &str = "cost";

/// Nanoseconds of a schedule point with the shadow check, at most.
const POINT: f64 = 8.0;
/// Of a switch.
const SWITCH: f64 = 30.0;
/// Of a thread.
const THREAD: f64 = 300.0;

/// Schedule points of a sample.
const POINTS: u64 = 2_000_000;
/// Executions of a sample.
const EXECUTIONS: u64 = 4_000;
/// Workers of a sample.
const WORKERS: u64 = 40;
/// Executions between which allocations are counted.
const STEADY: u64 = 2_000;

const PLAIN: &str = "stores and loads of a word in a heap block";
const ATOMIC: &str = "atomic stores and loads of a word in a heap block";
const MIXED: &str = "stores and loads in two heap blocks, half of them atomic";

/// Measures and prints.
///
/// # Errors
/// Never.
pub fn measure(ask: &Ask, targets: &[Target]) -> Result<(), String> {
    by_turns(ask, &points(ask));
    by_turns(ask, &switches(ask));
    by_turns(ask, &fresh(ask));
    by_turns(ask, &steady(targets));
    Ok(())
}

/// Runs a body that takes no scenario.
pub fn run(
    scheduler: &str,
    executions: u64,
    oracles: Oracles,
    body: &dyn Fn(),
) -> Result<Sample, String> {
    let scenario = Scenario::default();
    let body = |_: &Scenario| body();
    let bound = None;
    sample(&Plan { scheduler, bound, executions, scenario: &scenario, oracles, body: &body })
}

/// Nanoseconds of a schedule point.
pub fn by_point(sample: &Sample) -> f64 {
    sample.each() * sample.executions as f64 / sample.points as f64
}

/// A schedule point of one thread.
fn points(ask: &Ask) -> Vec<Series<'static>> {
    type Kind = (&'static str, &'static str, fn(u64), Oracles, Option<f64>);
    let (pointers, races) = (Oracles::Pointers, Oracles::Races);
    let kinds: [Kind; 7] = [
        (
            "no modelled memory, atomic",
            "stores and loads of a static",
            work::global,
            pointers,
            None,
        ),
        ("shadow check, plain", PLAIN, work::plain, pointers, Some(POINT)),
        ("shadow check, atomic", ATOMIC, work::atomic, pointers, None),
        ("shadow check, mixed", MIXED, work::mixed, pointers, Some(POINT)),
        ("race clocks, plain", PLAIN, work::plain, races, None),
        ("race clocks, atomic", ATOMIC, work::atomic, races, None),
        ("race clocks, mixed", MIXED, work::mixed, races, None),
    ];
    let points = ask.size(POINTS);
    let series = kinds.into_iter().map(|(name, text, body, oracles, limit)| {
        let figure = Figure::new(GROUP, "schedule point", name, "ns a point").text(text);
        let figure = limit.into_iter().fold(figure, Figure::limit);
        Series::new(vec![figure], move || {
            let s = run("pct", 2, oracles, &|| body(points / 2))?;
            Ok(vec![by_point(&s)])
        })
    });
    series.collect()
}

/// A switch, with the decision that leads to it.
fn switches(ask: &Ask) -> Vec<Series<'static>> {
    let points = ask.size(POINTS);
    let yielding = Figure::new(GROUP, "switch", "by a yield", "ns");
    let yielding = Series::new(vec![yielding.limit(SWITCH)], move || {
        let s = run("pct", 2, Oracles::Pointers, &|| work::yields(points / 4))?;
        Ok(vec![s.each() * s.executions as f64 / s.switches as f64])
    });
    let preempted = Figure::new(GROUP, "switch", "by scheduler random", "ns")
        .limit(SWITCH)
        .text("what two threads take under it beyond what they take under pct, by switch");
    let preempted = Series::new(vec![preempted], move || {
        let body = || work::mixed_at_once(2, points / 4);
        let hardly = run("pct", 2, Oracles::Pointers, &body)?;
        let often = run("random", 2, Oracles::Pointers, &body)?;
        let more = often.switches.saturating_sub(hardly.switches).max(2);
        Ok(vec![2.0 * (often.each() - hardly.each()) / more as f64])
    });
    vec![yielding, preempted]
}

/// Threads, executions and workers that do nothing.
fn fresh(ask: &Ask) -> Vec<Series<'static>> {
    let executions = ask.size(EXECUTIONS);
    let thread = |name: &'static str, body: fn(u64)| {
        let figure = Figure::new(GROUP, "fresh thread", name, "ns")
            .limit(THREAD)
            .text("what executions with 16 of them take beyond those with 8, by 8");
        Series::new(vec![figure], move || {
            let few = run("pct", executions, Oracles::Pointers, &|| body(8))?;
            let many = run("pct", executions, Oracles::Pointers, &|| body(16))?;
            Ok(vec![(many.each() - few.each()) / 8.0])
        })
    };
    let empty = |name: &'static str, oracles| {
        let figure = Figure::new(GROUP, "empty execution", name, "ns");
        Series::new(vec![figure], move || {
            let s = run("pct", 4 * executions, oracles, &|| ())?;
            Ok(vec![s.each()])
        })
    };
    let workers = ask.size(WORKERS);
    let worker = Figure::new(GROUP, "forked worker", "one empty execution each", "us");
    let worker = Series::new(vec![worker], move || {
        let mut all = Duration::ZERO;
        for _ in 0..workers {
            all += run("pct", 1, Oracles::Pointers, &|| ())?.cpu;
        }
        let together = run("pct", workers, Oracles::Pointers, &|| ())?.cpu;
        Ok(vec![(all - together).as_secs_f64() * 1e6 / (workers - 1) as f64])
    });
    vec![
        thread("of a scenario", work::scenario_threads),
        thread("std::thread, joined", work::threads),
        empty("oracle of pointers", Oracles::Pointers),
        empty("all oracles", Oracles::All),
        worker,
    ]
}

/// What the framework allocates in executions that come late in a batch.
fn steady<'a>(targets: &'a [Target]) -> Vec<Series<'a>> {
    let figure = |subject: &str, variant: &str| {
        let text = "executions 1,001 to 2,000 of a batch; outside of the modelled heap";
        Figure::new(GROUP, subject, variant, "allocations an execution").limit(0.0).text(text)
    };
    let mut all = Vec::new();
    for (scheduler, oracles, told) in [
        ("random", Oracles::Pointers, "pointers"),
        ("pct", Oracles::Pointers, "pointers"),
        ("portfolio", Oracles::All, "all oracles"),
    ] {
        let name = format!("{scheduler}, {told}");
        let figures = vec![figure("allocations of the framework, peer model", &name)];
        all.push(Series::new(figures, move || {
            let s = run(scheduler, STEADY, oracles, &|| (PEER.on_std)(3))?;
            allocations(&s)
        }));
        let Some(target) = targets.iter().find(|target| target.name == "papaya") else { continue };
        let figures = vec![figure("allocations of the framework, papaya", &name)];
        all.push(Series::new(figures, move || {
            let scenario = &super::scenario(3, 8);
            let (bound, executions, body) = (None, STEADY, &target.run);
            allocations(&sample(&Plan { scheduler, bound, executions, scenario, oracles, body })?)
        }));
    }
    all
}

fn allocations(sample: &Sample) -> Result<Vec<f64>, String> {
    let counted = sample.allocations.ok_or("nobody counts them")?;
    Ok(vec![counted as f64 / (STEADY / 2) as f64])
}
