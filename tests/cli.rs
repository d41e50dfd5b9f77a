//! The command line, as a user sees it: what it prints, in which form, and what it ends with.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use mapcheck_tests::{
    Run, TempDir, binary, keys, mapcheck, mapcheck_in, read, root, runner, subject, tempdir,
};
use serde_json::Value;

fn run(args: &[&str]) -> Run {
    // Two runs at one time do not share a directory.
    let out = tempdir().unwrap();
    Run::of(mapcheck(root(), args).env("MAPCHECK_OUT", out.path()))
}

/// `check` of a correct map, in JSON, with these settings more.
fn dashmap(more: &[&str]) -> Run {
    run(&[&["check", "dashmap", "--format", "json"], more].concat())
}

/// A run of the subject `broken`.
fn broken(args: &[&str]) -> Run {
    Run::of(&mut mapcheck_in(&subject("broken"), args))
}

/// The folder and the path of the repro of a finding, made once for all tests.
fn repro() -> &'static Path {
    static MADE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let out = tempdir().unwrap();
        let dir = out.path().to_str().unwrap();
        let run = broken(&["check", "use-after-free", "--format", "json", "--out", dir]).code(2);
        let path = run.only("finding")["repro"].as_str().unwrap().into();
        (out, path)
    });
    &made.1
}

/// What `replay` says of the repro with another text in it.
fn replay_of(edit: impl Fn(String) -> String) -> Run {
    let dir = tempdir().unwrap();
    let path = dir.path().join("edited.toml");
    fs::write(&path, edit(read(repro()))).unwrap();
    broken(&["replay", path.to_str().unwrap()])
}

fn counts(summary: &Value) -> Vec<u64> {
    let count = |key: &str| summary[key].as_u64().unwrap();
    ["executions", "schedule_points", "switches", "findings"].map(count).to_vec()
}

/// No part of what a run prints may be for a terminal, as there is none, and it must fit the screen.
#[track_caller]
fn is_plain(run: &Run) {
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.contains('\x1b') && !text.contains('\r'), "escapes in:\n{text}");
    }
    assert_eq!(mapcheck_tests::wide(&run.stdout), Vec::<&str>::new(), "wider than 100 columns");
}

#[test]
fn list_tells_targets_families_faults_and_schedulers_in_text() {
    let run = run(&["list"]).code(0);
    is_plain(&run);
    for word in ["dashmap", "flurry@0.4.0", "delete-unvisited", "address-reuse", "pct"] {
        assert!(run.stdout.contains(&format!("\n  {word}")), "{word}:\n{}", run.stdout);
    }
    for title in ["targets:", "scenario families:", "faults:", "schedulers:", "known-bad targets"] {
        assert!(run.stdout.contains(title), "{title}");
    }
}

#[test]
fn list_tells_the_same_in_json_one_object_a_line() {
    let run = run(&["list", "--format", "json"]).code(0);
    let lines = run.stdout.lines().count();
    assert_eq!(run.json().len(), lines, "every line is an object:\n{}", run.stdout);
    let targets = run.of_type("target");
    for wanted in ["dashmap", "papaya", "scc-hashmap", "flurry", "rwlock-hashmap"] {
        assert!(targets.iter().any(|t| t["target"] == wanted), "{wanted}");
    }
    // Of those that are built only when they are named, no more than that is known.
    let built: Vec<_> = targets.iter().filter(|t| t["runner"].is_null()).collect();
    assert!(built.len() > 10, "{}", built.len());
    for target in built {
        for key in [
            "versions",
            "iteration",
            "promised_by",
            "consistency",
            "atomic",
            "capabilities",
            "excludes",
            "scenarios",
            "knobs",
        ] {
            assert!(keys(target).contains(&key), "{key} of {target}");
        }
    }
    let bad: Vec<_> = targets.iter().filter(|t| t["known_bad"] == true).collect();
    assert_eq!(bad.len(), 5);
    for kind in ["family", "fault-kind", "scheduler"] {
        assert!(!run.of_type(kind).is_empty(), "{kind}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_failure_of_who_lists() {
    let mut list = mapcheck(root(), ["list"]);
    let mut listing = list.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(listing.stdout.take());
    let ended = listing.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.success(), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_check_that_finds_nothing_says_so_and_ends_with_0() {
    let run = run(&["check", "dashmap", "--executions", "300"]).code(0);
    is_plain(&run);
    assert!(run.stdout.starts_with("checked dashmap: 300 executions, "), "{}", run.stdout);
    assert!(run.stdout.ends_with("; nothing found\n"), "{}", run.stdout);
}

#[test]
fn a_check_that_finds_something_tells_it_plainly_and_ends_with_2() {
    let out = tempdir().unwrap();
    let dir = out.path().to_str().unwrap();
    let run = broken(&["check", "use-after-free", "--out", dir]).code(2);
    is_plain(&run);
    assert!(run.stdout.starts_with("error[premature-reclamation]: "), "{}", run.stdout);
    let replay = run.stdout.lines().find_map(|l| l.strip_prefix("replay: cargo mapcheck replay "));
    assert!(Path::new(replay.unwrap()).is_file(), "{}", run.stdout);
}

#[test]
fn a_finding_and_a_summary_have_the_keys_that_are_promised() {
    let out = tempdir().unwrap();
    let dir = out.path().to_str().unwrap();
    let run = broken(&["check", "use-after-free", "--format", "json", "--out", dir]).code(2);
    let told = run.of_type("family").len() + 2;
    assert_eq!(run.stdout.lines().count(), told, "one finding, one summary:\n{}", run.stdout);
    let (finding, summary) = (run.only("finding"), run.only("summary"));
    for key in [
        "target",
        "scenario",
        "class",
        "site",
        "repro",
        "execution",
        "cpu_ms",
        "threads",
        "operations",
        "preemptions",
        "waits",
    ] {
        assert!(keys(&finding).contains(&key), "{key}");
    }
    let of_families = run.of_type("family");
    let executed = |family: &serde_json::Value| family["executions"].as_u64().unwrap();
    assert_eq!(of_families.iter().map(executed).sum::<u64>(), summary["executions"]);
    let wanted = [
        "type",
        "targets",
        "executions",
        "schedule_points",
        "switches",
        "cpu_ms",
        "wall_ms",
        "findings",
        "known",
        "accepted_races",
        "exhausted",
        "interrupted",
    ];
    assert_eq!(keys(&summary), wanted);
    assert_eq!(run.json().last(), Some(&summary), "the summary comes last");
    assert!(Path::new(finding["repro"].as_str().unwrap()).is_file());
}

#[test]
fn a_number_of_executions_is_kept_to() {
    for n in ["1", "17", "1234"] {
        let summary = dashmap(&["--executions", n]).code(0).only("summary");
        assert_eq!(summary["executions"].to_string(), n);
    }
}

#[test]
fn the_same_seed_explores_the_same_executions_and_another_seed_others() {
    let of = |seed| counts(&dashmap(&["--executions", "2000", "--seed", seed]).only("summary"));
    assert_eq!(of("7"), of("7"));
    assert_ne!(of("7"), of("8"));
}

#[test]
fn how_many_workers_there_are_makes_no_difference() {
    let of = |workers| {
        let args = ["check", "lock-free-map", "--executions", "3000", "--format", "json"];
        counts(&run(&[&args[..], &["--workers", workers]].concat()).code(0).only("summary"))
    };
    assert_eq!(of("1"), of("3"));
}

#[test]
fn the_same_seed_tells_the_same_finding() {
    let of = || {
        let out = tempdir().unwrap();
        let dir = out.path().to_str().unwrap();
        let args = ["check", "use-after-free", "--seed", "5", "--format", "json", "--out", dir];
        let mut finding = broken(&args).code(2).only("finding");
        let repro = read(Path::new(finding["repro"].as_str().unwrap()));
        for key in ["repro", "cpu_ms"] {
            finding.as_object_mut().unwrap().remove(key);
        }
        (finding, repro)
    };
    assert_eq!(of(), of());
}

#[test]
fn shards_share_out_the_executions_and_leave_none_out() {
    let of = |shard: &[&str]| {
        counts(&dashmap(&[&["--executions", "3000"], shard].concat()).only("summary"))
    };
    let (first, second) = (of(&["--shard", "1/2"]), of(&["--shard", "2/2"]));
    // Which scenarios the last executions go to is each shard's own affair.
    assert_eq!(first[0] + second[0], of(&[])[0]);
    assert!(first[0] > 0 && second[0] > 0);
}

#[test]
fn a_time_ends_a_run() {
    let summary = dashmap(&["--time", "300ms"]).code(0).only("summary");
    let wall = summary["wall_ms"].as_u64().unwrap();
    assert!((300..3000).contains(&wall), "{wall} ms");
    assert!(summary["executions"].as_u64() > Some(0));
}

#[test]
fn a_time_that_ends_before_the_executions_asked_for_ends_with_3() {
    let run = dashmap(&["--executions", "1000000000", "--time", "1s"]).code(3);
    assert_eq!(run.only("summary")["findings"], 0);
}

#[test]
fn a_bound_of_0_leaves_no_preemption() {
    let bounded = dashmap(&["--executions", "2000", "--bound", "0"]).code(0).only("summary");
    let free = dashmap(&["--executions", "2000"]).code(0).only("summary");
    assert_eq!(bounded["executions"], 2000);
    assert!(bounded["switches"].as_u64() < free["switches"].as_u64(), "{bounded}\n{free}");
}

#[test]
fn every_fault_and_scheduler_that_is_listed_can_be_asked_for() {
    let list = run(&["list", "--format", "json"]).code(0);
    let ways = list.of_type("fault-kind").into_iter().map(|f| ("--fault", f));
    for (flag, object) in
        ways.chain(list.of_type("scheduler").into_iter().map(|s| ("--scheduler", s)))
    {
        let name = object["name"].as_str().unwrap();
        let run = run(&["check", "rwlock-hashmap", "--executions", "200", flag, name]);
        // So few executions exhaust nothing.
        let covers = name.starts_with("exhaustive") || name == "each-fault";
        let expected = if covers { 3 } else { 0 };
        assert_eq!(run.code, expected, "{flag} {name}: {}", run.stderr);
    }
}

#[test]
fn an_exhaustive_search_says_what_it_has_covered() {
    let scenario = root().join("docs/exhaustive/two-by-two.toml");
    let scenario = scenario.to_str().unwrap();
    let args = ["check", "rwlock-hashmap", "--scheduler", "exhaustive", "--scenario", scenario];
    let of = |bound: &str, more: &[&str]| {
        run(&[&args[..], &["--bound", bound, "--format", "json"], more].concat())
    };
    let all = of("2", &[]).code(0);
    let covered = all.only("coverage");
    assert_eq!((&covered["complete"], &covered["bound"]), (&true.into(), &2.into()), "{covered}");
    assert_eq!(all.only("summary")["exhausted"], true);
    // Fewer preemptions, fewer executions; and no claim where the executions asked for did not suffice.
    let fewer = of("1", &[]).code(0).only("coverage");
    assert!(fewer["executions"].as_u64() < covered["executions"].as_u64(), "{fewer} {covered}");
    let part = of("2", &["--executions", "100"]).code(3);
    assert_eq!(part.only("coverage")["complete"], false);
    assert_eq!(part.only("summary")["exhausted"], false);
    assert_eq!(part.only("summary")["executions"], 100);
}

#[test]
fn a_scenario_can_be_picked_by_its_name_or_its_family() {
    let run = dashmap(&["--executions", "200", "--scenario", "bulk-build"]).code(0);
    assert_eq!(run.only("summary")["executions"], 200);
    dashmap(&["--executions", "20", "--scenario", "delete-visited/at/grow-during"]).code(0);
}

#[test]
fn an_unknown_target_is_refused_with_its_neighbour() {
    let run = run(&["check", "dashmp"]).code(1);
    is_plain(&run);
    run.says(&["error: there is no target `dashmp`", "did you mean `dashmap`"]);
}

#[test]
fn an_unknown_flag_command_or_number_is_refused() {
    run(&["check", "dashmap", "--frob"]).code(1).says(&["error: ", "--frob", "Usage: "]);
    run(&["frob"]).code(1).says(&["error: ", "frob"]);
    run(&["check"]).code(1).says(&["<TARGET>"]);
    run(&["check", "dashmap", "--seed", "x"]).code(1).says(&["--seed"]);
    run(&["check", "dashmap", "--time", "30"]).code(1).says(&["--time", "such as 30s"]);
    run(&["check", "dashmap", "--format", "yaml"]).code(1).says(&["[possible values: text, json]"]);
}

#[test]
fn an_unknown_scheduler_fault_scenario_or_engine_is_refused_with_those_there_are() {
    let refused = |flag, value, words: &[&str]| {
        run(&["check", "dashmap", flag, value]).code(1).says(words);
    };
    refused("--scheduler", "fair", &["--scheduler", "`fair`", "random, pct, pos"]);
    refused("--fault", "rain", &["--fault", "`rain`", "address-reuse"]);
    refused("--scenario", "nope", &["dashmap has no scenario `nope`"]);
    refused("--engine", "warp", &["`warp` is no engine", "native, shuttle, loom"]);
    refused("--shard", "9/8", &["--shard", "`9/8`", "2/8"]);
    refused("--threads", "0", &["--threads", "between 1 and 64"]);
}

#[test]
fn a_complaint_is_one_sentence_and_no_summary_follows() {
    for (flag, value) in [("--fault", "rain"), ("--scheduler", "fair"), ("--scenario", "nope")] {
        let run = run(&["check", "dashmap", flag, value]).code(1);
        assert_eq!(run.stdout, "", "nothing was checked");
        let errors: Vec<&str> = run.stderr.lines().filter(|l| l.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].matches(value).count(), 1, "the value is said once: {}", errors[0]);
    }
}

#[test]
fn a_repro_that_is_missing_is_named() {
    run(&["replay", "/no/such/repro.toml"])
        .code(1)
        .says(&["error: /no/such/repro.toml does not exist"]);
}

#[test]
fn a_repro_replays_and_one_that_is_truncated_is_refused() {
    assert!(
        broken(&["replay", repro().to_str().unwrap()]).code(2).stdout.contains("the same finding")
    );
    let whole = read(repro());
    for part in [0, 1, 2, 5, 9] {
        let end = whole.len() * part / 10;
        let run = replay_of(|text| text[..end].to_owned()).code(1);
        is_plain(&run);
        run.says(&["edited.toml is not a repro, or only a part of one"]);
    }
}

#[test]
fn a_repro_of_a_newer_format_is_refused_as_such() {
    let run = replay_of(|text| text.replace("format = 1", "format = 2")).code(1);
    run.says(&["has format 2, and this mapcheck reads up to 1"]);
}

#[test]
fn a_repro_of_another_version_of_the_map_is_refused_with_both() {
    let run = replay_of(|text| text.replace("versions = \"std", "versions = \"hashbrown 0.1.0"));
    run.code(1).says(&["was made with hashbrown 0.1.0, and this build has std", "lock file"]);
}

#[test]
fn a_repro_of_a_target_that_is_gone_is_refused_with_its_name() {
    let run = replay_of(|text| text.replace("target = \"use-after-free\"", "target = \"gone\""));
    run.code(1).says(&["no target `gone`"]);
}

#[test]
fn a_folder_that_is_no_workspace_is_told_from_a_target_that_is_missing() {
    let dir = tempdir().unwrap();
    let run = Run::of(&mut mapcheck(dir.path(), ["check", "dashmap"])).code(1);
    run.says(&[
        "error: cargo cannot read this workspace",
        "help: run the command inside a cargo workspace",
    ]);
}

#[test]
fn a_crate_without_targets_is_told_what_to_do() {
    let dir = tempdir().unwrap();
    fs::create_dir(dir.path().join("src")).unwrap();
    fs::write(dir.path().join("src/lib.rs"), "").unwrap();
    let manifest =
        "[package]\nname = \"plain\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(dir.path().join("Cargo.toml"), manifest).unwrap();
    let run = Run::of(&mut mapcheck_in(dir.path(), ["check", "plain"])).code(1);
    run.says(&["declares mapcheck targets", "cargo mapcheck test"]);
}

/// The main file of a runner of one correct map, and something before it.
fn main_with(before: &str) -> String {
    let map = read(&subject("broken").join("src/map.rs"));
    let map = map.replace("//! ", "// ").replace("crate::bugs::None", "NoBug");
    let end = map.find("/// An adapter whose `get`").unwrap();
    format!(
        "{before}\n{}\nstruct NoBug;\nimpl Bug for NoBug {{}}\nfn main() -> std::process::ExitCode {{\n    \
         mapcheck::runner::main(&[mapcheck::Target::of::<Broken<NoBug>>(\"own\", \"std\", \"\")])\n}}\n",
        &map[..end]
    )
}

#[test]
fn a_runner_in_a_crate_of_its_own_is_found_built_and_run() {
    let dir = runner("own-found", &main_with(""));
    let run = Run::of(&mut mapcheck_in(dir.path(), ["check", "own", "--executions", "50"])).code(0);
    assert!(run.stdout.starts_with("checked own: 50 executions"), "{}", run.stdout);
}

#[test]
fn a_target_that_does_not_compile_is_told_from_a_finding() {
    let dir = runner("own-wrong", &main_with("fn wrong() -> u32 { \"text\" }"));
    let run = Run::of(&mut mapcheck_in(dir.path(), ["check", "own"])).code(1);
    is_plain(&run);
    run.says(&["mismatched types", "error: target `own` does not build"]);
}

#[test]
fn a_crate_with_an_allocator_of_its_own_is_told_why_it_cannot_be_checked() {
    let own = "#[global_allocator]\nstatic OWN: std::alloc::System = std::alloc::System;";
    let dir = runner("own-allocator", &main_with(own));
    let run = Run::of(&mut mapcheck_in(dir.path(), ["check", "own"])).code(1);
    run.says(&[
        "has its own #[global_allocator]",
        "help: put it behind #[cfg(not(test))] or a feature",
    ]);
}

#[test]
fn a_rustc_wrapper_of_the_user_s_own_is_run_inside_mapcheck_s() {
    let dir = runner("own-wrapped", &main_with(""));
    let wrapper = dir.path().join("wrapper.sh");
    let log = dir.path().join("log");
    let script = format!("#!/bin/sh\necho \"$@\" >> {}\nexec \"$@\"\n", log.display());
    fs::write(&wrapper, script).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(dir.path().join(".cargo")).unwrap();
    let config = "[build]\nrustc-wrapper = \"./wrapper.sh\"\n";
    fs::write(dir.path().join(".cargo/config.toml"), config).unwrap();
    let run = Run::of(&mut mapcheck_in(dir.path(), ["check", "own", "--executions", "50"])).code(0);
    run.says(&["note: running the crate's own rustc wrapper", "wrapper.sh"]);
    let log = read(&log);
    let own = log.lines().find(|l| l.contains("--crate-name own_wrapped")).unwrap();
    assert!(own.contains("sancov-module"), "the wrapper gets the instrumented call:\n{own}");
}

#[test]
fn a_finding_is_told_though_its_repro_cannot_be_written() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("a-file");
    fs::write(&file, "").unwrap();
    let out = file.join("out");
    let run = broken(&["check", "use-after-free", "--out", out.to_str().unwrap()]).code(2);
    for words in ["error[premature-reclamation]", "could not be written", "replay: not possible"] {
        assert!(run.stdout.contains(words), "{words}:\n{}", run.stdout);
    }
}

#[test]
fn help_and_version_go_to_stdout_and_fit_the_screen() {
    for args in [
        &["--help"][..],
        &["check", "--help"],
        &["replay", "--help"],
        &["explain", "--help"],
        &["--version"],
    ] {
        let run = run(args).code(0);
        is_plain(&run);
        assert!(!run.stdout.is_empty() && run.stderr.is_empty(), "{args:?}");
    }
    for command in ["list", "check", "test", "replay", "explain", "shrink"] {
        assert!(run(&["--help"]).stdout.contains(command), "{command}");
    }
}

#[test]
fn it_does_not_matter_whether_cargo_or_the_user_starts_it() {
    let direct = Run::of(std::process::Command::new(binary()).arg("--version"));
    assert_eq!(direct.code(0).stdout, run(&["--version"]).code(0).stdout);
}

#[test]
fn no_command_leaves_a_file_in_the_checkout_beside_its_output() {
    let out = tempdir().unwrap();
    let dir = out.path().to_str().unwrap();
    broken(&["check", "use-after-free", "--out", dir]).code(2);
    assert!(
        !subject("broken").join("target").exists()
            && !subject("broken").join("mapcheck.out").exists()
    );
}
