//! Every finding that was ever made replays.

use std::path::Path;
use std::sync::Mutex;

use mapcheck_tests::{Run, corpus, files, mapcheck, read, root, tempdir};
use toml::de::DeTable;

/// A value of a repro file.
fn word(text: &str, key: &str) -> String {
    let table = DeTable::parse(text).unwrap();
    let value = table.get_ref().get(key).and_then(|v| v.get_ref().as_str());
    value.unwrap_or_else(|| panic!("no `{key}`")).to_owned()
}

/// The runners of the crates in targets/apart.
fn apart() -> Vec<String> {
    let manifests = files(&root().join("targets/apart"), "Cargo.toml");
    let package = |text: &str| {
        let table = DeTable::parse(text).unwrap();
        let name = table.get_ref()["package"].get_ref()["name"].get_ref().as_str();
        name.expect("a package has a name").to_owned()
    };
    manifests.iter().map(|manifest| package(&read(manifest))).collect()
}

/// Those of targets/apart take minutes to build: a nightly job has them replayed, by this variable.
#[test]
fn every_repro_of_the_corpus_replays_to_its_finding() {
    let mut repros = corpus();
    if std::env::var_os("MAPCHECK_APART").is_none() {
        let apart = apart();
        repros.retain(|path| !apart.contains(&word(&read(path), "runner")));
    }
    assert!(repros.len() >= 3, "the corpus is not empty");
    let repros = Mutex::new(repros);
    let next = || repros.lock().unwrap().pop();
    // Each is a process for the most part, and there are many.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(path) = next() {
                    replays(&path);
                }
            });
        }
    });
}

fn replays(path: &Path) {
    let text = read(path);
    let run = Run::of(&mut mapcheck(root(), ["replay".as_ref(), path.as_os_str()]));
    let name = path.strip_prefix(root()).unwrap().display();
    assert_eq!(run.code, 2, "{name}\n{}{}", run.stdout, run.stderr);
    let headline = format!("error[{}]: ", word(&text, "class"));
    assert!(run.stdout.starts_with(&headline), "{name}\n{}", run.stdout);
    let last = run.stdout.lines().last().unwrap_or_default();
    assert_eq!(last, "replayed once: the same finding", "{name}");
}

#[test]
fn a_repro_of_the_corpus_lies_in_its_target_s_folder_under_its_class() {
    for path in corpus() {
        let text = read(&path);
        let name = path.file_name().unwrap().to_str().unwrap();
        let folder = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
        assert_eq!(folder, word(&text, "target"));
        assert!(name.starts_with(&format!("{}-", word(&text, "class"))), "{name}");
    }
}

#[test]
fn the_scenarios_of_the_corpus_run_and_show_nothing_new() {
    let scenarios = files(&root().join("corpus/scenarios"), ".toml");
    assert!(scenarios.len() >= 3, "some are kept");
    for path in scenarios {
        let target = path.parent().unwrap().file_name().unwrap();
        let out = tempdir().unwrap();
        let mut check = mapcheck(root(), ["check", "--executions", "20", "--keep-going"]);
        check
            .arg(target)
            .arg("--scenario")
            .arg(&path)
            .args(["--known", "corpus", "--format", "json"]);
        let run = Run::of(check.arg("--out").arg(out.path()));
        let name = path.strip_prefix(root()).unwrap().display();
        assert!(matches!(run.code, 0 | 2), "{name}\n{}{}", run.stdout, run.stderr);
        assert_eq!(run.of_type("finding").len(), 0, "{name}\n{}", run.stdout);
        assert_eq!(run.only("summary")["executions"], 20, "{name}");
    }
}

#[test]
fn check_explores_the_scenarios_of_a_corpus_too() {
    let paths = files(&root().join("corpus/scenarios/dashmap"), ".toml");
    let name = word(&read(&paths[0]), "name");
    let check = |known: &[&str]| {
        let out = tempdir().unwrap();
        let args = ["check", "dashmap", "--executions", "5", "--scenario", &name];
        Run::of(mapcheck(root(), args).args(known).env("MAPCHECK_OUT", out.path()))
    };
    check(&["--known", "corpus"]).code(0);
    check(&[]).code(1).says(&["dashmap has no scenario", &name]);
}
