//! Repro files: a finding that can be replayed, for ever.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::decision::Decisions;
use crate::fault::Fault;
use crate::oracle::Class;
use crate::report::Finding;
use crate::scenario::Scenario;
use crate::settings::PATIENCE;
use crate::text::{self, Section, Writer};
pub use crate::worker::Learnt;

/// This version of mapcheck.
pub const MAPCHECK: &str = env!("CARGO_PKG_VERSION");

/// The format this version writes, and the newest it reads.
pub const FORMAT: u64 = 1;

/// Executions that went before, in the same process, where the finding needs them: memory that they
/// left behind, say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The scheduler, a name of [`crate::scheduler::NAMES`].
    pub scheduler: String,
    /// Its seed.
    pub seed: u64,
    /// Its bound on preemptions.
    pub bound: Option<u64>,
    /// Whether all threads but one were suspended in each of them.
    pub suspend: bool,
    /// The number of the first execution.
    pub first: u64,
    /// How many there are; the finding is in the last.
    pub executions: u64,
    /// What batches before them had learnt.
    pub learnt: Learnt,
}

/// Everything an execution is a function of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repro {
    /// The version of mapcheck that made it.
    pub mapcheck: String,
    /// The target's name, or the test's.
    pub target: String,
    /// The versions of what was checked.
    pub versions: String,
    /// The package whose runner or test found it.
    pub runner: String,
    /// The test that found it; `None` for a target's finding.
    pub test: Option<String>,
    /// Whether the code under test was instrumented. Schedule points differ where it was not.
    pub instrumented: bool,
    /// The finding's class.
    pub class: Class,
    /// The finding's site.
    pub site: String,
    /// Of a data race, where the earlier of the two accesses was made; empty where that is not known.
    pub earlier_site: String,
    /// Seed of the randomness that the code under test asks for; with a history, what the seed of
    /// each of its executions is derived from.
    pub random: u64,
    /// Schedule points after which the execution counts as not ending.
    pub max_steps: u64,
    /// Schedule points without a completed operation after which the threads take turns.
    pub patience: u64,
    /// The faults that were switched on.
    pub faults: Vec<Fault>,
    /// The name of the target's mutant that was switched on.
    pub mutant: Option<String>,
    /// The decisions of the execution; ignored where there is a history.
    pub decisions: Decisions,
    /// The executions before it, if they matter.
    pub history: Option<History>,
    /// What the finding needs of the order of steps, as its report told; empty where it is not known.
    pub order: Vec<String>,
    /// From where on it cannot be avoided, likewise.
    pub inflection: String,
    /// The scenario.
    pub scenario: Scenario,
}

const KEYS: [&str; 20] = [
    "format",
    "mapcheck",
    "target",
    "versions",
    "runner",
    "test",
    "instrumented",
    "class",
    "site",
    "earlier_site",
    "random",
    "max_steps",
    "patience",
    "faults",
    "mutant",
    "decisions",
    "order",
    "inflection",
    "history",
    "scenario",
];

impl Repro {
    /// Whether a finding is the one that it tells of.
    pub(crate) fn is_of(&self, finding: &Finding) -> bool {
        finding.class == self.class && finding.site == self.site
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let mut to = Writer::default();
        to.number("format", FORMAT);
        to.text("mapcheck", &self.mapcheck);
        to.text("target", &self.target);
        to.text("versions", &self.versions);
        to.text("runner", &self.runner);
        if let Some(test) = &self.test {
            to.text("test", test);
        }
        to.flag("instrumented", self.instrumented);
        to.text("class", &self.class.to_string());
        to.text("site", &self.site);
        if !self.earlier_site.is_empty() {
            to.text("earlier_site", &self.earlier_site);
        }
        to.number("random", self.random);
        to.number("max_steps", self.max_steps);
        if self.patience != PATIENCE {
            to.number("patience", self.patience);
        }
        let faults: Vec<String> = self.faults.iter().map(|f| f.name().to_owned()).collect();
        to.texts("faults", &faults);
        if let Some(mutant) = &self.mutant {
            to.text("mutant", mutant);
        }
        to.text("decisions", &self.decisions.to_string());
        if !self.order.is_empty() {
            to.texts("order", &self.order);
        }
        if !self.inflection.is_empty() {
            to.text("inflection", &self.inflection);
        }
        if let Some(history) = &self.history {
            to.section("history");
            history.write(&mut to);
        }
        to.section("scenario");
        self.scenario.write(&mut to);
        to.0
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// A fragment that goes on after the file's name: what is missing, malformed, or of a newer
    /// format.
    pub fn from_text(text: &str) -> Result<Repro, String> {
        text::parse(text, |doc| match doc.number("format")? {
            format if format > FORMAT => {
                Err(format!("it has format {format}, and this mapcheck reads up to {FORMAT}"))
            }
            _ => Repro::read(doc),
        })
        .map_err(|what| format!("is not a repro, or only a part of one: {what}"))
    }

    fn read(from: &Section<'_>) -> Result<Repro, String> {
        from.only(&KEYS)?;
        let faults = from.texts("faults")?;
        let decisions = from.text("decisions")?;
        let scenario = from.section("scenario")?.ok_or("`scenario` is missing")?;
        Ok(Repro {
            mapcheck: from.text("mapcheck")?,
            target: from.text("target")?,
            versions: from.text("versions")?,
            runner: from.text("runner")?,
            test: from.optional_text("test")?,
            instrumented: from.flag("instrumented")?,
            class: from.text("class")?.parse()?,
            site: from.text("site")?,
            earlier_site: from.optional_text("earlier_site")?.unwrap_or_default(),
            random: from.number("random")?,
            max_steps: from.number("max_steps")?,
            patience: if from.has("patience") { from.number("patience")? } else { PATIENCE },
            faults: faults.iter().map(|f| fault(f)).collect::<Result<_, _>>()?,
            mutant: from.optional_text("mutant")?,
            decisions: decisions.parse().map_err(|e| format!("`decisions`: {e}"))?,
            order: if from.has("order") { from.texts("order")? } else { Vec::new() },
            inflection: from.optional_text("inflection")?.unwrap_or_default(),
            history: from.section("history")?.map(|h| History::read(&h)).transpose()?,
            scenario: Scenario::read(&scenario)?,
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// A sentence that begins with the file's name.
    pub fn load(path: &Path) -> Result<Repro, String> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Repro::from_text(&text).map_err(|what| format!("{} {what}", path.display()))
    }

    /// With the sites of a finding.
    pub(crate) fn with_sites_of(self, finding: &Finding) -> Repro {
        let earlier_site = finding.race.as_ref().map(|race| race.earlier_site.clone());
        let site = finding.site.clone();
        Repro { site, earlier_site: earlier_site.unwrap_or_default(), ..self }
    }

    /// Whether it shows the same mistake as another: the same class at the same site, with the same mutant; of a data
    /// race, at the same two sites, either of which may be the earlier, as far as they are known.
    pub fn same_mistake(&self, other: &Repro) -> bool {
        let (a, b) = (&self.earlier_site, &other.earlier_site);
        let sites = match a.is_empty() || b.is_empty() {
            true => self.site == other.site,
            false => (&self.site, a) == (&other.site, b) || (&self.site, a) == (b, &other.site),
        };
        sites && self.class == other.class && self.mutant == other.mutant
    }

    /// Where it is kept below `out`: a folder a target, a name by class, mutant and content.
    pub fn path(&self, out: &Path) -> PathBuf {
        let mutant = self.mutant.as_ref().map_or_else(String::new, |m| format!("-{m}"));
        let name = format!("{}{mutant}-{:08x}.toml", self.class, hash(&self.to_text()) as u32);
        out.join(folder_name(&self.target)).join(name)
    }

    /// Writes it to [`Repro::path`], as a whole or not at all, and returns the path.
    ///
    /// # Errors
    /// A sentence that names the path that could not be written.
    pub fn save(&self, out: &Path) -> Result<PathBuf, String> {
        let path = self.path(out);
        self.save_as(&path)?;
        Ok(path)
    }

    /// Writes it to a path, as a whole or not at all.
    ///
    /// # Errors
    /// As for [`Repro::save`].
    pub fn save_as(&self, path: &Path) -> Result<(), String> {
        write_whole(path, &self.to_text())
    }
}

/// Writes a file as a whole or not at all.
///
/// The error is a sentence that names the path.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{} could not be written: {e}", path.display());
    fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
    let aside = path.with_extension(format!("{}.part", std::process::id()));
    let written = fs::File::create(&aside).and_then(|mut f| {
        f.write_all(text.as_bytes())?;
        f.sync_all()?;
        fs::rename(&aside, path)?;
        // The name is on the disk only when its folder is.
        fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    });
    written.map_err(failed)
}

impl History {
    fn write(&self, to: &mut Writer) {
        to.text("scheduler", &self.scheduler);
        to.number("seed", self.seed);
        if let Some(bound) = self.bound {
            to.number("bound", bound);
        }
        if self.suspend {
            to.flag("suspend", true);
        }
        to.number("first", self.first);
        to.number("executions", self.executions);
        if !self.learnt.is_empty() {
            to.text("learnt", &self.learnt.to_string());
        }
    }

    fn read(from: &Section<'_>) -> Result<History, String> {
        from.only(&["scheduler", "seed", "bound", "suspend", "first", "executions", "learnt"])?;
        let learnt = from.optional_text("learnt")?.map(|text| text.parse()).transpose();
        let history = History {
            scheduler: from.text("scheduler")?,
            seed: from.number("seed")?,
            bound: from.has("bound").then(|| from.number("bound")).transpose()?,
            suspend: from.flag("suspend")?,
            first: from.number("first")?,
            executions: from.number("executions")?,
            learnt: learnt.map_err(|e| format!("`learnt` {e}"))?.unwrap_or_default(),
        };
        match crate::scheduler::by_name(&history.scheduler, 0) {
            Some(_) => Ok(history),
            None => Err(format!("there is no scheduler `{}`", history.scheduler)),
        }
    }
}

fn fault(name: &str) -> Result<Fault, String> {
    Fault::by_name(name).map_err(|what| format!("`{name}` {what}"))
}

/// The hash of Fowler, Noll and Vo, 64 bits, variant 1a: short, and the same on every machine.
pub(crate) fn hash(text: &str) -> u64 {
    hash_bytes(text.as_bytes())
}

/// The same of bytes.
pub(crate) fn hash_bytes(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The name of a target's or a test's folder: its own, without what a path cannot hold.
pub(crate) fn folder_name(target: &str) -> String {
    target.chars().map(|c| if "/:\\".contains(c) { '-' } else { c }).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn repro() -> Repro {
        Repro {
            mapcheck: MAPCHECK.into(),
            target: "flurry@0.4.0".into(),
            versions: "flurry 0.4.0, seize 0.2.1".into(),
            runner: "old".into(),
            test: None,
            instrumented: true,
            class: Class::PrematureReclamation,
            site: "flurry-0.4.0/src/iter.rs:7".into(),
            earlier_site: String::new(),
            random: u64::MAX,
            max_steps: 1000,
            patience: PATIENCE,
            faults: vec![Fault::AddressReuse],
            mutant: Some("delete-without-barrier".into()),
            decisions: "1@137>2 reuse:1@5.3=1".parse().unwrap(),
            history: None,
            order: vec!["thread 2 goes on first where thread 0 waits".into()],
            inflection: "none".into(),
            scenario: Scenario { name: "n".into(), family: "f".into(), ..Scenario::default() },
        }
    }

    #[test]
    fn the_text_of_a_repro_round_trips() {
        let history = History {
            scheduler: "pct".into(),
            seed: 1,
            bound: Some(2),
            suspend: true,
            first: 0,
            executions: 9,
            learnt: Learnt { scheduler: vec![1, 2], features: vec![3] },
        };
        for repro in [
            repro(),
            Repro { test: Some("a::b".into()), history: Some(history), patience: 7, ..repro() },
            Repro { order: Vec::new(), inflection: String::new(), ..repro() },
        ] {
            assert_eq!(Repro::from_text(&repro.to_text()), Ok(repro));
        }
    }

    #[test]
    fn a_truncated_repro_is_refused_wherever_it_ends() {
        let text = repro().to_text();
        // All before the teardown, which may be left out.
        let needed = text.rfind("\nteardown").unwrap();
        for end in (0..needed).step_by(7) {
            let error = Repro::from_text(&text[..end]).unwrap_err();
            assert!(error.starts_with("is not a repro, or only a part of one: "), "{end}: {error}");
        }
    }

    #[test]
    fn a_newer_format_and_an_unknown_key_are_refused_by_name() {
        let newer = repro().to_text().replace("format = 1", "format = 9");
        assert!(Repro::from_text(&newer).unwrap_err().contains("format 9"));
        let stranger = repro().to_text().replace("random =", "chance =");
        assert!(Repro::from_text(&stranger).unwrap_err().contains("`chance`"));
    }

    #[test]
    fn a_repro_is_kept_by_target_class_and_content() {
        let path = repro().path(Path::new("out"));
        assert!(path.starts_with("out/flurry@0.4.0"));
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("premature-reclamation-") && name.ends_with(".toml"));
        assert_ne!(path, Repro { random: 1, ..repro() }.path(Path::new("out")));
    }
}
