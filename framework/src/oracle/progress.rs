//! Executions that do not end: deadlocks, livelocks, loops.

use mapcheck_machine::{Fact, Stamp, ThreadId, Waiting, WaitsFor};

use super::wait_for::{Edge, Why, cycle};
use super::{Class, Violation};
use crate::text::grouped;

pub(super) fn judge(fact: &Fact) -> Option<Violation> {
    let class = match fact {
        Fact::Deadlock { .. } => Class::Deadlock,
        Fact::StepLimit { .. } | Fact::Stuck | Fact::Livelock { .. } | Fact::Obstructed { .. } => {
            Class::Livelock
        }
        _ => return None,
    };
    let message = told(fact, &[], &|at| format!("thread {}", at.thread))?;
    Some(Violation { class, message })
}

/// What a fact about progress says in a sentence, with what is known of who waits for whom; `doing` names a thread and
/// its operation. `None` for other facts.
pub(crate) fn told(
    fact: &Fact,
    edges: &[Edge],
    doing: &dyn Fn(&Stamp) -> String,
) -> Option<String> {
    let who = |w: &Waiting| doing(&stamp(w));
    Some(match fact {
        Fact::Deadlock { waiting } => waits(waiting, edges),
        Fact::StepLimit { steps } => {
            format!("the execution did not end within {steps} schedule points")
        }
        Fact::Stuck => "a thread computed for seconds without a schedule point".to_owned(),
        Fact::Livelock { points, threads, .. } => livelock(*points, threads, doing),
        Fact::Obstructed { thread, stalled: Some(stalled), threads, .. } => {
            let doing = |t: &ThreadId| threads.iter().find(|w| w.thread == *t).map(&who);
            let name = |t: &ThreadId| doing(t).unwrap_or_else(|| format!("thread {t}"));
            format!(
                "{} has stalled for good in the midst of its operation, and {} waits for it",
                name(stalled),
                name(thread)
            )
        }
        Fact::Obstructed { thread, points, waits, threads, .. } => {
            let who = threads.iter().find(|w| w.thread == *thread).map(|w| doing(&stamp(w)));
            let who = who.unwrap_or_else(|| format!("thread {thread}"));
            let end = match waits {
                true => "it waits for one of them".to_owned(),
                false => format!("it went on for {} schedule points", grouped(*points)),
            };
            format!(
                "with all other threads suspended in the midst of their operations, {who} cannot \
                 complete: {end}"
            )
        }
        _ => return None,
    })
}

/// The thread and its operation, at no particular step.
pub(crate) fn stamp(waiting: &Waiting) -> Stamp {
    Stamp { thread: waiting.thread, label: waiting.label, step: 0 }
}

fn livelock(points: u64, threads: &[Waiting], doing: &dyn Fn(&Stamp) -> String) -> String {
    let under_way = threads.iter().filter(|w| w.on == WaitsFor::Nothing);
    let under_way: Vec<String> = under_way.map(|w| doing(&stamp(w))).collect();
    let n = grouped(points);
    match &under_way[..] {
        [only] => {
            format!("{only} did not complete within {n} schedule points, and nothing changes")
        }
        all => format!(
            "no operation completed within {n} schedule points although every thread got its turn: {}",
            all.join(", ")
        ),
    }
}

fn waits(waiting: &[Waiting], edges: &[Edge]) -> String {
    match cycle(edges).as_deref() {
        Some([one]) => return format!("thread {one} waits for a lock that it took itself"),
        Some([first, second, rest @ ..]) => {
            let mut text = format!("thread {first} waits for thread {second}");
            let mut from = second;
            for to in rest.iter().chain([first]) {
                let last = if to == first { "and " } else { "" };
                text += &format!(", {last}thread {from} for thread {to}");
                from = to;
            }
            return text;
        }
        _ => {}
    }
    let n = waiting.len();
    let who = if n == 1 { "the only thread waits" } else { "all threads wait" };
    let them = if n == 1 { "it" } else { "them" };
    if let Some((from, to)) = left_behind(waiting, edges) {
        return format!("thread {from} waits for a lock that thread {to} took and never gave back");
    }
    format!("{who}, and nothing can wake {them}")
}

/// A thread that waits for a lock, and one that has ended with it.
fn left_behind(waiting: &[Waiting], edges: &[Edge]) -> Option<(ThreadId, ThreadId)> {
    let ended = |thread: &ThreadId| waiting.iter().all(|w| w.thread != *thread);
    edges.iter().find_map(|edge| match &edge.why {
        Why::Taken(_, by) if by.iter().all(|t| t.sure) => {
            edge.to.iter().find(|t| ended(t)).map(|to| (edge.from, *to))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::wait_for::Touch;
    use mapcheck_machine::Stack;

    fn waiting(thread: ThreadId, on: WaitsFor) -> Waiting {
        Waiting { thread, label: thread, on, stack: Stack::default() }
    }

    fn edge(from: ThreadId, to: ThreadId) -> Edge {
        let at = Stamp { thread: to, ..Stamp::default() };
        Edge {
            from,
            to: vec![to],
            why: Why::Taken(8, vec![Touch { at, sure: true, ..Touch::default() }]),
        }
    }

    fn deadlock(edges: &[Edge]) -> String {
        let waiting = edges.iter().map(|e| waiting(e.from, WaitsFor::Futex(8))).collect();
        told(&Fact::Deadlock { waiting }, edges, &|_| String::new()).unwrap()
    }

    #[test]
    fn a_deadlock_is_told_by_its_cycle() {
        assert_eq!(
            deadlock(&[edge(0, 1), edge(1, 2), edge(2, 1)]),
            "thread 1 waits for thread 2, and thread 2 for thread 1"
        );
        assert_eq!(
            deadlock(&[edge(1, 2), edge(2, 3), edge(3, 1)]),
            "thread 1 waits for thread 2, thread 2 for thread 3, and thread 3 for thread 1"
        );
        assert_eq!(
            deadlock(&[edge(0, 1), edge(1, 1)]),
            "thread 1 waits for a lock that it took itself"
        );
    }

    #[test]
    fn a_deadlock_without_a_cycle_says_what_is_known() {
        let left = "thread 1 waits for a lock that thread 4 took and never gave back";
        assert_eq!(deadlock(&[edge(1, 4)]), left);
        let lost = Edge { from: 1, to: Vec::new(), why: Why::Lost(Vec::new()) };
        assert_eq!(deadlock(&[lost]), "the only thread waits, and nothing can wake it");
        let waiting = vec![waiting(0, WaitsFor::End(1)), waiting(1, WaitsFor::Futex(8))];
        let judged = judge(&Fact::Deadlock { waiting }).unwrap();
        assert_eq!(judged.class, Class::Deadlock);
        assert_eq!(judged.message, "all threads wait, and nothing can wake them");
    }

    #[test]
    fn a_livelock_names_the_operations_under_way() {
        let doing = |at: &Stamp| format!("thread {} in `op {}`", at.thread, at.label);
        let told = |threads| {
            told(&Fact::Livelock { points: 100_000, threads, repeated: Vec::new() }, &[], &doing)
        };
        let root = waiting(0, WaitsFor::End(1));
        let runs = |thread| waiting(thread, WaitsFor::Nothing);
        assert_eq!(
            told(vec![root.clone(), runs(1), runs(2)]).unwrap(),
            "no operation completed within 100,000 schedule points although every thread got its \
             turn: thread 1 in `op 1`, thread 2 in `op 2`"
        );
        assert_eq!(
            told(vec![root, runs(1), waiting(2, WaitsFor::Futex(8))]).unwrap(),
            "thread 1 in `op 1` did not complete within 100,000 schedule points, and nothing changes"
        );
    }

    #[test]
    fn a_thread_that_is_not_obstruction_free_is_named() {
        let fact = |waits| Fact::Obstructed {
            thread: 2,
            points: 1000,
            waits,
            stalled: None,
            threads: vec![waiting(1, WaitsFor::Nothing), waiting(2, WaitsFor::Futex(8))],
        };
        let judged = judge(&fact(true)).unwrap();
        assert_eq!(judged.class, Class::Livelock);
        assert!(judged.message.ends_with("thread 2 cannot complete: it waits for one of them"));
        let judged = judge(&fact(false)).unwrap();
        assert!(judged.message.ends_with("it went on for 1,000 schedule points"));
    }

    #[test]
    fn other_facts_are_none_of_its_business() {
        assert_eq!(judge(&Fact::StackOverflow), None);
    }
}
