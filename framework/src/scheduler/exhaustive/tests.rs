//! The search against brute force, on random programs.

use std::collections::{BTreeMap, BTreeSet};

use mapcheck_machine::{ChoiceKind, Consult, Decider, Reason, Slice, ThreadId};

use super::programs::{Do, Interpreter, Outcome, Program, Shown};
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
            Limit::Unbounded | Limit::EachFault => (t, 0),
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
            Limit::Unbounded | Limit::EachFault => u64::MAX,
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
        Slice::new(thread, 1)
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
        brute(&program, limit, 2_000).map(|seen| (program, seen))
    })
}

#[test]
fn without_a_bound_it_sees_every_trace_once_and_nothing_else() {
    let (mut checked, mut made, mut all) = (0, 0, 0);
    for (program, expected) in programs(1_200, 6, Limit::Unbounded) {
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
    assert!(checked > 800 && made * 10 < all, "{checked} {made} {all}");
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
            let (all_faults, found): (BTreeSet<_>, BTreeSet<_>) =
                (faults(&expected), faults(&seen));
            assert!(all_faults.is_subset(&found), "{limit:?} {program:?}");
            assert_eq!(search.coverage().redundant, 0);
            checked += 1;
            made += seen.executions;
            all += expected.executions;
        }
    }
    assert!(checked > count, "{checked} {made} {all}");
}

#[test]
fn within_a_bound_on_preemptions_it_sees_every_trace_that_brute_force_sees() {
    compare_bounded([0, 1, 2].map(Limit::Preemptions), 250);
}

#[test]
fn within_a_bound_on_delays_it_sees_every_trace_that_brute_force_sees() {
    compare_bounded([0, 1, 2].map(Limit::Delays), 250);
}

const LIMITS: [Limit; 3] = [Limit::Unbounded, Limit::Preemptions(2), Limit::Delays(2)];

/// Names of what was seen, in order.
fn all_of(search: &mut Exhaustive, program: &Program, most: usize) -> Vec<u64> {
    let mut traces = Vec::new();
    while !search.coverage().complete && traces.len() < most {
        traces.push(execute(search, program).trace);
    }
    traces
}

#[test]
fn a_search_that_is_cut_at_any_execution_and_resumed_goes_on_as_if_it_had_not_been() {
    let mut checked = 0;
    for (limit, seed) in LIMITS.iter().flat_map(|l| (0..40).map(move |seed| (*l, seed))) {
        let program = program(seed, 6);
        let mut whole = Exhaustive::new(limit);
        let expected = all_of(&mut whole, &program, 300);
        for cut in 0..expected.len().min(40) {
            let mut first = Exhaustive::new(limit);
            let mut seen = all_of(&mut first, &program, cut);
            let mut second = Exhaustive::new(limit);
            second.recall(&first.learnt());
            assert_eq!(second.coverage(), first.coverage());
            seen.extend(all_of(&mut second, &program, expected.len() - cut));
            assert_eq!(seen, expected, "{limit:?} {cut} {program:?}");
            assert_eq!((second.coverage(), second.learnt()), (whole.coverage(), whole.learnt()));
            checked += 1;
        }
    }
    assert!(checked > 1_000, "{checked}");
}

#[test]
fn what_another_limit_has_learnt_or_nobody_is_as_good_as_nothing() {
    let program = program(1, 6);
    let mut other = Exhaustive::new(Limit::Delays(1));
    all_of(&mut other, &program, 2);
    for learnt in [other.learnt(), Vec::new(), vec![1; 5], vec![0, 0, 0, 9, 9, 0, 0, 1 << 40]] {
        let mut search = Exhaustive::new(Limit::Unbounded);
        search.recall(&learnt);
        assert_eq!(search.learnt(), Exhaustive::new(Limit::Unbounded).learnt());
    }
}

fn threads(threads: &[&[Do]]) -> Program {
    let threads: Vec<Vec<Do>> = threads.iter().map(|t| t.to_vec()).collect();
    Program { at_first: threads.len(), threads }
}

/// Programs in which a thread waits for another by reading again and again.
fn spinning() -> Vec<Program> {
    use Do::*;
    let mut programs = Vec::new();
    for wait in [Await(0), YieldUntil(0)] {
        programs.push(threads(&[&[wait, Load(1)], &[Store(1, 7), Store(0, 1)]]));
        programs.push(threads(&[&[wait, Add(1, 1)], &[wait, Add(1, 2)], &[Load(1), Store(0, 1)]]));
        programs.push(threads(&[&[wait, Store(1, 1)], &[Store(0, 1), Await(1), Load(0)]]));
        programs
            .push(threads(&[&[Add(1, 1), wait, Load(1)], &[Cas(1, 0, 5), Store(0, 1), Add(1, 1)]]));
    }
    programs
}

#[test]
fn a_search_with_threads_that_spin_ends_and_sees_what_one_with_threads_that_wait_sees() {
    for program in spinning() {
        let expected = brute_with(&program, Limit::Unbounded, 100_000, true).unwrap();
        for limit in [Limit::Unbounded, Limit::Preemptions(3), Limit::Delays(4)] {
            let (seen, search) = search(&program, limit);
            assert_eq!(seen.outcomes, expected.outcomes, "{limit:?} {program:?}");
            assert!(search.coverage().executions < 5_000, "{:?} {program:?}", search.coverage());
        }
    }
}

#[test]
fn a_thread_that_gives_up_spinning_does_so_in_some_execution() {
    for times in [2, 10, 40, 120] {
        let program =
            threads(&[&[Do::Try(0, times), Do::Load(1)], &[Do::Store(1, 1), Do::Store(0, 1)]]);
        for limit in LIMITS {
            let (seen, _) = search(&program, limit);
            let values = seen.outcomes.iter().map(|o| o.values[0].clone());
            let values: Vec<Vec<u64>> = values.collect();
            // Seen or not, and in the latter case before or after the other word was written.
            assert_eq!(values, [vec![0, 0], vec![0, 1], vec![1, 1]], "{times} {limit:?}");
            assert!(seen.executions < 200, "{times} {limit:?} {}", seen.executions);
        }
    }
}

#[test]
fn a_program_that_is_not_a_function_of_its_decisions_is_noticed_and_nothing_is_claimed() {
    use Do::*;
    let program = threads(&[&[Load(0), Add(1, 1), Load(1)], &[Store(0, 1), Add(1, 2)]]);
    let others = [
        threads(&[&[Load(0), Add(1, 1), Load(1)], &[Store(1, 1), Add(1, 2)]]),
        threads(&[&[Load(0)], &[Store(0, 1)]]),
        threads(&[&[Load(2), Add(3, 1), Load(2)], &[Store(0, 1), Add(1, 2)]]),
    ];
    for (limit, other) in LIMITS.iter().flat_map(|l| others.iter().map(move |o| (*l, o))) {
        let mut search = Exhaustive::new(limit);
        // Until there is something to come back to.
        while search.coverage().executions < 2 || search.tree.nodes.is_empty() {
            execute(&mut search, &program);
        }
        assert!(!search.coverage().diverged);
        execute(&mut search, other);
        let coverage = search.coverage();
        assert!(coverage.diverged && !coverage.holds(), "{limit:?} {other:?}");
        let mut later = Exhaustive::new(limit);
        later.recall(&search.learnt());
        execute(&mut later, &program);
        assert!(later.coverage().diverged && !later.coverage().holds());
    }
}

#[test]
fn an_execution_that_was_stopped_hides_none_that_would_have_been_stopped_elsewhere() {
    use Do::*;
    for first in [vec![Fail], vec![Add(0, 1), Fail], vec![Load(0), Load(0), Fail]] {
        let program = threads(&[&first, &[Load(1), Store(0, 1), Fail]]);
        let expected = brute(&program, Limit::Unbounded, 1_000).unwrap();
        assert_eq!(expected.outcomes.len(), 2);
        let (seen, _) = search(&program, Limit::Unbounded);
        assert_eq!(seen.outcomes, expected.outcomes, "{program:?}");
    }
}

#[test]
fn more_threads_than_it_can_tell_apart_are_noticed_and_nothing_is_claimed() {
    let program = threads(&[&[Do::Add(0, 1)][..]; 17]);
    let mut search = Exhaustive::new(Limit::Preemptions(1));
    execute(&mut search, &program);
    assert!(search.coverage().crowded && !search.coverage().holds());
}

#[test]
fn threads_are_preempted_only_where_they_contend() {
    let mut private = vec![Do::Add(2, 1); 30];
    private.push(Do::Add(0, 1));
    let mut others = vec![Do::Load(3); 30];
    others.push(Do::Add(0, 1));
    let (seen, search) = search(&threads(&[&private, &others]), Limit::Preemptions(2));
    assert_eq!(seen.outcomes.len(), 1);
    // Two orders, and the rounds of the smaller bounds; the first of them, where nothing is known yet, twice.
    assert!(seen.executions <= 8, "{:?}", search.coverage());
    assert_eq!((search.coverage().contended, search.coverage().bound), (1, Some(2)));
}

#[test]
fn an_estimate_of_what_is_left_is_given_while_something_is() {
    let program = threads(&[&[Do::Add(0, 1); 2], &[Do::Add(0, 1); 2]]);
    let mut search = Exhaustive::new(Limit::Unbounded);
    assert_eq!(search.coverage().remaining, None);
    let (mut sum, mut number) = (0, 0);
    while !search.coverage().complete {
        execute(&mut search, &program);
        sum += search.coverage().remaining.unwrap_or_default() + search.coverage().executions;
        number += 1;
    }
    // Six orders of four additions.
    assert_eq!((search.coverage().executions, search.coverage().remaining), (6, None));
    assert!((3 * number..=9 * number).contains(&sum), "{sum} {number}");
}
