//! An execution up to a step, and another way on from there.

use mapcheck_machine::{ChoiceKind, Consult, Decider as _, Slice, ThreadId};

use super::{Ended, Scheduler};
use crate::decision::{Decisions, Replayer};

/// Follows decisions until so many steps are done, and leaves the choice to another scheduler then.
pub(crate) struct After {
    prefix: Replayer,
    /// Schedule points of all threads that the decisions are followed for.
    steps: u64,
    over: bool,
    rest: Box<dyn Scheduler>,
}

impl After {
    /// `rest` goes on once `steps` schedule points are passed and the next is reached.
    pub(crate) fn new(prefix: &Decisions, steps: u64, rest: Box<dyn Scheduler>) -> After {
        After { prefix: Replayer::new(prefix), steps, over: false, rest }
    }
}

impl Scheduler for After {
    fn begin(&mut self, execution: u64) {
        self.rest.begin(execution);
    }

    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        self.over |= consult.step > self.steps;
        if self.over {
            return self.rest.schedule(consult);
        }
        let slice = self.prefix.schedule(consult);
        let left = self.steps + 1 - consult.step;
        Slice { points: slice.points.min(left), ..slice }
    }

    fn choose(&mut self, kind: ChoiceKind, thread: ThreadId, index: u64, n: u32) -> u32 {
        match self.over {
            true => self.rest.choose(kind, thread, index, n),
            false => self.prefix.choose(kind, thread, index, n),
        }
    }

    fn end(&mut self, ended: Ended) {
        self.rest.end(ended);
    }
}

/// Never decides anything: every thread goes on until it waits or ends.
pub(crate) struct Default;

impl Scheduler for Default {
    fn begin(&mut self, _: u64) {}

    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        Slice::new(consult.default_thread(), super::UNBOUNDED)
    }

    fn choose(&mut self, _: ChoiceKind, _: ThreadId, _: u64, _: u32) -> u32 {
        0
    }

    fn end(&mut self, _: Ended) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Recorder;
    use crate::scheduler::by_name;
    use crate::scheduler::fake::Fake;

    fn trace(scheduler: &mut dyn Scheduler) -> Vec<ThreadId> {
        scheduler.begin(3);
        Fake::new(&[40, 40]).run(&mut Recorder { scheduler, sink: &mut |_| {} })
    }

    #[test]
    fn the_steps_of_the_prefix_are_those_that_were_decided_and_the_rest_are_others() {
        let decisions: Decisions = "0@5>1 1@5>0".parse().unwrap();
        let known = trace(&mut After::new(&decisions, 1000, Box::new(Default)));
        assert_eq!(known[..12].iter().filter(|t| **t == 1).count(), 5, "{known:?}");
        for steps in [0, 7, 30] {
            let random = by_name("random", 9).unwrap();
            let other = trace(&mut After::new(&decisions, steps, random));
            let same = known.iter().zip(&other).take_while(|(a, b)| a == b).count();
            assert!((steps as usize..steps as usize + 25).contains(&same), "{steps}: {same}");
        }
    }

    #[test]
    fn the_default_decides_nothing() {
        let mut decided = 0;
        let mut recorder = Recorder { scheduler: &mut Default, sink: &mut |_| decided += 1 };
        Fake::new(&[40, 40]).run(&mut recorder);
        assert_eq!(decided, 0);
    }
}
