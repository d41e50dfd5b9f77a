//! `cargo mapcheck bench`: what a schedule point, a switch and an execution cost.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use mapcheck::Target;
use mapcheck::bench::{Oracles, sample};
use mapcheck::scenario::Scenario;

/// Samples of which the median is told.
const SAMPLES: usize = 7;
/// Schedule points of a sample of the machine's costs.
const POINTS: u64 = 2_000_000;
/// Executions of a sample of a map's.
const EXECUTIONS: u64 = 4_000;

/// Measures and prints, one line a figure; the floor that each must reach is said beside it.
pub fn main(targets: &[Target]) -> ExitCode {
    let outcome = measure(targets);
    outcome.map_or_else(
        |what| {
            eprintln!("error: {what}");
            ExitCode::from(70)
        },
        |()| ExitCode::SUCCESS,
    )
}

fn measure(targets: &[Target]) -> Result<(), String> {
    println!("medians of {SAMPLES} samples, CPU time on one core");
    let point = median(&|| {
        let s = sample("pct", 1, &threads(0), Oracles::Pointers, &alone)?;
        Ok(s.cpu.as_nanos() as f64 / s.points as f64)
    })?;
    println!("schedule point without a switch   {point:>8.1} ns         (at most 15)");
    let switch = median(&|| {
        let s = sample("pct", 1, &threads(0), Oracles::Pointers, &together)?;
        Ok(s.cpu.as_nanos() as f64 / s.switches as f64)
    })?;
    println!("switch, decision included         {switch:>8.1} ns         (at most 50)");
    println!("3 threads, each 8 inserts, an iteration and a removal, scheduler pct:");
    for target in targets {
        map(target)?;
    }
    Ok(())
}

/// What executions of a map cost with all oracles, and a schedule point with the oracle of pointers alone and with all.
fn map(target: &Target) -> Result<(), String> {
    let (mut rates, mut alone, mut all) = (Vec::new(), Vec::new(), Vec::new());
    let mut points = 0;
    // By turns, so that whatever else the machine does slows both.
    for _ in 0..SAMPLES {
        let s = sample("pct", EXECUTIONS, &threads(3), Oracles::Pointers, &target.run)?;
        alone.push(s.cpu.as_nanos() as f64 / s.points as f64);
        let s = sample("pct", EXECUTIONS, &threads(3), Oracles::All, &target.run)?;
        all.push(s.cpu.as_nanos() as f64 / s.points as f64);
        rates.push(s.executions as f64 / s.cpu.as_secs_f64());
        points = s.points / s.executions;
    }
    let (rate, alone, all) = (middle(rates), middle(alone), middle(all));
    let floor = if target.name == "papaya" { "(at least 30000)" } else { "" };
    println!("  {:<20} {rate:>9.0} executions/s of {points} points {floor}", target.name);
    println!(
        "  {:<20} {alone:>9.1} ns a point with the oracle of pointers alone, {all:.1} with all: \
         {:.1} times (at most 3)",
        "",
        all / alone
    );
    Ok(())
}

fn median(measure: &dyn Fn() -> Result<f64, String>) -> Result<f64, String> {
    (0..SAMPLES).map(|_| measure()).collect::<Result<Vec<f64>, _>>().map(middle)
}

fn middle(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// The scenario that is measured on maps.
fn threads(n: u32) -> Scenario {
    let ops = |t: u32| {
        let texts = [
            format!("insert {}..{}", 8 * t, 8 * t + 8),
            "iterate".to_owned(),
            format!("remove {}", 8 * t + 3),
        ];
        texts.iter().map(|op| op.parse().expect("these are operations")).collect()
    };
    Scenario { name: "bench".into(), threads: (0..n).map(ops).collect(), ..Scenario::default() }
}

/// Stores and loads, half atomic and half plain, of one thread. This crate is instrumented, so each
/// is a schedule point.
fn alone(_: &Scenario) {
    let (atomic, mut plain) = (Box::new(AtomicU64::new(0)), Box::new(0));
    for i in 0..POINTS / 4 {
        atomic.store(i, Relaxed);
        *black_box(&mut *plain) = i;
        black_box(atomic.load(Relaxed));
        black_box(*black_box(&*plain));
    }
}

/// Two threads that yield to each other at every step.
fn together(_: &Scenario) {
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| (0..POINTS / 2).for_each(|_| std::thread::yield_now()));
        }
    });
}
