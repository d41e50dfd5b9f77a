//! mapcheck beside shuttle and loom.

use std::path::Path;

use mapcheck::Target;
use mapcheck::bench::Sample;
use mapcheck::engine::Engine;

use super::ask::Ask;
use super::figure::{Figure, Series, by_turns, ratio, skipped};
use super::maps::this_program;
use super::models;
use super::once::Once;

const GROUP: &str = "peers";

/// How many times as fast as shuttle's random walk.
const SHUTTLE: f64 = 3.0;
/// And as loom.
const LOOM: f64 = 20.0;

/// A search, and what a reader is told of it.
struct Variant {
    name: &'static str,
    search: &'static str,
    oracles: &'static str,
    bound: Option<u64>,
    /// Executions of a sample, in thousands, of a model; of a target a sixteenth of that.
    thousands: u64,
}

const fn variant(
    name: &'static str,
    search: &'static str,
    oracles: &'static str,
    bound: Option<u64>,
    thousands: u64,
) -> Variant {
    Variant { name, search, oracles, bound, thousands }
}

const RANDOM: &str = "mapcheck random";
const SCENARIO_PCT: &str = "mapcheck pct, scenario threads";
const SCENARIO_RANDOM: &str = "mapcheck random, scenario threads";
const VARIANTS: &[Variant] = &[
    variant(RANDOM, "random", "pointers", None, 16),
    variant("mapcheck random, all oracles", "random", "all", None, 16),
    variant("mapcheck pct", "pct", "pointers", None, 16),
    variant(SCENARIO_RANDOM, "scenario-random", "pointers", None, 32),
    variant(SCENARIO_PCT, "scenario-pct", "pointers", None, 32),
    variant("mapcheck default", "portfolio", "all", None, 16),
    variant("shuttle random", "shuttle-random", "pointers", None, 32),
    variant("shuttle pct", "shuttle-pct", "pointers", None, 32),
    variant("loom, bound 2", "loom", "pointers", Some(2), 4),
    variant("loom", "loom", "pointers", None, 4),
];

/// What is run: a model or a target, and with how many threads.
const SUBJECTS: &[(&str, usize)] = &[
    ("peer model", 2),
    ("peer model", 3),
    ("spin lock", 2),
    ("spin lock", 3),
    ("go-map", 2),
    ("lock-free-map", 2),
];

/// Measures and prints.
///
/// # Errors
/// When this program cannot be found again.
pub fn measure(ask: &Ask, _: &[Target]) -> Result<(), String> {
    let here = this_program()?;
    for (subject, threads) in SUBJECTS {
        let name = format!("{subject}, {threads} threads");
        let is_target = !subject.contains(' ');
        let mut series = Vec::new();
        for variant in VARIANTS {
            // The facade searches within a bound, or without one as far as it gets: one of the two is enough. The
            // threads of a target are a scenario's in any case.
            let of_models = variant.name == "loom" || variant.search.starts_with("scenario-");
            if is_target && of_models {
                continue;
            }
            let size = ask.size(1000 * variant.thousands / if is_target { 16 } else { 1 });
            let once = Once {
                subject,
                threads: *threads,
                search: variant.search,
                oracles: variant.oracles,
                bound: variant.bound,
                executions: size,
                again: true,
            };
            match program_of(ask, &here, &once) {
                Ok(program) => series.push(series_of(&name, variant.name, once, program)),
                Err(why) => skipped(GROUP, &name, variant.name, &why),
            }
        }
        by_turns(ask, &series);
        ratios(ask, &name, is_target, *subject == "peer model" && *threads == 3);
    }
    Ok(())
}

/// The program in which a search runs at its best: without instrumentation, unless it is mapcheck's.
pub fn program_of<'a>(ask: &'a Ask, here: &'a Path, once: &Once<'_>) -> Result<&'a Path, String> {
    if once.engine() == Engine::Native { Ok(here) } else { ask.native() }
}

fn series_of<'a>(
    subject: &str,
    variant: &'static str,
    once: Once<'a>,
    program: &'a Path,
) -> Series<'a> {
    let memory = |what, unit| Figure::new(GROUP, format!("{subject}: {what}"), variant, unit);
    let mut figures = vec![Figure::new(GROUP, subject, variant, "executions/cpu-s")];
    if models::ALL.iter().any(|model| model.name == once.subject) {
        figures.push(memory("peak memory of the process", "MiB"));
        figures.push(memory("memory kept of an execution", "bytes"));
    }
    Series::new(figures, move || {
        let sample = once.start(program)?;
        // The facade does not tell the last two.
        Ok(vec![rate(&sample), sample.peaks[1] as f64 / MEBIBYTE, kept(&sample)])
    })
}

const MEBIBYTE: f64 = 1_048_576.0;

fn rate(sample: &Sample) -> f64 {
    sample.executions as f64 / sample.cpu.as_secs_f64()
}

/// By how much the peak grew in the second half, by execution.
fn kept(sample: &Sample) -> f64 {
    let [half, end] = sample.peaks;
    end.saturating_sub(half) as f64 / (sample.executions as f64 / 2.0)
}

fn ratios(ask: &Ask, subject: &str, is_target: bool, limited: bool) {
    if ask.native().is_err() {
        return;
    }
    let limit = |limit| Some(limit).filter(|_| limited);
    ratio(GROUP, subject, RANDOM, "shuttle random", limit(SHUTTLE));
    let loom = if is_target { "loom, bound 2" } else { "loom" };
    ratio(GROUP, subject, RANDOM, loom, limit(LOOM));
    if !is_target {
        ratio(GROUP, subject, SCENARIO_RANDOM, "shuttle random", limit(SHUTTLE));
        ratio(GROUP, subject, SCENARIO_RANDOM, loom, limit(LOOM));
        ratio(GROUP, subject, SCENARIO_PCT, "shuttle random", limit(SHUTTLE));
        ratio(GROUP, subject, SCENARIO_PCT, loom, limit(LOOM));
        ratio(GROUP, subject, SCENARIO_PCT, "shuttle pct", None);
    }
    ratio(GROUP, subject, "mapcheck random, all oracles", "shuttle random", None);
    ratio(GROUP, subject, "mapcheck pct", "shuttle pct", None);
    ratio(GROUP, subject, "mapcheck default", "shuttle random", None);
}
