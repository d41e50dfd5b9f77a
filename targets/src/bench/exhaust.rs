//! How long it takes to make every execution there is.

use mapcheck::Target;

use super::ask::Ask;
use super::figure::{Figure, Series, by_turns, ratio, skipped, verdict};
use super::maps::this_program;
use super::once::Once;
use super::peers::program_of;

const GROUP: &str = "exhaust";

/// Executions after which a search is given up.
const MOST: u64 = 240_000;

/// Name, search, bound.
type Variant = (&'static str, &'static str, Option<u64>);
const VARIANTS: &[Variant] = &[
    ("mapcheck, bound 1", "exhaustive", Some(1)),
    ("mapcheck, bound 2", "exhaustive", Some(2)),
    ("mapcheck", "exhaustive", None),
    ("mapcheck, scenario threads, bound 2", "scenario-exhaustive", Some(2)),
    ("mapcheck, scenario threads", "scenario-exhaustive", None),
    ("shuttle DFS", "shuttle-dfs", None),
    ("loom, bound 2", "loom", Some(2)),
    ("loom", "loom", None),
];

/// Whose time is told beside whose, where both come to an end.
const COMPARED: &[(&str, &str)] = &[
    ("mapcheck, bound 2", "loom, bound 2"),
    ("mapcheck", "shuttle DFS"),
    ("mapcheck", "loom"),
    ("mapcheck, scenario threads, bound 2", "loom, bound 2"),
    ("mapcheck, scenario threads", "shuttle DFS"),
    ("mapcheck, scenario threads", "loom"),
];

const SUBJECTS: &[(&str, usize)] = &[("peer model", 2), ("spin lock", 2), ("peer model", 3)];

/// Measures and prints. Who does not come to an end is told with a word.
///
/// # Errors
/// When this program cannot be found again.
pub fn measure(ask: &Ask, _: &[Target]) -> Result<(), String> {
    let here = this_program()?;
    for (subject, threads) in SUBJECTS {
        let name = format!("{subject}, {threads} threads");
        let mut series = Vec::new();
        let mut ended = Vec::new();
        for (variant, search, bound) in VARIANTS {
            ask.progress(&format!("{name}: {variant}"));
            let once = Once {
                subject,
                threads: *threads,
                search,
                oracles: "pointers",
                bound: *bound,
                executions: ask.size(MOST),
                again: false,
            };
            // Once to see whether it comes to an end at all.
            let tried = program_of(ask, &here, &once).and_then(|p| Ok((p, once.start(p)?)));
            match tried {
                Err(why) => skipped(GROUP, &name, variant, &why),
                Ok((_, s)) if !s.exhausted => {
                    let seconds = s.cpu.as_secs_f64();
                    let text =
                        format!("not exhausted within {} executions, {seconds:.1} s", s.executions);
                    verdict(GROUP, &name, variant, &text);
                }
                Ok((program, _)) => {
                    ended.push(*variant);
                    series.push(series_of(&name, variant, once, program));
                }
            }
        }
        by_turns(ask, &series);
        for (of, to) in COMPARED {
            if ended.contains(of) && ended.contains(to) {
                ratio(GROUP, &format!("{name}: time"), of, to, None);
            }
        }
    }
    Ok(())
}

fn series_of<'a>(
    subject: &str,
    variant: &'static str,
    once: Once<'a>,
    program: &'a std::path::Path,
) -> Series<'a> {
    let figures = vec![
        Figure::new(GROUP, format!("{subject}: time"), variant, "ms"),
        Figure::new(GROUP, format!("{subject}: executions"), variant, "executions").neutral(),
    ];
    Series::new(figures, move || {
        let sample = once.start(program)?;
        Ok(vec![sample.cpu.as_secs_f64() * 1000.0, sample.executions as f64])
    })
}
