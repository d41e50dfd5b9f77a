//! A bound on preemptions, around any scheduler.

use mapcheck_machine::{ChoiceKind, Consult, Reason, Slice, ThreadId};

use super::{Coverage, Ended, Scheduler, UNBOUNDED};

/// Lets a scheduler preempt up to so many times in an execution; after that a thread runs until it
/// yields or waits. Most bugs need one or two preemptions (Musuvathi and Qadeer, *Iterative Context
/// Bounding for Systematic Testing of Multithreaded Programs*, PLDI 2007).
pub struct Bounded {
    inner: Box<dyn Scheduler>,
    bound: u64,
    left: u64,
}

impl Bounded {
    /// `inner` with at most `bound` preemptions an execution.
    pub fn new(inner: Box<dyn Scheduler>, bound: u64) -> Bounded {
        Bounded { inner, bound, left: bound }
    }
}

impl Scheduler for Bounded {
    fn begin(&mut self, execution: u64) {
        self.left = self.bound;
        self.inner.begin(execution);
    }

    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        let slice = self.inner.schedule(consult);
        let can_go_on = consult.threads[consult.current as usize].runnable;
        if consult.reason != Reason::Point || !can_go_on || slice.thread == consult.current {
            return slice;
        }
        if self.left == 0 {
            return Slice::new(consult.current, UNBOUNDED);
        }
        self.left -= 1;
        slice
    }

    fn choose(&mut self, kind: ChoiceKind, thread: ThreadId, index: u64, n: u32) -> u32 {
        self.inner.choose(kind, thread, index, n)
    }

    fn granules(&self) -> &[usize] {
        self.inner.granules()
    }

    fn end(&mut self, ended: Ended) {
        self.inner.end(ended);
    }

    fn learnt(&self) -> Vec<u64> {
        self.inner.learnt()
    }

    fn recall(&mut self, learnt: &[u64]) {
        self.inner.recall(learnt);
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

    #[test]
    fn no_execution_has_more_preemptions_than_the_bound() {
        for bound in 0..4 {
            let mut scheduler = Bounded::new(by_name("random", 3).unwrap(), bound);
            for execution in 0..50 {
                scheduler.begin(execution);
                // Short of the seventh point of the fake threads, at which they yield.
                let mut recorder = Recorder { scheduler: &mut scheduler, sink: &mut |_| {} };
                let trace = Fake::new(&[6, 6]).run(&mut recorder);
                let switches = trace.windows(2).filter(|w| w[0] != w[1]).count() as u64;
                // One switch is the first thread's end.
                assert!(switches <= bound + 1 || switches <= 2 * bound + 1, "{trace:?}");
                assert!(bound > 0 || switches == 1, "{trace:?}");
            }
        }
    }
}
