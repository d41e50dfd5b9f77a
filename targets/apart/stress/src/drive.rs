//! Makes all attempts, by turns, and prints what came of them.

use std::io::{BufRead as _, BufReader, IsTerminal as _};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::TARGETS;
use crate::attempt::SLOWEST;
use crate::builds::{self, Build};
use crate::seen::Seen;

const GROUP: &str = "stress";
const SAMPLES: u64 = 3;
/// CPU seconds of an attempt.
const LIMIT: u64 = 60;
const QUICK_LIMIT: u64 = 10;
/// How much longer a process may take than its attempt.
const GRACE: Duration = Duration::from_secs(20);

/// What is measured against the builds.
const MAPCHECK: &str = "mapcheck check";

/// A cell: a target under one build, or under mapcheck.
struct Cell {
    target: &'static str,
    variant: &'static str,
    remark: String,
    attempts: Vec<Attempt>,
}

/// What came of one attempt.
struct Attempt {
    found: Option<String>,
    cpu: f64,
    /// Not known of mapcheck, which goes on to shrink what it found.
    wall: Option<f64>,
}

pub fn main() -> ExitCode {
    let groups = std::env::var("MAPCHECK_BENCH_GROUPS").unwrap_or_default();
    if !groups.is_empty() && !groups.split(',').any(|group| group == GROUP) {
        return ExitCode::SUCCESS;
    }
    let quick = std::env::var("MAPCHECK_BENCH_QUICK").is_ok_and(|value| value == "1");
    let samples = std::env::var("MAPCHECK_BENCH_SAMPLES").ok().and_then(|n| n.parse().ok());
    let samples: u64 = samples.unwrap_or(if quick { 1 } else { SAMPLES });
    progress("building with sanitizers");
    let builds = usable(builds::all());
    let cells = measured(&builds, samples.max(1), if quick { QUICK_LIMIT } else { LIMIT });
    cells.iter().for_each(print);
    ExitCode::SUCCESS
}

/// Those that could be built; says of the others why not.
fn usable(builds: Vec<Result<Build, (&'static str, String)>>) -> Vec<Build> {
    let mut usable = Vec::new();
    for build in builds {
        match build {
            Ok(build) => usable.push(build),
            Err((variant, why)) => {
                TARGETS.iter().for_each(|(target, _)| skipped(target, variant, &why))
            }
        }
    }
    usable
}

fn measured(builds: &[Build], samples: u64, limit: u64) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (target, _) in TARGETS {
        let cell = |variant, remark: &str| Cell {
            target,
            variant,
            remark: remark.to_owned(),
            attempts: Vec::new(),
        };
        cells.push(cell(MAPCHECK, ""));
        cells.extend(builds.iter().map(|build| cell(build.name, build.remark)));
    }
    for sample in 0..samples {
        for cell in &mut cells {
            progress(&format!("sample {}: {}, {}", sample + 1, cell.target, cell.variant));
            match builds.iter().find(|build| build.name == cell.variant) {
                Some(build) => stress(build, limit, cell),
                None => check(sample, cell),
            }
        }
    }
    cells
}

/// One attempt of a build.
fn stress(build: &Build, limit: u64, cell: &mut Cell) {
    let mut command = Command::new(&build.program);
    command.args(["attempt", cell.target, &limit.to_string()]).envs(build.environment.clone());
    let (cpu, start) = (cpu_of_children(), Instant::now());
    let spawned = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.expect("it was just built");
    let mut seen = Seen::default();
    follow(&mut child, &mut seen, start + SLOWEST * Duration::from_secs(limit) + GRACE);
    let status = child.wait().expect("it was started");
    let wall = start.elapsed().as_secs_f64();
    let found = seen.found(status);
    if seen.races > 0 && !cell.remark.contains("data races reported") {
        let told = format!("; {} data races reported, the first: {}", seen.races, seen.first_race);
        cell.remark.push_str(&told);
    }
    cell.attempts.push(Attempt { found, cpu: cpu_of_children() - cpu, wall: Some(wall) });
}

/// Reads what the child writes until it ends, or has shown enough, or takes too long.
fn follow(child: &mut Child, seen: &mut Seen, until: Instant) {
    let lines = lines(child);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left) {
            Ok(line) => seen.line(&line),
            Err(_) => break,
        }
        if seen.is_done() {
            break;
        }
    }
    // It may have ended long since.
    let _ = child.kill();
}

fn lines(child: &mut Child) -> Receiver<String> {
    let (send, receive) = channel();
    let written = child.stderr.take().expect("it is piped");
    std::thread::spawn(move || {
        for line in BufReader::new(written).split(b'\n').map_while(Result::ok) {
            if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });
    receive
}

/// CPU seconds of all children that have ended.
fn cpu_of_children() -> f64 {
    // SAFETY: all bytes zero are a `rusage`, which the call fills.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer leads to a `rusage` that nobody else uses.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage) };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// `cargo mapcheck check` at its defaults, each sample with another seed. Leaks are looked for on neither side: a quiet
/// leak is not the mistake that makes these maps known to be bad.
fn check(seed: u64, cell: &mut Cell) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let out = std::env::temp_dir().join(format!("mapcheck-stress-{}", std::process::id()));
    let mut cargo = Command::new("cargo");
    cargo.args(["mapcheck", "check", cell.target, "--format", "json", "--seed", &seed.to_string()]);
    let output = cargo
        .arg("--out")
        .arg(&out)
        .current_dir(root)
        .env("MAPCHECK_LEAKS", "0")
        .stderr(Stdio::null())
        .output();
    let _ = std::fs::remove_dir_all(&out);
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let objects: Vec<Value> =
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of = |kind: &str| objects.iter().find(|object| object["type"] == kind);
    let seconds = |object: &Value| object["cpu_ms"].as_f64().unwrap_or_default() / 1e3;
    let told = |object: &Value, key: &str| object[key].as_str().unwrap_or_default().to_owned();
    if let Some(finding) = of("finding") {
        let found = format!("{}: {}", told(finding, "class"), told(finding, "site"));
        cell.attempts.push(Attempt { found: Some(found), cpu: seconds(finding), wall: None });
    } else if let Some(summary) = of("summary") {
        cell.attempts.push(Attempt { found: None, cpu: seconds(summary), wall: None });
    }
}

fn print(cell: &Cell) {
    let Some(first) = cell.attempts.first() else {
        return skipped(cell.target, cell.variant, "`cargo mapcheck check` did not run");
    };
    let found: Vec<&Attempt> = cell.attempts.iter().filter(|a| a.found.is_some()).collect();
    let what = found.first().and_then(|attempt| attempt.found.as_deref()).unwrap_or("nothing");
    let counts = format!("{} of {} attempts: {what}", found.len(), cell.attempts.len());
    let remark = cell.remark.trim_start_matches("; ");
    let text = if remark.is_empty() { counts } else { format!("{counts} ({remark})") };
    if found.is_empty() {
        let most = cell.attempts.iter().map(|a| a.cpu).fold(first.cpu, f64::max);
        let text = format!("not found, up to {most:.1} CPU s: {text}");
        return line(&json!({
            "type": "verdict", "group": GROUP, "subject": cell.target, "variant": cell.variant, "text": text,
        }));
    }
    figure(cell, cell.target, "cpu-s", found.iter().map(|a| a.cpu).collect(), &text);
    let walls: Vec<f64> = found.iter().filter_map(|a| a.wall).collect();
    if !walls.is_empty() {
        figure(cell, &format!("{}, wall", cell.target), "s", walls, "");
    }
}

fn figure(cell: &Cell, subject: &str, unit: &str, samples: Vec<f64>, text: &str) {
    let mut object = json!({
        "type": "figure", "group": GROUP, "subject": subject, "variant": cell.variant, "unit": unit,
        "better": "less", "x": null, "samples": samples,
    });
    if !text.is_empty() {
        object["text"] = text.into();
    }
    line(&object);
}

fn skipped(target: &str, variant: &str, why: &str) {
    line(
        &json!({"type": "skipped", "group": GROUP, "subject": target, "variant": variant, "why": why}),
    );
}

fn line(object: &Value) {
    println!("{object}");
}

fn progress(what: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("{what}");
    }
}
