//! A campaign loses nothing: its supervisor, its runner and its workers are killed at random moments, it is resumed
//! each time, and finds what it would have found undisturbed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use mapcheck_tests::{Run, files, mapcheck_in, processes, read, subject, tempdir};
use serde_json::Value;

/// Kills, unless `KILLS` says otherwise.
const KILLS: u32 = 10;

/// What is said of a runner that is killed again and again.
const GIVEN_UP: &str = "error: runner `mapcheck-broken` ended with signal: 9 (SIGKILL)";

/// Where random numbers come from, so that a run can be repeated as far as its timing can.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// A campaign on the map with several mistakes.
fn check(out: &Path, seed: u64, more: &[&str]) -> Command {
    let seed = seed.to_string();
    let args = ["check", "several", "--keep-going", "--executions", "6000", "--format", "json"];
    let mut command = mapcheck_in(&subject("broken"), args);
    command.args(["--seed", &seed, "--workers", "2", "--out"]).arg(out).args(more);
    let log = File::options().create(true).append(true).open(out.with_extension("log")).unwrap();
    command.stdin(Stdio::null()).stderr(log);
    command
}

/// Class and site of each finding.
fn mistakes(run: &Run) -> BTreeSet<(String, String)> {
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = run.of_type("finding");
    findings.iter().map(|f| (word(f, "class"), word(f, "site"))).collect()
}

/// What becomes of the campaign while it is disturbed.
enum Fate {
    /// It came to its end.
    Ended(Run),
    /// Its supervisor was killed.
    Killed,
}

/// Kills, at random moments, until the supervisor is the one, the campaign ends, or no kill is left.
fn disturb(mut supervisor: Child, random: &mut Random, kills: &mut u32, log: &Path) -> Fate {
    let pid = supervisor.id();
    while *kills > 0 {
        // Now and then before there is a runner.
        let wanted = if random.below(8) == 0 { 0 } else { 1 };
        let start = Instant::now();
        while runners(pid).len() < wanted && is_running(&mut supervisor) {
            assert!(start.elapsed() < Duration::from_secs(120), "there is no runner");
            sleep(Duration::from_millis(2));
        }
        // Some in quick succession, some when much has been done.
        let most = if random.below(4) == 0 { 4000 } else { 500 };
        sleep(Duration::from_millis(random.below(most)));
        if !is_running(&mut supervisor) {
            break;
        }
        let Some(victim) = victim(pid, random) else { continue };
        kill(victim);
        *kills -= 1;
        if victim == pid {
            supervisor.wait().unwrap();
            return Fate::Killed;
        }
    }
    let output = supervisor.wait_with_output().unwrap();
    let code = output.status.code().unwrap_or(-1);
    let stdout = String::from_utf8(output.stdout).unwrap();
    Fate::Ended(Run { code, stdout, stderr: read(log) })
}

fn is_running(child: &mut Child) -> bool {
    child.try_wait().unwrap().is_none()
}

/// The runners of a supervisor that are at work, and not only asked whether they could be.
fn runners(supervisor: u32) -> Vec<u32> {
    let at_work = |pid: &u32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        // A child that is still to become another program looks like its parent.
        line.contains("\0check\0") && !line.contains("\0mapcheck\0")
    };
    processes(supervisor).into_iter().filter(at_work).collect()
}

/// The supervisor, a runner of it, or a worker of one.
fn victim(supervisor: u32, random: &mut Random) -> Option<u32> {
    let runners = runners(supervisor);
    let pick = |of: Vec<u32>, random: &mut Random| match of.len() {
        0 => None,
        n => of.get(random.below(n as u64) as usize).copied(),
    };
    match random.below(3) {
        0 => Some(supervisor),
        1 => pick(runners, random),
        _ => pick(runners.into_iter().flat_map(processes).collect(), random),
    }
}

fn kill(pid: u32) {
    // It may have ended just now.
    let _ = Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
}

/// One campaign that is disturbed and resumed until it ends; false if no kill was left for it.
fn campaign(seed: u64, random: &mut Random, kills: &mut u32) {
    let root = tempdir().unwrap();
    let (calm, out) = (root.path().join("calm"), root.path().join("out"));
    let undisturbed = Run::of(&mut check(&calm, seed, &[])).code(2);
    assert!(mistakes(&undisturbed).len() >= 3, "{}", undisturbed.stdout);
    let mut more: &[&str] = &[];
    let ended = loop {
        let supervisor = check(&out, seed, more).stdout(Stdio::piped()).spawn().unwrap();
        let fate = disturb(supervisor, random, kills, &out.with_extension("log"));
        // A runner that is killed three times without getting any further is not started a fourth time.
        match fate {
            Fate::Ended(run) if run.code == 70 && run.stderr.contains(GIVEN_UP) => {}
            Fate::Ended(run) => break run,
            Fate::Killed => {}
        }
        more = &["--resume"];
    };
    let ended = ended.code(2);
    assert_eq!(mistakes(&ended), mistakes(&undisturbed), "seed {seed}: {}", ended.stdout);
    is_whole(&out, &mistakes(&undisturbed));
    assert_eq!(kept(&out), kept(&calm), "seed {seed}");
}

/// Whether a file below an out directory is a scenario that was kept, and no repro.
fn is_scenario(path: &Path) -> bool {
    path.parent().is_some_and(|folder| folder.ends_with("scenarios"))
}

/// The scenarios that were kept, and what they are.
fn kept(out: &Path) -> BTreeSet<(OsString, String)> {
    let scenarios = files(out, ".toml").into_iter().filter(|path| is_scenario(path));
    scenarios.map(|path| (path.file_name().unwrap().to_owned(), read(&path))).collect()
}

/// Every file in the directory can be read, every repro replays, and there is one of each mistake.
fn is_whole(out: &Path, mistakes: &BTreeSet<(String, String)>) {
    let (scenarios, repros): (Vec<PathBuf>, Vec<PathBuf>) =
        files(out, ".toml").into_iter().partition(|path| is_scenario(path));
    let journals = files(out, ".jsonl");
    let others: Vec<PathBuf> = files(out, "")
        .into_iter()
        .filter(|f| !repros.contains(f) && !journals.contains(f) && !f.ends_with(".mapcheck-lock"))
        .filter(|f| !scenarios.contains(f))
        .collect();
    assert_eq!(others, Vec::<PathBuf>::new());
    for journal in &journals {
        let lines = read(journal);
        assert!(lines.ends_with('\n'));
        lines.lines().for_each(|l| drop(serde_json::from_str::<Value>(l).expect(l)));
    }
    let mut shown = BTreeSet::new();
    for path in &repros {
        let text = read(path);
        let repro = toml::de::DeTable::parse(&text).unwrap();
        let word = |key: &str| repro.get_ref()[key].get_ref().as_str().unwrap().to_owned();
        shown.insert((word("class"), word("site")));
        let replay = Run::of(mapcheck_in(&subject("broken"), ["replay"]).arg(path)).code(2);
        assert!(replay.stdout.contains("the same finding"), "{path:?}: {}", replay.stdout);
    }
    assert_eq!(&shown, mistakes);
}

#[test]
fn a_campaign_that_is_killed_again_and_again_finds_what_it_would_have_found() {
    let mut kills = std::env::var("KILLS").ok().map_or(KILLS, |n| n.parse().unwrap());
    let mut random = Random(u64::from(kills));
    let mut seed = 0;
    while kills > 0 {
        campaign(seed, &mut random, &mut kills);
        seed += 1;
        println!("campaign {seed} found all; {kills} kills left");
    }
}
