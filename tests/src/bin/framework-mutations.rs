//! Breaks mapcheck itself, in one place at a time, and runs the tests that must notice: what no test notices could
//! break for real and nobody would know.
//!
//! `cargo run -p mapcheck-tests --bin framework-mutations [NAME…]`; exit code 0 when every mutation was noticed.
#![forbid(unsafe_code)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use mapcheck_tests::{Run, cargo, read, root};

/// A mistake in mapcheck, and the tests that must notice it.
struct Mutation {
    name: &'static str,
    file: &'static str,
    /// Text that is in the file once.
    from: &'static str,
    to: &'static str,
    /// Arguments of `cargo test`.
    tests: &'static [&'static str],
}

const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "the-pointer-oracle-never-fires",
        file: "framework/machine/src/memory.rs",
        from: "if !heap::live(access.addr, access.size) {",
        to: "if access.size > 1 << 40 {",
        tests: &["-p", "mapcheck-tests", "--test", "survival"],
    },
    Mutation {
        name: "the-shadow-of-a-freed-block-is-never-set",
        file: "framework/machine/src/heap/shadow.rs",
        from: "write_bytes(byte(addr), value, size.div_ceil(GRANULE)) };",
        to: "write_bytes(byte(addr), value.max(GRANULE as u8), size.div_ceil(GRANULE)) };",
        tests: &["-p", "mapcheck-machine", "--test", "heap"],
    },
    Mutation {
        name: "a-dropped-element-keeps-its-canary",
        file: "framework/src/element.rs",
        from: "value.canary = canary(DEAD, value.id);",
        to: "value.canary = canary(ALIVE, value.id);",
        tests: &["-p", "mapcheck-tests", "--test", "explore"],
    },
    Mutation {
        name: "the-scheduler-always-picks-the-first-thread",
        file: "framework/src/scheduler/pct.rs",
        from: "if priority >= highest {",
        to: "if runnable == 1 {",
        tests: &["-p", "mapcheck", "--lib", "scheduler"],
    },
    Mutation {
        name: "a-replay-ignores-schedule-decisions",
        file: "framework/src/decision/replay.rs",
        from: "let decided = decided.filter(runnable);",
        to: "let decided = decided.filter(runnable).filter(|_| false);",
        tests: &["-p", "mapcheck", "--lib", "decision"],
    },
    Mutation {
        name: "the-recorder-forgets-every-other-decision",
        file: "framework/src/decision/record.rs",
        from: "if slice.thread != consult.default_thread() {",
        to: "if slice.thread != consult.default_thread() && consult.local_step % 2 == 0 {",
        tests: &["-p", "mapcheck", "--lib", "decision"],
    },
    Mutation {
        name: "a-worker-does-not-tell-what-it-found",
        file: "framework/src/worker/mod.rs",
        from: "            self.tell(&done, past.as_ref(), &trace, record);\n            return false;",
        to: "            self.recording.enter(State::Finished);\n            return false;",
        tests: &["-p", "mapcheck-tests", "--test", "survival"],
    },
    Mutation {
        name: "the-shrinker-takes-whatever-fails",
        file: "framework/src/report/mod.rs",
        from: "self.class == other.class && same.unwrap_or(self.site == other.site)",
        to: "self.site.len() + other.site.len() > 0 || same.is_some()",
        tests: &["-p", "mapcheck-tests", "--test", "findings"],
    },
    Mutation {
        name: "a-mutant-is-never-switched-on",
        file: "framework/src/mutant.rs",
        from: "ptr::eq(ACTIVE.load(Relaxed), self)",
        to: "ptr::eq(ACTIVE.load(Relaxed), self) && self.id.is_empty()",
        tests: &["-p", "mapcheck-tests", "--test", "faults"],
    },
    Mutation {
        name: "the-modelled-heap-of-models-frees-nothing",
        file: "framework/src/model/heap.rs",
        from: "let contents = E::quietly(|| found.with(Option::take));",
        to: "let contents = E::quietly(|| found.with(|c| c.is_some().then_some(())));",
        tests: &["-p", "mapcheck", "--lib", "model"],
    },
    Mutation {
        name: "executions-share-their-globals",
        file: "framework/src/worker/mod.rs",
        from: "fresh_globals: true,",
        to: "fresh_globals: false,",
        tests: &["-p", "mapcheck-tests", "--test", "findings"],
    },
    Mutation {
        name: "a-missed-element-is-never-told",
        file: "framework/src/oracle/promises.rs",
        from: "iteration::missed(self.promised.contract, told, key, calls))",
        to: "iteration::missed(self.promised.contract, told, key, calls).filter(|_| false))",
        tests: &["-p", "mapcheck-tests", "--test", "origin"],
    },
    Mutation {
        name: "a-second-visit-is-never-told",
        file: "framework/src/oracle/iteration.rs",
        from: ".then(|| tell_twice(told, earlier, calls))",
        to: ".then(|| tell_twice(told, earlier, calls)).filter(|_| false)",
        tests: &["-p", "mapcheck", "--lib", "oracle"],
    },
    Mutation {
        name: "a-ghost-is-never-told",
        file: "framework/src/oracle/iteration.rs",
        from: "if let Some(why) = ghost {",
        to: "if let Some(why) = ghost.filter(|_| false) {",
        tests: &["-p", "mapcheck", "--lib", "oracle"],
    },
    Mutation {
        name: "every-history-is-linearizable-or-inconclusive",
        file: "framework/src/oracle/linearizability.rs",
        from: "None => Verdict::Violated",
        to: "None => Verdict::Inconclusive",
        tests: &["-p", "mapcheck", "--lib", "oracle"],
    },
    Mutation {
        name: "the-whole-map-is-never-quiet",
        file: "framework/src/oracle/whole.rs",
        from: "if self.given_up || !history.is_quiet() {",
        to: "if self.given_up || history.is_quiet() {",
        tests: &["-p", "mapcheck", "--lib", "oracle"],
    },
    Mutation {
        name: "every-history-is-sequential",
        file: "framework/src/oracle/sequential.rs",
        from: "if held.is_empty() { Verdict::Violated }",
        to: "if held.is_empty() { Verdict::Holds }",
        tests: &["-p", "mapcheck", "--lib", "oracle"],
    },
    Mutation {
        name: "an-acquire-orders-nothing",
        file: "framework/src/oracle/race.rs",
        from: "matches!(order, Order::Acquire | Order::AcqRel | Order::SeqCst)",
        to: "matches!(order, Order::SeqCst)",
        tests: &["-p", "mapcheck", "--lib", "oracle::race"],
    },
    Mutation {
        name: "a-relaxed-load-orders-too",
        file: "framework/src/oracle/race.rs",
        from: "matches!(order, Order::Acquire | Order::AcqRel | Order::SeqCst)",
        to: "order != Order::Release",
        tests: &["-p", "mapcheck", "--lib", "oracle::race"],
    },
    Mutation {
        name: "what-is-lost-counts-as-reached",
        file: "framework/machine/src/heap/leaks.rs",
        from: "if graph.is_complete(h.slot) {",
        to: "if h.slot < usize::MAX {",
        tests: &["-p", "mapcheck-machine", "--test", "leaks"],
    },
    Mutation {
        name: "the-bound-on-preemptions-is-ignored",
        file: "framework/src/scheduler/bounded.rs",
        from: "        self.left -= 1;\n",
        to: "",
        tests: &["-p", "mapcheck", "--lib", "scheduler"],
    },
    Mutation {
        name: "a-deadlock-is-no-finding",
        file: "framework/src/oracle/progress.rs",
        from: "Fact::Deadlock { .. } => Class::Deadlock,",
        to: "Fact::Deadlock { .. } => Class::Panic,",
        tests: &["-p", "mapcheck-tests", "--test", "survival"],
    },
    Mutation {
        name: "whatever-a-livelock-does-is-news",
        file: "framework/machine/src/progress.rs",
        from: "if turns.news {",
        to: "if turns.news || bound > 0 {",
        tests: &["-p", "mapcheck-machine", "--test", "progress"],
    },
    Mutation {
        name: "nobody-gets-a-turn",
        file: "framework/machine/src/progress.rs",
        from: "self.switch(next, Reason::Yield)",
        to: "self.switch(current + next * 0, Reason::Yield)",
        tests: &["-p", "mapcheck-machine", "--test", "progress"],
    },
    Mutation {
        name: "whoever-is-woken-has-got-somewhere",
        file: "framework/machine/src/progress.rs",
        from: "const WAKES: u64 = 4;",
        to: "const WAKES: u64 = 1 << 40;",
        tests: &["-p", "mapcheck-machine", "--test", "progress"],
    },
    Mutation {
        name: "nobody-is-ever-left-alone",
        file: "framework/machine/src/progress.rs",
        from: "if points > 0 {",
        to: "if points > 1 << 20 {",
        tests: &["-p", "mapcheck-machine", "--test", "progress"],
    },
    Mutation {
        name: "a-lock-given-back-is-still-taken",
        file: "framework/src/oracle/wait_for.rs",
        from: "word.taken.clear();",
        to: "word.taken.reverse();",
        tests: &["-p", "mapcheck", "--lib", "oracle"],
    },
];

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let wants = |m: &&Mutation| wanted.is_empty() || wanted.iter().any(|name| name == m.name);
    let mutations: Vec<&Mutation> = MUTATIONS.iter().filter(wants).collect();
    if mutations.is_empty() {
        eprintln!("error: there is no such mutation");
        return ExitCode::from(1);
    }
    let copy = copy();
    let mut missed = 0;
    let mut passing = Vec::new();
    for mutation in &mutations {
        let started = Instant::now();
        // Tests that fail by themselves notice nothing.
        if !passing.contains(&mutation.tests) && mutation.test(&copy, &[]) {
            passing.push(mutation.tests);
        }
        let verdict = match passing.contains(&mutation.tests) {
            true => mutation.run(&copy),
            false => "fails anyway",
        };
        missed += u32::from(verdict != "noticed");
        println!("{:<48} {verdict:<12} {:>4} s", mutation.name, started.elapsed().as_secs());
        let _ = std::io::stdout().flush();
    }
    println!("{} mutations of mapcheck, {missed} not noticed", mutations.len());
    ExitCode::from(u8::from(missed > 0))
}

/// Where the mutated checkouts are built.
fn place() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| root().join("target")).join("framework-mutations")
}

/// A copy of what git knows of the checkout, as it is now.
fn copy() -> PathBuf {
    let copy = place().join("checkout");
    let listed = Run::of(Command::new("git").args(["ls-files"]).current_dir(root())).code(0);
    for name in listed.stdout.lines() {
        let (from, to) = (root().join(name), copy.join(name));
        // What is written anew is built anew.
        if from.is_file() && fs::read(&from).ok() != fs::read(&to).ok() {
            fs::create_dir_all(to.parent().expect("it has a folder")).expect("it can be made");
            fs::copy(&from, &to).expect("it can be copied");
        }
    }
    copy
}

impl Mutation {
    /// `noticed` when the tests fail; or what else happened.
    fn run(&self, copy: &Path) -> &'static str {
        let path = copy.join(self.file);
        let right = read(&path);
        if right.matches(self.from).count() != 1 {
            return "not applicable";
        }
        fs::write(&path, right.replacen(self.from, self.to, 1)).expect("it can be written");
        let verdict = match self.test(copy, &["--no-run"]) {
            true if self.test(copy, &[]) => "MISSED",
            true => "noticed",
            false => "does not build",
        };
        fs::write(&path, right).expect("it can be written");
        verdict
    }

    /// Whether the tests pass.
    fn test(&self, copy: &Path, more: &[&str]) -> bool {
        let mut command = cargo();
        command.current_dir(copy).env("CARGO_TARGET_DIR", place().join("target"));
        let run = Run::of(command.args(["test", "--quiet"]).args(self.tests).args(more));
        run.code == 0
    }
}
