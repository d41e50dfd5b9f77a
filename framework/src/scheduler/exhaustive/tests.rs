//! The search against brute force, on random programs.

use std::collections::{BTreeMap, BTreeSet};

use mapcheck_machine::{ChoiceKind, Consult, Decider, Reason, Slice, ThreadId};

use super::programs::{Do, Interpreter, Outcome, Program, Shown, WORDS};
use super::{Exhaustive, Limit};
use crate::decision::Recorder;
use crate::scheduler::{Dice, Ended, Scheduler};

/// Every schedule within a limit, without any thought.
struct Brute {
    limit: Limit,
    path: Vec<(Vec<ThreadId>, usize)>,
    depth: usize,
    spent: u64,
}

impl Brute {
    fn new(limit: Limit) -> Brute {
        Brute { limit, path: Vec::new(), depth: 0, spent: 0 }
    }

    /// The threads that may go on, and what each costs.
    fn costs(&self, consult: &Consult<'_>) -> Vec<(ThreadId, u64)> {
        let n = consult.threads.len() as ThreadId;
        let stays =
            consult.reason == Reason::Point && consult.threads[consult.current as usize].runnable;
        let first = consult.current + ThreadId::from(!stays);
        let order = (0..n).map(|i| (first + i) % n);
        let mut order: Vec<ThreadId> =
            order.filter(|&t| consult.threads[t as usize].runnable).collect();
        if consult.reason == Reason::Yield && self.limit != Limit::Unbounded && order.len() > 1 {
            order.retain(|&t| t != consult.current);
        }
        let cost = |(i, t): (usize, ThreadId)| match self.limit {
            Limit::Unbounded => (t, 0),
            Limit::Preemptions(_) => (t, u64::from(stays && t != consult.current)),
            Limit::Delays(_) => (t, i as u64),
        };
        order.into_iter().enumerate().map(cost).collect()
    }

    fn next(&mut self) -> bool {
        (self.depth, self.spent) = (0, 0);
        while let Some((alternatives, at)) = self.path.last_mut() {
            *at += 1;
            if *at < alternatives.len() {
                return true;
            }
            self.path.pop();
        }
        false
    }
}

impl Decider for Brute {
    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        let most = match self.limit {
            Limit::Unbounded => u64::MAX,
            Limit::Preemptions(most) | Limit::Delays(most) => most,
        };
        let costs = self.costs(consult);
        if self.depth == self.path.len() {
            let within = costs.iter().filter(|c| self.spent + c.1 <= most);
            self.path.push((within.map(|c| c.0).collect(), 0));
        }
        let (alternatives, at) = &self.path[self.depth];
        let thread = alternatives[*at];
        self.depth += 1;
        self.spent += costs.iter().find(|c| c.0 == thread).map_or(0, |c| c.1);
        Slice { thread, points: 1 }
    }

    fn choose(&mut self, _: ChoiceKind, _: ThreadId, _: u64, _: u32) -> u32 {
        0
    }
}

/// What a search has seen.
#[derive(Default)]
struct Seen {
    outcomes: BTreeSet<Outcome>,
    /// How often each was seen.
    traces: BTreeMap<u64, u64>,
    /// In memory, and which calls precede which.
    shown: BTreeSet<(u64, Outcome)>,
    executions: u64,
}

impl Seen {
    fn note(&mut self, shown: Shown) {
        self.executions += 1;
        if matches!(shown.outcome.fault, None | Some("deadlock")) {
            *self.traces.entry(shown.trace).or_default() += 1;
            self.shown.insert((shown.memory_trace, shown.outcome.clone()));
        }
        self.outcomes.insert(shown.outcome);
    }
}

/// All schedules; `None` if there are too many.
fn brute(program: &Program, limit: Limit, most: u64) -> Option<Seen> {
    brute_with(program, limit, most, false)
}

fn brute_with(program: &Program, limit: Limit, most: u64, guarded: bool) -> Option<Seen> {
    let (mut brute, mut seen) = (Brute::new(limit), Seen::default());
    loop {
        let mut interpreter = Interpreter::new(program);
        interpreter.guarded = guarded;
        seen.note(interpreter.run(&mut brute));
        if seen.executions > most {
            return None;
        }
        if !brute.next() {
            return Some(seen);
        }
    }
}

fn execute(search: &mut Exhaustive, program: &Program) -> Shown {
    search.begin(0);
    let mut recorder = Recorder { scheduler: search, sink: &mut |_| {} };
    let shown = Interpreter::new(program).run(&mut recorder);
    search.end(Ended { steps: shown.steps, threads: 0, news: None });
    shown
}

fn search(program: &Program, limit: Limit) -> (Seen, Exhaustive) {
    let (mut search, mut seen) = (Exhaustive::new(limit), Seen::default());
    while !search.coverage().complete {
        seen.note(execute(&mut search, program));
        assert!(!search.coverage().diverged, "{program:?}");
        assert!(seen.executions < 200_000, "{limit:?}, no end of it: {program:?}");
    }
    assert!(search.coverage().holds());
    (seen, search)
}

/// What random programs are made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Words,
    Locks,
    Heap,
    Calls,
    Yields,
    Starts,
}

const STYLES: [Style; 6] =
    [Style::Words, Style::Locks, Style::Heap, Style::Calls, Style::Yields, Style::Starts];

fn action(dice: &mut Dice, style: Style) -> Vec<Do> {
    let w = dice.below(2) as usize;
    let word = match dice.below(7) {
        0 | 1 => Do::Load(w),
        2 => Do::Store(w, 1 + dice.below(3)),
        3 => Do::Cas(w, dice.below(2), 1 + dice.below(2)),
        4 => Do::Add(w, 1),
        5 => Do::StoreByte(w, dice.below(2) as usize),
        _ => Do::LoadByte(w, dice.below(2) as usize),
    };
    if dice.below(2) == 0 {
        return vec![word];
    }
    match (style, dice.below(3)) {
        (Style::Locks, _) => vec![Do::Lock(2), word, Do::Unlock(2)],
        (Style::Heap, 0) => vec![Do::Publish(w + 2)],
        (Style::Heap, 1) => vec![Do::Discard(w + 2)],
        (Style::Heap, _) => vec![Do::Deref(w + 2)],
        (Style::Calls, 0 | 1) => vec![Do::Call],
        (Style::Yields, 0 | 1) => vec![Do::Yield],
        _ => vec![word],
    }
}

/// A program of two to four threads, of about as many instructions in all.
fn program(seed: u64, length: usize) -> Program {
    let dice = &mut Dice::new(17, seed);
    let style = STYLES[dice.below(STYLES.len() as u64) as usize];
    let threads = 2 + dice.below(3) as usize;
    let mut program = Program { threads: vec![Vec::new(); threads], at_first: threads };
    for i in 0..length {
        let actions = action(dice, style);
        let thread = if i < threads { i } else { dice.below(threads as u64) as usize };
        program.threads[thread].extend(actions);
    }
    if style == Style::Starts {
        program.at_first = 1 + dice.below(threads as u64 - 1) as usize;
        for _ in program.at_first..threads {
            let thread = dice.below(program.at_first as u64) as usize;
            let at = dice.below(program.threads[thread].len() as u64 + 1) as usize;
            program.threads[thread].insert(at, Do::Start);
        }
    }
    program
}

/// Random programs that brute force can finish, and what it saw.
fn programs(count: u64, length: usize, limit: Limit) -> impl Iterator<Item = (Program, Seen)> {
    (0..count).filter_map(move |seed| {
        let program = program(seed, length);
        brute(&program, limit, 4_000).map(|seen| (program, seen))
    })
}

#[test]
fn without_a_bound_it_sees_every_trace_once_and_nothing_else() {
    let (mut checked, mut made, mut all) = (0, 0, 0);
    for (program, expected) in programs(3_000, 6, Limit::Unbounded) {
        let (seen, search) = search(&program, Limit::Unbounded);
        assert_eq!(seen.outcomes, expected.outcomes, "{program:?}");
        assert!(seen.traces.keys().eq(expected.traces.keys()), "{program:?}");
        assert!(seen.executions <= expected.executions, "{program:?}");
        let early = seen.outcomes.iter().any(|o| o.fault.is_some_and(|f| f != "deadlock"));
        let useful = seen.executions - search.coverage().redundant;
        assert!(early || useful == seen.traces.len() as u64, "{program:?}");
        checked += 1;
        made += seen.executions;
        all += expected.executions;
    }
    assert!(checked > 2_000 && made * 10 < all, "{checked} {made} {all}");
}

/// Whether a bounded search sees every trace that brute force sees within the bound, with no fewer calls that precede
/// others.
fn compare_bounded(limits: [Limit; 3], count: u64) {
    let (mut checked, mut made, mut all) = (0, 0, 0);
    for limit in limits {
        for (program, expected) in programs(count, 7, limit) {
            let (seen, search) = search(&program, limit);
            for (trace, outcome) in &expected.shown {
                let covers = |(other, shown): &(u64, Outcome)| {
                    let same = Outcome { calls: outcome.calls.clone(), ..shown.clone() };
                    other == trace && same == *outcome && shown.calls.is_superset(&outcome.calls)
                };
                assert!(seen.shown.iter().any(covers), "{limit:?} {outcome:?} {program:?}");
            }
            let faults = |seen: &Seen| seen.outcomes.iter().filter_map(|o| o.fault).collect();
            let (all_faults, found): (BTreeSet<_>, BTreeSet<_>) = (faults(&expected), faults(&seen));
            assert!(all_faults.is_subset(&found), "{limit:?} {program:?}");
            assert_eq!(search.coverage().redundant, 0);
            checked += 1;
            made += seen.executions;
            all += expected.executions;
        }
    }
    assert!(checked > count && made < all, "{checked} {made} {all}");
}

#[test]
fn within_a_bound_on_preemptions_it_sees_every_trace_that_brute_force_sees() {
    compare_bounded([0, 1, 2].map(Limit::Preemptions), 800);
}

#[test]
fn within_a_bound_on_delays_it_sees_every_trace_that_brute_force_sees() {
    compare_bounded([0, 1, 2].map(Limit::Delays), 800);
}
