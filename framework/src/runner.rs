//! The main function of a runner: a binary that knows some targets and is driven by `cargo mapcheck`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mapcheck_machine as machine;

use crate::campaign::{self, Mode, Subject, Totals};
use crate::decision::Decisions;
use crate::engine::Engine;
use crate::explain::{self, Shown};
use crate::fault::Fault;
use crate::map::Profile;
use crate::mutant::Mutant;
use crate::oracle::Class;
use crate::report::{Object, WIDTH};
use crate::repro::Repro;
use crate::scenario::{Scenario, families};
use crate::settings::{Format, PATIENCE, Settings};
use crate::worker::watch::{self, Outcome};
use crate::worker::{Code, Script, Setting};
use crate::{Target, catalogue, exit, fault, fuzz, log, matrix, regression, replay, scheduler};

/// Why a runner stopped: an exit code and a sentence.
type Failure = (u8, String);

fn usage(what: String) -> Failure {
    (exit::USAGE, what)
}

fn internal(what: String) -> Failure {
    (exit::INTERNAL, what)
}

/// Does what the arguments say with `targets`, and returns the exit code, one of [`exit`].
///
/// The arguments are `list`, `check TARGET…`, `ready TARGET…`, which only says whether that could be checked,
/// `faults [MUTANT…]`, `matrix [TARGET…]`, `replay FILE`, `shrink FILE`, `regression FILE`, which tells what a
/// regression test of a repro has to do, and for a fuzzer's inputs `whose FILE…`, which
/// tells those that are for targets of this runner, and `import FILE`; settings come from the environment, see
/// [`Settings::from_env`]. `cargo mapcheck` calls it so.
///
/// The first SIGINT or SIGTERM, and the death of a supervisor, make what explores save what it has found so far and
/// end; the second ends it at once.
pub fn main(targets: &[Target]) -> ExitCode {
    machine::fix_addresses();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| ["check", "faults", "matrix"].contains(&word.as_str()))
    {
        machine::heed_interrupts();
    }
    supervisor().into_iter().for_each(machine::stop_with_parent);
    let result = Settings::from_env().map_err(with_flag).and_then(|settings| {
        let runner = Runner { targets, settings };
        match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["list"] => Ok(runner.list()),
            ["faults", names @ ..] => runner.faults(names),
            ["matrix", names @ ..] => runner.matrix(names),
            ["check", names @ ..] if !names.is_empty() => runner.check(names),
            ["ready", names @ ..] => runner.ready(names),
            ["replay", path] => runner.replay(Path::new(path)),
            ["shrink", path] => runner.shrink(Path::new(path)),
            ["regression", path] => runner.regression(Path::new(path)),
            ["explain", path] => runner.explain(Path::new(path)),
            ["whose", paths @ ..] => runner.whose(paths),
            ["import", path] => runner.import(Path::new(path)),
            _ => Err(usage("run this through `cargo mapcheck`".to_owned())),
        }
    });
    let code = result.unwrap_or_else(|(code, what)| {
        eprintln!("error: {what}");
        code
    });
    ExitCode::from(code)
}

/// The process of the command, if it is that which started this one.
pub(crate) fn supervisor() -> Option<u32> {
    std::env::var("MAPCHECK_SUPERVISOR").ok().and_then(|pid| pid.parse().ok())
}

/// A complaint about a setting, under the name of the flag that sets it too.
fn with_flag(what: String) -> Failure {
    if !what.starts_with("MAPCHECK_") {
        return usage(what);
    }
    let variable = what.split(':').next().unwrap_or_default();
    if variable == log::VARIABLE {
        // It has none.
        return usage(what);
    }
    let name = variable.trim_start_matches("MAPCHECK_").to_lowercase().replace('_', "-");
    let flag = if name == "faults" { "fault" } else { &name };
    usage(format!("--{flag} or {what}"))
}

struct Runner<'a> {
    targets: &'a [Target],
    settings: Settings,
}

impl Runner<'_> {
    fn target(&self, name: &str) -> Result<&Target, Failure> {
        let found = self.targets.iter().find(|t| t.name == name);
        found.ok_or_else(|| usage(format!("this runner has no target `{name}`")))
    }

    /// Whether these targets can be checked with these settings, before anything is moved or written for it.
    fn ready(&self, names: &[&str]) -> Result<u8, Failure> {
        for name in names {
            let subject = self.with_kept(self.target(name)?)?;
            if Mode::from_env() == Mode::Resume {
                campaign::resumable(&subject, &self.settings).map_err(usage)?;
            }
        }
        Ok(exit::CLEAN)
    }

    fn check(&self, names: &[&str]) -> Result<u8, Failure> {
        let mut summary = Summary::default();
        let mode = Mode::from_env();
        for name in names {
            if machine::interrupted() {
                summary.interrupted = true;
                break;
            }
            let target = self.target(name)?;
            if let Some(what) = self_check(target).map_err(internal)? {
                eprintln!("error: the adapter of {name} is wrong: {what}");
                summary.wrong_adapter(name);
                continue;
            }
            let subject = self.with_kept(target)?;
            subject.bears(&self.settings.faults).map_err(usage)?;
            let done = campaign::run_with_journal(&subject, &self.settings, mode);
            summary.add(name, &done.map_err(internal)?);
        }
        summary.cpu_ms += machine::cpu_time().as_millis() as u64;
        summary.write().map_err(internal)?;
        Ok(summary.code())
    }

    /// A target as the subject of a campaign with these settings.
    fn subject<'b>(&self, target: &'b Target) -> Result<Subject<'b>, Failure> {
        self.subject_with(target, Vec::new())
    }

    /// The same with the scenarios that the folders of what is known have for it.
    fn with_kept<'b>(&self, target: &'b Target) -> Result<Subject<'b>, Failure> {
        let kept = campaign::kept_in(&self.settings.known, target.name).map_err(usage)?;
        self.subject_with(target, kept)
    }

    fn subject_with<'b>(
        &self,
        target: &'b Target,
        kept: Vec<Scenario>,
    ) -> Result<Subject<'b>, Failure> {
        let engine = self.settings.engine;
        let mut subject = subject(target, self.settings.seed, kept);
        let families = families_of(&subject.scenarios);
        subject
            .restrict(&self.settings)
            .map_err(|what| with_flag(what + &self.others(&families)))?;
        subject.foreign = target.foreign(engine);
        if engine != Engine::Native && subject.foreign.is_none() {
            let name = target.name;
            let what = format!("{name} has no form for the engine {engine}: only models have");
            return Err(usage(what));
        }
        Ok(subject)
    }

    /// Which scenarios there are, where one was asked for by a name that none has.
    fn others(&self, families: &[String]) -> String {
        let named = self.settings.scenario.as_ref().filter(|name| !name.ends_with(".toml"));
        match named.filter(|name| !families.iter().any(|f| f.starts_with(name.as_str()))) {
            Some(name) if !families.iter().any(|f| name.starts_with(f.as_str())) => {
                format!(", but of the families {}", families.join(", "))
            }
            Some(_) => "; `cargo mapcheck list --format json` has the names".to_owned(),
            None => String::new(),
        }
    }

    /// Looks for the mutants of all targets, or for those of these names, and prints a line of JSON for each.
    fn faults(&self, names: &[&str]) -> Result<u8, Failure> {
        let mut code = exit::CLEAN;
        let runs = |t: &&Target| {
            let engine = self.settings.engine;
            engine == Engine::Native || t.foreign(engine).is_some()
        };
        for target in self.targets.iter().filter(runs) {
            let wanted =
                |m: &&&Mutant| names.is_empty() || names.iter().any(|name| m.is_named(name));
            for mutant in target.mutants.iter().filter(wanted) {
                let mut subject = self.subject(target)?;
                subject.mutant = Some(mutant);
                let needs = target.faults_for(mutant);
                let row = catalogue::look_for(mutant, needs, &subject, &self.settings);
                let row = row.map_err(internal)?;
                if machine::interrupted() {
                    return Ok(if code == exit::FINDING { code } else { exit::BUDGET });
                }
                outln!("{}", row.line(target.name, self.settings.engine.name()));
                // What was found and must not be is worse than what was not found.
                code = match (code, row.code()) {
                    (exit::FINDING, _) | (_, exit::FINDING) => exit::FINDING,
                    (so_far, this) => so_far.max(this),
                };
            }
        }
        Ok(code)
    }

    /// Runs the patterns of deletion against all targets, or these, and prints a line of JSON for each cell.
    fn matrix(&self, names: &[&str]) -> Result<u8, Failure> {
        names.iter().try_for_each(|name| self.target(name).map(drop))?;
        let wanted = |t: &&Target| names.is_empty() || names.contains(&t.name);
        for target in self.targets.iter().filter(wanted) {
            let by_pattern = |pattern: &'static str| {
                let mut subject = self.subject(target)?;
                subject.scenarios.retain(|s| s.family == pattern);
                self.cell(&subject, &self.settings, ("scenario", pattern))
            };
            let by_fault = |fault: Fault| {
                let mut subject = self.subject(target)?;
                let settings = matrix::under(fault, &mut subject, &self.settings);
                if subject.excludes.contains(&fault) {
                    subject.scenarios.clear();
                }
                self.cell(&subject, &settings, ("fault", fault.name()))
            };
            let code = match &self.settings.faults[..] {
                [] => families::PATTERNS.iter().try_for_each(|pattern| by_pattern(pattern.0)),
                faults => faults.iter().try_for_each(|fault| by_fault(*fault)),
            };
            match code {
                Ok(()) => {}
                Err(None) => return Ok(exit::BUDGET),
                Err(Some(failure)) => return Err(failure),
            }
        }
        Ok(exit::CLEAN)
    }

    /// Fills a cell of the matrix and prints it. No failure if that was interrupted.
    fn cell(
        &self,
        subject: &Subject<'_>,
        settings: &Settings,
        column: (&'static str, &str),
    ) -> Result<(), Option<Failure>> {
        let cell = matrix::fill(subject, settings).map_err(internal)?;
        if machine::interrupted() {
            return Err(None);
        }
        outln!("{}", cell.line(&subject.target, column));
        Ok(())
    }

    fn load(&self, path: &Path) -> Result<(Repro, &Target), Failure> {
        let repro = Repro::load(path).map_err(usage)?;
        let target = self.target(&repro.target)?;
        replay::fits(&repro, path, &target.versions()).map_err(usage)?;
        if let Some(mutant) = repro.mutant.as_ref().filter(|m| target.code(&[]).mutant(m).is_none())
        {
            let path = path.display();
            return Err(usage(format!(
                "{path} was made with the mutant `{mutant}`, and {} has none of that name",
                target.name
            )));
        }
        Ok((repro, target))
    }

    fn replay(&self, path: &Path) -> Result<u8, Failure> {
        let (repro, target) = self.load(path)?;
        let times = replay::times().map_err(usage)?;
        let replayed =
            replay::run(&repro, target.code(&accepts(target)), times).map_err(internal)?;
        out!("{}", replayed.text(&repro));
        Ok(replayed.code())
    }

    /// Prints a repro's explanation as a line of JSON.
    fn explain(&self, path: &Path) -> Result<u8, Failure> {
        let (repro, target) = self.load(path)?;
        let accepts = accepts(target);
        let shown = Shown { code: target.code(&accepts), repro: &repro, path };
        match explain::tell(&shown).map_err(internal)? {
            Some(line) => outln!("{line}"),
            None => {
                outln!("{}", Object::of_type("nothing").line());
                return Ok(exit::CLEAN);
            }
        }
        Ok(exit::FINDING)
    }

    fn shrink(&self, path: &Path) -> Result<u8, Failure> {
        let (repro, target) = self.load(path)?;
        let text = replay::shrink(&repro, target.code(&accepts(target)), path).map_err(internal)?;
        out!("{text}");
        Ok(exit::CLEAN)
    }

    /// Tells what a regression test of a repro has to do.
    fn regression(&self, path: &Path) -> Result<u8, Failure> {
        let (repro, target) = self.load(path)?;
        let subject = self.subject(target)?;
        let line = regression::told(subject, &repro, (target.adapter)()).map_err(usage)?;
        outln!("{}", line.line());
        Ok(exit::CLEAN)
    }

    /// The target that an input of a fuzzer is for, if it is one of this runner's.
    fn target_of(&self, path: &Path) -> Result<(Vec<u8>, Option<&Target>), Failure> {
        let bytes = fs::read(path).map_err(|e| usage(format!("{}: {e}", path.display())))?;
        let target = self.targets.iter().find(|target| fuzz::is_for(&bytes, target.name));
        Ok((bytes, target))
    }

    /// Tells which inputs of a fuzzer are for targets of this runner.
    fn whose(&self, paths: &[&str]) -> Result<u8, Failure> {
        let names: Vec<&str> = self.targets.iter().map(|target| target.name).collect();
        let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        fuzz::whose(&paths, &names).map_err(usage)
    }

    /// Makes a repro of an input that a fuzzer wrote.
    fn import(&self, path: &Path) -> Result<u8, Failure> {
        let (_, target) = self.target_of(path)?;
        let what =
            || format!("{} is no input of a fuzzer for a target of this runner", path.display());
        let subject = self.subject(target.ok_or_else(|| usage(what()))?)?;
        subject.bears(&self.settings.faults).map_err(usage)?;
        fuzz::import(path, vec![subject], &self.settings)
    }

    fn list(&self) -> u8 {
        match self.settings.format {
            Format::Json => self.list_json(),
            Format::Text => self.list_text(),
        }
        exit::CLEAN
    }

    fn list_text(&self) {
        outln!("targets:");
        for target in self.targets {
            let profile = (target.profile)();
            let has = |wanted| names_of((target.capabilities)(), wanted);
            outln!("  {:<20} {}", target.name, first_version(target));
            let promised = format!("{} ({})", profile.iteration, profile.promised_by);
            print_row("iteration", &promised);
            print_row("consistency", &consistency(&profile));
            print_row("supports", &has(true));
            print_row("unsupported", &has(false));
            print_row("excludes", &excluded(target).join(", "));
            print_row("knobs", profile.knobs);
        }
        let rows = |title: &str, rows: &[(&str, &str)]| {
            outln!("\n{title}:");
            rows.iter().for_each(|(name, what)| print_wrapped(&format!("  {name:<20} "), what));
        };
        rows("scenario families", families::FAMILIES);
        rows("faults", &faults());
        rows("schedulers", scheduler::NAMES);
        for target in self.targets.iter().filter(|t| !t.mutants.is_empty()) {
            outln!("\nmutants of {}:", target.name);
            for mutant in target.mutants {
                let name = format!("{} {}", mutant.id, mutant.name);
                print_wrapped(&format!("  {name:<42} "), mutant.what);
            }
        }
    }

    fn list_json(&self) {
        for target in self.targets {
            let profile = (target.profile)();
            let supported: Vec<&str> =
                (target.capabilities)().iter().filter(|c| c.1).map(|c| c.0).collect();
            let scenarios = target.scenarios(self.settings.seed, Vec::new());
            let names: Vec<&str> = scenarios.iter().map(|s| s.name.as_str()).collect();
            let line = Object::of_type("target")
                .text("target", target.name)
                .text("versions", &target.versions())
                .text("iteration", &profile.iteration.to_string())
                .text("promised_by", profile.promised_by)
                .text("consistency", &profile.consistency.to_string())
                .texts("atomic", &profile.atomic.names())
                .number("grows_at", profile.grows_at.into())
                .flag("write_in_visit", profile.write_in_visit)
                .text("knobs", profile.knobs)
                .texts("capabilities", &supported)
                .texts("excludes", &excluded(target))
                .texts("scenarios", &names)
                .flag("known_bad", false);
            outln!("{}", line.line());
        }
        let rows = |kind: &str, rows: &[(&str, &str)]| {
            for (name, what) in rows {
                outln!("{}", Object::of_type(kind).text("name", name).text("what", what).line());
            }
        };
        rows("family", families::FAMILIES);
        rows("fault-kind", &faults());
        rows("scheduler", scheduler::NAMES);
        for target in self.targets {
            target.mutants.iter().for_each(|m| outln!("{}", mutant_line(target, m)));
        }
    }
}

/// What is promised about calls: `linearizable; atomic: len, clear`.
fn consistency(profile: &Profile) -> String {
    match profile.atomic.names() {
        names if names.is_empty() => profile.consistency.to_string(),
        names => format!("{}; atomic: {}", profile.consistency, names.join(", ")),
    }
}

fn mutant_line(target: &Target, mutant: &Mutant) -> String {
    let classes: Vec<&str> = mutant.classes.iter().map(|c| c.name()).collect();
    Object::of_type("mutant")
        .text("fault", mutant.id)
        .text("name", mutant.name)
        .text("target", target.name)
        .text("what", mutant.what)
        .text("exposure", mutant.exposure)
        .texts("classes", &classes)
        .line()
}

/// The faults' names, and what they do.
fn faults() -> Vec<(&'static str, &'static str)> {
    fault::NAMES.iter().map(|f| (f.1, f.2)).collect()
}

/// A row below a target, if there is anything to say.
fn print_row(name: &str, what: &str) {
    if !what.is_empty() {
        print_wrapped(&format!("    {name:<11} "), what);
    }
}

/// Prints words after a prefix, and below it where a line is full.
fn print_wrapped(prefix: &str, what: &str) {
    let mut line = prefix.to_owned();
    for word in what.split(' ') {
        if line.len() + word.len() > WIDTH {
            outln!("{}", line.trim_end());
            line = " ".repeat(prefix.len());
        }
        line.push_str(word);
        line.push(' ');
    }
    outln!("{}", line.trim_end());
}

/// The faults that the map's documentation says must not happen to it.
fn excluded(target: &Target) -> Vec<&'static str> {
    (target.excludes)().iter().map(|fault| fault.name()).collect()
}

fn names_of(capabilities: Vec<(&'static str, bool)>, wanted: bool) -> String {
    let names: Vec<&str> = capabilities.iter().filter(|c| c.1 == wanted).map(|c| c.0).collect();
    names.join(", ")
}

fn first_version(target: &Target) -> String {
    let versions = target.versions();
    versions.split(", ").next().unwrap_or_default().to_owned()
}

/// A target as the subject of a campaign.
pub(crate) fn subject(target: &Target, seed: u64, kept: Vec<Scenario>) -> Subject<'_> {
    Subject {
        target: target.name.to_owned(),
        versions: target.versions(),
        home: target.package().to_owned(),
        runner: std::env::var("MAPCHECK_RUNNER").unwrap_or_default(),
        test: None,
        scenarios: target.scenarios(seed, kept),
        shapes: Some((target.profile, target.collides)),
        run: &target.run,
        foreign: None,
        mutants: target.mutants,
        mutant: None,
        excludes: (target.excludes)(),
        races: target.races,
        accepts: accepts(target),
    }
}

/// The families of some scenarios, each once.
fn families_of(scenarios: &[Scenario]) -> Vec<String> {
    let mut families: Vec<String> = scenarios.iter().map(|s| s.family.clone()).collect();
    families.dedup();
    families
}

/// What the self-check of an adapter says against it. It runs in a worker, as an execution, so that
/// an adapter that hangs or crashes is told from one that lies; what else is found there is left to
/// the campaign.
pub(crate) fn self_check(target: &Target) -> Result<Option<String>, String> {
    let check = |_: &Scenario| {
        crate::scenario::guarded(|| {
            if let Err(what) = (target.self_check)() {
                panic!("{ADAPTER}{what}");
            }
        });
    };
    let scenario = Scenario { name: "self-check".into(), ..Scenario::default() };
    let setting = Setting {
        code: Code { run: &check, home: "", mutants: &[], races: true, accepts: &[] },
        scenario: &scenario,
        faults: &[],
        mutant: None,
        random: 0,
        max_steps: 10_000_000,
        races: 0,
        judging: true,
        leaks: false,
        stack_at: None,
        log: false,
        patience: PATIENCE,
    };
    let (outcome, _) = watch::run(setting, &Script::Replay(&Decisions::default(), false))?;
    Ok(match outcome {
        Outcome::Found(f) if f.class == Class::Panic => {
            f.message.split_once(ADAPTER).map(|(_, what)| what.to_owned())
        }
        Outcome::Found(f) if matches!(f.class, Class::Deadlock | Class::Livelock) => {
            Some(f.message)
        }
        _ => None,
    })
}

/// Tells a panic of the self-check from one of the map.
const ADAPTER: &str = "adapter: ";

/// The sums of a run, for `cargo mapcheck`.
#[derive(Default)]
struct Summary {
    targets: Vec<String>,
    totals: Totals,
    findings: u64,
    /// Findings that were told before, elsewhere.
    known: u64,
    /// Pairs of sites whose data race was accepted.
    accepted_races: u64,
    incomplete: bool,
    /// Whether somebody asked for the end.
    interrupted: bool,
    /// Whether every execution of every scenario was made, which random search never claims.
    exhausted: bool,
    /// Whether an adapter failed its self-check; its target was not explored.
    wrong_adapter: bool,
    wall_ms: u64,
    cpu_ms: u64,
    /// What each finding is, and how it is replayed: for what GitHub shows, and no part of what is printed.
    told: Vec<String>,
    replays: Vec<String>,
}

impl Summary {
    fn add(&mut self, name: &str, done: &campaign::Done) {
        self.targets.push(name.to_owned());
        self.totals.add(done.totals);
        self.findings += done.findings.len() as u64;
        self.accepted_races += done.accepted;
        self.known += done.known;
        self.incomplete |= !done.complete;
        self.interrupted |= done.interrupted;
        self.cpu_ms += done.cpu_before.as_millis() as u64;
        let all = done.scenarios > 0 && done.exhausted == done.scenarios;
        self.exhausted = all && (self.exhausted || self.targets.len() == 1);
        self.wall_ms += done.wall.as_millis() as u64;
        for reported in &done.findings {
            let repro = reported.repro.as_deref().map(campaign::replay_command);
            let finding = &reported.finding;
            self.told.push(format!("{}: {}", finding.class, finding.message));
            self.replays.push(repro.unwrap_or_default());
        }
    }

    fn wrong_adapter(&mut self, name: &str) {
        self.targets.push(name.to_owned());
        self.wrong_adapter = true;
    }

    fn code(&self) -> u8 {
        match (self.findings + self.known, self.incomplete || self.interrupted) {
            _ if self.wrong_adapter => exit::ADAPTER,
            (1.., _) => exit::FINDING,
            (0, true) => exit::BUDGET,
            (0, false) => exit::CLEAN,
        }
    }

    /// Writes it where `cargo mapcheck` asked for it.
    fn write(&self) -> Result<(), String> {
        let Some(path) = std::env::var_os("MAPCHECK_SUMMARY").map(PathBuf::from) else {
            return Ok(());
        };
        let line = Object::of_type("summary")
            .texts("targets", &self.targets)
            .number("executions", self.totals.executions)
            .number("schedule_points", self.totals.points)
            .number("switches", self.totals.switches)
            .number("cpu_ms", self.cpu_ms)
            .number("wall_ms", self.wall_ms)
            .number("findings", self.findings)
            .number("known", self.known)
            .number("accepted_races", self.accepted_races)
            .flag("exhausted", self.exhausted)
            .flag("interrupted", self.interrupted)
            .texts("told", &self.told)
            .texts("replays", &self.replays)
            .line();
        fs::write(&path, line + "\n")
            .map_err(|e| format!("{} could not be written: {e}", path.display()))
    }
}

impl Target {
    fn code<'a>(&'a self, accepts: &'a [String]) -> Code<'a> {
        Code {
            run: &self.run,
            home: self.package(),
            mutants: self.mutants,
            races: self.races,
            accepts,
        }
    }
}

/// Functions in which a data race of a target is accepted.
fn accepts(target: &Target) -> Vec<String> {
    target.accepted_races.iter().map(|name| (*name).to_owned()).collect()
}
