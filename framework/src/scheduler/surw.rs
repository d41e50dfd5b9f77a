//! The selectively uniform random walk.

use mapcheck_machine::{Consult, Reason, Slice, ThreadId};

use super::guided::Policy;
use super::profile::Profile;
use super::{Dice, UNBOUNDED};

/// The scheduler of Zhao, Wolff, Mathur and Roychoudhury, *Selectively Uniform Concurrency Testing*, ASPLOS 2025.
///
/// Of the accesses to shared memory some are *selected* in each execution. Which thread makes the next of them is drawn
/// in proportion to how many each still has to make, by the profile: so all orders of the selected accesses are equally
/// likely if the profile is right. Between them a thread runs on.
#[derive(Debug, Default)]
pub(super) struct Surw {
    /// The granules that are selected, ascending.
    selected: Vec<usize>,
    /// Selected accesses that are expected of each thread.
    expected: [u64; 8],
    /// Those that each thread still has to make.
    left: Vec<u64>,
    /// Who makes the next one, and whether it stands before it.
    intended: Option<ThreadId>,
    ready: bool,
}

impl Surw {
    /// Selects everything, or a few granules; where blocks are retired as often as all others together.
    fn select(&mut self, dice: &mut Dice, profile: &Profile) {
        self.selected.clear();
        let all = profile.shared();
        let few = 1 + dice.below(4) as usize;
        if few > 3 || all.len() <= few {
            self.selected.extend(profile.granules());
            return;
        }
        let retiring: Vec<usize> = all.iter().filter(|s| s.retires).map(|s| s.granule).collect();
        while self.selected.len() < few {
            let of = if retiring.is_empty() || dice.next() >> 63 == 0 {
                profile.granules()
            } else {
                &retiring
            };
            self.selected.push(of[dice.below(of.len() as u64) as usize]);
        }
        self.selected.sort_unstable();
        self.selected.dedup();
    }

    fn is_selected(&self, addr: usize) -> bool {
        self.selected.binary_search(&(addr / super::profile::GRANULE)).is_ok()
    }

    fn stands_ready(&self, consult: &Consult<'_>, thread: ThreadId) -> bool {
        self.is_selected(consult.threads[thread as usize].pending.addr)
    }

    /// A runnable thread, drawn by what each still has to do; one that has done all it should may have more to do.
    fn draw(&self, consult: &Consult<'_>, dice: &mut Dice, but: Option<ThreadId>) -> ThreadId {
        let others = consult.threads.iter().filter(|t| t.runnable).count() > 1;
        let weight = |thread: usize| match consult.threads[thread].runnable {
            true if others && but == Some(thread as ThreadId) => 0,
            true => self.left[thread].max(1),
            false => 0,
        };
        let total = (0..consult.threads.len()).map(weight).sum();
        let mut drawn = dice.below(total);
        for thread in 0..consult.threads.len() {
            match drawn.checked_sub(weight(thread)) {
                Some(rest) => drawn = rest,
                None => return thread as ThreadId,
            }
        }
        consult.current
    }
}

impl Policy for Surw {
    fn begin(&mut self, dice: &mut Dice, profile: &Profile) {
        self.select(dice, profile);
        self.expected = [0; 8];
        for shared in profile.shared() {
            if self.selected.binary_search(&shared.granule).is_ok() {
                let counts = self.expected.iter_mut().zip(shared.counts);
                counts.for_each(|(sum, count)| *sum += u64::from(count));
            }
        }
        self.left.clear();
        (self.intended, self.ready) = (None, false);
    }

    fn schedule(&mut self, consult: &Consult<'_>, _: u64, dice: &mut Dice) -> Slice {
        while self.left.len() < consult.threads.len() {
            self.left.push(self.expected[self.left.len() % self.expected.len()]);
        }
        let current = consult.current;
        // It goes on to its next selected access, and there is the only one that may make it.
        let arrives = self.intended == Some(current) && !self.ready;
        let can_go_on = consult.reason == Reason::Point;
        if !(arrives && can_go_on) {
            let but = Some(current).filter(|_| consult.reason == Reason::Yield);
            self.intended = Some(self.draw(consult, dice, but));
        }
        let thread = self.intended.unwrap_or(current);
        self.ready = self.stands_ready(consult, thread);
        if self.ready {
            let left = &mut self.left[thread as usize];
            *left = left.saturating_sub(1);
        }
        Slice { thread, points: UNBOUNDED }
    }

    fn granules<'a>(&'a self, _: &'a Profile) -> &'a [usize] {
        &self.selected
    }
}
