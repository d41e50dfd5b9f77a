//! The known bugs of published maps are found, quickly and every time, and nothing is found in correct maps.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use mapcheck_tests::{Run, TempDir, files, mapcheck, read, root, tempdir};
use serde_json::Value;

fn run(args: &[&str]) -> Run {
    Run::of(&mut mapcheck(root(), args))
}

fn check(targets: &[&str], more: &[&str]) -> (Run, TempDir) {
    let out = tempdir().unwrap();
    let dir = out.path().to_str().unwrap();
    let run = run(&[&["check", "--format", "json", "--out", dir], targets, more].concat());
    (run, out)
}

/// As [`check`], without a search for leaks: some maps have those too, and much sooner.
fn check_without_leaks(targets: &[&str], more: &[&str]) -> (Run, TempDir) {
    check_without(&["LEAKS"], targets, more)
}

/// As [`check`], with some settings switched off.
fn check_without(off: &[&str], targets: &[&str], more: &[&str]) -> (Run, TempDir) {
    let out = tempdir().unwrap();
    let dir = out.path().to_str().unwrap();
    let args = [&["check", "--format", "json", "--out", dir], targets, more].concat();
    let off = off.iter().map(|name| (format!("MAPCHECK_{name}"), "0"));
    let run = Run::of(mapcheck(root(), &args).envs(off));
    (run, out)
}

/// The repros of flurry 0.4.0 and papaya 0.1.2, made once for all tests.
fn repros() -> &'static [PathBuf] {
    static MADE: OnceLock<(TempDir, Vec<PathBuf>)> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let (run, out) = check(&["flurry@0.4.0", "papaya@0.1.2"], &[]);
        let found = run.code(2).of_type("finding");
        assert_eq!(found.len(), 2);
        (out, found.iter().map(|f| f["repro"].as_str().unwrap().into()).collect())
    });
    &made.1
}

/// A replay of a finding.
#[track_caller]
fn run_of(finding: &Value) -> Run {
    run(&["replay", finding["repro"].as_str().unwrap()]).code(2)
}

/// Threads, operations and decisions of a repro, to compare two by.
fn size(path: &Path) -> (usize, usize, usize) {
    let text = read(path);
    let line = |key: &str| text.lines().find(|l| l.starts_with(key)).unwrap().to_owned();
    let threads = text.lines().filter(|l| l.starts_with("  [")).count();
    let operations = line("setup = ").matches('"').count()
        + line("teardown = ").matches('"').count()
        + text
            .lines()
            .filter(|l| l.starts_with("  ["))
            .map(|l| l.matches('"').count())
            .sum::<usize>();
    (threads, operations / 2, line("decisions = ").split(' ').count() - 2)
}

/// What a target is found to do wrong first, with each of ten seeds: all of them of one of these classes. Leaks and
/// races are not looked for, which may be of the same mistakes, and told first.
#[track_caller]
fn found_with_ten_seeds(target: &str, settings: &[&str], classes: &[&str]) -> Vec<Value> {
    let found = |seed: u32| {
        let seed = seed.to_string();
        let off = ["LEAKS", "RACES", "SHRINK"];
        let (run, _out) = check_without(&off, &[target], &[settings, &["--seed", &seed]].concat());
        let finding = run.code(2).only("finding");
        let class = finding["class"].as_str().unwrap();
        assert!(classes.contains(&class), "seed {seed}: {class}");
        finding
    };
    (0..10).map(found).collect()
}

#[test]
fn the_use_after_free_of_flurry_0_4_0_is_found_with_any_seed() {
    let found = found_with_ten_seeds("flurry@0.4.0", &[], &["premature-reclamation"]);
    assert_eq!(found.len(), 10);
}

#[test]
fn the_iterator_of_flurry_0_4_0_is_seen_to_read_freed_nodes_with_nine_seeds_of_ten() {
    let iterator = "flurry-0.4.0/src/iter/traverser.rs:";
    let found = |seed: u32| {
        let seed = seed.to_string();
        // With some seeds another of its mistakes comes first.
        let settings = ["--keep-going", "--executions", "40000", "--seed", &seed];
        let settings = [&["--scenario", "concurrent-write/at/grow-during"], &settings[..]].concat();
        let off = ["LEAKS", "RACES", "SHRINK"];
        let (run, out) = check_without(&off, &["flurry@0.4.0"], &settings);
        let site = |f: &Value| f["site"].as_str().is_some_and(|site| site.starts_with(iterator));
        run.of_type("finding").into_iter().find(site).map(|finding| (finding, out))
    };
    let found: Vec<_> = (0..10).filter_map(found).collect();
    assert!(found.len() >= 9, "with {} seeds of ten", found.len());
    let repro = found[0].0["repro"].as_str().unwrap();
    let replayed = run(&["replay", repro, "--times", "100"]).code(2).stdout;
    assert!(replayed.ends_with("replayed 100 times, each time: the same finding\n"), "{replayed}");
}

#[test]
fn the_use_after_free_of_papaya_0_1_2_is_found_with_any_seed() {
    for finding in found_with_ten_seeds("papaya@0.1.2", &[], &["premature-reclamation"]) {
        let site = finding["site"].as_str().unwrap();
        assert!(site.starts_with("papaya-0.1.2/src/"), "{site}");
    }
}

#[test]
fn an_iteration_of_leapfrog_0_3_3_is_found_wrong_with_any_seed() {
    let classes = ["duplicate-element", "missed-element"];
    for finding in found_with_ten_seeds("leapfrog@0.3.3", &[], &classes) {
        assert!(finding["execution"].as_u64() < Some(5000), "{finding}");
    }
}

/// It goes down the tree by pointers that a writer moves, and may crash before an iteration goes wrong. With keys that
/// collide it crashes more often, so that elements are seen to be missed with one seed of these.
#[test]
fn iterations_of_bplustree_0_1_0_repeat_elements_with_any_seed_and_miss_some() {
    let found_with = |seed: &str| {
        let settings = ["--keep-going", "--executions", "5000", "--seed", seed];
        // There are many, and none of them is to be read.
        let (run, _out) = check_without(&["SHRINK"], &["bplustree@0.1.0"], &settings);
        run.code(2).of_type("finding")
    };
    let found = ["0", "1"].map(found_with);
    let of = |found: &[Value], class: &str| found.iter().any(|f| f["class"] == class);
    assert!(found.iter().all(|found| of(found, "duplicate-element")), "{found:?}");
    assert!(found.iter().any(|found| of(found, "missed-element")), "{found:?}");
}

#[test]
fn the_lost_wakeup_of_papaya_0_2_4_is_found_with_any_seed() {
    let settings = ["--scenario", "concurrent-growth"];
    // An aborted resize leaks as well, which is told first.
    for seed in 0..10 {
        let seed = seed.to_string();
        let more = [&settings[..], &["--seed", &seed]].concat();
        let (run, _out) = check_without(&["SHRINK"], &["papaya@0.2.4"], &more);
        let found = run.code(2).of_type("finding");
        let finding = found.iter().find(|f| f["class"] == "deadlock").expect("a deadlock");
        assert_eq!(finding["site"], "papaya-0.2.4/src/raw/utils/parker.rs:80");
    }
}

#[test]
fn the_lost_wakeup_of_papaya_0_2_4_is_found_at_default_settings_and_not_in_0_2_5() {
    let (run, _out) = check(&["papaya@0.2.4"], &[]);
    let found = run.code(2).of_type("finding");
    assert!(found.iter().any(|f| f["class"] == "deadlock"), "{found:?}");
    let settings = ["--scenario", "concurrent-growth", "--executions", "5000"];
    let (run, _out) = check_without_leaks(&["papaya@blocking"], &settings);
    assert_eq!(run.code, 0, "{}{}", told(&run), run.stderr);
}

#[test]
fn a_deletion_beside_an_iteration_and_a_growth_breaks_flurry_0_4_0() {
    let settings = ["--scenario", "delete-unvisited"];
    let (run, _out) = check_without_leaks(&["flurry@0.4.0"], &settings);
    let finding = run.code(2).only("finding");
    assert_eq!(finding["class"], "premature-reclamation");
    assert!(finding["preemptions"].as_u64() > Some(0), "it takes a switch at the right time");
    let report = run_of(&finding).stdout;
    let freed = report.split("\n  freed ").nth(1).unwrap().split("\n  allocated ").next().unwrap();
    assert!(freed.contains("flurry-0.4.0/src/"), "the map freed what is read:\n{report}");
}

#[test]
fn a_repro_replays_a_hundred_times_out_of_a_hundred_with_the_same_report() {
    for path in repros() {
        let run = run(&["replay", path.to_str().unwrap(), "--times", "100"]).code(2);
        let last = run.stdout.lines().last().unwrap();
        assert_eq!(last, "replayed 100 times, each time: the same finding");
        assert!(run.stdout.starts_with("error[premature-reclamation]: "), "{}", run.stdout);
    }
}

#[test]
fn two_replays_print_the_same_bytes() {
    for path in repros() {
        let replay = || run(&["replay", path.to_str().unwrap()]).code(2).stdout;
        assert_eq!(replay(), replay());
    }
}

#[test]
fn a_repro_replays_from_any_folder_of_the_workspace() {
    let path = repros()[0].to_str().unwrap();
    let mut command = mapcheck(&root().join("framework/src"), ["replay", path]);
    assert_eq!(Run::of(&mut command).code(2).stdout, run(&["replay", path]).stdout);
}

#[test]
fn shrinking_takes_away_what_a_finding_does_not_need() {
    for path in repros() {
        let dir = tempdir().unwrap();
        let larger = dir.path().join("larger.toml");
        let text =
            read(path).replace("teardown = []", "teardown = [\"reclaim\", \"get 0\", \"len\"]");
        fs::write(&larger, text).unwrap();
        run(&["replay", larger.to_str().unwrap()]).code(2);
        let shrunk = || {
            let told = run(&["shrink", larger.to_str().unwrap()]).code(0).stdout;
            let path = told.lines().find_map(|l| l.strip_prefix("replay: cargo mapcheck replay "));
            let path = PathBuf::from(path.unwrap_or_else(|| panic!("{told}")));
            (read(&path), path)
        };
        let (text, smaller) = &shrunk();
        assert!(size(smaller) < size(&larger) && size(smaller) <= size(path), "{text}");
        fs::remove_file(smaller).unwrap();
        assert_eq!(shrunk().0, *text, "shrinking is deterministic");
        let replayed = run(&["replay", smaller.to_str().unwrap()]).code(2).stdout;
        assert!(replayed.ends_with("replayed once: the same finding\n"), "{replayed}");
    }
}

#[test]
fn a_repro_that_check_has_shrunk_is_a_fixed_point_of_shrinking() {
    for path in repros() {
        let told = run(&["shrink", path.to_str().unwrap()]).code(0).stdout;
        assert_eq!(told, "it does not get smaller\n", "{}", read(path));
        let replayed = run(&["replay", path.to_str().unwrap()]).code(2).stdout;
        assert!(replayed.ends_with("replayed once: the same finding\n"), "{replayed}");
    }
}

/// The names of the targets that are not known to be bad.
fn correct() -> Vec<String> {
    let list = run(&["list", "--format", "json"]).code(0).of_type("target");
    // Those of targets/apart have dependencies of their own, which take minutes to build: ci/ replays what they have.
    let correct = list.iter().filter(|t| t["known_bad"] == false && t["apart"] != true);
    correct.map(|t| t["target"].as_str().unwrap().to_owned()).collect()
}

/// What was found, with the repros, for the reader of a failed test.
fn told(run: &Run) -> String {
    let repro = |f: &Value| format!("{f}\n{}\n", read(Path::new(f["repro"].as_str().unwrap())));
    run.of_type("finding").iter().map(repro).collect()
}

/// Whether the corpus has a finding of this target at the same class and site.
fn is_known(finding: &Value) -> bool {
    let word = |key: &str| finding[key].as_str().unwrap();
    let lines = ["class", "site"].map(|key| format!("{key} = \"{}\"", word(key)));
    let in_corpus = |dir: &str| files(&root().join(dir).join(word("target")), ".toml");
    let repros = [in_corpus("corpus"), in_corpus("corpus/rejected")].concat();
    repros.iter().any(|repro| {
        let text = read(repro);
        lines.iter().all(|line| text.lines().any(|l| l == line))
    })
}

/// All oracles are on. What is known to be wrong in a current release is in the corpus.
#[test]
fn nothing_new_is_found_in_100_000_executions_of_correct_maps_and_models() {
    let names = correct();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert!(names.len() >= 7);
    let each = 100_000_usize.div_ceil(names.len()).to_string();
    let (run, _out) = check(&names, &["--executions", &each, "--keep-going"]);
    assert!(matches!(run.code, 0 | 2), "{}", run.stderr);
    let new: Vec<Value> = run.of_type("finding").into_iter().filter(|f| !is_known(f)).collect();
    assert!(new.is_empty(), "{}{}", told(&run), run.stderr);
    // A scenario that meets what is known again and again is given up.
    assert!(run.only("summary")["executions"].as_u64() > Some(95_000), "{}", run.stderr);
}

#[test]
fn nothing_is_found_in_flurry_0_5_where_it_is_not_made_from_elements() {
    for family in ["delete-", "concurrent-write"] {
        let (run, _out) = check(&["flurry"], &["--executions", "3000", "--scenario", family]);
        assert_eq!(run.code, 0, "{}{}", told(&run), run.stderr);
    }
}

/// `from_iter` works with an unprotected guard, which frees at once what is retired; and a growth in it retires a
/// node whose lock it holds, and unlocks it then.
#[test]
fn flurry_0_5_unlocks_a_node_it_has_freed_when_it_is_made_from_elements() {
    let found = (0..10).find_map(|seed| {
        let seed = seed.to_string();
        let (run, _out) = check(&["flurry"], &["--scenario", "bulk-build", "--seed", &seed]);
        run.of_type("finding").pop()
    });
    let found = found.expect("one of ten seeds makes keys collide as it takes");
    assert_eq!(found["class"], "premature-reclamation");
    assert_eq!(found["threads"], 1, "no other thread is needed");
}
