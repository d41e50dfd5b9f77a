//! Priorities that are lowered at a few points, which a profile helps to choose.

use mapcheck_machine::{Consult, Reason, Slice};

use super::guided::Policy;
use super::profile::{GRANULE, Profile};
use super::{Dice, UNBOUNDED};

/// Drawn priorities have this bit; lowered ones lie below it.
const INITIAL: u64 = 1 << 63;
/// Assumed length of the first execution, in schedule points.
const FIRST_LENGTH: u64 = 1000;

/// Where change points lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// Any schedule points.
    Points,
    /// Accesses to what is shared, all as likely.
    Accesses,
    /// A granule is drawn for each, and one of the accesses to it.
    Granules,
}

/// As [`super::Pct`], with change points where [`At`] says.
#[derive(Debug)]
pub(super) struct Changes {
    at: At,
    /// Change points of an execution, at most.
    most: u64,
    /// By thread.
    priorities: Vec<u64>,
    /// The priority of the thread lowered last; the next gets one less.
    lowest: u64,
    /// Change points, the next one last: the granule, 0 for any, and the number of the point or the access.
    changes: Vec<(usize, u64)>,
    /// The granules at which it is asked, and the accesses to each so far.
    granules: Vec<usize>,
    accesses: Vec<u64>,
}

impl Changes {
    /// One to `most` change points an execution.
    pub fn new(at: At, most: u64) -> Changes {
        Changes {
            at,
            most,
            priorities: Vec::new(),
            lowest: INITIAL,
            changes: Vec::new(),
            granules: Vec::new(),
            accesses: Vec::new(),
        }
    }

    fn draw_change(&mut self, dice: &mut Dice, profile: &Profile) {
        let change = match self.at {
            At::Accesses if profile.accesses() > 0 => (0, 1 + dice.below(profile.accesses())),
            At::Granules if !profile.shared().is_empty() => {
                let shared = profile.shared()[dice.below(profile.shared().len() as u64) as usize];
                (shared.granule, 1 + dice.below(shared.total()))
            }
            _ if profile.length == 0 => (0, 1 + dice.below(FIRST_LENGTH)),
            _ => (0, 1 + dice.below(profile.length)),
        };
        self.changes.push(change);
    }

    /// Whether there is a change point here, where the current thread has arrived.
    fn changes_here(&mut self, consult: &Consult<'_>, contended: u64) -> bool {
        let before = self.changes.len();
        if self.granules.is_empty() {
            self.changes.retain(|c| c.1 > contended);
            return self.changes.len() < before;
        }
        let granule = consult.threads[consult.current as usize].pending.addr / GRANULE;
        let Ok(place) = self.granules.binary_search(&granule) else { return false };
        self.accesses[place] += 1;
        let all: u64 = self.accesses.iter().sum();
        let here = |&(of, n): &(usize, u64)| {
            if of == 0 { n == all } else { of == granule && n == self.accesses[place] }
        };
        self.changes.retain(|c| !here(c));
        self.changes.len() < before
    }

    fn points(&self, contended: u64) -> u64 {
        if !self.granules.is_empty() {
            return UNBOUNDED;
        }
        self.changes.iter().map(|c| c.1 - contended).min().unwrap_or(UNBOUNDED)
    }
}

impl Policy for Changes {
    fn begin(&mut self, dice: &mut Dice, profile: &Profile) {
        self.priorities.clear();
        self.lowest = INITIAL;
        self.changes.clear();
        for _ in 0..1 + dice.below(self.most) {
            self.draw_change(dice, profile);
        }
        self.granules.clear();
        match self.at {
            At::Points => {}
            At::Accesses => self.granules.extend(profile.granules()),
            At::Granules => {
                self.granules.extend(self.changes.iter().map(|c| c.0).filter(|&g| g > 0))
            }
        }
        self.granules.sort_unstable();
        self.granules.dedup();
        self.accesses.clear();
        self.accesses.resize(self.granules.len(), 0);
    }

    fn schedule(&mut self, consult: &Consult<'_>, contended: u64, dice: &mut Dice) -> Slice {
        while self.priorities.len() < consult.threads.len() {
            self.priorities.push(dice.next() | INITIAL);
        }
        let arrived = consult.reason == Reason::Point || self.granules.is_empty();
        let changes = arrived && self.changes_here(consult, contended);
        if changes || consult.reason == Reason::Yield {
            self.lowest -= 1;
            self.priorities[consult.current as usize] = self.lowest;
        }
        let runnable = (0..).zip(consult.threads).filter(|(_, view)| view.runnable);
        let highest =
            runnable.map(|(thread, _)| thread).max_by_key(|&t| self.priorities[t as usize]);
        Slice::new(highest.unwrap_or(consult.current), self.points(contended))
    }

    fn granules<'a>(&'a self, _: &'a Profile) -> &'a [usize] {
        &self.granules
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Recorder;
    use crate::scheduler::fake::{Fake, access, local};
    use crate::scheduler::guided::Guided;
    use crate::scheduler::{Ended, Scheduler};
    use mapcheck_machine::{Kind, ThreadId};

    const SHARED: usize = 0x100;

    /// The threads of two programs, in the order of their steps, in each of 300 executions.
    fn orders(at: At) -> Vec<Vec<ThreadId>> {
        let shared = || [access(Kind::Write, SHARED), access(Kind::Write, SHARED)];
        let program = |t| [local(t, 20), shared().to_vec(), local(t, 20)].concat();
        let mut scheduler = Guided::new(3, vec![Box::new(Changes::new(at, 1))]);
        let mut one = |execution| {
            scheduler.begin(execution);
            let mut recorder = Recorder { scheduler: &mut scheduler, sink: &mut |_| {} };
            let steps = Fake::of(&[program(1), program(2)]).steps(&mut recorder);
            scheduler.end(Ended { steps: steps.len() as u64, threads: 3, news: None });
            steps.iter().map(|s| s.0).collect()
        };
        (0..300).map(&mut one).collect()
    }

    #[test]
    fn with_a_profile_threads_change_only_where_they_touch_what_is_shared() {
        for at in [At::Accesses, At::Granules] {
            for order in &orders(at)[1..] {
                let runs: Vec<usize> = order.chunk_by(|a, b| a == b).map(<[_]>::len).collect();
                // The one that is lowered stands before its first or second access of two.
                assert!(
                    runs == [42, 42] || runs == [20, 42, 22] || runs == [21, 42, 21],
                    "{runs:?}"
                );
            }
        }
    }

    #[test]
    fn at_any_points_they_change_everywhere() {
        let orders = orders(At::Points);
        let cuts: std::collections::BTreeSet<usize> = orders[1..]
            .iter()
            .map(|order| order.iter().take_while(|&t| *t == order[0]).count())
            .collect();
        assert!(cuts.len() > 30, "{cuts:?}");
    }
}
