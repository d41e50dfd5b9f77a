//! Probabilistic concurrency testing.

use mapcheck_machine::{ChoiceKind, Consult, Reason, Slice, ThreadId};

use super::{Dice, Ended, Scheduler, UNBOUNDED};

/// Initial priorities have this bit; lowered ones lie below it.
const INITIAL: u64 = 1 << 63;
/// Assumed length of the first execution, in schedule points.
const FIRST_LENGTH: u64 = 1000;
/// Change points of an execution, at most.
const MOST: usize = 3;

/// The scheduler of Burckhardt, Kothari, Musuvathi and Nagarakatte, *A Randomized Scheduler with Probabilistic
/// Guarantees of Finding Bugs*, ASPLOS 2010.
///
/// Threads get random priorities and the highest runnable one runs. At one to three random steps (bug depth 2 to 4) the
/// running thread falls below all others; a thread that yields does so too. Steps at which only one thread can run
/// count for nothing, since no change point matters there. The number of the others is learnt from the executions
/// of the batch so far: their maximum, 1000 before the first.
#[derive(Debug)]
pub struct Pct {
    seed: u64,
    dice: Dice,
    /// By thread.
    priorities: Vec<u64>,
    /// The priority of the thread lowered last; the next gets one less.
    lowest: u64,
    /// Contended steps at which the running thread is lowered, ascending.
    changes: [u64; MOST],
    /// The first change that is still to come.
    next: usize,
    /// Steps passed while several threads could run.
    contended: u64,
    /// The global step of the last consult.
    asked: u64,
    /// Whether several threads can run since then.
    contends: bool,
    /// Most contended steps of an execution so far; 0 before the first.
    longest: u64,
}

impl Pct {
    /// A scheduler that has learnt nothing; batches of the same seed and first execution are the same.
    pub fn new(seed: u64) -> Pct {
        Pct {
            seed,
            dice: Dice::new(seed, 0),
            priorities: Vec::new(),
            lowest: INITIAL,
            changes: [u64::MAX; MOST],
            next: MOST,
            contended: 0,
            asked: 0,
            contends: false,
            longest: 0,
        }
    }

    fn advance(&mut self, step: u64) {
        if self.contends {
            self.contended += step.saturating_sub(self.asked);
        }
        self.asked = step;
    }

    fn lower(&mut self, thread: ThreadId) {
        self.lowest -= 1;
        self.priorities[thread as usize] = self.lowest;
    }

    /// Applies the changes that are due, and the yield.
    fn update(&mut self, consult: &Consult<'_>) {
        self.advance(consult.step);
        while self.priorities.len() < consult.threads.len() {
            self.priorities.push(self.dice.next() | INITIAL);
        }
        let due = self.changes[self.next..].iter().filter(|&&c| c <= self.contended).count();
        self.next += due;
        if due > 0 || consult.reason == Reason::Yield {
            self.lower(consult.current);
        }
    }
}

impl Scheduler for Pct {
    fn begin(&mut self, execution: u64) {
        self.dice = Dice::new(self.seed, execution);
        self.priorities.clear();
        self.lowest = INITIAL;
        self.contended = 0;
        self.asked = 0;
        self.contends = false;
        let length = if self.longest == 0 { FIRST_LENGTH } else { self.longest };
        self.next = self.dice.below(MOST as u64) as usize;
        self.changes = [0; MOST];
        for i in self.next..MOST {
            self.changes[i] = 1 + self.dice.below(length);
        }
        self.changes.sort_unstable();
    }

    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        self.update(consult);
        // Three plain numbers: pairs behind an option are slow here, and this runs at every switch.
        let (mut best, mut highest, mut runnable) = (consult.current, 0, 0);
        for (thread, view) in (0..).zip(consult.threads) {
            if view.runnable {
                runnable += 1;
                let priority = self.priorities[thread as usize];
                if priority >= highest {
                    (best, highest) = (thread, priority);
                }
            }
        }
        self.contends = runnable > 1;
        let points = match self.changes.get(self.next) {
            Some(change) if self.contends => change - self.contended,
            _ => UNBOUNDED,
        };
        Slice::new(best, points)
    }

    fn choose(&mut self, kind: ChoiceKind, _thread: ThreadId, _index: u64, n: u32) -> u32 {
        self.dice.choose(kind, n)
    }

    fn end(&mut self, ended: Ended) {
        self.advance(ended.steps);
        self.longest = self.longest.max(self.contended);
    }

    fn learnt(&self) -> Vec<u64> {
        vec![self.longest]
    }

    fn recall(&mut self, learnt: &[u64]) {
        self.longest = learnt.first().copied().unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Recorder;
    use crate::scheduler::fake::Fake;
    use mapcheck_machine::ThreadView;

    const BOTH: [ThreadView; 2] = [ThreadView::NEW; 2];

    fn ask(
        pct: &mut Pct,
        current: ThreadId,
        step: u64,
        reason: Reason,
        threads: &[ThreadView],
    ) -> Slice {
        pct.schedule(&Consult {
            current,
            local_step: step,
            step,
            reason,
            spent: true,
            threads,
            runnable: &mapcheck_machine::Runnable::of(threads),
        })
    }

    fn begun(change: u64) -> Pct {
        let mut pct = Pct::new(1);
        pct.begin(0);
        pct.next = MOST - 1;
        pct.changes = [0, 0, change];
        pct
    }

    #[test]
    fn the_running_thread_is_lowered_exactly_at_a_change_point() {
        let mut pct = begun(10);
        let first = ask(&mut pct, 0, 0, Reason::Point, &BOTH);
        assert_eq!(first.points, 10);
        let early = ask(&mut pct, first.thread, 9, Reason::Point, &BOTH);
        assert_eq!(early, Slice::new(first.thread, 1));
        let other = ask(&mut pct, first.thread, 10, Reason::Point, &BOTH);
        assert_eq!(other, Slice::new(1 - first.thread, UNBOUNDED));
    }

    #[test]
    fn steps_of_a_thread_that_runs_alone_do_not_count() {
        let mut pct = begun(10);
        assert_eq!(ask(&mut pct, 0, 0, Reason::Point, &BOTH[..1]).points, UNBOUNDED);
        assert_eq!(ask(&mut pct, 0, 500, Reason::Point, &BOTH).points, 10);
        pct.end(Ended { steps: 507, threads: 2, news: None });
        assert_eq!(pct.longest, 7);
    }

    #[test]
    fn a_thread_that_yields_falls_below_all_others() {
        let mut pct = begun(100);
        let first = ask(&mut pct, 0, 0, Reason::Point, &BOTH).thread;
        assert_eq!(ask(&mut pct, first, 3, Reason::Yield, &BOTH).thread, 1 - first);
        assert_eq!(ask(&mut pct, 1 - first, 4, Reason::Yield, &BOTH).thread, first);
    }

    #[test]
    fn one_to_three_change_points_lie_within_the_longest_execution_so_far() {
        let mut pct = Pct::new(9);
        let mut depths = [0; MOST + 1];
        for execution in 0..200 {
            pct.begin(execution);
            let changes = &pct.changes[pct.next..];
            let length = if execution == 0 { FIRST_LENGTH } else { pct.longest };
            assert!(changes.iter().all(|c| (1..=length).contains(c)) && changes.is_sorted());
            depths[changes.len()] += 1;
            let trace =
                Fake::new(&[20, 30]).run(&mut Recorder { scheduler: &mut pct, sink: &mut |_| {} });
            pct.end(Ended { steps: trace.len() as u64, threads: 2, news: None });
            assert!((1..=50).contains(&pct.longest));
        }
        assert!(depths[0] == 0 && depths[1..].iter().all(|&d| d > 40), "{depths:?}");
    }
}
