//! Campaigns: ended, resumed, sharded, and the directory that they write to.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use mapcheck_tests::{Run, files, keys, mapcheck_in, processes, read, subject, tempdir};
use serde_json::Value;

/// `check` of a broken map.
fn check(target: &str, out: &Path, more: &[&str]) -> Command {
    let mut command = mapcheck_in(&subject("broken"), ["check", target, "--format", "json"]);
    command.arg("--out").arg(out).args(more).stdin(Stdio::null());
    command
}

fn run(target: &str, out: &Path, more: &[&str]) -> Run {
    Run::of(&mut check(target, out, more))
}

/// The lines of the journals below a directory.
fn journal(out: &Path) -> Vec<Value> {
    let texts = files(out, ".jsonl").iter().map(|path| read(path)).collect::<String>();
    texts.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The jobs that were done, by their first execution, and how many each has.
fn jobs(out: &Path) -> BTreeSet<(u64, u64)> {
    let number = |line: &Value, key: &str| line[key].as_u64().unwrap();
    let lines = journal(out);
    let jobs = lines.iter().filter(|line| line["type"] == "job");
    jobs.map(|job| (number(job, "first"), number(job, "count"))).collect()
}

fn counts(run: &Run) -> Vec<Value> {
    let summary = run.only("summary");
    ["executions", "schedule_points", "findings"].map(|key| summary[key].clone()).to_vec()
}

fn signal(name: &str, pid: u32) {
    let status = Command::new("kill").args([name, &pid.to_string()]).status().unwrap();
    assert!(status.success(), "there is no process {pid}");
}

/// Starts a run, sends it signals when its journal has so many jobs, and waits for its end.
fn interrupted(target: &str, out: &Path, more: &[&str], signals: &[&str]) -> Run {
    let mut command = check(target, out, more);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while jobs(out).len() < 20 {
        assert!(start.elapsed() < Duration::from_secs(120), "no job was done");
        sleep(Duration::from_millis(5));
    }
    for name in signals {
        signal(name, child.id());
        sleep(Duration::from_millis(50));
    }
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap_or(-1);
    Run { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

const LONG: [&str; 4] = ["--executions", "40000", "--workers", "1"];

#[test]
fn an_interrupted_run_says_so_and_goes_on_where_it_was() {
    let dir = tempdir().unwrap();
    let calm = dir.path().join("calm");
    let whole = run("healthy", &calm, &LONG).code(0);
    for name in ["-INT", "-TERM"] {
        let out = dir.path().join(name);
        let ended = interrupted("healthy", &out, &LONG, &[name]).code(3);
        assert_eq!(ended.only("summary")["interrupted"], true);
        let done = jobs(&out);
        let resumed = run("healthy", &out, &[&LONG[..], &["--resume"]].concat()).code(0);
        assert_eq!(counts(&resumed), counts(&whole), "what was done is not done again");
        assert_eq!(resumed.only("summary")["interrupted"], false);
        assert!(jobs(&out).is_superset(&done));
        assert_eq!(jobs(&out), jobs(&calm));
    }
}

#[test]
fn an_interrupted_run_with_a_finding_ends_with_2_and_has_saved_it() {
    let dir = tempdir().unwrap();
    let more = [&LONG[..], &["--keep-going"]].concat();
    let mut ended = Run { code: 0, stdout: String::new(), stderr: String::new() };
    let mut out = PathBuf::new();
    // Whether one is found before the signal is a matter of time.
    for n in 0..5 {
        out = dir.path().join(n.to_string());
        ended = interrupted("data-race", &out, &more, &["-INT"]);
        if ended.code == 2 {
            break;
        }
    }
    let ended = ended.code(2).says(&["interrupted: what was found is being saved"]);
    let repros = files(&out, ".toml");
    assert!(!repros.is_empty() && !ended.of_type("finding").is_empty());
    for repro in repros {
        Run::of(mapcheck_in(&subject("broken"), ["replay"]).arg(repro)).code(2);
    }
}

#[test]
fn a_second_signal_ends_a_run_at_once_and_its_journal_still_has_what_was_done() {
    let dir = tempdir().unwrap();
    let ended = interrupted("several", dir.path(), &LONG, &["-INT", "-INT"]);
    assert!([130, 3, 2].contains(&ended.code), "{}: {}", ended.code, ended.stderr);
    let done = jobs(dir.path());
    assert!(done.len() >= 20);
    run("several", dir.path(), &[&LONG[..], &["--resume"]].concat()).code(2);
    assert!(jobs(dir.path()).is_superset(&done));
}

#[test]
fn other_settings_are_not_resumed_and_nothing_is_lost() {
    let dir = tempdir().unwrap();
    let out = dir.path();
    run("use-after-free", out, &["--seed", "1"]).code(2);
    let before: Vec<(PathBuf, String)> =
        files(out, "").into_iter().map(|f| (f.clone(), read(&f))).collect();
    let refused = run("use-after-free", out, &["--seed", "2", "--resume"]).code(1);
    refused.says(&["there is no run with these settings to resume", "seed=1", "seed=2"]);
    assert!(before.iter().all(|(path, text)| read(path) == *text));
}

#[test]
fn a_run_that_came_to_its_end_is_told_again_when_it_is_resumed() {
    let dir = tempdir().unwrap();
    let first = run("use-after-free", dir.path(), &[]).code(2);
    let again = run("use-after-free", dir.path(), &["--resume"]).code(2);
    assert_eq!(first.only("finding"), again.only("finding"));
    assert_eq!(again.only("summary")["known"], 0, "it is this run's own");
}

#[test]
fn a_line_that_was_not_written_to_its_end_costs_one_job() {
    let dir = tempdir().unwrap();
    let args = ["--executions", "2000"];
    let whole = run("healthy", dir.path(), &args).code(0);
    let path = &files(dir.path(), ".jsonl")[0];
    let text = read(path);
    fs::write(path, &text[..text.len() / 2]).unwrap();
    let resumed = run("healthy", dir.path(), &[&args[..], &["--resume"]].concat()).code(0);
    assert_eq!(counts(&resumed), counts(&whole));
    assert!(read(path).lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
}

#[test]
fn shards_do_all_that_is_to_be_done_and_nothing_twice() {
    let dir = tempdir().unwrap();
    let of = |shard: &str| {
        let out = dir.path().join(shard.replace('/', "-"));
        run("healthy", &out, &["--executions", "3000", "--shard", shard]).code(0);
        let ranges = |(first, count)| first..first + count;
        jobs(&out).into_iter().flat_map(ranges).collect::<Vec<u64>>()
    };
    let whole = of("1/1");
    let parts = ["1/3", "2/3", "3/3"].map(of).concat();
    let distinct: BTreeSet<u64> = parts.iter().copied().collect();
    assert_eq!((parts.len(), distinct.len()), (whole.len(), whole.len()));
    // The upper half of an execution's number names the chain that it belongs to.
    let chains = |all: &[u64]| all.iter().map(|n| n >> 32).collect::<BTreeSet<u64>>();
    assert_eq!(chains(&parts), chains(&whole), "no scenario is left out");
}

#[test]
fn the_directories_of_shards_can_be_copied_together() {
    let dir = tempdir().unwrap();
    let merged = dir.path().join("merged");
    fs::create_dir(&merged).unwrap();
    let mut names = 0;
    for shard in ["1/2", "2/2"] {
        let out = dir.path().join(shard.replace('/', "-"));
        run("use-after-free", &out, &["--shard", shard, "--executions", "300"]).code(2);
        let mut copy = Command::new("cp");
        copy.arg("-R").arg(out.join("use-after-free")).arg(&merged);
        assert!(copy.status().unwrap().success());
        names += files(&out, ".jsonl").len();
    }
    assert_eq!(files(&merged, ".jsonl").len(), names, "journals of shards have names of their own");
    assert!(!files(&merged, ".toml").is_empty());
}

#[test]
fn a_new_run_moves_the_earlier_one_away_and_replay_says_where() {
    let dir = tempdir().unwrap();
    let out = dir.path().join("out");
    let first = run("use-after-free", &out, &["--seed", "1"]).code(2);
    let repro = first.only("finding")["repro"].as_str().unwrap().to_owned();
    let second = run("healthy", &out, &["--executions", "50"]).code(0);
    second.says(&["out is now ", "out.old"]);
    assert!(!Path::new(&repro).exists() && files(&out, ".toml").is_empty());
    let refused = Run::of(mapcheck_in(&subject("broken"), ["replay"]).arg(&repro)).code(1);
    refused.says(&["a later run moved it", "out.old/use-after-free/"]);
}

#[test]
fn a_complaint_moves_nothing_away() {
    let dir = tempdir().unwrap();
    let out = dir.path().join("out");
    run("use-after-free", &out, &[]).code(2);
    run("use-after-free", &out, &["--fault", "rain"]).code(1);
    assert!(!files(&out, ".toml").is_empty());
}

#[test]
fn what_is_known_is_counted_and_not_told() {
    let dir = tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    run("use-after-free", &first, &["--seed", "1"]).code(2);
    let known = ["--known", first.to_str().unwrap(), "--executions", "300", "--seed", "2"];
    let elsewhere = run("use-after-free", &second, &known).code(2);
    let here =
        run("use-after-free", &first, &["--add", "--executions", "300", "--seed", "2"]).code(2);
    for run in [elsewhere, here] {
        assert_eq!(run.of_type("finding").len(), 0, "{}", run.stdout);
        let summary = run.only("summary");
        assert_eq!((&summary["findings"], &summary["known"]), (&0.into(), &1.into()));
        assert!(keys(&summary).contains(&"interrupted"));
    }
    assert!(files(&second, ".toml").is_empty(), "what is known needs no second repro");
    let other = run("deadlock", &second, &["--known", first.to_str().unwrap()]).code(2);
    assert_eq!(other.only("finding")["class"], "deadlock", "another mistake is told");
}

#[test]
fn two_runs_do_not_share_a_directory() {
    let dir = tempdir().unwrap();
    let mut first = check("healthy", dir.path(), &["--executions", "10000000"]);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while jobs(dir.path()).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(120), "no job was done");
        sleep(Duration::from_millis(5));
    }
    let second = run("healthy", dir.path(), &["--executions", "50"]).code(1);
    signal("-INT", first.id());
    first.wait().unwrap();
    second.says(&["is used by another run, process ", "--out"]);
}

#[test]
fn a_worker_that_somebody_kills_is_no_finding() {
    let dir = tempdir().unwrap();
    let mut command = check("healthy", dir.path(), &LONG);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut killed = 0;
    let start = Instant::now();
    while killed < 3 {
        assert!(start.elapsed() < Duration::from_secs(120), "there are no workers");
        let workers = processes(child.id()).into_iter().flat_map(processes);
        for worker in workers.take(1) {
            let mut kill = Command::new("kill");
            kill.args(["-9", &worker.to_string()]).stderr(Stdio::null());
            killed += u32::from(kill.status().unwrap().success());
        }
        sleep(Duration::from_millis(30));
    }
    let output = child.wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let run =
        Run { code: output.status.code().unwrap_or(-1), stdout, stderr: String::new() }.code(0);
    assert_eq!(run.only("summary")["executions"], 40_000);
}
