//! A scenario under change: every operation remembers which one it was.

use mapcheck_machine::{index_of, operation_and_number};

use crate::decision::{Decision, DecisionKind, Decisions};
use crate::scenario::{Op, Scenario};

/// An operation, and the label that it had.
type Entry = (u32, Op);

/// A thread, and which threads it was: several where they were joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lane {
    pub was: Vec<u32>,
    pub ops: Vec<Entry>,
}

/// A scenario whose operations and threads know where they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub setup: Vec<Entry>,
    pub threads: Vec<Lane>,
    pub teardown: Vec<Entry>,
    pub elements: bool,
    pub collide: u32,
}

/// A smaller scenario, and what became of the threads and operations of the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub scenario: Scenario,
    /// The new number of each virtual thread; `None` where it is gone. The root stays 0.
    threads: Vec<Option<u32>>,
    /// The new label and thread of each operation; `None` where it is gone. At 0, no label.
    labels: Vec<Option<(u32, u32)>>,
}

impl Draft {
    pub(super) fn of(scenario: &Scenario) -> Draft {
        let mut labels = 1..;
        let mut entries =
            |ops: &[Op]| ops.iter().copied().map(|op| (labels.next().unwrap_or(0), op)).collect();
        let setup = entries(&scenario.setup);
        let lanes = scenario.threads.iter().zip(1..);
        let threads = lanes.map(|(ops, t)| Lane { was: vec![t], ops: entries(ops) }).collect();
        let teardown = entries(&scenario.teardown);
        let Scenario { elements, collide, .. } = *scenario;
        Draft { setup, threads, teardown, elements, collide }
    }

    /// The scenario that this is, with the name and family of the one it was made of.
    pub(super) fn candidate(&self, of: &Scenario) -> Candidate {
        let mut candidate = Candidate {
            scenario: Scenario {
                name: of.name.clone(),
                family: of.family.clone(),
                elements: self.elements,
                collide: self.collide,
                ..Scenario::default()
            },
            threads: vec![None; of.threads.len() + 1],
            labels: vec![None; of.operations() + 1],
        };
        candidate.threads[0] = Some(0);
        let mut next = 1;
        candidate.scenario.setup = candidate.place(&self.setup, 0, &mut next);
        for (lane, thread) in self.threads.iter().zip(1..) {
            lane.was.iter().for_each(|t| candidate.threads[*t as usize] = Some(thread));
            let ops = candidate.place(&lane.ops, thread, &mut next);
            candidate.scenario.threads.push(ops);
        }
        candidate.scenario.teardown = candidate.place(&self.teardown, 0, &mut next);
        candidate
    }
}

impl Candidate {
    /// Operations of a thread, which get the next labels.
    fn place(&mut self, entries: &[Entry], thread: u32, next: &mut u32) -> Vec<Op> {
        for (was, _) in entries {
            self.labels[*was as usize] = Some((*next, thread));
            *next += 1;
        }
        entries.iter().map(|(_, op)| *op).collect()
    }

    /// What became of a virtual thread; one that the code under test has started itself stays as far from the last of
    /// the scenario's as it was.
    pub(super) fn thread(&self, was: u32) -> Option<u32> {
        let scenario_s = self.threads.len() as u32;
        match self.threads.get(was as usize) {
            Some(now) => *now,
            None => Some(was - scenario_s + self.scenario.threads.len() as u32 + 1),
        }
    }

    /// The new label of an operation, and the thread that does it.
    pub(super) fn operation(&self, label: u32) -> Option<(u32, u32)> {
        self.labels.get(label as usize).copied().flatten().filter(|_| label > 0)
    }

    /// The decisions as they read with the threads that are left, at the same steps.
    pub(super) fn adapt(&self, decisions: &Decisions) -> Decisions {
        let adapted = decisions.0.iter().filter_map(|d| {
            let thread = self.thread(d.thread)?;
            let choice = match d.kind {
                DecisionKind::Schedule => self.thread(d.choice)?,
                _ => d.choice,
            };
            let idle = d.kind == DecisionKind::Schedule && choice == thread && d.choice != d.thread;
            let (index, thread) = match d.kind.is_within_operations() {
                true => self.place_of(d.index, thread)?,
                false => (d.index, thread),
            };
            (!idle).then_some(Decision { thread, choice, index, ..*d })
        });
        Decisions(adapted.collect())
    }

    /// Where a fault went, by its operation; nowhere if that is gone. The drop of the map is the last operation.
    fn place_of(&self, index: u64, thread: u32) -> Option<(u64, u32)> {
        let (label, number) = operation_and_number(index);
        let (label, thread) = match label as usize {
            0 => (0, thread),
            last if last == self.labels.len() => (self.scenario.last_label(), thread),
            _ => self.operation(label as u32)?,
        };
        Some((index_of(label.into(), number), thread))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shrink::testing::scenario;

    #[test]
    fn a_draft_that_nobody_changed_is_the_scenario_itself() {
        let scenario = scenario();
        let candidate = Draft::of(&scenario).candidate(&scenario);
        assert_eq!(candidate.scenario, scenario);
        let text = "0@3>2 1@4>2 suspend:0@0=7";
        assert_eq!(candidate.adapt(&text.parse().unwrap()).to_string(), text);
        let labels = 1..=scenario.operations() as u32;
        assert!(labels.clone().all(|l| candidate.operation(l).unwrap().0 == l));
        assert_eq!(candidate.operation(0), None);
    }

    #[test]
    fn decisions_of_a_thread_that_is_left_out_go_with_it() {
        let scenario = scenario();
        let mut draft = Draft::of(&scenario);
        draft.threads.remove(0);
        let adapted = draft
            .candidate(&scenario)
            .adapt(&"0@3>2 0@9>1 1@4>2 2@5>3 data:2@0=2 3@4>5".parse().unwrap());
        assert_eq!(adapted.to_string(), "0@3>1 1@5>2 data:1@0=2 2@4>4");
    }

    #[test]
    fn a_switch_between_threads_that_were_joined_is_none_any_more() {
        let scenario = scenario();
        let mut draft = Draft::of(&scenario);
        let mut second = draft.threads.remove(1);
        draft.threads[0].was.append(&mut second.was);
        draft.threads[0].ops.append(&mut second.ops);
        let candidate = draft.candidate(&scenario);
        let adapted = candidate.adapt(&"0@3>2 1@4>2 1@9>3 3@1>2".parse().unwrap());
        assert_eq!(adapted.to_string(), "0@3>1 1@9>2 2@1>1");
        let first_of_second = 1 + (scenario.setup.len() + scenario.threads[0].len()) as u32;
        assert_eq!(candidate.operation(first_of_second), Some((first_of_second, 1)));
    }
}
