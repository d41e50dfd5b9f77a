//! Decisions that are simpler: fewer, at an operation's begin, earlier, of lower choice.
//!
//! What "simpler" means is [`weight`], which every candidate lowers.

use mapcheck_machine::{index_of, operation_and_number};

use crate::decision::{Decision, DecisionKind, Decisions};
use crate::scheduler::Anchor;
use crate::worker::survey::Survey;

use super::draft::Candidate;

/// The weight of decisions, the heaviest first: how many, how many of them preempt a thread within an operation, their
/// indices, and what is chosen besides threads.
#[cfg(test)]
pub(super) fn weight(decisions: &Decisions, survey: &Survey) -> (usize, usize, u64, u64) {
    let all = &decisions.0;
    let inside = all.iter().filter(|d| is_inside(d, survey)).count();
    let other = all.iter().filter(|d| d.kind != DecisionKind::Schedule);
    let chosen = other.map(|d| u64::from(d.choice)).sum();
    (all.len(), inside, all.iter().map(|d| d.index).sum(), chosen)
}

/// Whether it preempts a thread after the first step of an operation.
#[cfg(test)]
fn is_inside(decision: &Decision, survey: &Survey) -> bool {
    preempts(decision, survey)
        && survey
            .operation(decision.thread, decision.index)
            .is_some_and(|(start, _)| start < decision.index)
}

/// Whether it is a preemption: the thread that is left could have gone on.
fn preempts(decision: &Decision, survey: &Survey) -> bool {
    decision.kind == DecisionKind::Schedule
        && survey.local(decision.thread, decision.index).is_some_and(|step| step.preempted)
}

/// So few switches are tried in other ways round, too: how many there are grows with the square.
const FEW: usize = 6;

/// Decisions that are one step simpler than those surveyed: first without two of them, so that a switch and the one
/// back go together; then without one, where another leads past it; then with one that is moved or lowered.
pub(super) fn simpler(
    decisions: Decisions,
    survey: &Survey,
) -> impl Iterator<Item = Decisions> + use<> {
    let all = decisions.0;
    let shortcuts = shortcuts(&all);
    let changes: Vec<(usize, Decision)> = (0..)
        .zip(&all)
        .flat_map(|(i, decision)| easier(decision, survey).into_iter().map(move |d| (i, d)))
        .collect();
    let before = all.clone();
    let two = (1..all.len()).flat_map(|second| (0..second).map(move |first| (first, second)));
    let without = two.map(move |(first, second)| {
        let mut fewer = before.clone();
        fewer.remove(second);
        fewer.remove(first);
        Decisions(fewer)
    });
    let with = changes.into_iter().map(move |(i, other)| {
        let mut changed = all.clone();
        changed[i] = other;
        Decisions(changed)
    });
    without.chain(shortcuts).chain(with)
}

/// Without one switch or two, and with another that leads to another thread: to whom the run came in the end, not back
/// to where it was left before.
fn shortcuts(all: &[Decision]) -> Vec<Decisions> {
    let switches: Vec<usize> =
        (0..all.len()).filter(|i| all[*i].kind == DecisionKind::Schedule).collect();
    if switches.len() > FEW {
        return Vec::new();
    }
    let mut threads: Vec<u32> = switches.iter().map(|i| all[*i].choice).collect();
    threads.sort_unstable();
    threads.dedup();
    let (mut two, mut one) = (Vec::new(), Vec::new());
    for (turned, &choice) in pairs(&switches, &threads) {
        let kept = all[*turned];
        if choice == kept.thread || choice == kept.choice {
            continue;
        }
        let mut changed = all.to_vec();
        changed[*turned].choice = choice;
        for (first, second) in pairs(&switches, &switches) {
            // Equal ones stand for one alone.
            if first <= second && first != turned && second != turned {
                let left = (0..).zip(&changed).filter(|(i, _)| i != first && i != second);
                let fewer = Decisions(left.map(|(_, decision)| *decision).collect());
                if first == second { one.push(fewer) } else { two.push(fewer) }
            }
        }
    }
    two.append(&mut one);
    two
}

/// Each of these with each of those.
fn pairs<'a, A, B>(these: &'a [A], those: &'a [B]) -> impl Iterator<Item = (&'a A, &'a B)> {
    these.iter().flat_map(move |this| those.iter().map(move |that| (this, that)))
}

/// A decision that is moved to the begin of an operation or to an earlier step, or whose choice is lower.
fn easier(decision: &Decision, survey: &Survey) -> Vec<Decision> {
    let Decision { index, choice, .. } = *decision;
    if decision.kind != DecisionKind::Schedule {
        let lower = nearer(choice.into(), 1).into_iter();
        let lower = lower.map(|c| Decision { choice: c as u32, ..*decision });
        if !decision.kind.is_within_operations() {
            return lower.collect();
        }
        let (operation, number) = operation_and_number(index);
        let earlier = nearer(number, 0).into_iter().map(|n| index_of(operation, n));
        return lower.chain(earlier.map(|index| Decision { index, ..*decision })).collect();
    }
    if !preempts(decision, survey) {
        return Vec::new();
    }
    let Some((start, next)) = survey.operation(decision.thread, index) else { return Vec::new() };
    let mut indices = nearer(index, start);
    if start < index && next <= survey.length(decision.thread) {
        indices.insert(1.min(indices.len()), next);
    }
    indices.into_iter().map(|index| Decision { index, ..*decision }).collect()
}

/// Numbers from `least` up to below `number`, in steps that are halved.
fn nearer(number: u64, least: u64) -> Vec<u64> {
    let halves = std::iter::successors(number.checked_sub(least), |jump| Some(jump / 2));
    halves.take_while(|jump| *jump > 0).map(|jump| number - jump).collect()
}

/// The switches of surveyed decisions, by operation, as they read in a smaller scenario. One in an operation that is
/// gone is made at the begin of the next.
pub(super) fn anchors(decisions: &Decisions, survey: &Survey, in_: &Candidate) -> Vec<Anchor> {
    let schedule = decisions.0.iter().filter(|d| d.kind == DecisionKind::Schedule);
    schedule.filter_map(|d| anchor(d, survey, in_)).collect()
}

fn anchor(decision: &Decision, survey: &Survey, in_: &Candidate) -> Option<Anchor> {
    let at = survey.local(decision.thread, decision.index)?;
    let (start, next) = survey.operation(decision.thread, decision.index)?;
    let choice = in_.thread(decision.choice)?;
    let (label, thread, offset) = match in_.operation(at.label) {
        Some((label, thread)) => (label, thread, decision.index - start),
        None if at.label == 0 => (0, in_.thread(decision.thread)?, decision.index - start),
        None => {
            let after = survey.local(decision.thread, next).map(|step| step.label)?;
            let (label, thread) = in_.operation(after)?;
            (label, thread, 0)
        }
    };
    (choice != thread).then_some(Anchor { thread, label, offset, choice })
}

/// The decisions that are about something else than threads.
pub(super) fn others(decisions: &Decisions) -> Decisions {
    Decisions(decisions.0.iter().filter(|d| d.kind != DecisionKind::Schedule).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;
    use crate::shrink::draft::Draft;
    use crate::shrink::testing::ops;
    use crate::worker::survey::{Step, Survey};

    /// Thread 1 does operations 2 and 3, of five and four steps; it is preempted in its fourth.
    fn survey() -> Survey {
        let step = |thread, label, preempted| Step { thread, label, preempted };
        let mut steps = vec![step(0, 1, false)];
        steps.extend((1..=5).map(|i| step(1, 2, i == 4)));
        steps.extend([step(2, 4, false); 3]);
        steps.extend([step(1, 3, false); 4]);
        Survey::new(steps, Vec::new())
    }

    fn texts(decisions: &str) -> Vec<String> {
        simpler(decisions.parse().unwrap(), &survey()).map(|d| d.to_string()).collect()
    }

    #[test]
    fn a_preemption_moves_to_the_begin_of_its_operation_to_the_next_and_earlier() {
        assert_eq!(texts("1@4>2"), ["1@1>2", "1@6>2", "1@3>2"]);
        // What is no preemption, because the thread waits, happens where it happens.
        assert_eq!(texts("0@1>2"), [""; 0]);
    }

    #[test]
    fn two_switches_go_together_and_choices_become_lower() {
        let all = texts("1@4>2 2@2>1 suspend:0@0=9");
        assert_eq!(all[..3], ["suspend:0@0=9", "2@2>1", "1@4>2"]);
        for wanted in ["1@4>2 2@2>1 suspend:0@0=1", "1@4>2 2@2>1 suspend:0@0=8"] {
            assert!(all.contains(&wanted.to_owned()), "{all:?}");
        }
    }

    #[test]
    fn a_switch_may_lead_past_one_that_went_back() {
        let all = texts("0@13>1 1@4>0 0@25>2");
        for wanted in ["1@4>2", "1@4>2 0@25>2", "0@13>1 0@25>1", "1@4>0 0@25>1"] {
            assert!(all.contains(&wanted.to_owned()), "{all:?}");
        }
    }

    #[test]
    fn of_many_decisions_one_candidate_is_held_at_a_time() {
        let many: Vec<Decision> = (0..20_000)
            .map(|n| Decision { kind: DecisionKind::Schedule, thread: 1, index: n, choice: 2 })
            .collect();
        // All pairs of them, copied, are more than any machine has memory.
        let mut all = simpler(Decisions(many), &survey());
        assert_eq!(all.next().map(|d| d.0.len()), Some(19_998));
    }

    #[test]
    fn every_candidate_weighs_less() {
        let survey = survey();
        for text in [
            "1@4>2 2@2>1 suspend:0@0=9 reuse:1@2.3=4",
            "0@1>2 1@4>2",
            "0@1>1 1@4>0 0@9>2",
            "data:0@0=32767",
        ] {
            let decisions: Decisions = text.parse().unwrap();
            for simpler in simpler(decisions.clone(), &survey) {
                // A moved switch weighs by what the survey knew of the step it moves to.
                let (count, inside, indices, chosen) = weight(&simpler, &survey);
                let before = weight(&decisions, &survey);
                assert!((count, inside, indices, chosen) < before, "{simpler} of {decisions}");
            }
        }
    }

    #[test]
    fn a_switch_is_found_again_where_its_operation_went() {
        let scenario = Scenario {
            setup: ops("len"),
            threads: vec![ops("clear, shrink"), ops("reclaim")],
            ..Scenario::default()
        };
        let told = |draft: &Draft| {
            let candidate = draft.candidate(&scenario);
            let all = anchors(&"1@4>2 0@1>2".parse().unwrap(), &survey(), &candidate);
            all.iter().map(|a| (a.thread, a.label, a.offset, a.choice)).collect::<Vec<_>>()
        };
        let mut draft = Draft::of(&scenario);
        assert_eq!(told(&draft), [(1, 2, 3, 2), (0, 1, 0, 2)]);
        draft.setup.clear();
        assert_eq!(told(&draft), [(1, 1, 3, 2)], "the label after setup is another thread's");
        draft.threads[0].ops.remove(0);
        assert_eq!(told(&draft), [(1, 1, 0, 2)], "at the begin of what comes next");
    }
}
