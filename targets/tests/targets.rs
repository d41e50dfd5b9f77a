//! What all targets have in common.

use std::collections::BTreeSet;

use toml::de::DeTable;

const MANIFEST: &str = include_str!("../Cargo.toml");

/// The targets that `cargo mapcheck` expects of this package.
fn declared() -> Vec<String> {
    let manifest = DeTable::parse(MANIFEST).unwrap();
    let package = manifest.get_ref().get("package").unwrap().get_ref();
    let targets = package["metadata"].get_ref()["mapcheck"].get_ref()["targets"].get_ref();
    let names = targets.as_array().unwrap().iter();
    names.map(|name| name.get_ref().as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_targets_are_those_that_the_manifest_declares_and_no_name_is_there_twice() {
    let names: Vec<&str> = mapcheck_targets::all().iter().map(|target| target.name).collect();
    assert_eq!(names, declared());
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}

#[test]
fn every_adapter_does_on_one_thread_what_the_trait_asks_for() {
    for target in mapcheck_targets::all() {
        assert_eq!((target.self_check)(), Ok(()), "{}", target.name);
    }
}

#[test]
fn every_built_in_scenario_runs_on_every_target() {
    for target in mapcheck_targets::all() {
        for scenario in target.scenarios(0, Vec::new()) {
            if target.name == "flurry" && scenario.elements {
                // Outside of an execution its `from_iter` writes to freed memory of this process.
                continue;
            }
            println!("{} {}", target.name, scenario.name);
            (target.run)(&scenario);
        }
    }
}

#[test]
fn every_target_tells_its_crate_and_version_first() {
    for target in mapcheck_targets::all() {
        let versions = target.versions();
        let crate_and_version = versions.split(", ").next().unwrap();
        match crate_and_version.split_once(' ') {
            Some((krate, version)) => {
                assert!(target.name.starts_with(krate), "{versions}");
                assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{versions}");
            }
            // std is of the compiler's version, which is in no lock file; models are of no version but this one.
            None if target.name == "rwlock-hashmap" => assert_eq!(versions, "std"),
            None => assert_eq!(versions, "mapcheck-targets", "{}", target.name),
        }
    }
}

#[test]
fn every_profile_says_where_its_contract_is_promised() {
    for target in mapcheck_targets::all() {
        assert!(!(target.profile)().promised_by.is_empty(), "{}", target.name);
    }
}
