//! Executions as a fuzzer's input plans them.

use std::collections::VecDeque;

use mapcheck_machine::{ChoiceKind, Consult, Decider as _, GRANULE, Reason, Slice, ThreadId};

use super::{Dice, Ended, Scheduler, UNBOUNDED, splitmix};
use crate::decision::{Decisions, Replayer};

/// Points that are remembered, at most.
const POINTS: usize = 1 << 12;

/// A switch away from a thread, told so that it means something whatever the threads did before: by the operation and
/// how far into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Switch {
    /// The label of the operation.
    pub label: u32,
    /// Schedule points since the thread got that label.
    pub offset: u64,
    /// Which of the other threads that can run goes on, modulo how many there are.
    pub to: u32,
}

/// A schedule point that a thread has reached: where, and what it was about to touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    pub thread: ThreadId,
    pub label: u32,
    pub offset: u64,
    pub granule: usize,
}

/// What a thread has left to do, and where it is.
#[derive(Debug, Default)]
struct Lane {
    switches: VecDeque<Switch>,
    label: u32,
    since: u64,
}

impl Lane {
    /// How many points ago the thread got the label it has now: it was asked about the first of them.
    fn offset(&mut self, label: u32, local_step: u64) -> u64 {
        if self.label != label {
            (self.label, self.since) = (label, local_step);
        }
        local_step - self.since
    }

    /// The switch that is due. Those whose point was passed without a question are forgotten.
    fn due(&mut self, offset: u64) -> Option<Switch> {
        let at = (self.label, offset);
        while let Some(next) = self.switches.front() {
            match (next.label, next.offset).cmp(&at) {
                std::cmp::Ordering::Less => self.switches.pop_front(),
                std::cmp::Ordering::Equal => return self.switches.pop_front(),
                std::cmp::Ordering::Greater => return None,
            };
        }
        None
    }

    /// Points until the next switch of the operation under way, from the point that was last asked about.
    fn until_next(&self, offset: u64) -> u64 {
        let next = self.switches.front().filter(|next| next.label == self.label);
        next.map_or(UNBOUNDED, |next| next.offset - offset)
    }
}

/// Switches that nobody planned, after random numbers of points.
struct Drift {
    dice: Dice,
    /// They are below this.
    most: u64,
    /// The step of the next.
    at: u64,
}

impl Drift {
    /// Goes on to the next.
    fn advance(&mut self, step: u64) {
        self.at = step + 1 + self.dice.below(self.most);
    }
}

/// Makes planned switches where they are due, and after the last of them others at random; otherwise each thread goes
/// on until it waits or ends. What it is asked for besides and no decision tells, it draws from a seed: data uniformly,
/// and the reuse of memory half of the time.
pub(crate) struct Planned {
    lanes: Vec<Lane>,
    choices: Replayer,
    seed: u64,
    drift: Option<Drift>,
    /// Whether the points are remembered.
    remembers: bool,
    points: Vec<Point>,
    /// The switches that were made: who was left, and how.
    made: Vec<(ThreadId, Switch)>,
}

impl Planned {
    /// `switches` are of the thread with the index of their list; `others` has no schedule decisions. A `drift` of 0
    /// makes no other switches; any other byte makes some, seldom or often, when all those are made or passed.
    pub(crate) fn new(
        switches: Vec<Vec<Switch>>,
        others: &Decisions,
        seed: u64,
        drift: u8,
        remembers: bool,
    ) -> Planned {
        let lane = |mut switches: Vec<Switch>| {
            switches.sort_unstable();
            Lane { switches: switches.into(), ..Lane::default() }
        };
        let lanes = switches.into_iter().map(lane).collect();
        let drift = (drift > 0).then(|| {
            let dice = Dice::new(seed, drift.into());
            Drift { dice, most: 8 << (drift % 8), at: 0 }
        });
        let (choices, points, made) = (Replayer::new(others), Vec::new(), Vec::new());
        Planned { lanes, choices, seed, drift, remembers, points, made }
    }

    /// The points at which another thread could have gone on, the first few thousand.
    pub(crate) fn points(&self) -> &[Point] {
        &self.points
    }

    /// The switches that were made: planned in place of what was planned, they make the same execution without drift.
    pub(crate) fn made(&self) -> &[(ThreadId, Switch)] {
        &self.made
    }

    fn lane(&mut self, thread: ThreadId) -> &mut Lane {
        let thread = thread as usize;
        if self.lanes.len() <= thread {
            self.lanes.resize_with(thread + 1, Lane::default);
        }
        &mut self.lanes[thread]
    }

    fn remember(&mut self, consult: &Consult<'_>, offset: u64) {
        let (thread, view) = (consult.current, &consult.threads[consult.current as usize]);
        let several = || consult.runnable.count() > 1;
        let room = self.remembers && self.points.len() < POINTS;
        if room && consult.reason == Reason::Point && several() {
            let granule = view.pending.addr / GRANULE;
            self.points.push(Point { thread, label: view.label, offset, granule });
        }
    }

    /// The switch that drift makes here.
    fn drifted(&mut self, consult: &Consult<'_>, offset: u64) -> Option<Switch> {
        if !self.lanes.iter().all(|lane| lane.switches.is_empty()) {
            return None;
        }
        let drift = self.drift.as_mut()?;
        if consult.step < drift.at {
            return None;
        }
        let begins = drift.at == 0;
        drift.advance(consult.step);
        if begins {
            return None;
        }
        let to = drift.dice.below(64) as u32;
        Some(Switch { label: consult.threads[consult.current as usize].label, offset, to })
    }

    /// Points until it wants to be asked about this thread, unless it begins another operation before.
    fn points_of(&mut self, thread: ThreadId, consult: &Consult<'_>) -> u64 {
        // The root of a scenario has the setup and the teardown to itself, which may be long. That of a closure has no
        // labels.
        let alone = thread == 0 && consult.threads[0].label > 0;
        if self.remembers && !alone {
            return 1;
        }
        let drift = self.drift.as_ref().map_or(UNBOUNDED, |d| d.at.saturating_sub(consult.step));
        let lane = self.lane(thread);
        // Where another thread stands is not known: it is asked about its next point.
        let planned = match lane.switches.is_empty() {
            true => UNBOUNDED,
            false if thread == consult.current => lane.until_next(consult.local_step - lane.since),
            false => 1,
        };
        drift.min(planned).max(1)
    }
}

/// The thread that a switch leads to; `None` where no other can run.
fn led_to(switch: Switch, consult: &Consult<'_>) -> Option<ThreadId> {
    let runs = |t: &usize| consult.threads[*t].runnable && *t != consult.current as usize;
    let others = || (0..consult.threads.len()).filter(runs);
    let nth = (switch.to as usize).checked_rem(others().count())?;
    others().nth(nth).map(|t| t as ThreadId)
}

impl Scheduler for Planned {
    fn begin(&mut self, _: u64) {}

    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        let label = consult.threads[consult.current as usize].label;
        let lane = self.lane(consult.current);
        let offset = lane.offset(label, consult.local_step);
        let due = lane.due(offset);
        self.remember(consult, offset);
        let due = due.or_else(|| self.drifted(consult, offset));
        let decided = due.and_then(|switch| Some((switch, led_to(switch, consult)?)));
        if let Some((switch, _)) = decided {
            self.made.push((consult.current, switch));
        }
        let thread = decided.map_or_else(|| consult.default_thread(), |(_, thread)| thread);
        Slice::new(thread, self.points_of(thread, consult))
    }

    fn asks_at_labels(&self) -> bool {
        true
    }

    fn choose(&mut self, kind: ChoiceKind, thread: ThreadId, index: u64, n: u32) -> u32 {
        match self.choices.choose(kind, thread, index, n) {
            0 => Dice::new(self.seed, splitmix(u64::from(thread) << 40 ^ index)).choose(kind, n),
            decided => decided,
        }
    }

    fn end(&mut self, _: Ended) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Recorder;
    use crate::scheduler::fake::{Fake, local};
    use mapcheck_machine::ThreadView;

    fn planned(switches: &[(usize, u32, u64, u32)]) -> Planned {
        let mut lanes = vec![Vec::new(); 4];
        for &(thread, label, offset, to) in switches {
            lanes[thread].push(Switch { label, offset, to });
        }
        Planned::new(lanes, &"panic:1@5.3=1".parse().unwrap(), 1, 0, true)
    }

    fn ask(planned: &mut Planned, current: ThreadId, local_step: u64, label: u32) -> ThreadId {
        let threads = [ThreadView { label, ..ThreadView::NEW }; 4];
        let consult = Consult {
            current,
            local_step,
            step: 0,
            reason: Reason::Point,
            spent: true,
            threads: &threads,
            runnable: &mapcheck_machine::Runnable::of(&threads),
        };
        planned.schedule(&consult).thread
    }

    #[test]
    fn a_switch_is_made_so_far_into_its_operation_to_one_of_the_others() {
        let mut planned = planned(&[(1, 7, 2, 1), (1, 7, 4, 5), (1, 9, 0, 0)]);
        let went: Vec<ThreadId> = [(5, 6), (6, 7), (7, 7), (8, 7), (9, 7), (10, 7), (11, 9)]
            .map(|(step, label)| ask(&mut planned, 1, step, label))
            .to_vec();
        // The others are 0, 2 and 3.
        assert_eq!(went, [1, 1, 1, 2, 1, 3, 0]);
        assert_eq!(planned.points().len(), 7);
        let last = Point { thread: 1, label: 9, offset: 0, granule: 0 };
        assert_eq!(planned.points()[6], last);
    }

    #[test]
    fn a_switch_that_was_never_reached_does_not_hold_up_the_others() {
        let mut planned = planned(&[(1, 3, 900, 0), (1, 4, 0, 0)]);
        assert_eq!(ask(&mut planned, 1, 1, 3), 1);
        assert_eq!(ask(&mut planned, 1, 2, 4), 0);
    }

    #[test]
    fn decisions_are_followed_and_the_rest_is_a_function_of_the_seed() {
        let mut planned = planned(&[]);
        let index = mapcheck_machine::index_of(5, 3);
        assert_eq!(planned.choose(ChoiceKind::Panic, 1, index, 2), 1);
        assert_eq!(planned.choose(ChoiceKind::Panic, 1, index + 1, 2), 0);
        let mut drawn = |seed| {
            planned.seed = seed;
            (0..64).map(|i| planned.choose(ChoiceKind::Data, 1, i, 5)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }

    fn order(planned: &mut Planned) -> Vec<ThreadId> {
        let fake = Fake::of(&[local(1, 40), local(2, 40), local(3, 40)]);
        let mut recorder = Recorder { scheduler: planned, sink: &mut |_| {} };
        fake.steps(&mut recorder).iter().map(|s| s.0).collect()
    }

    #[test]
    fn what_drift_has_done_can_be_planned() {
        let mut orders = std::collections::BTreeSet::new();
        for drift in 1..=255 {
            let none = "".parse().unwrap();
            let mut first = Planned::new(Vec::new(), &none, 9, drift, drift % 2 == 0);
            let drifted = order(&mut first);
            let mut lanes = vec![Vec::new(); 4];
            for (thread, switch) in first.made() {
                lanes[*thread as usize].push(*switch);
            }
            let mut again = Planned::new(lanes, &none, 9, 0, false);
            assert_eq!(order(&mut again), drifted, "{drift}: {:?}", first.made());
            orders.insert(drifted);
        }
        assert!(orders.len() > 100, "{}", orders.len());
    }

    #[test]
    fn threads_that_nobody_switches_run_one_after_the_other() {
        let fake = Fake::of(&[local(1, 5), local(2, 5)]);
        let mut recorder = Recorder { scheduler: &mut planned(&[]), sink: &mut |_| {} };
        let order: Vec<ThreadId> = fake.steps(&mut recorder).iter().map(|s| s.0).collect();
        assert_eq!(order, [1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
    }
}
