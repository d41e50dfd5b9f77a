//! Sequential consistency of each key: does some order of the calls on it, in which each thread's own calls keep
//! theirs, explain what they answered?
//!
//! Unlike linearizability it says nothing of calls of different threads, however far apart they were (Lamport, *How to
//! make a multiprocessor computer that correctly executes multiprocess programs*, IEEE ToC 1979). So it is judged once,
//! when all calls are known. Every order is tried, with a memory of how far each thread had come and what was held. The
//! setup comes before all threads and the teardown after them, since whoever starts or joins a thread is ordered with
//! it.

use std::collections::BTreeSet;

use super::linearizability::{Held, after, in_order, list};
use super::{Class, Violation};
use crate::scenario::Scenario;
use crate::scenario::history::{Call, Effect, History};

/// States that one search visits at most.
const BUDGET: usize = 50_000;

/// What was found out about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Holds,
    Violated,
    Inconclusive,
}

/// Judges every key; a violation, and on how many keys no verdict was reached.
pub(crate) fn judge_all<K: Default>(
    history: &History<K>,
    scenario: &Scenario,
) -> (Option<Violation>, u64) {
    let mut inconclusive = 0;
    for at in 0..history.entries().len() {
        let calls = in_order(history.calls_of(at));
        match judge(&by_thread(scenario, &calls), BUDGET) {
            Verdict::Holds => {}
            Verdict::Inconclusive => inconclusive += 1,
            Verdict::Violated => {
                let key = history.entries()[at].key;
                return (Some(tell(scenario, key, &calls)), inconclusive);
            }
        }
    }
    (None, inconclusive)
}

/// What happened one after the other: in each phase threads with their calls, in the order of each.
type Phases = [Vec<Vec<Call>>; 3];

/// The calls of setup, threads and teardown.
fn by_thread(scenario: &Scenario, calls: &[Call]) -> Phases {
    let mut phases = [vec![vec![]], vec![vec![]; scenario.threads.len()], vec![vec![]]];
    for call in calls {
        match scenario.thread_of(call.label) {
            Some(thread) => phases[1][thread].push(*call),
            None if call.label as usize <= scenario.setup.len() => phases[0][0].push(*call),
            None => phases[2][0].push(*call),
        }
    }
    phases
}

/// Judges all calls on a key.
fn judge(phases: &Phases, mut budget: usize) -> Verdict {
    let mut held = BTreeSet::from([None]);
    for threads in phases {
        let Some(now) = interleave(threads, held, &mut budget) else {
            return Verdict::Inconclusive;
        };
        held = now;
    }
    if held.is_empty() { Verdict::Violated } else { Verdict::Holds }
}

/// What may be held after all calls of these threads, if one of these was before; `None` if the budget ended.
fn interleave(
    threads: &[Vec<Call>],
    held: BTreeSet<Held>,
    budget: &mut usize,
) -> Option<BTreeSet<Held>> {
    let start = vec![0_usize; threads.len()];
    let mut tried: BTreeSet<(Vec<usize>, Held)> =
        held.into_iter().map(|held| (start.clone(), held)).collect();
    let mut todo: Vec<_> = tried.iter().cloned().collect();
    let mut ends = BTreeSet::new();
    while let Some((done, held)) = todo.pop() {
        *budget = budget.checked_sub(1)?;
        let mut ended = true;
        for (thread, calls) in threads.iter().enumerate() {
            let Some(call) = calls.get(done[thread]) else { continue };
            ended = false;
            let mut push = |steps: usize, held: Held| {
                let mut done = done.clone();
                done[thread] += steps;
                if tried.insert((done.clone(), held)) {
                    todo.push((done, held));
                }
            };
            after(call, held).into_iter().flatten().for_each(|held| push(1, held));
            // It may remove again what is inserted meanwhile.
            if matches!(call.effect, Effect::Wipe | Effect::Sweep) {
                push(0, None);
            }
        }
        if ended {
            ends.insert(held);
        }
    }
    Some(ends)
}

fn tell(scenario: &Scenario, key: u64, calls: &[Call]) -> Violation {
    let told = list(scenario, calls);
    let message =
        format!("key {key}: no order that keeps each thread's own calls in theirs explains: {told}");
    Violation { class: Class::NotSequential, message }
}
