//! Runs random programs, and ends with an error if one shows what the model does not allow, or if too many do not show
//! all that it does.
#![forbid(unsafe_code)]

use std::time::Instant;

use mapcheck_primitives::{Lanes, Program, Verdict};

/// Programs, and the number of the first: by the environment.
fn asked(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What came of all.
#[derive(Default)]
struct Sum {
    programs: u64,
    exhausted: u64,
    equal: u64,
    subset: u64,
    outside: u64,
    deadlocks: u64,
    outcomes: usize,
    executions: u64,
    processes: u64,
}

impl Sum {
    fn add(&mut self, verdict: &Verdict) {
        self.programs += 1;
        self.exhausted += u64::from(verdict.complete);
        let wrong = !verdict.outside.is_empty() || verdict.trouble.is_some();
        let less = !verdict.missing.is_empty();
        self.outside += u64::from(wrong);
        self.equal += u64::from(!wrong && !less);
        self.subset += u64::from(!wrong && less);
        self.deadlocks += u64::from(verdict.may_deadlock);
        self.outcomes += verdict.outcomes;
        self.executions += verdict.executions;
        self.processes += verdict.processes;
        if wrong || less {
            println!("{}", verdict.program);
            println!("    complete: {}, of {} outcomes", verdict.complete, verdict.outcomes);
            let show = |o: &[u64; 4]| o.map(|word| format!("{word:x}")).join(" ");
            verdict.outside.iter().for_each(|o| println!("    outside: {}", show(o)));
            verdict.missing.iter().take(8).for_each(|o| println!("    missing: {}", show(o)));
            verdict.trouble.iter().for_each(|what| println!("    trouble: {what}"));
        }
    }
}

fn main() {
    mapcheck_machine::fix_addresses();
    if std::env::args().any(|argument| argument == "--list") {
        println!("agree: test");
        return;
    }
    let (first, count) = (asked("PRIMITIVES_FIRST", 0), asked("PRIMITIVES_COUNT", 1000));
    if std::env::var_os("PRIMITIVES_SHOW").is_some() {
        (first..first + count).for_each(|number| println!("{}", Program::drawn(number).0));
        return;
    }
    let began = Instant::now();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut sum = Sum::default();
    Lanes::new(processors).run(first..first + count, &mut |verdict| sum.add(&verdict));
    let Sum { programs, exhausted, equal, subset, outside, deadlocks, .. } = sum;
    println!(
        "{programs} programs from {first} on, {deadlocks} of which may deadlock: {equal} equal, {subset} subset, \
         {outside} outside; {exhausted} exhausted; {} outcomes, {} executions, {} processes, {:.1} s",
        sum.outcomes,
        sum.executions,
        sum.processes,
        began.elapsed().as_secs_f64()
    );
    std::process::exit(i32::from(outside > 0 || subset * 10 > programs));
}
