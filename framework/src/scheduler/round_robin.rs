//! Threads in turn.

use mapcheck_machine::{ChoiceKind, Consult, Reason, Slice, ThreadId};

use super::{Dice, Ended, Scheduler};

/// Lengths of a turn, in schedule points: those of Fibonacci, so that none divides many others.
const LENGTHS: [u64; 10] = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89];

/// Threads take turns of equal length in cyclic order; how long, and which thread is first, depends on the number of
/// the execution.
///
/// Nothing is drawn for schedules: what it finds once it finds in any run, which makes it one for a first look.
#[derive(Debug)]
pub struct RoundRobin {
    seed: u64,
    dice: Dice,
    length: u64,
    /// Points until the first turn is over.
    left: u64,
    /// The global step at which the turn under way ends.
    end: u64,
}

impl RoundRobin {
    /// Executions of the same number have the same schedule; the seed is for other choices.
    pub fn new(seed: u64) -> RoundRobin {
        RoundRobin { seed, dice: Dice::new(seed, 0), length: 1, left: 1, end: 0 }
    }
}

impl Scheduler for RoundRobin {
    fn begin(&mut self, execution: u64) {
        self.dice = Dice::new(self.seed, execution);
        let lengths = LENGTHS.len() as u64;
        self.length = LENGTHS[(execution % lengths) as usize];
        // From the second cycle of lengths on the first turn is another part of its length.
        self.left = 1 + (execution / lengths) % self.length;
        self.end = 0;
    }

    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        let current = &consult.threads[consult.current as usize];
        let over = consult.reason != Reason::Point || !current.runnable || consult.step >= self.end;
        if !over {
            return Slice::new(consult.current, self.end - consult.step);
        }
        let points = std::mem::replace(&mut self.left, self.length);
        self.end = consult.step + points;
        Slice::new(next(consult), points)
    }

    fn choose(&mut self, kind: ChoiceKind, _thread: ThreadId, _index: u64, n: u32) -> u32 {
        self.dice.choose(kind, n)
    }

    fn end(&mut self, _: Ended) {}
}

/// The next runnable thread in cyclic order; the current one if there is no other.
fn next(consult: &Consult<'_>) -> ThreadId {
    let n = consult.threads.len();
    let after = (1..=n).map(|i| (consult.current as usize + i) % n);
    let next = after.into_iter().find(|&t| consult.threads[t].runnable);
    next.map_or(consult.current, |t| t as ThreadId)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Recorder;
    use crate::scheduler::fake::Fake;
    use mapcheck_machine::Access;

    fn trace(seed: u64, execution: u64) -> Vec<ThreadId> {
        let mut scheduler = RoundRobin::new(seed);
        scheduler.begin(execution);
        let mut recorder = Recorder { scheduler: &mut scheduler, sink: &mut |_| {} };
        Fake::of(&[vec![Access::NONE; 30], vec![Access::NONE; 30]]).run(&mut recorder)
    }

    #[test]
    fn each_thread_has_turns_of_the_same_length() {
        for (execution, length) in [(0, 1), (2, 3), (4, 8)] {
            let trace = trace(1, execution);
            let runs: Vec<usize> = trace[2..20].chunk_by(|a, b| a == b).map(<[_]>::len).collect();
            assert!(runs[..runs.len() - 1].iter().all(|&n| n <= length), "{trace:?}");
            assert!(runs[1..runs.len() - 1].iter().all(|&n| n == length), "{trace:?}");
        }
    }

    #[test]
    fn schedules_do_not_depend_on_the_seed_and_differ_from_execution_to_execution() {
        assert_eq!(trace(1, 4), trace(2, 4));
        let all: std::collections::BTreeSet<Vec<ThreadId>> = (0..40).map(|i| trace(1, i)).collect();
        assert!(all.len() > 25, "{}", all.len());
    }
}
