//! Executions near one that is known: its switches, at the same places of the same operations, or not far from there.

use std::collections::VecDeque;

use mapcheck_machine::{ChoiceKind, Consult, Slice, ThreadId};

use super::{Dice, Ended, Scheduler, UNBOUNDED};
use crate::decision::{Decisions, Replayer};

/// A switch, told so that it means something in another scenario: by the operation and how far into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Anchor {
    /// The thread that is left.
    pub thread: ThreadId,
    /// The label under which it is left; 0 for between operations.
    pub label: u32,
    /// Schedule points since it got that label.
    pub offset: u64,
    /// The thread that goes on.
    pub choice: ThreadId,
}

/// What a thread has left to do, and where it is.
#[derive(Debug, Default)]
struct Lane {
    anchors: VecDeque<Anchor>,
    label: u32,
    since: u64,
    begun: bool,
}

impl Lane {
    /// How many points ago the thread got the label it has now.
    fn offset(&mut self, label: u32, local_step: u64) -> u64 {
        if !self.begun || self.label != label {
            (self.begun, self.label, self.since) = (true, label, local_step);
        }
        local_step - self.since
    }
}

/// Repeats anchored switches: in its first execution where they are, then in some executions shifted at random, and
/// after that leaves the choice to another scheduler.
pub(crate) struct Near {
    anchors: Vec<Anchor>,
    /// Choices that are no switches.
    others: Decisions,
    /// Executions that follow the anchors.
    count: u64,
    inner: Box<dyn Scheduler>,
    seed: u64,
    execution: u64,
    lanes: Vec<Lane>,
    choices: Replayer,
}

impl Near {
    /// Executions `0..count` follow `anchors` and `others`, which has no schedule decisions; `inner` makes the rest.
    pub(crate) fn new(
        anchors: Vec<Anchor>,
        others: Decisions,
        count: u64,
        inner: Box<dyn Scheduler>,
        seed: u64,
    ) -> Near {
        let choices = Replayer::new(&others);
        Near { anchors, others, count, inner, seed, execution: 0, lanes: Vec::new(), choices }
    }

    fn follows(&self) -> bool {
        self.execution < self.count
    }

    fn lane(&mut self, thread: ThreadId) -> &mut Lane {
        let thread = thread as usize;
        if self.lanes.len() <= thread {
            self.lanes.resize_with(thread + 1, Lane::default);
        }
        &mut self.lanes[thread]
    }

    /// The anchors of an execution: the first has them as they are, every other one has half of them elsewhere.
    fn place(&mut self) {
        self.lanes.clear();
        self.choices = Replayer::new(&self.others);
        let mut dice = Dice::new(self.seed, self.execution);
        for mut anchor in self.anchors.clone() {
            if self.execution > 0 && dice.below(2) == 0 {
                anchor.offset = dice.below(2 * anchor.offset + 16);
            }
            self.lane(anchor.thread).anchors.push_back(anchor);
        }
    }

    /// The thread that an anchor names for this point, once.
    fn anchored(&mut self, consult: &Consult<'_>) -> Option<ThreadId> {
        let label = consult.threads[consult.current as usize].label;
        let lane = self.lane(consult.current);
        let offset = lane.offset(label, consult.local_step);
        let next = lane.anchors.front()?;
        if (next.label, next.offset) != (label, offset) {
            return None;
        }
        let choice = lane.anchors.pop_front()?.choice;
        consult.threads.get(choice as usize).filter(|t| t.runnable).map(|_| choice)
    }
}

impl Scheduler for Near {
    fn begin(&mut self, execution: u64) {
        self.execution = execution;
        if self.follows() {
            self.place();
        }
        self.inner.begin(execution);
    }

    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        if !self.follows() {
            return self.inner.schedule(consult);
        }
        let thread = self.anchored(consult).unwrap_or_else(|| consult.default_thread());
        let waits = !self.lane(thread).anchors.is_empty();
        Slice::new(thread, if waits { 1 } else { UNBOUNDED })
    }

    fn choose(&mut self, kind: ChoiceKind, thread: ThreadId, index: u64, n: u32) -> u32 {
        use mapcheck_machine::Decider as _;
        match self.follows() {
            true => self.choices.choose(kind, thread, index, n),
            false => self.inner.choose(kind, thread, index, n),
        }
    }

    fn end(&mut self, ended: Ended) {
        if !self.follows() {
            self.inner.end(ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::by_name;
    use mapcheck_machine::{Reason, ThreadView};

    fn near(anchors: Vec<Anchor>, count: u64) -> Near {
        let others = "reuse:1@0.2=1".parse().unwrap();
        Near::new(anchors, others, count, by_name("random", 1).unwrap(), 1)
    }

    fn ask(near: &mut Near, current: ThreadId, local_step: u64, label: u32) -> Slice {
        let threads = [ThreadView { label, ..ThreadView::NEW }; 3];
        let consult = Consult {
            current,
            local_step,
            step: 0,
            reason: Reason::Point,
            spent: true,
            threads: &threads,
            runnable: &mapcheck_machine::Runnable::of(&threads),
        };
        near.schedule(&consult)
    }

    #[test]
    fn a_switch_is_made_as_far_into_its_operation_as_before() {
        let anchor = Anchor { thread: 1, label: 7, offset: 2, choice: 2 };
        let mut near = near(vec![anchor], 1);
        near.begin(0);
        assert_eq!(ask(&mut near, 0, 90, 7), Slice::new(0, UNBOUNDED));
        let went_on = Slice::new(1, 1);
        for (local_step, label) in [(3, 6), (4, 6), (5, 6), (6, 7), (7, 7)] {
            assert_eq!(ask(&mut near, 1, local_step, label), went_on);
        }
        assert_eq!(ask(&mut near, 1, 8, 7).thread, 2);
        assert_eq!(ask(&mut near, 1, 9, 7), Slice::new(1, UNBOUNDED));
        assert_eq!(near.choose(ChoiceKind::Reuse, 1, 2, 2), 1);
    }

    #[test]
    fn later_executions_shift_the_switches_and_the_last_are_another_scheduler_s() {
        let anchor = Anchor { thread: 1, label: 7, offset: 4, choice: 2 };
        let mut near = near(vec![anchor], 100);
        let mut seen = [0; 24];
        for execution in 0..100 {
            near.begin(execution);
            let at = (0..24).find(|i| ask(&mut near, 1, 10 + i, 7).thread == 2);
            seen[at.expect("it is within reach") as usize] += 1;
        }
        assert!(seen[4] > 40 && seen.iter().filter(|n| **n > 0).count() > 10, "{seen:?}");
        near.begin(100);
        let others = (0..50).filter(|i| ask(&mut near, 0, *i, 1).thread != 0).count();
        assert!(others > 10, "a random walk switches");
    }
}
