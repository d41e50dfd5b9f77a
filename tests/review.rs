//! What runs have found is shown against what a corpus knows, accepted or rejected, and known from then on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mapcheck_tests::{Run, TempDir, files, mapcheck_in, read, subject, tempdir};

/// The folders of a test: an out directory with what one run has found, and a corpus that is still to be.
struct Place {
    root: TempDir,
}

impl Place {
    /// After a run on one of the broken maps.
    fn after(target: &str, more: &[&str]) -> Place {
        let place = Place { root: tempdir().unwrap() };
        let run = place.check(target, "out", more);
        assert!(matches!(run.code, 0 | 2), "{}", run.stderr);
        place
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// A command on the broken maps, with this out directory.
    fn run(&self, out: &str, args: &[&str]) -> Run {
        let mut command = mapcheck_in(&subject("broken"), args);
        Run::of(command.args(["--format", "json", "--out"]).arg(self.at(out)))
    }

    fn check(&self, target: &str, out: &str, more: &[&str]) -> Run {
        self.run(out, &[&["check", target], more].concat())
    }

    fn review(&self, more: &[&str]) -> Run {
        let corpus = self.at("corpus").display().to_string();
        self.run("out", &[&["review", "--corpus", &corpus], more].concat())
    }

    /// The files below a folder, and what is in them.
    fn texts(&self, folder: &str) -> BTreeMap<PathBuf, String> {
        let short = |path: &Path| path.strip_prefix(self.root.path()).unwrap().to_owned();
        files(&self.at(folder), "").iter().map(|path| (short(path), read(path))).collect()
    }

    /// The only repro below a folder.
    #[track_caller]
    fn repro(&self, folder: &str) -> PathBuf {
        let found = files(&self.at(folder), ".toml");
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }
}

#[test]
fn what_is_new_is_listed_and_ends_with_2() {
    let place = Place::after("use-after-free", &[]);
    let before = place.texts("");
    let run = place.review(&[]).code(2);
    let new = run.only("new-finding");
    assert_eq!(
        (&new["target"], &new["class"]),
        (&"use-after-free".into(), &"premature-reclamation".into())
    );
    let repro = place.repro("out").display().to_string();
    assert_eq!(new["repro"], *repro);
    assert_eq!(new["replay"], format!("cargo mapcheck replay {repro}"));
    for word in ["message", "site", "scenario"] {
        assert_ne!(new[word], "", "{word} of {new}");
    }
    for number in ["threads", "operations"] {
        assert!(new[number].as_u64() > Some(0), "{number} of {new}");
    }
    assert_eq!(run.only("review")["new"], 1);
    assert_eq!(place.texts(""), before, "nothing is written for it");
    let mut text = mapcheck_in(&subject("broken"), ["review", "--out"]);
    let text = Run::of(text.arg(place.at("out"))).code(2).stdout;
    assert!(text.starts_with("premature-reclamation: use-after-free\n  what     "), "{text}");
    assert!(text.contains(&format!("\n  replay   cargo mapcheck replay {repro}\n")), "{text}");
}

#[test]
fn what_is_accepted_is_copied_under_its_name_and_known() {
    let place = Place::after("use-after-free", &[]);
    let repro = place.repro("out");
    let name = repro.file_name().unwrap();
    let run = place.review(&["--accept", name.to_str().unwrap()]).code(0);
    let copy = place.at("corpus/use-after-free").join(name);
    assert_eq!(run.only("accepted")["to"], *copy.display().to_string());
    assert_eq!(read(&copy), read(&repro));
    let again = place.review(&[]).code(0).only("review");
    assert_eq!((&again["new"], &again["known"]), (&0.into(), &1.into()));
    let twice = place.review(&["--accept", repro.to_str().unwrap()]).code(0);
    twice.says(&["is known by ", "nothing was done"]);
    assert_eq!(place.texts("corpus").len(), 1);
}

#[test]
fn what_is_rejected_is_moved_with_its_reason_and_not_told_again() {
    let place = Place::after("use-after-free", &[]);
    let repro = place.repro("out");
    let text = read(&repro);
    place.review(&["--reject", "all", "--because", "known\nupstream"]).code(0);
    assert!(!repro.exists());
    let moved = place.at("corpus/rejected/use-after-free").join(repro.file_name().unwrap());
    assert_eq!(read(&moved), format!("# rejected: known upstream\n{text}"));
    Run::of(mapcheck_in(&subject("broken"), ["replay"]).arg(&moved)).code(2);
    let corpus = place.at("corpus").display().to_string();
    let next = ["--known", &corpus, "--seed", "2", "--executions", "300"];
    let next = place.check("use-after-free", "next", &next).code(2);
    assert_eq!((next.of_type("finding").len(), &next.only("summary")["known"]), (0, &1.into()));
    let other = place.check("deadlock", "next", &["--known", &corpus]).code(2);
    assert_eq!(other.only("finding")["class"], "deadlock", "another mistake is told");
}

#[test]
fn some_may_be_accepted_and_the_rest_rejected() {
    let place = Place::after("several", &["--keep-going", "--executions", "3000"]);
    let new = place.review(&[]).code(2).of_type("new-finding");
    assert!(new.len() >= 2, "{new:?}");
    let first = new[0]["repro"].as_str().unwrap();
    let left = place.review(&["--accept", first]).code(2).only("review");
    assert_eq!(left["new"], new.len() - 1, "the rest is still new");
    let run = place.review(&["--reject", "all"]).code(0);
    assert_eq!(run.of_type("rejected").len(), new.len() - 1);
    assert!(Path::new(first).exists() && place.texts("corpus").len() == new.len());
}

#[test]
fn a_torn_or_foreign_file_is_named_and_left_alone() {
    let place = Place::after("use-after-free", &[]);
    let repro = place.repro("out");
    let text = read(&repro);
    let beside = |name: &str| repro.with_file_name(name);
    fs::write(beside("torn-1.toml"), &text[..text.len() / 2]).unwrap();
    fs::write(beside("letter.toml"), "dear = \"reader\"\n").unwrap();
    fs::write(beside("bytes.toml"), [0xff, 0xfe]).unwrap();
    let others = ["torn-1.toml", "letter.toml"].map(|name| (name, read(&beside(name))));
    let run = place.review(&["--accept", "all"]).code(0);
    run.says(&[
        "torn-1.toml is not a repro, or only a part of one",
        "letter.toml is not a repro",
        "bytes.toml",
    ]);
    assert!(others.iter().all(|(name, text)| read(&beside(name)) == *text));
    assert!(beside("bytes.toml").exists());
    assert_eq!(place.texts("corpus").len(), 1);
    let refused = place.review(&["--accept", beside("torn-1.toml").to_str().unwrap()]).code(1);
    refused.says(&["error: ", "torn-1.toml is not a repro", "help: "]);
}

#[test]
fn wrong_usage_is_explained() {
    let place = Place { root: tempdir().unwrap() };
    place.review(&[]).code(1).says(&["out is no directory", "cargo mapcheck check"]);
    fs::create_dir(place.at("out")).unwrap();
    place.review(&["--reject", "nothing.toml"]).code(1).says(&["nothing.toml does not exist"]);
    place.review(&["--because", "so"]).code(1).says(&["--reject"]);
    let empty = place.review(&[]).code(0).only("review");
    assert_eq!(
        (&empty["new"], &empty["known"], &empty["scenarios"]),
        (&0.into(), &0.into(), &0.into())
    );
}

/// Enough for each of some hundred scenarios to have several turns.
const WHOLE: [&str; 2] = ["--executions", "12000"];

#[test]
fn drawn_scenarios_that_show_what_no_other_does_are_kept_and_explored_again() {
    let place = Place::after("healthy", &WHOLE);
    let kept = place.texts("out/healthy/scenarios");
    assert!((1..=16).contains(&kept.len()), "{}", kept.len());
    place.check("healthy", "other", &[&WHOLE[..], &["--workers", "1"]].concat()).code(0);
    let others = place.texts("other/healthy/scenarios");
    assert!(kept.values().eq(others.values()), "whoever does the work, the same are kept");
    let run = place.review(&[]).code(0);
    assert_eq!(run.of_type("new-scenario").len(), kept.len(), "a scenario is no finding");
    place.review(&["--accept", "all"]).code(0);
    assert!(place.texts("corpus/scenarios/healthy").values().eq(kept.values()));
    assert_eq!(place.review(&[]).code(0).only("review")["scenarios"], 0);
    let corpus = place.at("corpus").display().to_string();
    let more = ["--known", &corpus, "--scenario", "kept/", "--executions", "100"];
    let run = place.check("healthy", "next", &more).code(0);
    assert_eq!(run.only("summary")["executions"], 100);
    fs::write(place.at("corpus/scenarios/healthy/torn.toml"), "name = \"kept").unwrap();
    let refused = place.check("healthy", "next", &more).code(1);
    refused.says(&["error: ", "torn.toml is not a scenario: line 1"]);
}

#[test]
fn a_part_of_a_campaign_keeps_nothing() {
    let place = Place::after("healthy", &["--scenario", "generated", "--executions", "3000"]);
    assert!(!place.at("out/healthy/scenarios").exists(), "nothing says what the others show");
    place.check("healthy", "short", &["--executions", "500"]).code(0);
    assert!(!place.at("short/healthy/scenarios").exists(), "others have hardly had a turn");
}
