//! Which drawn scenarios are kept: those that showed what no other did.
//!
//! A *cover* of features is a set of scenarios that together show all of them. The smallest is hard to find; taking
//! whichever shows the most that is missing, over and over, needs at most 1 + ln n times as many (Chvátal, *A Greedy
//! Heuristic for the Set-Covering Problem*, 1979).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Campaign, out};
use crate::repro;
use crate::scenario::{Scenario, families};
use crate::text::Writer;

/// Scenarios that are kept of a campaign, at most.
const MOST: usize = 16;
/// Rounds that a campaign needs: before that, what is shown by few is only what others have not come to.
const ROUNDS: u32 = 4;
/// The folder of scenarios, in a target's folder of the out directory and in a corpus.
pub(super) const FOLDER: &str = "scenarios";

/// Features, as the coverage numbers them.
type Features = BTreeSet<u64>;

/// A small set of scenarios that show all that any of these shows and `known` does not have, or the most of it that so
/// many can: a greedy cover, without those whose part the rest covers. Of equals the first is taken; in order.
fn cover(shown: &BTreeMap<usize, Features>, known: &Features, most: usize) -> Vec<usize> {
    let fresh = |i: &usize| shown[i].difference(known).copied().collect::<Features>();
    let mut chosen: BTreeMap<usize, Features> = BTreeMap::new();
    let mut covered = Features::new();
    while chosen.len() < most {
        let left = shown.keys().filter(|i| !chosen.contains_key(i));
        let gains = left.map(|i| (fresh(i).difference(&covered).count(), *i));
        let best = gains.max_by_key(|&(gain, i)| (gain, usize::MAX - i));
        let Some((_, best)) = best.filter(|(gain, _)| *gain > 0) else { break };
        covered.extend(fresh(&best));
        chosen.insert(best, fresh(&best));
    }
    without_needless(chosen)
}

/// Drops each whose features the others have.
fn without_needless(mut chosen: BTreeMap<usize, Features>) -> Vec<usize> {
    for i in chosen.keys().copied().collect::<Vec<usize>>() {
        let others = chosen.iter().filter(|(other, _)| **other != i);
        let others: Features = others.flat_map(|(_, features)| features).copied().collect();
        if chosen[&i].is_subset(&others) {
            chosen.remove(&i);
        }
    }
    chosen.into_keys().collect()
}

impl Campaign<'_> {
    /// Writes the drawn scenarios that are worth keeping into the out directory. Only a whole campaign says which: one
    /// that was ended, or that is of some scenarios or of a mutant, has not seen what the others show; and a search
    /// that exhausts one after the other needs no such help.
    pub(super) fn keep(&mut self) {
        let whole = self.settings.scenario.is_none() && self.subject.mutant.is_none();
        let enough = self.queue.rounds() >= ROUNDS && !self.done.interrupted;
        if !(whole && enough && self.journal.is_kept()) || self.settings.limit().is_some() {
            return;
        }
        let folder = out::folder(&self.settings.out, &self.subject.target).join(FOLDER);
        let kept = self.worth_keeping();
        for (i, shows) in &kept {
            if let Err(what) = save(&self.subject.scenarios[*i], *shows, &folder) {
                return self.console.warn(&what);
            }
        }
        if !kept.is_empty() {
            let (n, folder) = (kept.len(), crate::report::from_here(&folder));
            let s = if n == 1 { "" } else { "s" };
            self.console.tell(&format!("{n} drawn scenario{s} showed what no other did: {folder}"));
        }
    }

    /// Which scenarios these are, and how much each showed that none did that was not drawn.
    fn worth_keeping(&self) -> Vec<(usize, usize)> {
        let (mut drawn, mut known) = (BTreeMap::new(), Features::new());
        for (i, scenario) in self.subject.scenarios.iter().enumerate() {
            let shown = self.queue.shown_by(i);
            match scenario.family == families::DRAWN {
                // What finds something has a repro, which keeps it better.
                true if self.found_in.contains(&i) => {}
                true => drop(drawn.insert(i, shown)),
                false => known.extend(shown),
            }
        }
        let shows = |i: usize| (i, drawn[&i].difference(&known).count());
        cover(&drawn, &known, MOST).into_iter().map(shows).collect()
    }
}

/// Writes a scenario under a name that it keeps whatever seed drew it: that of its content.
fn save(scenario: &Scenario, shows: usize, folder: &Path) -> Result<(), String> {
    let hash = repro::hash(&format!("{:?}", Scenario { name: String::new(), ..scenario.clone() }));
    let name = format!("{}-{:08x}", families::KEPT, hash as u32);
    let kept = Scenario {
        name: name.replacen('-', "/", 1),
        family: families::KEPT.to_owned(),
        ..scenario.clone()
    };
    let mut text = Writer::default();
    kept.write(&mut text);
    let origin = format!("# drawn as {}, showed {shows} features that", scenario.name);
    let text = format!("{origin} no scenario did that was not drawn\n{}", text.0);
    repro::write_whole(&folder.join(name + ".toml"), &text)
}

/// The scenarios that corpora hold for a target: those in `DIR/scenarios/TARGET`, in the order of their files' names,
/// each once.
///
/// The error is a sentence that begins with the name of a file that is no scenario.
pub(crate) fn kept_in(corpora: &[PathBuf], target: &str) -> Result<Vec<Scenario>, String> {
    let mut all: Vec<Scenario> = Vec::new();
    for corpus in corpora {
        let folder = out::folder(&corpus.join(FOLDER), target);
        let is_one = |path: &PathBuf| path.extension().is_some_and(|e| e == "toml");
        let mut paths: Vec<PathBuf> = out::files(&folder).filter(is_one).collect();
        paths.sort();
        for path in paths {
            let scenario = Scenario::load(&path)?;
            if all.iter().all(|other| other.name != scenario.name) {
                all.push(scenario);
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn shown(sets: &[&[u64]]) -> BTreeMap<usize, Features> {
        sets.iter().map(|set| set.iter().copied().collect()).enumerate().collect()
    }

    fn features(of: &[u64]) -> Features {
        of.iter().copied().collect()
    }

    #[test]
    fn whatever_shows_the_most_is_taken_until_nothing_is_missing() {
        let sets = shown(&[&[1, 2], &[1, 2, 3, 4], &[5], &[4, 5], &[3]]);
        assert_eq!(cover(&sets, &features(&[]), MOST), [1, 2]);
    }

    #[test]
    fn what_others_show_anyway_counts_for_nothing() {
        let sets = shown(&[&[1, 2, 3], &[4], &[1, 2]]);
        assert_eq!(cover(&sets, &features(&[1, 2, 3]), MOST), [1]);
        assert_eq!(cover(&sets, &features(&[1, 2, 3, 4]), MOST), Vec::<usize>::new());
        assert_eq!(cover(&shown(&[]), &features(&[]), MOST), Vec::<usize>::new());
    }

    #[test]
    fn one_whose_features_the_rest_covers_is_dropped() {
        // The largest is taken first; the two that are needed for the others then cover it.
        let sets = shown(&[&[1, 2, 3, 4], &[1, 2, 5, 7], &[3, 4, 6, 8]]);
        assert_eq!(cover(&sets, &features(&[]), MOST), [1, 2]);
    }

    #[test]
    fn no_more_are_taken_than_asked_for_and_those_show_the_most() {
        let sets = shown(&[&[1], &[2, 3], &[4, 5, 6], &[7]]);
        assert_eq!(cover(&sets, &features(&[]), 2), [1, 2]);
        let many: Vec<[u64; 1]> = (0..40).map(|i| [i]).collect();
        let many: Vec<&[u64]> = many.iter().map(|set| &set[..]).collect();
        assert_eq!(cover(&shown(&many), &features(&[]), MOST), (0..MOST).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_chosen_covers_all_and_needs_each_of_its_own() {
        for seed in 0..300u64 {
            let bits = |i: u64| crate::scheduler::splitmix(seed << 8 | i);
            let set = |i| (0..24).filter(|b| bits(i) >> b & bits(i + 99) >> b & 1 == 1).collect();
            let sets: BTreeMap<usize, Features> = (0..12).map(|i| (i as usize, set(i))).collect();
            let known: Features = (0..4).collect();
            let chosen = cover(&sets, &known, MOST);
            let union = |of: &[usize]| of.iter().flat_map(|i| &sets[i]).copied().collect();
            let fresh = |all: Features| all.difference(&known).copied().collect::<Features>();
            let all = fresh(sets.values().flatten().copied().collect());
            assert_eq!(fresh(union(&chosen)), all);
            for left_out in &chosen {
                let rest: Vec<usize> = chosen.iter().copied().filter(|i| i != left_out).collect();
                assert_ne!(fresh(union(&rest)), all, "{left_out} of {chosen:?} is needless");
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back_by_its_target_alone_each_once() {
        let corpus = std::env::temp_dir().join(format!("mapcheck-kept-{}", std::process::id()));
        let folder = corpus.join(FOLDER).join("a-b");
        let drawn = Scenario { name: "generated/0-7".into(), ..Scenario::default() };
        save(&drawn, 1, &folder).unwrap();
        save(&Scenario { name: "generated/3-1".into(), ..drawn.clone() }, 2, &folder).unwrap();
        save(&Scenario { collide: 4, ..drawn }, 1, &folder).unwrap();
        let twice = [corpus.clone(), corpus.clone()];
        let read = kept_in(&twice, "a:b").unwrap();
        let mut names: Vec<&str> = read.iter().map(|s| &*s.name).collect();
        assert!(names.is_sorted() && names.iter().all(|n| n.starts_with("kept/")), "{names:?}");
        names.dedup();
        assert_eq!(names.len(), 2, "the same program has the same name whatever drew it");
        assert_eq!(kept_in(&twice, "c"), Ok(Vec::new()));
        fs::write(folder.join("torn.toml"), "name = \"x").unwrap();
        let said = kept_in(&twice, "a:b").unwrap_err();
        assert!(said.contains("torn.toml is not a scenario: "), "{said}");
        fs::remove_dir_all(corpus).unwrap();
    }
}
