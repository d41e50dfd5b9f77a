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
    let message = format!(
        "key {key}: no order that keeps each thread's own calls in theirs explains: {told}"
    );
    Violation { class: Class::NotSequential, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::Previous;
    use crate::oracle::testing::{Draw, Event, Op, Ret, Told, threads_of_one_operation};
    use crate::scenario::history::Answer;

    const ABSENT: Answer = Answer::Wrote(Previous::Absent);

    /// The history of calls on key 0, one after the other, each with the label of its operation.
    fn told(calls: &[(u32, Effect, Answer)]) -> History<()> {
        let mut history = History::new();
        for (label, effect, answer) in calls {
            let ticket = history.invoke(*label, 0, *effect);
            history.respond(ticket, *answer);
        }
        history
    }

    /// Setup `insert 0`, two threads with two operations each, teardown `get 0`: labels 1 to 6.
    fn scenario() -> Scenario {
        let ops = |text: &str| text.split(", ").map(|op| op.parse().unwrap()).collect();
        Scenario {
            setup: ops("insert 0"),
            threads: vec![ops("insert 0, insert 0"), ops("get 0, get 0")],
            teardown: ops("get 0"),
            ..Scenario::default()
        }
    }

    fn message(calls: &[(u32, Effect, Answer)]) -> Option<String> {
        let (violation, inconclusive) = judge_all(&told(calls), &scenario());
        assert_eq!(inconclusive, 0);
        violation.map(|violation| format!("{}: {}", violation.class, violation.message))
    }

    const SETUP: (u32, Effect, Answer) = (1, Effect::Insert(1), ABSENT);
    const SECOND: (u32, Effect, Answer) =
        (2, Effect::Insert(2), Answer::Wrote(Previous::Present(1)));
    const THIRD: (u32, Effect, Answer) =
        (3, Effect::Insert(3), Answer::Wrote(Previous::Present(2)));

    fn read(label: u32, id: u64) -> (u32, Effect, Answer) {
        (label, Effect::Get, Answer::Read(Some(id)))
    }

    #[test]
    fn another_thread_may_see_a_write_late_but_not_go_back() {
        assert_eq!(message(&[SETUP, SECOND, THIRD, read(4, 1), read(5, 3), read(6, 3)]), None);
        assert_eq!(message(&[SETUP, SECOND, THIRD, read(4, 1), read(5, 2)]), None);
        assert_eq!(
            message(&[SETUP, SECOND, read(4, 2), read(5, 1)]).unwrap(),
            "not-sequential: key 0: no order that keeps each thread's own calls in theirs explains: `insert 0` of \
             setup found nothing and put value 0.1 there, `insert 0` by thread 1 replaced value 0.1 by 0.2, `get 0` by \
             thread 2 read value 0.2, `get 0` by thread 2 read value 0.1"
        );
    }

    #[test]
    fn setup_comes_before_the_threads_and_teardown_after_them() {
        let nothing = (4, Effect::Get, Answer::Read(None));
        assert!(message(&[SETUP, nothing]).is_some());
        assert!(message(&[SETUP, SECOND, read(6, 1)]).is_some());
        assert_eq!(message(&[SETUP, SECOND, read(6, 2)]), None);
    }

    #[test]
    fn a_thread_sees_what_it_wrote_itself() {
        let own = (3, Effect::Get, Answer::Read(Some(1)));
        assert!(message(&[SETUP, SECOND, own]).is_some());
    }

    #[test]
    fn a_search_that_would_take_too_long_reaches_no_verdict() {
        let call = |i: u32| Call {
            label: 1,
            effect: Effect::Insert(i.into()),
            answer: Answer::Wrote(Previous::Unknown),
            invoked: i,
            returned: i,
        };
        let threads = vec![(0..20).map(call).collect(), (20..40).map(call).collect()];
        let phases = [vec![], threads, vec![]];
        assert_eq!(judge(&phases, 100), Verdict::Inconclusive);
        assert_eq!(judge(&phases, BUDGET), Verdict::Holds);
    }

    /// What is held against calls of three threads on a map; `late` may change an answer.
    fn judged(seed: u64, late: fn(&mut Draw, &mut Ret)) -> Option<Violation> {
        let mut draw = Draw { state: seed, keys: 1, whole: false };
        let mut events = draw.run(10, |_: &Op| false);
        let mut told = Told::new(false);
        for event in &mut events {
            if let Event::Return(_, ret) = event {
                late(&mut draw, ret);
            }
            told.tell(event);
        }
        judge_all(&told.history, &threads_of_one_operation()).0
    }

    #[test]
    fn nothing_is_held_against_a_right_map_and_much_against_one_that_forgets() {
        let forget = |draw: &mut Draw, ret: &mut Ret| {
            if matches!(ret, Ret::Read(Some(_))) && draw.below(2) == 0 {
                *ret = Ret::Read(None);
            }
        };
        let mut found = 0;
        for seed in 0..20_000 {
            assert_eq!(judged(seed, |_, _| ()), None, "seed {seed}");
            found += u64::from(judged(seed, forget).is_some());
        }
        assert!(found > 1_000, "{found}");
    }
}
