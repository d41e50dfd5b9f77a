//! What runs have found and a corpus knows: repros by mistake, and scenarios by name.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::commands::repro;
use crate::error::Error;

/// The folder of a corpus with the repros of what is not wanted in it.
const REJECTED: &str = "rejected";
/// The folder of scenarios, in a corpus and in a target's folder of an out directory.
const SCENARIOS: &str = "scenarios";

/// The size of a scenario.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Size {
    /// Its threads, without the root.
    pub threads: usize,
    /// Its operations, with setup and teardown.
    pub operations: usize,
}

/// What is to be known of a repro to say whether its mistake is new.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repro {
    /// The file.
    pub path: PathBuf,
    /// The target's name, or the test's.
    pub target: String,
    /// The finding's class.
    pub class: String,
    /// The innermost line of the map's code.
    pub site: String,
    /// Of a data race, the earlier access's; empty if unknown.
    pub earlier_site: String,
    /// The mutant that was switched on; empty if none was.
    pub mutant: String,
    /// The scenario's name.
    pub scenario: String,
    /// How large the scenario is.
    pub size: Size,
    /// How many decisions it has.
    pub decisions: usize,
    /// Executions that have to go before it; 0 if none have to.
    pub history: u64,
}

/// A scenario of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The file.
    pub path: PathBuf,
    /// The target's folder.
    pub target: String,
    /// Its name.
    pub name: String,
    /// How large it is.
    pub size: Size,
}

impl Repro {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is no repro, or only a part of one.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = repro::text_of(path)?;
        Self::parse(&text, path).map_err(|what| Error::Repro { path: path.to_owned(), what })
    }

    /// Reads a file's text; the error completes a sentence that starts with the file's name.
    pub fn parse(text: &str, path: &Path) -> Result<Self, String> {
        let target = repro::Repro::parse(text, path.to_owned())?.target;
        let table = DeTable::parse(text).map_err(|e| e.message().to_owned())?;
        let table = table.get_ref();
        let missing =
            |key: &str| format!("is not a repro, or only a part of one: it has no `{key}`");
        let needed = |key: &str| word(table, key).ok_or_else(|| missing(key));
        let scenario = table.get("scenario").and_then(|value| value.get_ref().as_table());
        let scenario = scenario.ok_or_else(|| missing("scenario"))?;
        let history = table.get("history").and_then(|value| value.get_ref().as_table());
        let history = history.and_then(|table| repro::number(table, "executions"));
        Ok(Self {
            path: path.to_owned(),
            target,
            class: needed("class")?,
            site: needed("site")?,
            earlier_site: word(table, "earlier_site").unwrap_or_default(),
            mutant: word(table, "mutant").unwrap_or_default(),
            scenario: word(scenario, "name").ok_or_else(|| missing("name"))?,
            size: Size::of(scenario).ok_or_else(|| missing("threads"))?,
            decisions: needed("decisions")?.split_whitespace().count(),
            history: history.unwrap_or(0),
        })
    }

    /// Whether it shows the same mistake as another, as runners judge it: the same class at the same site, with the
    /// same mutant; of a data race, at the same two sites, as far as they are known. Without a site it never does: too
    /// much looks like it.
    pub fn same_mistake(&self, other: &Self) -> bool {
        let (a, b) = (&self.earlier_site, &other.earlier_site);
        let sites = if a.is_empty() || b.is_empty() {
            self.site == other.site
        } else {
            (&self.site, a) == (&other.site, b) || (&self.site, a) == (b, &other.site)
        };
        let same = |of: fn(&Self) -> &String| of(self) == of(other);
        let alike = same(|r| &r.target) && same(|r| &r.class) && same(|r| &r.mutant);
        sites && alike && !self.site.is_empty()
    }

    /// How much there is to read in it.
    fn effort(&self) -> (u64, usize, usize) {
        (self.history, self.decisions, self.size.operations)
    }
}

impl Size {
    /// Of a scenario; `None` if it is none.
    fn of(scenario: &DeTable<'_>) -> Option<Self> {
        let list = |key: &str| scenario.get(key).and_then(|value| value.get_ref().as_array());
        let count = |key| list(key).map_or(0, |ops| ops.len());
        let mut operations = count("setup") + count("teardown");
        let threads = list("threads")?;
        for thread in threads {
            operations += thread.get_ref().as_array()?.len();
        }
        Some(Self { threads: threads.len(), operations })
    }
}

impl Kept {
    fn read(path: &Path, target: &str) -> Result<Self, Error> {
        Self::parse(&fs::read_to_string(path).map_err(|e| Error::read(path, e))?, path, target)
    }

    /// Reads a file's text.
    pub fn parse(text: &str, path: &Path, target: &str) -> Result<Self, Error> {
        let bad = |what: &str| Error::Scenario { path: path.to_owned(), what: what.to_owned() };
        let table = DeTable::parse(text).map_err(|e| bad(e.message()))?;
        let table = table.get_ref();
        Ok(Self {
            path: path.to_owned(),
            target: target.to_owned(),
            name: word(table, "name").ok_or_else(|| bad("it has no `name`"))?,
            size: Size::of(table).ok_or_else(|| bad("it has no `threads`"))?,
        })
    }
}

fn word(table: &DeTable<'_>, key: &str) -> Option<String> {
    table.get(key).map(|value| value.get_ref()).and_then(DeValue::as_str).map(str::to_owned)
}

/// What an out directory has, and the files in it that are none of mapcheck's, or torn.
#[derive(Debug, Default)]
pub struct Found {
    /// The repros; of each target and class, those with the least to read first.
    pub repros: Vec<Repro>,
    /// The scenarios that were kept.
    pub scenarios: Vec<Kept>,
    /// Why each of the others could not be read.
    pub strange: Vec<Error>,
}

impl Found {
    /// Reads an out directory.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(out: &Path) -> Result<Self, Error> {
        if !out.is_dir() {
            return Err(Error::NoResults { path: out.to_owned() });
        }
        let mut found = Self::default();
        found.repros_in(out, &[]);
        for path in toml_files(out) {
            found.strange.extend(Repro::read(&path).err());
        }
        for folder in folders(out) {
            let target = name_of(&folder);
            for path in toml_files(&folder.join(SCENARIOS)) {
                match Kept::read(&path, &target) {
                    Ok(scenario) => found.scenarios.push(scenario),
                    Err(error) => found.strange.push(error),
                }
            }
        }
        let key = |r: &Repro| (r.target.clone(), r.class.clone(), r.effort(), name_of(&r.path));
        found.repros.sort_by_cached_key(key);
        Ok(found)
    }

    /// Reads the repros in the folders of a directory.
    fn repros_in(&mut self, dir: &Path, but: &[&str]) {
        let wanted = |folder: &PathBuf| !but.contains(&name_of(folder).as_str());
        for path in folders(dir).into_iter().filter(wanted).flat_map(|folder| toml_files(&folder)) {
            match Repro::read(&path) {
                Ok(repro) => self.repros.push(repro),
                Err(error) => self.strange.push(error),
            }
        }
    }
}

/// A corpus.
#[derive(Debug)]
pub struct Corpus {
    dir: PathBuf,
    known: Vec<Repro>,
}

impl Corpus {
    /// Reads a corpus, which may not be there yet; and why some of its files cannot be read.
    pub fn read(dir: &Path) -> (Self, Vec<Error>) {
        let mut found = Found::default();
        found.repros_in(dir, &[REJECTED, SCENARIOS]);
        found.repros_in(&dir.join(REJECTED), &[]);
        (Self { dir: dir.to_owned(), known: found.repros }, found.strange)
    }

    /// The file by which it knows a mistake.
    pub fn knows(&self, repro: &Repro) -> Option<&Path> {
        let same = |known: &&Repro| {
            let file = known.target == repro.target && name_of(&known.path) == name_of(&repro.path);
            file || known.same_mistake(repro)
        };
        self.known.iter().find(same).map(|known| &*known.path)
    }

    /// The file of a scenario that it has.
    pub fn has(&self, scenario: &Kept) -> Option<PathBuf> {
        Some(self.place_of(scenario)).filter(|path| path.exists())
    }

    fn place_of(&self, scenario: &Kept) -> PathBuf {
        self.dir.join(SCENARIOS).join(&scenario.target).join(name_of(&scenario.path))
    }

    /// Copies a repro to its place, which is returned.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn accept(&mut self, repro: &Repro) -> Result<PathBuf, Error> {
        self.take(repro, &self.dir.join(folder_name(&repro.target)), "")
    }

    /// Copies a scenario to its place, which is returned.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn accept_scenario(&self, scenario: &Kept) -> Result<PathBuf, Error> {
        let to = self.place_of(scenario);
        let text = fs::read_to_string(&scenario.path);
        write_whole(&to, &text.map_err(|e| Error::read(&scenario.path, e))?)?;
        Ok(to)
    }

    /// Moves a repro to where it is known and not demanded, with the reason; the new place is returned.
    ///
    /// # Errors
    /// When it cannot be read, written or removed.
    pub fn reject(&mut self, repro: &Repro, because: &str) -> Result<PathBuf, Error> {
        let folder = self.dir.join(REJECTED).join(folder_name(&repro.target));
        let to = self.take(repro, &folder, &rejection(because))?;
        fs::remove_file(&repro.path).map_err(|e| Error::write(&repro.path, e))?;
        Ok(to)
    }

    fn take(&mut self, repro: &Repro, folder: &Path, before: &str) -> Result<PathBuf, Error> {
        let to = folder.join(name_of(&repro.path));
        write_whole(&to, &(before.to_owned() + &repro::text_of(&repro.path)?))?;
        self.known.push(Repro { path: to.clone(), ..repro.clone() });
        Ok(to)
    }
}

/// The comment that says why a repro was rejected. What a comment cannot hold becomes a space.
fn rejection(because: &str) -> String {
    let because: String =
        because.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let comment = match because.trim() {
        "" => "# rejected".to_owned(),
        because => format!("# rejected: {because}"),
    };
    comment + "\n"
}

/// Writes a file as a whole or not at all.
fn write_whole(path: &Path, text: &str) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let aside = path.with_extension(format!("{}.part", std::process::id()));
    let written = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut file = File::create(&aside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&aside, path)?;
        // The name is on the disk only when its folder is.
        File::open(folder)?.sync_all()
    };
    written().map_err(|e| Error::write(path, e))
}

/// The name of a target's or a test's folder, as runners make it.
pub fn folder_name(target: &str) -> String {
    target.chars().map(|c| if "/:\\".contains(c) { '-' } else { c }).collect()
}

/// The last part of a path.
pub fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn folders(dir: &Path) -> Vec<PathBuf> {
    entries(dir).into_iter().filter(|path| path.is_dir()).collect()
}

fn toml_files(dir: &Path) -> Vec<PathBuf> {
    let is_one = |path: &PathBuf| path.extension().is_some_and(|e| e == "toml") && !path.is_dir();
    entries(dir).into_iter().filter(is_one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "format = 1\ntarget = 't'\nrunner = 'r'\ninstrumented = true\nclass = 'leak'\nsite = 'a:1'\n\
        decisions = '1@2>3 2@1>1'\n[scenario]\nname = 'n'\nsetup = ['len']\nthreads = [['len'], ['len', 'clear']]\n";

    fn race(site: &str, earlier_site: &str) -> Repro {
        Repro { site: site.into(), earlier_site: earlier_site.into(), ..Repro::default() }
    }

    #[test]
    fn a_repro_tells_its_mistake_and_its_size() {
        let repro = Repro::parse(TEXT, Path::new("x")).unwrap();
        assert_eq!((&*repro.class, &*repro.site, &*repro.mutant), ("leak", "a:1", ""));
        assert_eq!(repro.size, Size { threads: 2, operations: 4 });
        assert_eq!((repro.decisions, repro.history), (2, 0));
    }

    #[test]
    fn a_part_of_a_repro_is_none_wherever_it_ends() {
        let needed = TEXT.rfind("]]").unwrap();
        for end in 0..=needed {
            let error = Repro::parse(&TEXT[..end], Path::new("x")).unwrap_err();
            assert!(error.starts_with("is not a repro, or only a part of one: "), "{end}: {error}");
        }
    }

    #[test]
    fn mistakes_are_the_same_by_target_class_mutant_and_sites() {
        assert!(race("a", "b").same_mistake(&race("b", "a")), "either may be the earlier");
        assert!(race("a", "b").same_mistake(&race("a", "")), "an older file has one");
        assert!(!race("a", "b").same_mistake(&race("a", "c")));
        assert!(!race("", "").same_mistake(&race("", "")), "nothing tells where it was");
        let others = [
            Repro { target: "u".into(), ..race("a", "b") },
            Repro { class: "leak".into(), ..race("a", "b") },
            Repro { mutant: "m".into(), ..race("a", "b") },
        ];
        assert!(others.iter().all(|other| !other.same_mistake(&race("a", "b"))));
    }

    #[test]
    fn a_reason_is_a_comment_whatever_is_in_it() {
        for because in ["", "known upstream", "two\nlines\r and\u{7f} \u{1} more = [\"", "\u{2028}"]
        {
            let text = rejection(because) + TEXT;
            assert_eq!(text.lines().count(), TEXT.lines().count() + 1);
            let path = Path::new("x");
            assert_eq!(Repro::parse(&text, path), Repro::parse(TEXT, path), "{because:?}");
        }
        assert_eq!(rejection("so\nit is "), "# rejected: so it is\n");
    }
}
