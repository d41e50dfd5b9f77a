//! Whatever a map does, the run goes on: each broken map of `tests/subjects/broken` is told for what it is.

use mapcheck_tests::{Run, keys, mapcheck_in, subject, tempdir};

/// The broken maps and the class of what is found in each, with a word of the message.
const FINDINGS: [(&str, &str, &str); 17] = [
    ("segfault", "crash", "a segmentation fault at address 0x8"),
    ("abort", "crash", "an abort"),
    ("stack-overflow", "crash", "the stack of a thread overflowed"),
    ("endless-loop", "livelock", "computed for seconds without a schedule point"),
    ("endless-spin", "livelock", "in `remove 0` did not complete within 100,000 schedule points"),
    ("memory-hog", "leak", "still live"),
    ("exit", "crash", "exited with code 0 in mid-execution"),
    ("panic-in-insert", "panic", "key 0 is not welcome"),
    ("deadlock", "deadlock", "waits for a lock that it took itself"),
    ("double-free", "double-free", "a block of 48 bytes was freed again"),
    ("wrong-layout", "invalid-free", "freed 40 bytes aligned to 8 where 48 bytes"),
    ("redzone", "out-of-bounds", "wrote 8 bytes, 0 past a live block of 48 bytes"),
    ("use-after-free", "premature-reclamation", "read 8 bytes, 16 into a block of 48 bytes"),
    ("lost-block", "leak", "a block of 48 bytes that `remove "),
    ("lost-value", "leak", " had removed, was never dropped"),
    ("lost-key", "leak", "never dropped, although all memory was freed"),
    ("visitor-deadlock", "deadlock", "waits for a lock that it took itself"),
];

fn check(args: &[&str]) -> Run {
    check_as("json", args)
}

fn check_as(format: &str, args: &[&str]) -> Run {
    let out = tempdir().unwrap();
    let mut command = mapcheck_in(&subject("broken"), ["check", "--format", format, "--out"]);
    Run::of(command.arg(out.path()).args(["--executions", "200"]).args(args))
}

#[test]
fn every_broken_map_is_told_for_what_it_is_and_the_run_goes_on_with_the_next() {
    let mut targets: Vec<&str> = FINDINGS.iter().map(|f| f.0).collect();
    targets.push("healthy");
    let run = check(&targets).code(2);
    let findings = run.of_type("finding");
    let told: Vec<(&str, &str)> = findings
        .iter()
        .map(|f| (f["target"].as_str().unwrap(), f["class"].as_str().unwrap()))
        .collect();
    let wanted: Vec<(&str, &str)> = FINDINGS.iter().map(|f| (f.0, f.1)).collect();
    assert_eq!(told, wanted);
    for (finding, (target, _, message)) in findings.iter().zip(FINDINGS) {
        let said = finding["message"].as_str().unwrap();
        assert!(said.contains(message), "{target}: {said}");
        assert_eq!(finding["execution"], 0, "{target}: its first execution shows it");
    }
    let summary = run.only("summary");
    assert_eq!(summary["targets"].as_array().unwrap().len(), targets.len());
    assert_eq!(summary["findings"], FINDINGS.len());
    assert!(summary["executions"].as_u64() >= Some(200), "the healthy map was checked last");
}

#[test]
fn the_site_of_a_finding_is_a_line_of_the_map_s_own() {
    let run = check(&["abort", "segfault", "deadlock", "use-after-free", "lost-block"]).code(2);
    for finding in run.of_type("finding") {
        let site = finding["site"].as_str().unwrap();
        assert!(site.starts_with("src/"), "{}: `{site}`", finding["target"]);
    }
}

#[test]
fn a_thread_that_outlives_the_map_is_no_finding_but_is_warned_of() {
    let run = check(&["orphan-thread", "healthy"]).code(0);
    let run =
        run.says(&["warning: orphan-thread: ", "while threads they had started still waited"]);
    assert_eq!(run.only("summary")["executions"], 400);
    assert_eq!(run.of_type("finding").len(), 0);
}

#[test]
fn an_adapter_that_lies_is_told_from_a_broken_map() {
    let run = check(&["liar"]).code(4).says(&["error: the adapter of liar is wrong: `get` "]);
    assert_eq!(run.of_type("finding").len(), 0);
}

#[test]
fn the_run_goes_on_after_an_adapter_that_lies() {
    let run = check(&["liar", "healthy", "use-after-free"]).code(4);
    let summary = run.only("summary");
    assert!(summary["executions"].as_u64() >= Some(200), "{summary}\n{}", run.stderr);
    assert_eq!(run.only("finding")["target"], "use-after-free");
}

#[test]
fn keeping_on_after_a_finding_finds_others_of_the_same_target() {
    let run = check(&["visitor-deadlock", "--keep-going"]).code(2);
    let sites: Vec<_> = run.of_type("finding").iter().map(|f| f["site"].clone()).collect();
    let mut distinct = sites.clone();
    distinct.dedup();
    assert_eq!(sites, distinct, "the same mistake is told once");
    assert!(keys(&run.only("summary")).contains(&"findings"));
}

#[test]
fn a_data_race_that_corrupts_nothing_is_told_with_both_its_sites() {
    let run = check_as("text", &["data-race"]).code(2);
    let report = &run.stdout;
    assert!(report.starts_with("error[data-race]: "), "{report}");
    let site = |what: &str| {
        let lines = report.lines().skip_while(|l| !l.starts_with(&format!("  {what} ")));
        lines.skip(1).take(2).collect::<String>()
    };
    let mut sites = ["read", "wrote"].map(site);
    sites.sort();
    assert!(sites.iter().all(|s| s.contains("bugs::count_a_write")), "{report}");
    assert!(sites.iter().any(|s| s.contains("Broken::remove")), "{report}");
    assert!(sites.iter().any(|s| s.contains("Broken::insert")), "{report}");
}

#[test]
fn an_accepted_data_race_is_counted_and_not_told() {
    let accepting = ["data-race", "--accept-race", "count_a_write"];
    let accepted = check(&accepting).code(0);
    assert_eq!(accepted.of_type("finding").len(), 0);
    let summary = accepted.only("summary");
    assert!(summary["accepted_races"].as_u64() > Some(0), "{summary}");
    assert_eq!(summary["executions"], 200, "the run goes on");

    let text = check_as("text", &accepting).code(0);
    assert!(text.stdout.contains(" accepted data race"), "{}", text.stdout);

    let other = check(&["data-race", "--accept-race", "another_function"]).code(2);
    assert_eq!(other.only("finding")["class"], "data-race");
    assert_eq!(other.only("summary")["accepted_races"], 0);
}
