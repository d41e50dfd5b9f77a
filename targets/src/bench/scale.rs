//! How the cost of an execution grows. Where it is linear, the cost of one of what grows stays the same.

use mapcheck::Target;
use mapcheck::bench::{Oracles, Plan, sample};
use mapcheck::scenario::Scenario;

use super::ask::Ask;
use super::cost::run;
use super::figure::{Figure, Series, by_turns};
use super::work;

const GROUP: &str = "scale";

/// What a sample makes of what grows, in all of its executions.
const WORK: u64 = 1_000_000;
/// The target whose operations are counted.
const COUNTED: &str = "rwlock-hashmap";

/// A curve: what grows, and in what it is counted.
struct Curve {
    subject: &'static str,
    variant: &'static str,
    /// What one of them is called, and in how many nanoseconds it is told.
    unit: &'static str,
    x_unit: &'static str,
    xs: &'static [u64],
    scheduler: &'static str,
    oracles: Oracles,
    /// What an execution does at some x.
    body: fn(u64),
    /// How much it does of what the cost is divided by.
    amount: fn(u64) -> u64,
}

const POINTS: &[u64] = &[1_000, 10_000, 100_000, 1_000_000];
const THREADS: &[u64] = &[2, 4, 8, 16, 32, 64];
/// Schedule points of each thread, where threads are what grows.
const EACH: u64 = 1_000;

const CURVES: &[Curve] = &[
    Curve {
        subject: "schedule points",
        variant: "one thread, pct",
        unit: "ns a point",
        x_unit: "schedule points",
        xs: POINTS,
        scheduler: "pct",
        oracles: Oracles::Pointers,
        body: work::mixed,
        amount: |x| x,
    },
    Curve {
        subject: "schedule points",
        variant: "one thread, race clocks",
        unit: "ns a point",
        x_unit: "schedule points",
        xs: POINTS,
        scheduler: "pct",
        oracles: Oracles::Races,
        body: work::mixed,
        amount: |x| x,
    },
    Curve {
        subject: "schedule points",
        variant: "two threads, random",
        unit: "ns a point",
        x_unit: "schedule points",
        xs: POINTS,
        scheduler: "random",
        oracles: Oracles::Pointers,
        body: |x| work::mixed_at_once(2, x),
        amount: |x| x,
    },
    Curve {
        subject: "threads",
        variant: "1,000 points, pct",
        unit: "ns a point",
        x_unit: "threads",
        xs: THREADS,
        scheduler: "pct",
        oracles: Oracles::Pointers,
        body: |x| work::mixed_at_once(x, x * EACH),
        amount: |x| x * EACH,
    },
    Curve {
        subject: "threads",
        variant: "1,000 points, random",
        unit: "ns a point",
        x_unit: "threads",
        xs: THREADS,
        scheduler: "random",
        oracles: Oracles::Pointers,
        body: |x| work::mixed_at_once(x, x * EACH),
        amount: |x| x * EACH,
    },
    Curve {
        subject: "threads",
        variant: "1,000 points, race clocks",
        unit: "ns a point",
        x_unit: "threads",
        xs: THREADS,
        scheduler: "pct",
        oracles: Oracles::Races,
        body: |x| work::mixed_at_once(x, x * EACH),
        amount: |x| x * EACH,
    },
    Curve {
        subject: "threads",
        variant: "empty ones, pct",
        unit: "ns a thread",
        x_unit: "threads",
        xs: THREADS,
        scheduler: "pct",
        oracles: Oracles::Pointers,
        body: work::threads,
        amount: |x| 100 * x,
    },
    Curve {
        subject: "heap blocks",
        variant: "live at once",
        unit: "ns a block",
        x_unit: "blocks",
        xs: &[100, 1_000, 10_000, 100_000],
        scheduler: "pct",
        oracles: Oracles::Pointers,
        body: work::blocks,
        amount: |x| 4 * x,
    },
    Curve {
        subject: "decisions",
        variant: "yields, two threads",
        unit: "ns a switch",
        x_unit: "switches",
        xs: &[100, 1_000, 10_000, 100_000, 1_000_000],
        scheduler: "pct",
        oracles: Oracles::Pointers,
        body: work::yields,
        amount: |x| 4 * x,
    },
];

/// Measures and prints.
///
/// # Errors
/// Never.
pub fn measure(ask: &Ask, targets: &[Target]) -> Result<(), String> {
    for curve in CURVES {
        let xs = curve.xs.iter().filter(|x| !ask.is_quick() || **x <= ask.size(WORK));
        by_turns(ask, &xs.map(|x| curve.series(ask, *x)).collect::<Vec<_>>());
    }
    if let Some(target) = targets.iter().find(|target| target.name == COUNTED) {
        operations(ask, target);
    }
    Ok(())
}

impl Curve {
    fn series(&self, ask: &Ask, x: u64) -> Series<'_> {
        let figure = |what, unit| {
            let variant = format!("{}{what}", self.variant);
            Figure::new(GROUP, self.subject, variant, unit).at(x, self.x_unit)
        };
        let figures = vec![figure("", self.unit), figure(", an execution", "us")];
        let executions = (ask.size(WORK) / (self.amount)(x)).max(4);
        Series::new(figures, move || {
            let s = run(self.scheduler, executions, self.oracles, &|| (self.body)(x))?;
            let each = s.each();
            Ok(vec![each / self.divisor(&s, x), each / 1000.0])
        })
    }

    /// What an execution made of what grows.
    fn divisor(&self, s: &mapcheck::bench::Sample, x: u64) -> f64 {
        match self.unit {
            "ns a point" => s.points as f64 / s.executions as f64,
            "ns a switch" => s.switches as f64 / s.executions as f64,
            _ => x as f64,
        }
    }
}

/// Operations of a scenario, under all oracles: histories are judged.
fn operations(ask: &Ask, target: &Target) {
    let xs: [u32; 4] = [12, 48, 192, 768];
    let series = xs.map(|x| {
        let subject = format!("operations, 3 threads, {COUNTED}");
        let variant = "all oracles";
        let figure = |what, unit| {
            let variant = format!("{variant}{what}");
            Figure::new(GROUP, &*subject, variant, unit).at(x.into(), "operations")
        };
        let figures = vec![figure("", "ns an operation"), figure(", an execution", "us")];
        let scenario = inserts_and_removals(x / 3);
        let executions = (ask.size(WORK) / (100 * u64::from(x))).max(4);
        Series::new(figures, move || {
            let (scheduler, bound, oracles) = ("pct", None, Oracles::All);
            let (scenario, body) = (&scenario, &target.run);
            let s = sample(&Plan { scheduler, bound, executions, scenario, oracles, body })?;
            let each = s.each();
            Ok(vec![each / f64::from(x), each / 1000.0])
        })
    });
    by_turns(ask, &series);
}

/// Three threads that each make so many operations, on keys of their own.
fn inserts_and_removals(each: u32) -> Scenario {
    let op = |t: u32, i: u32| {
        let (verb, key) = (["insert", "get", "remove"][i as usize % 3], 16 * t + i / 3 % 16);
        format!("{verb} {key}").parse().expect("these are operations")
    };
    let thread = |t| (0..each).map(|i| op(t, i)).collect();
    Scenario {
        name: "operations".into(),
        threads: (0..3).map(thread).collect(),
        ..Scenario::default()
    }
}
