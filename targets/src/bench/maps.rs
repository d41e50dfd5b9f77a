//! What instrumentation costs the published maps.

use std::collections::HashMap;
use std::env;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::sync::RwLock;

use crossbeam_skiplist::SkipMap;
use mapcheck::bench::{self, Oracles, Plan, Sample, sample};
use mapcheck::{Async, Key, Map, Target, Value};
use mapcheck_targets::{
    CrossbeamSkiplist, Dashmap, Flurry, Papaya, PapayaBlocking, RwLockHashMap, SccHashIndex,
    SccHashMap, SccHashMapAsync, SccTreeIndex, TokioRwLockHashMap, c_map::CMap,
};

use super::ask::Ask;
use super::cost::{by_point, run};
use super::figure::{Figure, Series, by_turns, ratio, skipped};
use super::{NATIVE, numbers, once};

const GROUP: &str = "maps";

/// How many times slower an instrumented map is, at most.
const SLOWER: f64 = 10.0;
/// Keys that a map holds at most.
pub const KEYS: u64 = 400;
/// Times that each of them is looked up.
pub const LOOKUPS: u64 = 4;
/// Instrumented executions of a sample.
const EXECUTIONS: u64 = 60;
/// Runs of a sample without instrumentation, and as many before it to warm up.
const NATIVE_RUNS: u64 = 600;
/// Executions of a sample with three threads.
const AT_ONCE: u64 = 2_000;

/// The maps that are no models, each with what one thread does to it.
const MAPS: &[(&str, fn())] = &[
    ("dashmap", drive::<Dashmap>),
    ("papaya", drive::<Papaya>),
    ("papaya@blocking", drive::<PapayaBlocking>),
    ("scc-hashmap", drive::<SccHashMap>),
    ("scc-hashmap@async", drive::<Async<SccHashMapAsync>>),
    ("scc-hashindex", drive::<SccHashIndex>),
    ("scc-treeindex", drive::<SccTreeIndex>),
    ("flurry", drive::<Flurry>),
    ("crossbeam-skiplist", drive::<CrossbeamSkiplist>),
    ("rwlock-hashmap", drive::<RwLockHashMap>),
    ("tokio-rwlock-hashmap", drive::<Async<TokioRwLockHashMap>>),
    ("c-map", drive::<CMap>),
    // The same with numbers for keys and values.
    ("dashmap of u64", numbers::drive::<dashmap::DashMap<u64, u64>>),
    ("papaya of u64", numbers::drive::<papaya::HashMap<u64, u64>>),
    ("scc-hashmap of u64", numbers::drive::<scc::HashMap<u64, u64>>),
    ("scc-hashindex of u64", numbers::drive::<scc::HashIndex<u64, u64>>),
    ("scc-treeindex of u64", numbers::drive::<scc::TreeIndex<u64, u64>>),
    ("flurry of u64", numbers::drive::<flurry::HashMap<u64, u64>>),
    ("crossbeam-skiplist of u64", numbers::drive::<SkipMap<u64, u64>>),
    ("rwlock-hashmap of u64", numbers::drive::<RwLock<HashMap<u64, u64>>>),
    ("tokio-rwlock-hashmap of u64", numbers::drive::<tokio::sync::RwLock<HashMap<u64, u64>>>),
];

/// Inserts keys, looks each up a few times, iterates twice, and removes them.
fn drive<M: Map>() {
    let map = M::new();
    for key in 0..KEYS {
        map.insert(Key::new(key), Value::new(key));
    }
    for key in (0..LOOKUPS).flat_map(|_| 0..KEYS) {
        map.get(&Key::new(key), &mut |value| value.check());
    }
    for _ in 0..2 {
        map.for_each(&mut |key, value| {
            key.check();
            value.check();
            ControlFlow::Continue(())
        });
    }
    for key in 0..KEYS {
        map.remove(&Key::new(key));
    }
}

/// One sample of a map without instrumentation, in this process.
///
/// # Errors
/// A sentence, when there is no such map, or this build is instrumented.
pub fn run_natively(name: &str, executions: &str) -> Result<Sample, String> {
    let map = MAPS.iter().find(|map| map.0 == name).ok_or(format!("there is no `{name}`"))?;
    let executions = executions.parse().map_err(|_| format!("`{executions}` is no number"))?;
    if bench::instrumented() {
        return Err("this build is instrumented".to_owned());
    }
    (0..executions).for_each(|_| map.1());
    let before = bench::cpu_time();
    (0..executions).for_each(|_| map.1());
    let cpu = bench::cpu_time().saturating_sub(before);
    Ok(Sample { executions, cpu, ..Sample::default() })
}

fn start_natively(native: &Path, name: &str, executions: u64) -> Result<Sample, String> {
    let mut command = Command::new(native);
    command.args([NATIVE, "map", name, &executions.to_string()]);
    once::sample_from(command)
}

/// Measures and prints.
///
/// # Errors
/// Never.
pub fn measure(ask: &Ask, targets: &[Target]) -> Result<(), String> {
    for (name, body) in MAPS {
        alone(ask, name, *body);
    }
    for target in targets.iter().filter(|target| MAPS.iter().any(|map| map.0 == target.name)) {
        at_once(ask, target);
    }
    Ok(())
}

/// One thread: instrumented and not.
fn alone(ask: &Ask, name: &str, body: fn()) {
    let subject = format!("{name}, one thread");
    let figure = |variant| Figure::new(GROUP, &*subject, variant, "ns an execution");
    let instrumented = |variant, oracles| {
        let executions = ask.size(EXECUTIONS);
        Series::new(vec![figure(variant)], move || {
            Ok(vec![run("pct", executions, oracles, &body)?.each()])
        })
    };
    let mut series = vec![
        instrumented("instrumented", Oracles::Pointers),
        instrumented("instrumented, race clocks", Oracles::Races),
    ];
    match ask.native() {
        Ok(native) => {
            let runs = ask.size(NATIVE_RUNS);
            series.push(Series::new(vec![figure("native")], move || {
                Ok(vec![start_natively(native, name, runs)?.each()])
            }));
        }
        Err(why) => skipped(GROUP, &subject, "native", &why),
    }
    by_turns(ask, &series);
    if ask.native().is_ok() {
        ratio(GROUP, &subject, "instrumented", "native", Some(SLOWER));
    }
}

/// Three threads, each 8 inserts, an iteration and a removal.
fn at_once(ask: &Ask, target: &Target) {
    let subject = format!("{}, 3 threads", target.name);
    let scenario = super::scenario(3, 8);
    let series = [("oracle of pointers", Oracles::Pointers), ("all oracles", Oracles::All)];
    let series = series.map(|(variant, oracles)| {
        let figures = vec![
            Figure::new(GROUP, &*subject, variant, "executions/cpu-s"),
            Figure::new(GROUP, format!("{subject}, a schedule point"), variant, "ns a point"),
        ];
        let (scenario, executions) = (&scenario, ask.size(AT_ONCE));
        Series::new(figures, move || {
            let (scheduler, bound, body) = ("pct", None, &target.run);
            let s = sample(&Plan { scheduler, bound, executions, scenario, oracles, body })?;
            let rate = s.executions as f64 / s.cpu.as_secs_f64();
            Ok(vec![rate, by_point(&s)])
        })
    });
    by_turns(ask, &series);
    ratio(
        GROUP,
        &format!("{subject}, a schedule point"),
        "all oracles",
        "oracle of pointers",
        Some(3.0),
    );
}

/// This program.
///
/// # Errors
/// When the system does not tell.
pub fn this_program() -> Result<std::path::PathBuf, String> {
    env::current_exe().map_err(|e| format!("this program's path is not known: {e}"))
}
