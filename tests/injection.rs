//! Each fault has a map with a mistake that it alone exposes, and a twin without the mistake that survives it:
//! `subjects/faults`. With `MAPCHECK_PRINT_TABLE` set, the table of `docs/injection.md` is printed.

use std::collections::BTreeSet;

use mapcheck_tests::{Run, mapcheck, mapcheck_in, read, root, subject, tempdir};
use serde_json::Value;

/// A fault, and what is found with it in the map of its name.
struct Subject {
    fault: &'static str,
    /// The word of its decisions.
    word: &'static str,
    classes: &'static [&'static str],
    /// With which scenarios; all for none. Where drawn ones do by themselves what the fault forces, it is others.
    scenarios: &'static str,
}

const fn subject_of(
    fault: &'static str,
    word: &'static str,
    classes: &'static [&'static str],
) -> Subject {
    Subject { fault, word, classes, scenarios: "" }
}

/// A subject for scenarios in whose threads nothing reserves, shrinks or reclaims.
const fn forced(fault: &'static str) -> Subject {
    let classes = &["premature-reclamation"];
    Subject { fault, word: "force", classes, scenarios: INSERTS_ALONE }
}

const SUBJECTS: [Subject; 16] = [
    subject_of("address-reuse", "reuse", &["ghost-element", "not-linearizable"]),
    subject_of("hash-collisions", "data", &["not-linearizable"]),
    subject_of("panic-in-hash", "panic", &["missed-element", "not-linearizable"]),
    subject_of("panic-in-eq", "panic", &["deadlock"]),
    subject_of("panic-in-clone", "panic", &["double-free", "premature-reclamation"]),
    subject_of("panic-in-drop", "panic", &["double-free", "premature-reclamation"]),
    subject_of("panic-in-visitor", "panic", &["missed-element", "not-linearizable"]),
    subject_of("allocation-failure", "allocation", &["crash"]),
    subject_of("minimal-alignment", "alignment", &["out-of-bounds"]),
    subject_of("spurious-wake", "wake", &["ghost-element", "not-linearizable"]),
    subject_of("stalled-thread", "stall", &["livelock"]),
    forced("forced-growth"),
    forced("forced-shrink"),
    forced("forced-reclaim"),
    subject_of("delayed-reclamation", "delay", &["leak"]),
    subject_of("thread-exit", "exit", &["panic"]),
];

/// Faults whose subject is no crate of Rust alone, and where it is.
const ELSEWHERE: [(&str, &str); 2] =
    [("weak-cas-failure", "targets/c"), ("dropped-future", "tests/futures.rs")];

/// Executions within which a mistake is found, of a twin that survives, and without the fault.
const EXECUTIONS: &str = "2000";
/// The scenario that leaves it to the fault to do anything but insert and iterate.
const INSERTS_ALONE: &str = "concurrent-growth/iterated";
/// And with it.
const MORE_EXECUTIONS: &str = "8000";

/// The fault that shrinking leaves out, with the reclamation that is put off: so its finding is not shrunk.
const UNSHRUNK: &str = "delayed-reclamation";

fn faults_crate(args: &[&str]) -> Run {
    let shrink = if args.ends_with(&["--fault", UNSHRUNK]) { "0" } else { "1" };
    Run::of(mapcheck_in(&subject("faults"), args).env("MAPCHECK_SHRINK", shrink))
}

/// Checks targets with these faults and the scenarios of a subject.
fn check(targets: &[&str], faults: &[&str], scenarios: &str) -> Run {
    let out = tempdir().unwrap();
    let out = out.path().to_str().unwrap();
    check_into(out, targets, faults, scenarios)
}

fn check_into(out: &str, targets: &[&str], faults: &[&str], scenarios: &str) -> Run {
    let executions = if scenarios.is_empty() { EXECUTIONS } else { MORE_EXECUTIONS };
    let mut args = vec!["check", "--format", "json", "--executions", executions, "--out", out];
    args.extend(targets);
    args.extend(faults.iter().flat_map(|fault| ["--fault", fault]));
    if !scenarios.is_empty() {
        args.extend(["--scenario", scenarios]);
    }
    faults_crate(&args)
}

fn all_faults() -> Vec<&'static str> {
    SUBJECTS.iter().map(|s| s.fault).chain(ELSEWHERE.iter().map(|e| e.0)).collect()
}

/// The decisions of a repro.
fn decisions(repro: &str) -> Vec<String> {
    let line = repro.lines().find_map(|line| line.strip_prefix("decisions = "));
    let line = line.unwrap_or_else(|| panic!("no decisions in\n{repro}"));
    line.trim_matches('"').split_whitespace().map(str::to_owned).collect()
}

/// What the table says of a finding.
fn row(subject: &Subject, finding: &Value, decisions: &[String], injected: usize) -> String {
    let Subject { fault, word, scenarios, .. } = subject;
    let executions = finding["execution"].as_u64().unwrap() + 1;
    let (class, others) = (finding["class"].as_str().unwrap(), decisions.len() - injected);
    let scenarios = if scenarios.is_empty() { "all" } else { scenarios };
    format!(
        "| {fault} | `{word}:` | {scenarios} | {class} | {executions} | {injected} | {others} |"
    )
}

/// Finds the mistake of a subject with its fault, and replays it: the row of the table.
fn expose(subject: &Subject) -> String {
    let Subject { fault, word, classes, scenarios } = subject;
    let out = tempdir().unwrap();
    let twin = format!("{fault}-right");
    let dir = out.path().to_str().unwrap();
    let run = check_into(dir, &[fault, &twin], &[fault], scenarios).code(2);
    let finding = run.only("finding");
    assert_eq!(finding["target"], *fault, "{finding}");
    let class = finding["class"].as_str().unwrap();
    assert!(classes.contains(&class), "{fault}: {finding}");
    let repro = finding["repro"].as_str().unwrap();
    let decisions = decisions(&read(repro.as_ref()));
    let injected = decisions.iter().filter(|d| d.starts_with(&format!("{word}:"))).count();
    let most = if *fault == UNSHRUNK { decisions.len() } else { 3 };
    assert!((1..=most).contains(&injected), "{fault}: {decisions:?}");
    let replayed = faults_crate(&["replay", "--times", "3", repro]).code(2);
    assert!(replayed.stdout.contains("the same finding"), "{fault}: {}", replayed.stdout);
    row(subject, &finding, &decisions, injected)
}

#[test]
fn every_fault_exposes_its_subject_and_not_the_twin_and_the_finding_replays() {
    let rows: Vec<String> = SUBJECTS.iter().map(expose).collect();
    if std::env::var_os("MAPCHECK_PRINT_TABLE").is_some() {
        println!("{}", rows.join("\n"));
    }
    let documented = read(&root().join("docs/injection.md"));
    for row in &rows {
        let cells: Vec<&str> = row.split(" | ").collect();
        // What is found first may be of another class when schedule points move.
        assert!(documented.contains(&cells[..3].join(" | ")), "{row} is not in docs/injection.md");
    }
}

#[test]
fn that_reclamation_stops_beside_a_stalled_thread_is_found_where_it_must_not() {
    let targets = ["stalled-reclamation", "stalled-reclamation-right"];
    let finding = check(&targets, &["stalled-thread"], "").code(2).only("finding");
    assert_eq!((&finding["target"], &finding["class"]), (&targets[0].into(), &"leak".into()));
    check(&targets, &[], "").code(0);
}

#[test]
fn without_its_fault_nothing_is_found_in_a_subject() {
    for scenarios in ["", INSERTS_ALONE] {
        let of = SUBJECTS.iter().filter(|s| s.scenarios == scenarios);
        let targets: Vec<&str> = of.map(|s| s.fault).collect();
        let run = check(&targets, &[], scenarios).code(0);
        let least = 2000 * targets.len() as u64;
        assert!(run.only("summary")["executions"].as_u64() >= Some(least), "{scenarios}");
    }
}

#[test]
fn all_other_faults_together_expose_nothing_in_a_subject() {
    for Subject { fault, scenarios, .. } in &SUBJECTS {
        let others: Vec<&str> = all_faults().into_iter().filter(|other| other != fault).collect();
        let run = check(&[fault], &others, scenarios).code(0);
        assert!(run.only("summary")["executions"].as_u64() >= Some(2000), "{fault}");
    }
}

#[test]
fn a_map_in_c_shows_what_its_mutants_need_a_fault_for_with_that_fault_alone() {
    let check = |faults: &[&str]| {
        let out = tempdir().unwrap();
        let out = out.path().to_str().unwrap();
        let mut args = vec!["check", "c-map", "--format", "json", "--out", out];
        args.extend(["--executions", EXECUTIONS]);
        args.extend(faults.iter().flat_map(|fault| ["--fault", fault]));
        Run::of(&mut mapcheck(root(), args))
    };
    for (mutant, fault) in [("C3", "weak-cas-failure"), ("C4", "allocation-failure")] {
        check(&[mutant, fault]).code(2);
        let others: Vec<&str> = all_faults().into_iter().filter(|other| *other != fault).collect();
        check(&[&[mutant], &others[..]].concat()).code(0);
        check(&[fault]).code(0);
    }
}

#[test]
fn the_twins_survive_all_faults_together() {
    let twins: Vec<String> = SUBJECTS.iter().map(|s| format!("{}-right", s.fault)).collect();
    let twins: Vec<&str> = twins.iter().map(String::as_str).collect();
    check(&twins, &all_faults(), "").code(0);
}

#[test]
fn every_fault_that_there_is_has_a_subject() {
    let listed = faults_crate(&["list", "--format", "json"]).code(0).of_type("fault-kind");
    let listed: BTreeSet<&str> = listed.iter().map(|f| f["name"].as_str().unwrap()).collect();
    assert_eq!(all_faults().into_iter().collect::<BTreeSet<_>>(), listed);
    // Only these two are not of `subjects/faults`.
    for (fault, place) in ELSEWHERE {
        assert!(root().join(place).exists(), "{fault}: {place} is not there");
    }
}
