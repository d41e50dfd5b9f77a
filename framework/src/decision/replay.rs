//! Reads decisions back.

use mapcheck_machine::{ChoiceKind, Consult, Decider, Slice, ThreadId};

use super::{DecisionKind, Decisions};
use crate::scheduler::UNBOUNDED;

/// The decisions of one kind on one thread, in the order of their index.
#[derive(Debug, Default)]
struct Track {
    /// Index and choice.
    entries: Vec<(u64, u32)>,
    /// The first entry not yet passed.
    next: usize,
}

impl Track {
    /// The choice at `index`, if there is one; entries up to `index` are passed for good.
    fn take(&mut self, index: u64) -> Option<u32> {
        while self.entries.get(self.next).is_some_and(|e| e.0 < index) {
            self.next += 1;
        }
        let choice = self.entries.get(self.next).filter(|e| e.0 == index)?.1;
        self.next += 1;
        Some(choice)
    }

    /// The index of the first entry after `index`.
    fn after(&self, index: u64) -> Option<u64> {
        self.entries[self.next.min(self.entries.len())..].iter().map(|e| e.0).find(|&i| i > index)
    }
}

/// What the replayer knows of one thread.
#[derive(Debug, Default)]
struct Lane {
    schedule: Track,
    choices: [Track; ChoiceKind::ALL.len()],
    /// The local step at which it was last asked about; it has not moved since when another thread runs.
    local_step: u64,
}

/// A decider that reads decisions back, and follows the default where there is none.
///
/// It is lenient, because shrinking tries decisions that do not fit: one whose point is never reached, or whose choice
/// is not possible there, is ignored.
#[derive(Debug)]
pub struct Replayer {
    lanes: Vec<Lane>,
    unused: usize,
}

impl Replayer {
    /// A replayer of `decisions`, which may be in any order. Of two decisions about the same point the first counts.
    pub fn new(decisions: &Decisions) -> Replayer {
        let mut replayer = Replayer { lanes: Vec::new(), unused: decisions.0.len() };
        for decision in &decisions.0 {
            let entry = (decision.index, decision.choice);
            replayer.track(decision.kind, decision.thread).entries.push(entry);
        }
        for lane in &mut replayer.lanes {
            for track in std::iter::once(&mut lane.schedule).chain(&mut lane.choices) {
                track.entries.sort_by_key(|e| e.0);
                track.entries.dedup_by_key(|e| e.0);
            }
        }
        replayer
    }

    /// How many decisions have not been followed so far.
    pub fn unused(&self) -> usize {
        self.unused
    }

    fn lane(&mut self, thread: ThreadId) -> &mut Lane {
        let thread = thread as usize;
        if thread >= self.lanes.len() {
            self.lanes.resize_with(thread + 1, Lane::default);
        }
        &mut self.lanes[thread]
    }

    fn track(&mut self, kind: DecisionKind, thread: ThreadId) -> &mut Track {
        let lane = self.lane(thread);
        match kind {
            DecisionKind::Schedule => &mut lane.schedule,
            DecisionKind::Choice(kind) => &mut lane.choices[kind as usize],
        }
    }
}

impl Decider for Replayer {
    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        let lane = self.lane(consult.current);
        lane.local_step = consult.local_step;
        let decided = lane.schedule.take(consult.local_step);
        let runnable = |t: &ThreadId| consult.threads.get(*t as usize).is_some_and(|v| v.runnable);
        let decided = decided.filter(runnable);
        self.unused -= usize::from(decided.is_some());
        let thread = decided.unwrap_or_else(|| consult.default_thread());
        let lane = self.lane(thread);
        let points =
            lane.schedule.after(lane.local_step).map_or(UNBOUNDED, |i| i - lane.local_step);
        Slice::new(thread, points)
    }

    fn choose(&mut self, kind: ChoiceKind, thread: ThreadId, index: u64, n: u32) -> u32 {
        let choice = self.track(DecisionKind::Choice(kind), thread).take(index).filter(|&c| c < n);
        self.unused -= usize::from(choice.is_some());
        choice.unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{Decision, Recorder};
    use crate::scheduler::by_name;
    use crate::scheduler::fake::Fake;

    fn record(name: &str, execution: u64) -> (Vec<ThreadId>, Decisions) {
        let mut scheduler = by_name(name, 7).unwrap();
        scheduler.begin(execution);
        let mut decisions = Vec::new();
        let mut sink = |word| decisions.push(Decision::unpack(word).unwrap());
        let trace = Fake::new(&[40, 60, 30])
            .run(&mut Recorder { scheduler: &mut *scheduler, sink: &mut sink });
        (trace, Decisions(decisions))
    }

    #[test]
    fn a_replay_of_a_recorded_run_reproduces_it() {
        for (name, _) in crate::scheduler::NAMES {
            for execution in 0..50 {
                let (trace, decisions) = record(name, execution);
                let text: Decisions = decisions.to_string().parse().unwrap();
                let mut replayer = Replayer::new(&text);
                assert_eq!(
                    Fake::new(&[40, 60, 30]).run(&mut replayer),
                    trace,
                    "{name} {execution}: {text}"
                );
                assert_eq!(replayer.unused(), 0);
            }
        }
    }

    #[test]
    fn a_decision_that_does_not_fit_is_ignored() {
        let default = Fake::new(&[5, 5]).run(&mut Replayer::new(&Decisions::default()));
        let mut replayer = Replayer::new(&"0@900>1 1@2>7 reuse:0@0.0=3".parse().unwrap());
        assert_eq!(Fake::new(&[5, 5]).run(&mut replayer), default);
        assert_eq!(replayer.choose(ChoiceKind::Reuse, 0, 0, 2), 0);
        assert_eq!(replayer.unused(), 3);
    }

    #[test]
    fn a_choice_is_read_back_at_its_number_only() {
        let mut replayer = Replayer::new(&"data:1@2=4 reuse:1@0.0=1".parse().unwrap());
        let drawn: Vec<u32> = (0..4).map(|i| replayer.choose(ChoiceKind::Data, 1, i, 5)).collect();
        assert_eq!(drawn, [0, 0, 4, 0]);
        assert_eq!(replayer.choose(ChoiceKind::Reuse, 1, 0, 2), 1);
        assert_eq!(replayer.unused(), 0);
    }
}
