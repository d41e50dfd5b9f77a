//! Suspending all threads but one, around any scheduler.

use mapcheck_machine::{ChoiceKind, Consult, Slice, ThreadId};

use super::{Coverage, Dice, Ended, Scheduler};

/// Schedule points with several threads that the first execution is taken to have.
const FIRST_LENGTH: u64 = 1000;

/// Chooses in each execution a schedule point at which the running thread is left alone until it has completed its
/// operation: what is obstruction-free does, wherever the others stand (Herlihy, Luchangco and Moir,
/// *Obstruction-Free Synchronization*, ICDCS 2003).
///
/// Every point at which several threads can run is as likely. How many there are is learnt from the executions of the
/// batch so far.
pub struct Suspending {
    inner: Box<dyn Scheduler>,
    seed: u64,
    dice: Dice,
    /// The first and the last step of this execution at which several threads could run.
    several: Option<(u64, u64)>,
    /// Most steps from the first to the last, of the executions so far; 0 before the first.
    longest: u64,
}

impl Suspending {
    /// Threads are switched as by `inner`; where they are suspended depends on the seed too.
    pub fn new(inner: Box<dyn Scheduler>, seed: u64) -> Suspending {
        Suspending { inner, seed, dice: Dice::new(seed, 0), several: None, longest: 0 }
    }
}

impl Scheduler for Suspending {
    fn begin(&mut self, execution: u64) {
        self.dice = Dice::new(!self.seed, execution);
        self.several = None;
        self.inner.begin(execution);
    }

    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        if consult.runnable.count() > 1 {
            let first = self.several.map_or(consult.step, |s| s.0);
            self.several = Some((first, consult.step));
        }
        self.inner.schedule(consult)
    }

    fn choose(&mut self, kind: ChoiceKind, thread: ThreadId, index: u64, n: u32) -> u32 {
        if kind != ChoiceKind::Suspend {
            return self.inner.choose(kind, thread, index, n);
        }
        let length = if self.longest == 0 { FIRST_LENGTH } else { self.longest };
        (1 + self.dice.below(length)).min(u64::from(n) - 1) as u32
    }

    fn granules(&self) -> &[usize] {
        self.inner.granules()
    }

    fn end(&mut self, ended: Ended) {
        let length = self.several.map_or(0, |(first, last)| last - first);
        self.longest = self.longest.max(length);
        self.inner.end(ended);
    }

    fn learnt(&self) -> Vec<u64> {
        [&[self.longest][..], &self.inner.learnt()].concat()
    }

    fn recall(&mut self, learnt: &[u64]) {
        let Some((longest, inner)) = learnt.split_first() else { return };
        self.longest = *longest;
        self.inner.recall(inner);
    }

    fn coverage(&self) -> Option<Coverage> {
        self.inner.coverage()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Recorder;
    use crate::scheduler::by_name;
    use crate::scheduler::fake::Fake;

    fn suspending() -> Suspending {
        Suspending::new(by_name("random", 3).unwrap(), 3)
    }

    #[test]
    fn every_point_with_several_threads_is_chosen_sooner_or_later() {
        let (mut scheduler, mut seen) = (suspending(), [false; 60]);
        for execution in 0..2000 {
            scheduler.begin(execution);
            let points = scheduler.choose(ChoiceKind::Suspend, 0, 0, 1 << 16);
            assert!(points > 0);
            if let Some(seen) = seen.get_mut(points as usize) {
                *seen = true;
            }
            Fake::new(&[40, 40])
                .run(&mut Recorder { scheduler: &mut scheduler, sink: &mut |_| {} });
            scheduler.end(Ended { steps: 80, threads: 2, news: None });
        }
        assert!(scheduler.longest < 80, "{}", scheduler.longest);
        assert!(seen[1..].iter().all(|s| *s), "{seen:?}");
    }

    #[test]
    fn other_choices_and_schedules_are_those_of_the_scheduler_within() {
        let mut alone = by_name("random", 3).unwrap();
        let mut scheduler = suspending();
        for execution in 0..20 {
            alone.begin(execution);
            scheduler.begin(execution);
            assert_eq!(alone.choose(ChoiceKind::Suspend, 0, 0, 9), 0);
            scheduler.choose(ChoiceKind::Suspend, 0, 0, 9);
            let draw = |s: &mut dyn Scheduler| s.choose(ChoiceKind::Data, 0, 0, 1000);
            assert_eq!(draw(&mut *alone), draw(&mut scheduler));
            let run = |scheduler: &mut dyn Scheduler| {
                Fake::new(&[30, 30]).run(&mut Recorder { scheduler, sink: &mut |_| {} })
            };
            assert_eq!(run(&mut *alone), run(&mut scheduler));
        }
    }
}
