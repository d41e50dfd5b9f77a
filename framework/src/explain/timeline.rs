//! Who ran when, in which operation.

use mapcheck_machine::{Event, Reason, ThreadId};

use crate::worker::tape::Tape;

/// A stretch of the execution in which one thread ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub thread: ThreadId,
    /// The first and the last step.
    pub from: u64,
    pub to: u64,
    /// Why another went on then; `None` at the end.
    pub ends: Option<Reason>,
}

/// A stretch in which a thread was in an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub thread: ThreadId,
    pub label: u32,
    pub from: u64,
    pub to: u64,
}

/// The runs of an execution of so many steps.
pub(super) fn runs(tape: &Tape, steps: u64) -> Vec<Run> {
    let (mut runs, mut thread, mut start) = (Vec::new(), 0, 1);
    for event in &tape.events {
        let Event::Switch { from, to, step, reason } = *event else { continue };
        if step >= start {
            runs.push(Run { thread: from, from: start, to: step, ends: Some(reason) });
        }
        (thread, start) = (to, step + 1);
    }
    if start <= steps {
        runs.push(Run { thread, from: start, to: steps, ends: None });
    }
    runs
}

/// The operations, in the order of their beginning.
pub(super) fn bars(tape: &Tape, runs: &[Run], steps: u64) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for event in &tape.events {
        let Event::Label { at } = *event else { continue };
        if let Some(open) =
            bars.iter_mut().rev().find(|bar| bar.thread == at.thread && bar.to == u64::MAX)
        {
            open.to = at.step.max(open.from);
        }
        if at.label > 0 {
            let from = at.step + 1;
            bars.push(Bar { thread: at.thread, label: at.label, from, to: u64::MAX });
        }
    }
    for bar in bars.iter_mut().filter(|bar| bar.to == u64::MAX) {
        let last = runs.iter().rev().find(|run| run.thread == bar.thread);
        bar.to = last.map_or(steps, |run| run.to).max(bar.from);
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapcheck_machine::Stamp;

    #[test]
    fn runs_follow_each_other_and_operations_end_where_the_next_begins() {
        let label = |thread, label, step| Event::Label { at: Stamp { thread, label, step } };
        let switch = |from, to, step, reason| Event::Switch { from, to, step, reason };
        let mut tape = Tape::default();
        tape.events = vec![
            label(0, 1, 0),
            switch(0, 1, 9, Reason::Blocked),
            label(1, 2, 9),
            switch(1, 2, 12, Reason::Point),
            label(2, 4, 12),
            switch(2, 1, 20, Reason::Blocked),
            label(1, 3, 22),
        ];
        let runs = runs(&tape, 30);
        let told: Vec<_> = runs.iter().map(|run| (run.thread, run.from, run.to)).collect();
        assert_eq!(told, [(0, 1, 9), (1, 10, 12), (2, 13, 20), (1, 21, 30)]);
        let bars = bars(&tape, &runs, 30);
        let told: Vec<_> = bars.iter().map(|bar| (bar.label, bar.from, bar.to)).collect();
        assert_eq!(told, [(1, 1, 9), (2, 10, 22), (4, 13, 20), (3, 23, 30)]);
    }
}
