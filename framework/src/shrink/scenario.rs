//! Scenarios that are one step smaller.
//!
//! What "smaller" means is [`size`], which every candidate lowers, so that shrinking ends.

use std::cmp::Reverse;

use super::draft::{Candidate, Draft, Lane};
use crate::scenario::{Op, Scenario};

/// The size of a scenario, the weightiest first: threads, operations, keys, words and numbers of the operations, how
/// many of them are in threads, and how unevenly, which says how soon a thread has none left; last the teardown's.
type Size = (usize, usize, usize, usize, u64, usize, Reverse<usize>, usize);

/// How large a scenario is.
pub(super) fn size(of: &Scenario) -> Size {
    let all = || of.setup.iter().chain(of.threads.iter().flatten()).chain(&of.teardown);
    let beside = || of.threads.iter().map(Vec::len);
    (
        of.threads.len(),
        of.operations(),
        all().map(Op::keys).sum(),
        all().map(|op| op.complexity()).sum::<usize>()
            + usize::from(of.elements)
            + usize::from(of.collide > 1),
        all().map(Op::numbers).sum(),
        beside().sum(),
        Reverse(beside().map(|n| n * n).sum()),
        of.teardown.len(),
    )
}

/// Scenarios that are one step smaller, the most promising first.
pub(super) fn smaller(of: &Scenario) -> Vec<Candidate> {
    let draft = Draft::of(of);
    let mut all = without_a_thread(&draft);
    all.extend(joined(&draft));
    all.extend(without_an_operation(&draft));
    all.extend(moved(&draft));
    all.extend(simpler_operations(&draft));
    all.extend(renumbered(&draft));
    if draft.collide > 1 {
        all.push(Draft { collide: 0, ..draft.clone() });
    }
    if draft.elements {
        all.push(Draft { elements: false, ..draft });
    }
    let mut all: Vec<Candidate> = all.iter().map(|draft| draft.candidate(of)).collect();
    let now = size(of);
    all.retain(|candidate| size(&candidate.scenario) < now);
    all.dedup_by(|a, b| a.scenario == b.scenario);
    all
}

fn without_a_thread(draft: &Draft) -> Vec<Draft> {
    let without = |t: usize| {
        let mut fewer = draft.clone();
        fewer.threads.remove(t);
        fewer
    };
    (0..draft.threads.len()).map(without).collect()
}

/// One thread does what two did, in either order.
fn joined(draft: &Draft) -> Vec<Draft> {
    let mut all = Vec::new();
    for later in 1..draft.threads.len() {
        for earlier in 0..later {
            for swap in [false, true] {
                let mut fewer = draft.clone();
                let Lane { was, ops } = fewer.threads.remove(later);
                let lane = &mut fewer.threads[earlier];
                lane.was.extend(was);
                let at = if swap { 0 } else { lane.ops.len() };
                lane.ops.splice(at..at, ops);
                all.push(fewer);
            }
        }
    }
    all
}

/// A list of operations of a draft: 0 is the setup, then the threads, last the teardown.
fn list(draft: &mut Draft, i: usize) -> &mut Vec<(u32, Op)> {
    match i.checked_sub(1) {
        None => &mut draft.setup,
        Some(t) if t < draft.threads.len() => &mut draft.threads[t].ops,
        Some(_) => &mut draft.teardown,
    }
}

/// The lists in the order in which they are made shorter: threads, setup, teardown; and each of their operations.
fn places(draft: &Draft) -> Vec<(usize, usize)> {
    let mut draft = draft.clone();
    let threads = draft.threads.len();
    let lists = (1..=threads).chain([0, threads + 1]);
    let of = |l: usize| (0..list(&mut draft, l).len()).map(move |i| (l, i)).collect::<Vec<_>>();
    lists.flat_map(of).collect()
}

/// From the end of each list, where the operations matter least; of a long list, its halves first.
fn without_an_operation(draft: &Draft) -> Vec<Draft> {
    let without = |(l, i): (usize, usize)| {
        let mut fewer = draft.clone();
        list(&mut fewer, l).remove(i);
        fewer
    };
    halves(draft).into_iter().chain(places(draft).into_iter().rev().map(without)).collect()
}

fn halves(draft: &Draft) -> Vec<Draft> {
    let mut all = Vec::new();
    for l in 0..draft.threads.len() + 2 {
        let n = list(&mut draft.clone(), l).len();
        if n >= 4 {
            for half in [n / 2..n, 0..n / 2] {
                let mut fewer = draft.clone();
                list(&mut fewer, l).drain(half);
                all.push(fewer);
            }
        }
    }
    all
}

/// An operation of a thread happens before all threads, after them, or in a thread that has at least as many.
fn moved(draft: &Draft) -> Vec<Draft> {
    let mut all = Vec::new();
    let teardown = draft.threads.len() + 1;
    if draft.threads.is_empty() && !draft.teardown.is_empty() {
        // Where nothing comes between, what comes after is no other than what comes before.
        let mut other = draft.clone();
        other.setup.append(&mut other.teardown);
        all.push(other);
    }
    for from in 1..teardown {
        let n = draft.threads[from - 1].ops.len();
        let larger = |to: &usize| *to != from && draft.threads[to - 1].ops.len() >= n;
        let threads: Vec<usize> = (1..teardown).filter(larger).collect();
        for i in 0..n {
            all.push(with_moved(draft, (from, i), 0, false));
            all.push(with_moved(draft, (from, i), teardown, true));
            for to in &threads {
                all.extend([true, false].map(|first| with_moved(draft, (from, i), *to, first)));
            }
        }
    }
    all
}

/// An operation moves to another list: it becomes its first, or its last.
fn with_moved(draft: &Draft, from: (usize, usize), to: usize, first: bool) -> Draft {
    let mut other = draft.clone();
    let op = list(&mut other, from.0).remove(from.1);
    let target = list(&mut other, to);
    let at = if first { 0 } else { target.len() };
    target.insert(at, op);
    other
}

fn simpler_operations(draft: &Draft) -> Vec<Draft> {
    let mut all = Vec::new();
    for (l, i) in places(draft) {
        let op = list(&mut draft.clone(), l)[i].1;
        for simpler in op.smaller() {
            let mut other = draft.clone();
            list(&mut other, l)[i].1 = simpler;
            all.push(other);
        }
    }
    all
}

/// The keys above a gap that no operation names, each one lower.
fn renumbered(draft: &Draft) -> Option<Draft> {
    let mut other = draft.clone();
    let places = places(draft);
    let mut all: Vec<(u32, u32)> = Vec::new();
    for (l, i) in &places {
        all.extend(list(&mut other, *l)[*i].1.named().map(|keys| (keys.first, keys.end)));
    }
    all.sort_unstable();
    let mut gap = 0;
    let end = all.iter().map(|keys| keys.1).max()?;
    for (first, end) in &all {
        if *first > gap {
            break;
        }
        gap = gap.max(*end);
    }
    if gap >= end {
        return None;
    }
    for (l, i) in places {
        let op = &mut list(&mut other, l)[i].1;
        *op = op.lowered(gap);
    }
    Some(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shrink::testing::{ops, scenario};

    #[test]
    fn every_candidate_is_smaller_and_the_list_ends() {
        let mut scenario = Scenario { elements: true, collide: 2, ..scenario() };
        let mut steps = 0;
        while let Some(candidate) = smaller(&scenario).pop() {
            for c in smaller(&scenario) {
                assert!(size(&c.scenario) < size(&scenario), "{:?} of {scenario:?}", c.scenario);
            }
            scenario = candidate.scenario;
            steps += 1;
            assert!(steps < 1000, "it does not end");
        }
        assert_eq!(scenario, Scenario { name: "n".into(), ..Scenario::default() });
    }

    fn texts(of: &Scenario) -> Vec<String> {
        let text = |ops: &[Op]| ops.iter().map(Op::to_string).collect::<Vec<_>>().join(", ");
        let all = smaller(of).into_iter().map(|c| {
            let threads: Vec<String> = c.scenario.threads.iter().map(|t| text(t)).collect();
            format!(
                "{}|{}|{}",
                text(&c.scenario.setup),
                threads.join("/"),
                text(&c.scenario.teardown)
            )
        });
        all.collect()
    }

    #[test]
    fn threads_are_joined_in_both_orders() {
        let threads = vec![ops("len"), ops("clear")];
        let all = texts(&Scenario { threads, ..Scenario::default() });
        assert!(
            all.contains(&"|len, clear|".into()) && all.contains(&"|clear, len|".into()),
            "{all:?}"
        );
    }

    #[test]
    fn an_operation_moves_before_all_threads_after_them_and_to_a_larger_one() {
        let threads = vec![ops("len"), ops("clear, shrink")];
        let setup = ops("reclaim");
        let all = texts(&Scenario { setup, threads, ..Scenario::default() });
        for wanted in [
            "reclaim, clear|len/shrink|",
            "reclaim|len/clear|shrink",
            "reclaim|/len, clear, shrink|",
            "reclaim|/clear, shrink, len|",
        ] {
            assert!(all.contains(&wanted.to_owned()), "{wanted} in {all:?}");
        }
        assert!(!all.contains(&"reclaim|len, clear/shrink|".into()), "never to a smaller thread");
    }

    #[test]
    fn without_threads_all_is_setup() {
        let of = Scenario { setup: ops("len"), teardown: ops("clear"), ..Scenario::default() };
        assert!(texts(&of).contains(&"len, clear||".into()));
        assert!(
            !texts(&Scenario { threads: vec![Vec::new()], ..of }).contains(&"len, clear||".into())
        );
    }

    #[test]
    fn keys_above_a_gap_become_lower() {
        let threads = vec![ops("insert 9, iterate remove 5..7 at 1")];
        let of = Scenario { setup: ops("insert 0..2"), threads, ..Scenario::default() };
        let all = texts(&of);
        assert!(all.contains(&"insert 0..2|insert 8, iterate remove 4..6 at 1|".into()), "{all:?}");
        let dense = Scenario { setup: ops("insert 0..2, get 2"), ..Scenario::default() };
        assert!(renumbered(&Draft::of(&dense)).is_none());
    }
}
