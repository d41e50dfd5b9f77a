//! `cargo mapcheck fuzz` and `import`: what libFuzzer finds becomes repros, nothing of it is lost, and nothing is left
//! running.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use mapcheck_tests::{Run, files, mapcheck_in, processes, read, subject, tempdir};

/// `cargo mapcheck fuzz ARGS…` on the subject, with JSON.
fn fuzz(out: &Path, args: &[&str]) -> Command {
    let mut command = mapcheck_in(&subject("fuzzed"), ["fuzz", "--format", "json", "--seed", "1"]);
    command.args(["--workers", "2", "--out"]).arg(out).args(args);
    command
}

fn import(out: &Path, file: &Path) -> Run {
    let mut command = mapcheck_in(&subject("fuzzed"), ["import", "--format", "json", "--out"]);
    Run::of(command.arg(out).arg(file))
}

/// The files of a folder.
fn listed(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

#[test]
fn a_mistake_is_found_from_nothing_and_its_repro_replays() {
    let out = tempdir().unwrap();
    let run = Run::of(&mut fuzz(out.path(), &["several", "--time", "10m"])).code(2);
    let (findings, summary) = (run.of_type("finding"), run.only("fuzz-summary"));
    // Each of the two processes may have found one before it was asked to end.
    assert!([1, 2].contains(&findings.len()), "{}", run.stdout);
    assert_eq!(
        (&summary["target"], &summary["findings"]),
        (&"several".into(), &findings.len().into())
    );
    assert!(summary["wall_ms"].as_u64() < Some(300_000), "it ended with the finding: {summary}");
    for counted in ["executions", "features", "inputs"] {
        assert!(summary[counted].as_u64() > Some(0), "{counted} in {summary}");
    }
    let repro = findings[0]["repro"].as_str().unwrap();
    let class = findings[0]["class"].as_str().unwrap();
    let repros = files(&out.path().join("several"), ".toml");
    assert!(repros.len() == findings.len() && repros.contains(&repro.into()), "{repros:?}");
    let replayed = Run::of(&mut mapcheck_in(&subject("fuzzed"), ["replay", repro])).code(2);
    assert!(replayed.stdout.contains(&format!("[{class}]")), "{}", replayed.stdout);
    let log = read(&out.path().join("several/fuzz/log-0.txt"));
    assert!(log.contains("libFuzzer") && log.contains("stat::number_of_executed_units"), "{log}");
}

#[test]
fn every_artifact_of_a_run_that_goes_on_is_imported_and_can_be_once_more() {
    let out = tempdir().unwrap();
    let args = ["several", "--keep-going", "--time", "10s"];
    let run = Run::of(&mut fuzz(out.path(), &args)).code(2);
    let (found, summary) = (run.of_type("finding"), run.only("fuzz-summary"));
    let folder = out.path().join("several");
    assert_eq!(files(&folder, ".toml").len(), found.len());
    assert_eq!((&summary["findings"], &summary["artifacts"]), (&found.len().into(), &0.into()));
    let mistakes: Vec<_> = found.iter().map(|f| (&f["class"], &f["site"])).collect();
    assert!(summary["wall_ms"].as_u64() >= Some(10_000), "it went on: {summary}");
    assert!((1..mistakes.len()).all(|n| !mistakes[..n].contains(&mistakes[n])), "{mistakes:?}");
    assert_eq!(listed(&folder.join("fuzz/artifacts")), Vec::<PathBuf>::new());
    let imported = listed(&folder.join("fuzz/imported"));
    assert!(imported.len() >= found.len(), "{imported:?}");

    let anew = tempdir().unwrap();
    let first = import(anew.path(), &imported[0]).code(2);
    let class = &first.only("finding")["class"];
    assert!(mistakes.iter().any(|(known, _)| known == &class), "{class}");
    let second = import(anew.path(), &imported[0]).code(2);
    assert_eq!(second.only("input")["outcome"], "known");
    what_is_no_whole_input_does_no_harm(&imported[0]);
}

#[test]
fn what_is_found_in_a_closure_is_replayed_by_its_test() {
    let out = tempdir().unwrap();
    let run = Run::of(&mut fuzz(out.path(), &["no_count_is_lost", "--time", "60s"])).code(2);
    let finding = &run.of_type("finding")[0];
    assert_eq!(finding["class"], "panic");
    assert!(finding["message"].as_str().unwrap().contains("a count is lost"), "{finding}");
    let repro = finding["repro"].as_str().unwrap();
    let replayed = Run::of(&mut mapcheck_in(&subject("fuzzed"), ["replay", repro])).code(2);
    replayed.says(&["a count is lost", "replayed once: the same finding"]);

    let anew = tempdir().unwrap();
    let imported = listed(&out.path().join("no_count_is_lost/fuzz/imported"));
    import(anew.path(), &imported[0]).code(2).only("finding");
}

/// Imports what is left of an artifact that was cut off, and what is none.
fn what_is_no_whole_input_does_no_harm(artifact: &Path) {
    let out = tempdir().unwrap();
    let bytes = fs::read(artifact).unwrap();
    let part = out.path().join("crash-part");
    for length in [0, 1] {
        fs::write(&part, &bytes[..length]).unwrap();
        import(out.path(), &part)
            .code(1)
            .says(&["crash-part is no input of a fuzzer for a target"]);
    }
    fs::write(&part, "[package]\nname = \"foreign\"\n").unwrap();
    import(out.path(), &part).code(1).says(&["is no input", "help: it must be as libFuzzer wrote"]);
    for length in [2, bytes.len() / 2] {
        fs::write(&part, &bytes[..length]).unwrap();
        let run = import(out.path(), &part);
        assert!([0, 2].contains(&run.code), "{length} bytes: {} {}", run.code, run.stderr);
        assert_eq!(fs::read(&part).unwrap(), bytes[..length], "it is as it was");
    }
    fs::write(&part, [&bytes[..2], &[0xff; 5000]].concat()).unwrap();
    let run = import(out.path(), &part);
    assert!([0, 2].contains(&run.code), "any bytes are an input: {} {}", run.code, run.stderr);
    import(out.path(), &out.path().join("none")).code(1).says(&["none could not be read"]);
}

#[test]
fn a_fuzz_target_that_is_copied_elsewhere_needs_nothing_and_shows_the_same_in_each_process() {
    let listed = Run::of(&mut mapcheck_in(&subject("fuzzed"), ["fuzz", "--list"])).code(0);
    assert!(
        listed.stdout.lines().any(|line| line.starts_with("several ") && line.ends_with(" maps"))
    );
    let built = Run::of(&mut mapcheck_in(&subject("fuzzed"), ["fuzz", "--build-only"])).code(0);
    assert_eq!(built.stdout.lines().count(), 2, "each once: {}", built.stdout);
    let dir = tempdir().unwrap();
    let path = built.stdout.lines().find(|path| path.ends_with("/maps")).unwrap();
    fs::copy(path, dir.path().join("maps")).unwrap();
    let done = |arguments: &str, fixed: bool| {
        let mut command = Command::new(dir.path().join("maps"));
        command.env_clear().current_dir(dir.path()).args(arguments.split(' '));
        command.env("MAPCHECK_TARGETS", "healthy");
        // Then it takes its addresses as they are, and they are others in each process.
        command.envs(fixed.then_some(("MAPCHECK_ADDRESSES_FIXED", "1")));
        let run = Run::of(&mut command);
        let done = run.stderr.lines().find_map(|line| line.split_once("\tDONE ").map(|l| l.1));
        (run.code, done.and_then(|done| Some(done.split_once(" lim:")?.0.to_owned())))
    };
    let arguments = "-seed=1 -runs=300";
    let (code, shown) = done(arguments, false);
    assert!(code == 0 && shown.as_ref().is_some_and(|shown| shown.contains("ft: ")), "{shown:?}");
    for moved in [true, true, false] {
        assert_eq!(done(arguments, moved), (0, shown.clone()), "moved: {moved}");
    }
}

#[test]
fn inputs_that_show_more_are_kept_and_the_next_run_begins_with_them() {
    let dir = tempdir().unwrap();
    let (out, corpus) = (dir.path().join("out"), dir.path().join("corpus"));
    let kept = |executions: &str| {
        let args = ["healthy", "--executions", executions, "--corpus"];
        let run = Run::of(fuzz(&out, &args).arg(&corpus)).code(0);
        assert_eq!(run.of_type("finding").len(), 0);
        run.only("fuzz-summary")
    };
    let first = kept("600");
    let inputs = listed(&corpus.join("inputs/healthy")).len();
    assert_eq!(first["kept"], inputs);
    assert!(inputs > 0 && first["inputs"].as_u64() >= Some(inputs as u64), "{first}");
    // Two processes, each with as many executions as it has inputs to begin with.
    let second = kept(&(2 * inputs + 2).to_string());
    let features = |summary: &serde_json::Value| summary["features"].as_u64().unwrap();
    assert!(features(&second) >= features(&first) / 2, "{first}\n{second}");
    assert!(second["kept"].as_u64() < Some(inputs as u64 / 4), "{second}");
}

#[test]
fn who_asks_for_the_end_gets_a_summary_and_no_process_is_left_whatever_ends_the_command() {
    for (signal, code) in [("INT", 3), ("KILL", -1)] {
        let out = tempdir().unwrap();
        let mut command = fuzz(out.path(), &["healthy", "--time", "10m"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let of_them = || {
            let own = processes(child.id());
            let deeper: Vec<u32> = own.iter().flat_map(|pid| processes(*pid)).collect();
            (own, deeper)
        };
        let inputs = out.path().join("healthy/fuzz/inputs");
        wait("they execute inputs", || listed(&inputs).len() > 20 && of_them().1.len() > 1);
        let (own, deeper) = of_them();
        kill(child.id(), signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code().unwrap_or(-1), code, "{signal}");
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(told.contains("\"interrupted\":true"), signal == "INT", "{told}");
        let all: Vec<u32> = own.into_iter().chain(deeper).collect();
        wait("they end", || all.iter().all(|pid| !is_running(*pid)));
    }
}

fn wait(what: &str, until: impl Fn() -> bool) {
    let start = Instant::now();
    while !until() {
        assert!(start.elapsed() < Duration::from_secs(120), "{what}");
        sleep(Duration::from_millis(20));
    }
}

fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

fn kill(pid: u32, signal: &str) {
    let killed = Command::new("kill").args(["-s", signal, &pid.to_string()]).status();
    assert!(killed.unwrap().success(), "{signal} {pid}");
}

#[test]
fn a_target_without_a_fuzz_target_is_refused_with_what_to_write() {
    let run = Run::of(&mut mapcheck_in(&subject("broken"), ["fuzz", "healthy"])).code(1);
    run.says(&[
        "error: package `mapcheck-broken` has no fuzz target for `healthy`",
        "`[package.metadata.mapcheck.fuzz]` with `BIN = [\"TARGET\"]`",
    ]);
    let out = tempdir().unwrap();
    let run = Run::of(&mut fuzz(out.path(), &["healthy", "--fault", "rain"])).code(1);
    run.says(&["`rain` is no fault"]);
    assert_eq!(listed(out.path()).len(), 0, "nothing was begun");
}
