//! The selectively uniform random walk.

use mapcheck_machine::{Consult, Reason, Slice, ThreadId};

use super::guided::Policy;
use super::profile::Profile;
use super::{Dice, UNBOUNDED};

/// How much more likely a thread is that has a selected access to make than one that should have none left.
const MUCH: u64 = 64;

/// The scheduler of Zhao, Wolff, Mathur and Roychoudhury, *Selectively Uniform Concurrency Testing*, ASPLOS 2025.
///
/// Of the accesses to shared memory some are *selected* in each execution. Which thread makes the next of them is drawn
/// in proportion to how many each still has to make, by the profile: so all orders of the selected accesses are equally
/// likely if the profile is right. Between them a thread runs on.
#[derive(Debug, Default)]
pub(super) struct Surw {
    /// The granules that are selected, ascending.
    selected: Vec<usize>,
    /// Those of the profile where blocks are retired.
    retiring: Vec<usize>,
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
        self.retiring.clear();
        self.retiring.extend(all.iter().filter(|s| s.retires).map(|s| s.granule));
        while self.selected.len() < few {
            let of = if self.retiring.is_empty() || dice.next() >> 63 == 0 {
                profile.granules()
            } else {
                &self.retiring
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
        let others = consult.runnable.count() > 1;
        let weight = |thread: usize| match consult.threads[thread].runnable {
            true if others && but == Some(thread as ThreadId) => 0,
            true => (MUCH * self.left[thread]).max(1),
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
        Slice::new(thread, UNBOUNDED)
    }

    fn granules<'a>(&'a self, _: &'a Profile) -> &'a [usize] {
        &self.selected
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Recorder;
    use crate::scheduler::fake::{Fake, access, local};
    use crate::scheduler::guided::Guided;
    use crate::scheduler::{Ended, Scheduler};
    use mapcheck_machine::{Access, Kind};
    use std::collections::BTreeMap;

    const SHARED: usize = 0x100;

    /// How often each order of accesses to the shared word is seen, as the threads that make them.
    fn orders(programs: &[Vec<Access>], executions: u64) -> BTreeMap<Vec<ThreadId>, u64> {
        let mut surw = Guided::new(2, vec![Box::new(Surw::default())]);
        let mut seen = BTreeMap::new();
        for execution in 0..executions {
            surw.begin(execution);
            let mut recorder = Recorder { scheduler: &mut surw, sink: &mut |_| {} };
            let steps = Fake::of(programs).steps(&mut recorder);
            surw.end(Ended { steps: steps.len() as u64, threads: 3, news: None });
            let order = steps.iter().filter(|(_, a)| a.addr == SHARED).map(|s| s.0).collect();
            *seen.entry(order).or_default() += u64::from(execution > 0);
        }
        seen
    }

    /// A thread with this many accesses to the shared word, and local ones around each.
    fn thread(id: usize, accesses: usize, between: usize) -> Vec<Access> {
        let once = [vec![access(Kind::AtomicRmw, SHARED)], local(id, between)].concat();
        [local(id, between), once.repeat(accesses)].concat()
    }

    #[test]
    fn all_orders_of_the_selected_accesses_are_about_as_likely() {
        let programs = [thread(1, 2, 9), thread(2, 2, 0), thread(3, 1, 30)];
        let seen = orders(&programs, 6001);
        // 5! / (2! 2! 1!), and the first execution is not of this scheduler.
        assert_eq!(seen.values().filter(|&&n| n > 0).count(), 30, "{seen:?}");
        let expected = 6000.0 / 30.0;
        let squares = seen.values().map(|&n| (n as f64 - expected).powi(2) / expected);
        // One in a thousand of uniform samples has more, with 29 degrees of freedom.
        assert!(squares.clone().sum::<f64>() < 58.3, "{} {seen:?}", squares.sum::<f64>());
    }

    #[test]
    fn a_few_granules_are_selected_or_all_and_half_of_the_few_retire_blocks() {
        let retires = 7 | 1 << 63;
        let pairs = (1..=20).flat_map(|g| [if g == 7 { retires } else { g }, 1]);
        let words: Vec<u64> = [100].into_iter().chain(pairs).collect();
        let profile = Profile::of(&words).unwrap();
        let (mut surw, mut dice) = (Surw::default(), Dice::new(1, 1));
        let (mut alone, mut retiring, mut all) = (0, 0, 0);
        for _ in 0..4000 {
            surw.begin(&mut dice, &profile);
            alone += u32::from(surw.selected.len() == 1);
            retiring += u32::from(surw.selected == [7]);
            all += u32::from(surw.selected.len() == 20);
            assert!(surw.selected.len() <= 3 || surw.selected.len() == 20);
            assert_eq!(surw.expected[0], surw.selected.len() as u64);
        }
        assert!((850..1150).contains(&all), "{all}");
        assert!(alone > 850 && 2 * retiring > alone && retiring < alone, "{retiring} of {alone}");
    }

    #[test]
    fn a_thread_with_more_to_do_than_was_expected_is_not_left_out() {
        let mut surw = Surw { selected: vec![SHARED / 8], left: vec![0, 5], ..Surw::default() };
        let pending = access(Kind::Write, SHARED);
        let threads =
            [mapcheck_machine::ThreadView { pending, ..mapcheck_machine::ThreadView::NEW }; 2];
        let (mut dice, mut seen) = (Dice::new(1, 1), [0; 2]);
        for step in 0..2000 {
            surw.left = vec![0, 5];
            let consult = Consult {
                current: 1,
                local_step: step,
                step,
                reason: Reason::Point,
                spent: true,
                threads: &threads,
                runnable: &mapcheck_machine::Runnable::of(&threads),
            };
            seen[surw.schedule(&consult, step, &mut dice).thread as usize] += 1;
        }
        assert!(seen[0] > 0 && seen[1] > 1900, "{seen:?}");
    }
}
