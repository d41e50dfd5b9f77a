//! `cargo mapcheck bench delete`: three ways of deleting from maps that others read and write meanwhile.
//!
//! - Remove while iterating, by the iterator or by the map's own `retain`.
//! - Collect the keys, then remove each.
//! - Mark each element with an atomic, which readers look at, and sweep what is marked later.
//!
//! Nothing here is instrumented, and mapcheck is not linked. Each map has the same work: the same keys in the same
//! shuffled order, the same threads, the same hash function where it hashes. All ways of all maps are measured by
//! turns.

mod judge;
mod lines;
mod maps;
mod size;
mod ways;
mod workload;

use std::io::IsTerminal;

use peak_alloc::PeakAlloc;

use self::judge::Broken;
use self::maps::Subject;
use self::size::Size;
use self::ways::Way;
use self::workload::Outcome;

/// Counts what is requested; two atomic operations more for each allocation, of whichever map.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const GROUP: &str = "delete";
/// Samples of each cell, unless the environment has another number.
const SAMPLES: usize = 3;

fn main() {
    if !wanted() {
        return;
    }
    let quick = std::env::var("MAPCHECK_BENCH_QUICK").is_ok_and(|value| value == "1");
    let size = if quick { Size::QUICK } else { Size::FULL };
    let samples = std::env::var("MAPCHECK_BENCH_SAMPLES").ok().and_then(|text| text.parse().ok());
    let mut cells = cells();
    for sample in 1..=samples.unwrap_or(SAMPLES).max(1) {
        for cell in &mut cells {
            progress(&format!("sample {sample}: {}, {}", cell.map, cell.way.name()));
            cell.outcomes.push((cell.measure)(cell.way, size));
        }
    }
    lines::print(&cells, &size);
    each_map(&mut |map, fresh| lines::fresh_map(map, fresh(size)));
}

fn wanted() -> bool {
    let groups = std::env::var("MAPCHECK_BENCH_GROUPS").unwrap_or_default();
    groups.is_empty() || groups.split(',').any(|group| group == GROUP)
}

fn progress(what: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("{what}");
    }
}

/// One way of one map, and what was measured of it.
struct Cell {
    map: &'static str,
    way: Way,
    may_repeat: bool,
    measure: fn(Way, Size) -> Outcome,
    outcomes: Vec<Outcome>,
}

impl Cell {
    /// What was broken in all samples.
    fn broken(&self) -> Broken {
        let mut all = Broken::default();
        self.outcomes.iter().for_each(|outcome| all.add(&outcome.broken));
        all
    }
}

fn cells_of<M: Subject>() -> impl Iterator<Item = Cell> {
    let measure = workload::measure::<M>;
    let cell = move |&way| Cell {
        map: M::NAME,
        way,
        may_repeat: M::MAY_REPEAT,
        measure,
        outcomes: Vec::new(),
    };
    M::WAYS.iter().map(cell)
}

/// See [`workload::fresh_map`].
type FreshMap = fn(Size) -> i64;

/// Hands over each map's name, and how much more a new one takes for what is left.
fn each_map(visit: &mut dyn FnMut(&str, FreshMap)) {
    macro_rules! visit {
        ($($map:ident)*) => { $(visit(maps::$map::NAME, workload::fresh_map::<maps::$map>);)* };
    }
    visit!(DashMap Papaya SccHashMap SccHashIndex SccTreeIndex Flurry SkipMap RwLockMap TokioRwLockMap);
}

fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    macro_rules! add {
        ($($map:ident)*) => { $(cells.extend(cells_of::<maps::$map>());)* };
    }
    add!(DashMap Papaya SccHashMap SccHashIndex SccTreeIndex Flurry SkipMap RwLockMap TokioRwLockMap);
    cells
}
