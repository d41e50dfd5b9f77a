//! One search, in a process of its own, so that CPU time and memory are its own.

use std::cell::RefCell;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use loom::model::Builder;
use mapcheck::Target;
use mapcheck::bench::{self, Oracles, Plan, Sample};
use mapcheck::engine::Engine;
use mapcheck::scenario::Scenario;
use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

use super::NATIVE;
use super::models::{self, Model};

/// Time after which a search of a peer is given up that does not begin anew.
const TIME: Duration = Duration::from_secs(10);
/// A peer warms up for so manieth a part of the executions that are measured.
const WARM_UP: u64 = 8;
/// How many priorities shuttle's PCT changes, and one more.
const DEPTH: usize = 3;

/// What is searched, how, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Once<'a> {
    /// A model of [`models::ALL`], or a target.
    pub subject: &'a str,
    pub threads: usize,
    /// One of mapcheck's schedulers, with `scenario-` before it where a model's threads are started as those of a
    /// scenario; or `shuttle-random`, `shuttle-pct`, `shuttle-dfs`, `loom`.
    pub search: &'a str,
    /// Who looks on, under mapcheck: `pointers` or `all`.
    pub oracles: &'a str,
    /// Preemptions of an execution, at most.
    pub bound: Option<u64>,
    pub executions: u64,
    /// Whether a search that comes to its end begins anew, until there were so many executions.
    pub again: bool,
}

impl<'a> Once<'a> {
    /// What a process is told.
    fn words(&self) -> [String; 7] {
        [
            self.subject.to_owned(),
            self.threads.to_string(),
            self.search.to_owned(),
            self.oracles.to_owned(),
            self.bound.map_or_else(|| "none".to_owned(), |bound| bound.to_string()),
            self.executions.to_string(),
            self.again.to_string(),
        ]
    }

    /// Reads these words.
    pub fn read(words: &'a [String]) -> Option<Once<'a>> {
        let [subject, threads, search, oracles, bound, executions, again] = words else {
            return None;
        };
        Some(Once {
            subject,
            threads: threads.parse().ok()?,
            search,
            oracles,
            bound: bound.parse().ok(),
            executions: executions.parse().ok()?,
            again: again.parse().ok()?,
        })
    }

    pub fn engine(&self) -> Engine {
        match self.search.split('-').next() {
            Some("shuttle") => Engine::Shuttle,
            Some("loom") => Engine::Loom,
            _ => Engine::Native,
        }
    }

    /// Makes it in a process of this program's binary `program`.
    ///
    /// # Errors
    /// A sentence, when it fails.
    pub fn start(&self, program: &Path) -> Result<Sample, String> {
        let mut command = Command::new(program);
        command.args([NATIVE, "once"]).args(self.words());
        sample_from(command)
    }

    /// Makes it in this process, which has made no other.
    ///
    /// # Errors
    /// A sentence, when something is found or it fails.
    pub fn run(&self, targets: &[Target]) -> Result<Sample, String> {
        let engine = self.engine();
        if engine != Engine::Native && bench::instrumented() {
            return Err(format!("{} would be measured with instrumentation", self.search));
        }
        if engine != Engine::Native && cfg!(debug_assertions) {
            return Err(format!("{} would be measured with debug assertions", self.search));
        }
        if let Some(model) = models::ALL.iter().find(|model| model.name == self.subject) {
            return self.run_model(*model);
        }
        let target = targets.iter().find(|target| target.name == self.subject);
        let target = target.ok_or_else(|| format!("there is no `{}`", self.subject))?;
        let scenario = super::scenario(self.threads as u32, 2);
        let plan = self.plan(&scenario, &target.run);
        match engine {
            Engine::Native => bench::sample(&plan),
            engine => bench::sample_on(engine, target, &plan),
        }
    }

    fn plan<'p>(&'p self, scenario: &'p Scenario, body: &'p dyn Fn(&Scenario)) -> Plan<'p> {
        Plan {
            scheduler: self.search.rsplit('-').next().unwrap_or_default(),
            bound: self.bound,
            executions: self.executions,
            scenario,
            oracles: if self.oracles == "all" { Oracles::All } else { Oracles::Pointers },
            body,
        }
    }

    fn run_model(&self, model: Model) -> Result<Sample, String> {
        let threads = self.threads;
        match self.engine() {
            Engine::Native => {
                let in_scenario = self.search.starts_with("scenario-");
                let run = if in_scenario { model.in_scenario } else { model.on_std };
                let body = |_: &Scenario| run(threads);
                bench::sample(&self.plan(&Scenario::default(), &body))
            }
            Engine::Shuttle => Ok(self.warmed(&self.shuttle(move || (model.on_shuttle)(threads)))),
            Engine::Loom => Ok(self.warmed(&self.loom(move || (model.on_loom)(threads)))),
        }
    }

    /// Makes a peer's search when it has warmed up: its process begins with nothing in the caches.
    fn warmed(&self, search: &dyn Fn(&Arc<Count>)) -> Sample {
        search(&Count::new((self.executions / WARM_UP).max(1)));
        Count::new(self.executions).sample(search)
    }

    fn shuttle(&self, body: impl Fn() + Clone + Send + Sync + 'static) -> impl Fn(&Arc<Count>) {
        move |count| {
            let executions = count.all as usize;
            let scheduler: Box<dyn Scheduler + Send> = match self.search {
                "shuttle-random" => Box::new(RandomScheduler::new_from_seed(0, executions)),
                "shuttle-pct" => Box::new(PctScheduler::new_from_seed(0, DEPTH, executions)),
                _ => Box::new(DfsScheduler::new(Some(executions), false)),
            };
            let mut config = Config::new();
            config.silence_warnings = true;
            config.max_time = (!self.again).then_some(TIME);
            let (counting, body) = (Arc::clone(count), body.clone());
            Runner::new(scheduler, config).run(move || {
                counting.add();
                body();
            });
        }
    }

    fn loom(&self, body: impl Fn() + Clone + Send + Sync + 'static) -> impl Fn(&Arc<Count>) {
        let mut builder = Builder::new();
        builder.preemption_bound = self.bound.map(|bound| bound as usize);
        builder.checkpoint_interval = 1;
        builder.max_duration = (!self.again).then_some(TIME);
        let builder = RefCell::new(builder);
        move |count| {
            loop {
                let left = count.all - count.done.load(Relaxed);
                // loom counts the execution it is about to make.
                builder.borrow_mut().max_permutations = Some(left as usize + 1);
                let (counting, body) = (Arc::clone(count), body.clone());
                builder.borrow().check(move || {
                    counting.add();
                    body();
                });
                if !self.again || count.done.load(Relaxed) >= count.all {
                    return;
                }
            }
        }
    }
}

/// Executions made by an engine that does not count them.
struct Count {
    done: AtomicU64,
    /// Peak memory when half of them had been made.
    half: AtomicU64,
    all: u64,
}

impl Count {
    fn new(all: u64) -> Arc<Count> {
        Arc::new(Count { done: AtomicU64::new(0), half: AtomicU64::new(0), all })
    }

    /// One execution more begins.
    fn add(&self) {
        if self.done.fetch_add(1, Relaxed) == self.all / 2 {
            self.half.store(bench::peak(), Relaxed);
        }
    }

    /// What `search` takes, which makes them in this process.
    fn sample(self: &Arc<Count>, search: &dyn Fn(&Arc<Count>)) -> Sample {
        let (start, before) = (Instant::now(), bench::cpu_time());
        search(self);
        let cpu = bench::cpu_time().saturating_sub(before);
        let executions = self.done.load(Relaxed);
        let exhausted = executions < self.all && start.elapsed() < TIME;
        let peaks = [self.half.load(Relaxed), bench::peak()];
        Sample { executions, cpu, exhausted, peaks, ..Sample::default() }
    }
}

/// What such a process tells.
///
/// # Errors
/// A sentence, when it fails.
pub fn sample_from(mut command: Command) -> Result<Sample, String> {
    let output = command.output().map_err(|e| format!("{command:?} cannot be run: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().last().and_then(sample_of).ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        let why = said.lines().rfind(|line| !line.starts_with("note:")).unwrap_or_default();
        format!("{}: {why}", output.status)
    })
}

/// A sample as a line.
pub fn line_of(sample: &Sample) -> String {
    let Sample { executions, points, switches, cpu, exhausted, peaks: [half, end], .. } = sample;
    let nanos = cpu.as_nanos();
    let exhausted = u64::from(*exhausted);
    format!("{executions} {points} {switches} {nanos} {exhausted} {half} {end}")
}

fn sample_of(line: &str) -> Option<Sample> {
    let words: Option<Vec<u64>> = line.split(' ').map(|word| word.parse().ok()).collect();
    let [executions, points, switches, nanos, exhausted, half, end] = words?[..] else {
        return None;
    };
    Some(Sample {
        executions,
        points,
        switches,
        cpu: Duration::from_nanos(nanos),
        exhausted: exhausted == 1,
        peaks: [half, end],
        ..Sample::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_reads_what_it_is_told_and_tells_what_it_took() {
        for bound in [None, Some(2)] {
            let once = Once {
                subject: "peer model",
                threads: 3,
                search: "loom",
                oracles: "pointers",
                bound,
                executions: 7,
                again: true,
            };
            assert_eq!(Once::read(&once.words()), Some(once));
        }
        assert_eq!(Once::read(&["peer model".to_owned()]), None);
        let cpu = Duration::from_nanos(1234);
        let sample =
            Sample { executions: 3, cpu, exhausted: true, peaks: [5, 6], ..Sample::default() };
        let read = sample_of(&line_of(&sample)).expect("it is such a line");
        assert_eq!((read.executions, read.cpu, read.peaks), (3, cpu, [5, 6]));
        assert!(read.exhausted && sample_of("1 2").is_none());
    }

    #[test]
    fn a_peer_is_measured_without_debug_assertions_or_not_at_all() {
        let words = ["peer model", "2", "shuttle-random", "pointers", "none", "10", "false"];
        let words = words.map(str::to_owned);
        let once = Once::read(&words).expect("these are such words");
        assert_eq!(once.run(&[]).is_err(), cfg!(debug_assertions));
    }

    #[test]
    fn the_models_count_right_on_every_engine() {
        for model in models::ALL {
            (model.on_std)(3);
            let once = Once {
                subject: model.name,
                threads: 2,
                search: "loom",
                oracles: "pointers",
                bound: Some(2),
                executions: 1_000,
                again: false,
            };
            let on_loom = model.on_loom;
            let loom = once.warmed(&once.loom(move || on_loom(2)));
            assert!(loom.exhausted && loom.executions > 1, "{}", model.name);
            let once = Once { search: "shuttle-random", ..once };
            let on_shuttle = model.on_shuttle;
            let shuttle = once.warmed(&once.shuttle(move || on_shuttle(2)));
            assert_eq!(shuttle.executions, 1_000, "{}", model.name);
        }
    }
}
