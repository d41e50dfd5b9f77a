//! Every finding that was ever made replays.

use mapcheck_tests::{Run, files, mapcheck, read, root};
use toml::de::DeTable;

/// A value of a repro file.
fn word(text: &str, key: &str) -> String {
    let table = DeTable::parse(text).unwrap();
    let value = table.get_ref().get(key).and_then(|v| v.get_ref().as_str());
    value.unwrap_or_else(|| panic!("no `{key}`")).to_owned()
}

#[test]
fn every_repro_of_the_corpus_replays_to_its_finding() {
    let repros = files(&root().join("corpus"), ".toml");
    assert!(repros.len() >= 3, "the corpus is not empty");
    for path in repros {
        let text = read(&path);
        let run = Run::of(&mut mapcheck(root(), ["replay".as_ref(), path.as_os_str()]));
        let name = path.strip_prefix(root()).unwrap().display();
        assert_eq!(run.code, 2, "{name}\n{}{}", run.stdout, run.stderr);
        let headline = format!("error[{}]: ", word(&text, "class"));
        assert!(run.stdout.starts_with(&headline), "{name}\n{}", run.stdout);
        let last = run.stdout.lines().last().unwrap_or_default();
        assert_eq!(last, "replayed once: the same finding", "{name}");
    }
}

#[test]
fn a_repro_of_the_corpus_lies_in_its_target_s_folder_under_its_class() {
    for path in files(&root().join("corpus"), ".toml") {
        let text = read(&path);
        let name = path.file_name().unwrap().to_str().unwrap();
        let folder = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
        assert_eq!(folder, word(&text, "target"));
        assert!(name.starts_with(&format!("{}-", word(&text, "class"))), "{name}");
    }
}
