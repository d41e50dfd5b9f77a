//! What a run is asked to do: the same settings in code, in the environment and on the command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::engine::Engine;
use crate::fault::{self, Fault};
use crate::log;
use crate::mutant::{Mutant, Mutants};
use crate::scheduler::{self, Limit};
use crate::text::{near, one_line};

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The settings of a run. Start from [`Settings::from_env`] in tests, so that the environment can
/// override what it names; the methods set what the code asks for.
///
/// ```
/// use mapcheck::Settings;
/// let settings = Settings::default().executions(500).seed(7);
/// assert_eq!(settings.seed, 7);
/// ```
#[derive(Clone, Debug)]
pub struct Settings {
    /// Executions of a target, at most; `MAPCHECK_EXECUTIONS`.
    pub executions: u64,
    /// Wall time for a target, at most; `MAPCHECK_TIME`, such as `30s`. Where it is given and the
    /// number of executions is not, time alone ends the run.
    pub time: Option<Duration>,
    /// Whether a number of executions was asked for.
    pub counted: bool,
    /// Where the random decisions start; `MAPCHECK_SEED`.
    pub seed: u64,
    /// What runs the executions; `MAPCHECK_ENGINE`.
    pub engine: Engine,
    /// A name of [`scheduler::NAMES`]; `MAPCHECK_SCHEDULER`.
    pub scheduler: String,
    /// Only this scenario, or scenarios whose name begins like this, or the one in this file, whose name ends with
    /// `.toml`; `MAPCHECK_SCENARIO`.
    pub scenario: Option<String>,
    /// Threads of each scenario, where it is not the scenario that says; `MAPCHECK_THREADS`.
    pub threads: Option<usize>,
    /// Executions of a scenario before the next has its turn; `MAPCHECK_BATCH`. Where it is not given, few at first,
    /// and in later rounds more where there is something new.
    pub batch: Option<u64>,
    /// Preemptions of an execution, at most; `MAPCHECK_BOUND`.
    pub bound: Option<u64>,
    /// This shard, counted from 1, of so many; `MAPCHECK_SHARD`, such as `2/8`.
    pub shard: (u64, u64),
    /// Faults that are injected; `MAPCHECK_FAULTS`, names separated by commas, or `all`.
    pub faults: Vec<Fault>,
    /// The mutant of the target that is switched on: what `MAPCHECK_FAULTS` names besides.
    pub mutant: Option<String>,
    /// Functions in which a data race is known and accepted, by a part of their names: races there are counted, and not
    /// told; `MAPCHECK_ACCEPT_RACE`, separated by commas.
    pub accept_races: Vec<String>,
    /// Data races are looked for in every so many'th execution, 0 for in none; `MAPCHECK_RACES`.
    pub races: u64,
    /// Whether leaks are looked for; `MAPCHECK_LEAKS`, `0` for no.
    pub leaks: bool,
    /// Worker processes at one time; `MAPCHECK_WORKERS`. As many as processors unless given.
    pub workers: usize,
    /// Schedule points after which an execution counts as not ending; `MAPCHECK_STEPS`.
    pub max_steps: u64,
    /// Schedule points without a completed operation after which the threads take turns, and as many more after which
    /// it is a livelock; `MAPCHECK_PATIENCE`. With `obstruction_freedom`, also what a thread gets that is left alone.
    pub patience: u64,
    /// Whether, in each execution, all threads but one are suspended at some point until that one has completed its
    /// operation; `MAPCHECK_OBSTRUCTION_FREEDOM`.
    pub obstruction_freedom: bool,
    /// Where repros are written; `MAPCHECK_OUT`.
    pub out: PathBuf,
    /// Folders whose repros tell what is known: such a finding is counted, and not told; `MAPCHECK_KNOWN`, separated by
    /// `:`. For targets; a test has none.
    pub known: Vec<PathBuf>,
    /// How results are printed; `MAPCHECK_FORMAT`.
    pub format: Format,
    /// Whether findings are made smaller before they are told; `MAPCHECK_SHRINK`, `0` for no.
    pub shrink: bool,
    /// Whether to go on after a finding, for others; `MAPCHECK_KEEP_GOING`.
    pub keep_going: bool,
}

/// Executions of which one is judged for data races: that costs as much as the rest two or three times over.
pub(crate) const RACES: u64 = 4;
/// Executions of a target on the command line.
const EXECUTIONS: u64 = 100_000;
/// Schedule points that the largest scenarios need, times about a hundred.
const MAX_STEPS: u64 = 2_000_000;
/// Schedule points that the longest operations of the largest scenarios need, times about twenty.
pub(crate) const PATIENCE: u64 = 100_000;

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            executions: EXECUTIONS,
            time: None,
            counted: false,
            seed: 0,
            engine: Engine::Native,
            scheduler: "portfolio".to_owned(),
            scenario: None,
            threads: None,
            batch: None,
            bound: None,
            shard: (1, 1),
            faults: Vec::new(),
            mutant: None,
            accept_races: Vec::new(),
            races: RACES,
            leaks: true,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            max_steps: MAX_STEPS,
            patience: PATIENCE,
            obstruction_freedom: false,
            out: PathBuf::from("mapcheck.out"),
            known: Vec::new(),
            format: Format::Text,
            shrink: true,
            keep_going: false,
        }
    }
}

impl Settings {
    /// The defaults, overridden by what the environment sets.
    ///
    /// # Errors
    /// A sentence that names the variable whose value is malformed.
    pub fn from_env() -> Result<Settings, String> {
        Settings::default().overridden()
    }

    /// These settings, overridden by what the environment sets.
    ///
    /// # Errors
    /// As for [`Settings::from_env`].
    pub fn overridden(self) -> Result<Settings, String> {
        self.overridden_by(&|name| std::env::var_os(name))
    }

    /// These settings, overridden by variables that this has the values of, in the environment's place. A value that is
    /// empty is as good as none.
    ///
    /// # Errors
    /// As for [`Settings::from_env`].
    pub fn overridden_by(
        mut self,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Settings, String> {
        for (name, set) in VARIABLES {
            let Some(value) = variable(name).filter(|value| !value.is_empty()) else { continue };
            let set = match value.to_str() {
                Some(text) => set(&mut self, text),
                // What it means could not be told in a line of JSON, either.
                None => Err("is not UTF-8".to_owned()),
            };
            set.map_err(|e| one_line(&format!("{name}: `{}` {e}", value.display())))?;
        }
        Ok(self)
    }

    /// Sets how many executions a target or test gets at most.
    #[must_use]
    pub fn executions(mut self, executions: u64) -> Settings {
        self.executions = executions;
        self.counted = true;
        self
    }

    /// Sets the wall time that a target or test gets at most.
    #[must_use]
    pub fn time(mut self, time: Duration) -> Settings {
        self.time = Some(time);
        self
    }

    /// Sets after how many schedule points an execution counts as not ending: for code that loops for long. The
    /// patience is raised with it, if it is less, since such code may do the same for long.
    #[must_use]
    pub fn max_steps(mut self, steps: u64) -> Settings {
        self.max_steps = steps.max(1);
        self.patience = self.patience.max(steps);
        self
    }

    /// Sets where the random decisions start.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Settings {
        self.seed = seed;
        self
    }

    /// Sets the scheduler.
    ///
    /// # Panics
    /// When there is none of that name.
    #[must_use]
    pub fn scheduler(mut self, name: &str) -> Settings {
        set_scheduler(&mut self, name).unwrap_or_else(|e| panic!("`{name}` {e}"));
        self
    }

    /// Sets whether operations must be obstruction-free: a thread completes its operation while all others stay where
    /// they are, be it in the midst of theirs. A map with locks is not. Code that [`Settings::explore`] is given has no
    /// operations, and is never judged by this.
    #[must_use]
    pub fn obstruction_freedom(mut self, on: bool) -> Settings {
        self.obstruction_freedom = on;
        self
    }

    /// Injects a fault.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Settings {
        self.faults.push(fault);
        self
    }

    /// Accepts data races in functions that have this in their names.
    #[must_use]
    pub fn accept_race(mut self, function: &str) -> Settings {
        self.accept_races.push(function.to_owned());
        self
    }

    /// The mutant that is switched on, one of these.
    ///
    /// The error is a sentence that lists those there are, and the faults.
    pub(crate) fn mutant_of(&self, mutants: Mutants) -> Result<Option<&'static Mutant>, String> {
        let Some(name) = &self.mutant else { return Ok(None) };
        let found = mutants.iter().find(|m| m.is_named(name)).copied();
        let known = mutants.iter().map(|m| m.id).chain(fault::NAMES.iter().map(|f| f.1));
        found.map(Some).ok_or_else(|| {
            let known: Vec<&str> = known.collect();
            let near = near(name, &known);
            format!("MAPCHECK_FAULTS: `{name}` is no fault; there are {}{near}", known.join(", "))
        })
    }

    /// The executions after which a run is complete; `u64::MAX` where only time ends it, or that there are no more.
    pub(crate) fn goal(&self) -> u64 {
        let ends_otherwise = self.time.is_some() || self.limit().is_some();
        if ends_otherwise && !self.counted { u64::MAX } else { self.executions }
    }

    /// Whether there are faults that the scheduler would never inject: it makes executions that differ in nothing but
    /// their schedules.
    pub(crate) fn injects_in_vain(&self) -> bool {
        let injected = self.faults.iter().any(|f| f.choice().is_some());
        injected && self.limit().is_some_and(|limit| limit != Limit::EachFault)
    }

    /// What is to be covered, if the scheduler is one that knows when it is done.
    pub(crate) fn limit(&self) -> Option<Limit> {
        let native = self.engine == Engine::Native;
        scheduler::limit(&self.scheduler, self.bound).filter(|_| native)
    }
}

type Set = fn(&mut Settings, &str) -> Result<(), String>;

const VARIABLES: [(&str, Set); 24] = [
    ("MAPCHECK_EXECUTIONS", |s, v| {
        s.counted = true;
        number(v).map(|n| s.executions = n)
    }),
    ("MAPCHECK_TIME", |s, v| duration(v).map(|t| s.time = Some(t))),
    ("MAPCHECK_SEED", |s, v| number(v).map(|n| s.seed = n)),
    ("MAPCHECK_ENGINE", |s, v| Engine::by_name(v).map(|engine| s.engine = engine)),
    ("MAPCHECK_SCHEDULER", set_scheduler),
    ("MAPCHECK_SCENARIO", |s, v| {
        s.scenario = Some(v.to_owned());
        Ok(())
    }),
    ("MAPCHECK_THREADS", |s, v| {
        let n = number(v)?;
        s.threads = Some(n.clamp(1, 64) as usize);
        if (1..=64).contains(&n) { Ok(()) } else { Err("is not between 1 and 64".to_owned()) }
    }),
    ("MAPCHECK_BOUND", |s, v| number(v).map(|n| s.bound = Some(n))),
    ("MAPCHECK_SHARD", |s, v| shard(v).map(|x| s.shard = x)),
    ("MAPCHECK_FAULTS", set_faults),
    ("MAPCHECK_ACCEPT_RACE", |s, v| {
        // What is empty is in every name.
        s.accept_races.extend(v.split(',').filter(|name| !name.is_empty()).map(str::to_owned));
        Ok(())
    }),
    ("MAPCHECK_RACES", |s, v| number(v).map(|n| s.races = n)),
    ("MAPCHECK_LEAKS", |s, v| {
        s.leaks = v != "0";
        Ok(())
    }),
    ("MAPCHECK_WORKERS", |s, v| number(v).map(|n| s.workers = n.clamp(1, 1024) as usize)),
    ("MAPCHECK_STEPS", |s, v| number(v).map(|n| s.max_steps = n.max(1))),
    ("MAPCHECK_BATCH", |s, v| number(v).map(|n| s.batch = Some(n.max(1)))),
    ("MAPCHECK_PATIENCE", |s, v| number(v).map(|n| s.patience = n.max(1))),
    ("MAPCHECK_OBSTRUCTION_FREEDOM", |s, v| {
        s.obstruction_freedom = v != "0";
        Ok(())
    }),
    ("MAPCHECK_OUT", |s, v| {
        s.out = v.into();
        Ok(())
    }),
    ("MAPCHECK_KNOWN", |s, v| {
        s.known = std::env::split_paths(v).filter(|path| !path.as_os_str().is_empty()).collect();
        Ok(())
    }),
    ("MAPCHECK_FORMAT", |s, v| {
        s.format = match v {
            "text" => Format::Text,
            "json" => Format::Json,
            _ => return Err("is neither text nor json".to_owned()),
        };
        Ok(())
    }),
    ("MAPCHECK_SHRINK", |s, v| {
        s.shrink = v != "0";
        Ok(())
    }),
    // Read again where an execution is recorded.
    ("MAPCHECK_LOG", |_, v| log::check(v)),
    ("MAPCHECK_KEEP_GOING", |s, v| {
        s.keep_going = v != "0";
        Ok(())
    }),
];

fn set_scheduler(settings: &mut Settings, name: &str) -> Result<(), String> {
    let names: Vec<&str> = scheduler::NAMES.iter().map(|n| n.0).collect();
    if !names.contains(&name) {
        let near = near(name, &names);
        return Err(format!("is no scheduler; there are {}{near}", names.join(", ")));
    }
    settings.scheduler = name.to_owned();
    Ok(())
}

/// What is no fault of the framework's may be a mutant of the target, which knows its own.
fn set_faults(settings: &mut Settings, names: &str) -> Result<(), String> {
    if names == "all" {
        settings.faults = fault::NAMES.iter().map(|f| f.0).collect();
        settings.mutant = None;
        return Ok(());
    }
    let (known, others): (Vec<&str>, Vec<&str>) =
        names.split(',').partition(|name| Fault::by_name(name).is_ok());
    settings.faults = known.into_iter().map(Fault::by_name).collect::<Result<_, _>>()?;
    match others[..] {
        [] => settings.mutant = None,
        [mutant] => settings.mutant = Some(mutant.to_owned()),
        _ => return Err("names more than one mutant of a target".to_owned()),
    }
    Ok(())
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "is not a whole number".to_owned())
}

fn shard(text: &str) -> Result<(u64, u64), String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    let valid = parts.filter(|&(i, n): &(u64, u64)| 1 <= i && i <= n);
    valid.ok_or_else(|| "is not a shard such as 2/8".to_owned())
}

/// A whole number and a unit: `500ms`, `30s`, `10m`, `2h`.
fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("is not a whole number and ms, s, m or h, such as 30s".to_owned()),
    };
    let n = number(&text[..text.len() - unit.len()])?;
    Ok(Duration::from_millis(n.saturating_mul(millis)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Result<Settings, String> {
        Settings::default().overridden_by(&|n| (n == name).then(|| value.into()))
    }

    #[test]
    fn the_environment_overrides_what_it_names() {
        assert_eq!(set("MAPCHECK_TIME", "2m").unwrap().time, Some(Duration::from_secs(120)));
        assert_eq!(set("MAPCHECK_SHARD", "2/8").unwrap().shard, (2, 8));
        let faults = set("MAPCHECK_FAULTS", "hash-collisions,address-reuse").unwrap().faults;
        assert_eq!(faults, [Fault::HashCollisions, Fault::AddressReuse]);
        assert_eq!(set("MAPCHECK_BATCH", "26").unwrap().batch, Some(26));
        assert_eq!(set("MAPCHECK_PATIENCE", "7").unwrap().patience, 7);
        assert!(set("MAPCHECK_OBSTRUCTION_FREEDOM", "1").unwrap().obstruction_freedom);
        assert!(!set("MAPCHECK_OBSTRUCTION_FREEDOM", "0").unwrap().obstruction_freedom);
        assert_eq!(set("MAPCHECK_NONE", "x").unwrap().seed, 0);
    }

    #[test]
    fn nothing_between_two_separators_is_no_name() {
        assert_eq!(set("MAPCHECK_ACCEPT_RACE", ",a,,b,").unwrap().accept_races, ["a", "b"]);
        assert_eq!(set("MAPCHECK_KNOWN", ":a::b:").unwrap().known, ["a", "b"].map(PathBuf::from));
    }

    #[test]
    fn a_value_that_is_no_text_is_refused_in_one_line() {
        use std::os::unix::ffi::OsStringExt as _;
        let value = OsString::from_vec(b"a\xff".to_vec());
        let out = |name: &str| (name == "MAPCHECK_OUT").then(|| value.clone());
        let refused = Settings::default().overridden_by(&out).unwrap_err();
        assert_eq!(refused, "MAPCHECK_OUT: `a\u{fffd}` is not UTF-8");
        let refused = set("MAPCHECK_SEED", "1\n2").unwrap_err();
        assert_eq!(refused, "MAPCHECK_SEED: `1\\n2` is not a whole number");
    }

    #[test]
    fn a_fault_that_is_not_the_framework_s_must_be_a_mutant_of_the_target() {
        static M: Mutant = Mutant { id: "F7", name: "seven", what: "", classes: &[], exposure: "" };
        static ALL: [&Mutant; 1] = [&M];
        let settings = set("MAPCHECK_FAULTS", "address-reuse,f7").unwrap();
        assert_eq!(settings.faults, [Fault::AddressReuse]);
        assert!(std::ptr::eq(settings.mutant_of(&ALL).unwrap().unwrap(), &M));
        let said = settings.mutant_of(&[]).unwrap_err();
        let start = "MAPCHECK_FAULTS: `f7` is no fault; there are address-reuse, hash-collisions, ";
        assert!(said.starts_with(start), "{said}");
    }

    #[test]
    fn a_malformed_value_is_refused_with_its_variable() {
        for (name, value) in [
            ("MAPCHECK_TIME", "30"),
            ("MAPCHECK_SEED", "x"),
            ("MAPCHECK_SCHEDULER", "fair"),
            ("MAPCHECK_ENGINE", "steam"),
            ("MAPCHECK_SHARD", "9/8"),
            ("MAPCHECK_BATCH", "few"),
            ("MAPCHECK_PATIENCE", "long"),
            ("MAPCHECK_THREADS", "0"),
            ("MAPCHECK_FAULTS", "rain,snow"),
            ("MAPCHECK_FORMAT", "yaml"),
        ] {
            let error = set(name, value).unwrap_err();
            assert!(error.starts_with(&format!("{name}: `{value}` ")), "{error}");
        }
    }

    #[test]
    fn time_alone_ends_a_run_unless_executions_are_asked_for_too() {
        let timed = Settings::default().time(Duration::from_secs(1));
        assert_eq!(timed.goal(), u64::MAX);
        assert_eq!(timed.executions(5).goal(), 5);
        assert_eq!(Settings::default().goal(), EXECUTIONS);
    }
}
