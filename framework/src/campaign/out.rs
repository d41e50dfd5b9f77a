//! The folder that a campaign writes to: its repros, and which mistakes are known there already.

use std::fs;
use std::path::{Path, PathBuf};

use super::journal::Journal;
use super::keep;
use crate::repro::Repro;
use crate::settings::Settings;

/// The folder of a corpus with the repros of what is not wanted in it.
const REJECTED: &str = "rejected";

/// The folder of a target, or of a test, below `out`.
pub(super) fn folder(out: &Path, target: &str) -> PathBuf {
    out.join(crate::repro::folder_name(target))
}

/// What lies in a folder; nothing where there is none.
pub(super) fn files(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// The repros of one target: those of this campaign, and those that were there before.
pub(super) struct Out {
    dir: PathBuf,
    /// Repros of mistakes that are known from elsewhere.
    known: Vec<Repro>,
    /// Repros of what is not told yet, and where they are.
    unshrunk: Vec<(Repro, PathBuf)>,
}

impl Out {
    /// With what is known of a target: in the folders that the settings name, and, where a journal is kept, in the out
    /// directory, but for what that journal says is this campaign's own.
    pub(super) fn open(settings: &Settings, target: &str, journal: &Journal) -> Out {
        let known = known(settings, target);
        let mut out = Out { dir: settings.out.clone(), known, unshrunk: Vec::new() };
        if !journal.is_kept() {
            return out;
        }
        let here = folder(&settings.out, target);
        // Left by a process that was killed while it wrote; the run has a lock on the directory.
        let all = files(&here).chain(files(&here.join(keep::FOLDER)));
        all.filter(|path| has_ending(path, "part")).for_each(|path| {
            let _ = fs::remove_file(path);
        });
        for (repro, path) in repros(&here) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if journal.told_repros().any(|told| told == name) {
                continue;
            }
            match journal.saved.contains(&name) {
                true => out.unshrunk.push((repro, path)),
                false => out.known.push(repro),
            }
        }
        out
    }

    /// Whether a mistake is known from elsewhere. One without a place is never: too much looks like it.
    pub(super) fn knows(&self, repro: &Repro) -> bool {
        !repro.site.is_empty() && self.known.iter().any(|known| known.same_mistake(repro))
    }

    /// Saves a repro that is still to be shrunk.
    pub(super) fn keep(&mut self, repro: &Repro, journal: &mut Journal) -> Result<(), String> {
        let path = repro.path(&self.dir);
        journal.note_saved(&path)?;
        repro.save_as(&path)?;
        self.unshrunk.push((repro.clone(), path));
        Ok(())
    }

    /// Saves the repro of a finding, in place of what was kept of the same mistake.
    pub(super) fn save(&mut self, repro: &Repro, journal: &mut Journal) -> Result<PathBuf, String> {
        let path = repro.path(&self.dir);
        journal.note_saved(&path)?;
        repro.save_as(&path)?;
        self.unshrunk.retain(|(kept, kept_at)| {
            let same = kept.same_mistake(repro);
            if same && *kept_at != path {
                // It is only larger than the other.
                let _ = fs::remove_file(kept_at);
            }
            !same
        });
        Ok(path)
    }
}

/// Repros of mistakes of a target in the folders that the settings name.
pub(crate) fn known(settings: &Settings, target: &str) -> Vec<Repro> {
    let folders = settings.known.iter().flat_map(|dir| [dir.clone(), dir.join(REJECTED)]);
    folders.flat_map(|dir| repros(&folder(&dir, target))).map(|(repro, _)| repro).collect()
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|e| e == ending)
}

/// The repros of a folder that can be read.
fn repros(folder: &Path) -> impl Iterator<Item = (Repro, PathBuf)> + use<> {
    files(folder)
        .filter(|path| has_ending(path, "toml"))
        .filter_map(|path| Some((Repro::load(&path).ok()?, path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Class;
    use crate::scenario::Scenario;

    fn repro(class: Class, site: &str, earlier_site: &str) -> Repro {
        Repro {
            mapcheck: String::new(),
            target: "t".into(),
            versions: String::new(),
            runner: String::new(),
            test: None,
            instrumented: true,
            class,
            site: site.into(),
            earlier_site: earlier_site.into(),
            random: 0,
            max_steps: 1,
            patience: 1,
            faults: Vec::new(),
            mutant: None,
            decisions: Default::default(),
            history: None,
            order: Vec::new(),
            inflection: String::new(),
            scenario: Scenario::default(),
        }
    }

    #[test]
    fn a_mistake_is_known_by_its_class_and_its_sites() {
        let known = vec![repro(Class::DataRace, "a", "b"), repro(Class::Crash, "", "")];
        let out = Out { dir: PathBuf::new(), known, unshrunk: Vec::new() };
        assert!(out.knows(&repro(Class::DataRace, "a", "b")));
        assert!(out.knows(&repro(Class::DataRace, "b", "a")), "either may be the earlier");
        assert!(out.knows(&repro(Class::DataRace, "a", "")), "an older file has one");
        assert!(!out.knows(&repro(Class::DataRace, "a", "c")));
        assert!(!out.knows(&repro(Class::Leak, "a", "b")));
        assert!(!out.knows(&Repro { mutant: Some("m".into()), ..out.known[0].clone() }));
        assert!(!out.knows(&repro(Class::Crash, "", "")), "nothing tells where it was");
    }
}
