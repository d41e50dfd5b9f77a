//! The catalogue of mutants from outside: what it prints, and what each mutant's repro shows.

use std::collections::BTreeSet;

use mapcheck_tests::{Run, corpus, mapcheck, read, root, tempdir};
use serde_json::Value;

fn faults(args: &[&str]) -> Run {
    let out = tempdir().unwrap();
    let mut command = mapcheck(root(), ["faults", "--format", "json", "--out"]);
    Run::of(command.arg(out.path()).args(args))
}

/// The mutants that `list` tells of.
fn listed() -> Vec<Value> {
    let run = Run::of(&mut mapcheck(root(), ["list", "--format", "json"])).code(0);
    run.of_type("mutant")
}

fn word<'a>(object: &'a Value, key: &str) -> &'a str {
    object[key].as_str().unwrap_or_else(|| panic!("no `{key}` in {object}"))
}

#[test]
fn the_catalogue_has_forty_faults_and_each_mutant_has_a_name_of_its_own() {
    let mutants = listed();
    let ids: BTreeSet<&str> = mutants.iter().map(|m| word(m, "fault")).collect();
    let names: BTreeSet<&str> = mutants.iter().map(|m| word(m, "name")).collect();
    assert_eq!((ids.len(), names.len()), (mutants.len(), mutants.len()));
    for number in 1..=40 {
        assert!(ids.contains(&*format!("F{number}")), "F{number}");
    }
    let equivalent = mutants.iter().filter(|m| m["classes"].as_array().unwrap().is_empty());
    assert!(equivalent.count() >= 6);
}

#[test]
fn a_mutant_is_found_by_either_of_its_names_as_what_it_is_documented_to_show() {
    let run = faults(&["F26", "empty-one-ends-bucket", "--engine", "native"]).code(0);
    let rows = run.of_type("fault");
    assert_eq!(rows.iter().map(|r| word(r, "fault")).collect::<Vec<_>>(), ["F10", "F26"]);
    for row in rows {
        assert_eq!((&row["found"], &row["as_expected"]), (&true.into(), &true.into()), "{row}");
        assert!(row["expected"].as_array().unwrap().contains(&row["class"]), "{row}");
        assert!(row["executions"].as_u64() >= Some(1) && !word(&row, "repro").is_empty(), "{row}");
    }
}

#[test]
fn an_equivalent_mutant_stays_silent() {
    let run = faults(&["E1", "--engine", "native", "--executions", "5000"]).code(0);
    let row = run.only("fault");
    assert_eq!((&row["found"], &row["as_expected"]), (&false.into(), &true.into()), "{row}");
    assert_eq!(row["executions"], 5000);
}

#[test]
fn a_name_that_no_target_knows_is_refused() {
    let run = faults(&["F99", "--engine", "native"]).code(1);
    assert!(run.stderr.contains("no target has a mutant F99"), "{}", run.stderr);
}

#[test]
fn every_mutant_that_is_not_equivalent_has_a_repro_in_the_corpus() {
    let corpus: Vec<String> = corpus().iter().map(|path| read(path)).collect();
    for mutant in listed() {
        let classes = mutant["classes"].as_array().unwrap();
        if classes.is_empty() {
            continue;
        }
        let line = format!("mutant = \"{}\"\n", word(&mutant, "name"));
        let repro = corpus.iter().find(|text| text.contains(&line));
        let repro = repro.unwrap_or_else(|| panic!("{mutant} has no repro"));
        let shown = |c: &Value| repro.contains(&format!("class = \"{}\"\n", c.as_str().unwrap()));
        assert!(classes.iter().any(shown), "{mutant}\n{repro}");
    }
}
