//! The random walk.

use mapcheck_machine::{ChoiceKind, Consult, Reason, Slice, ThreadId};

use super::{Dice, Ended, Scheduler, UNBOUNDED};

/// Visible points of a slice, at most: where the fraction is used up, its digits are zeros for ever.
const LONGEST: u64 = 40;

/// Points of a slice, plain accesses included, at most.
const PLAIN: u64 = 64;

/// At each visible point any runnable thread goes on, all equally likely; in between the thread is left after one to 64
/// points, because another thread can see a plain access only by a data race.
///
/// How many points in a row fall to the same thread is drawn at once, so that it is asked once a switch, not once a
/// point. A thread that yields goes on only when no other can.
#[derive(Debug)]
pub struct Random {
    seed: u64,
    dice: Dice,
    /// Whether the slice under way is one that it has granted.
    walks: bool,
}

impl Random {
    /// A random walk; executions of the same seed and number are the same.
    pub fn new(seed: u64) -> Random {
        Random { seed, dice: Dice::new(seed, 0), walks: false }
    }
}

impl Scheduler for Random {
    fn begin(&mut self, execution: u64) {
        self.dice = Dice::new(self.seed, execution);
        self.walks = false;
    }

    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        let runnable = consult.runnable.count() as u64;
        if runnable <= 1 {
            let thread = nth_runnable(consult, 0, None);
            return Slice::new(thread, UNBOUNDED);
        }
        // That the slice is used up means that the walk was drawn to leave the thread here.
        let walked = std::mem::replace(&mut self.walks, true);
        let leaves = consult.reason == Reason::Yield || walked && consult.spent;
        let left = Some(consult.current).filter(|&t| leaves && consult.runnable.contains(t));
        // All draws of a slice come from one number, because a number costs more than a digit of it.
        let mut digits = self.dice.next();
        let n = digit(&mut digits, runnable - u64::from(left.is_some()));
        let thread = nth_runnable(consult, n, left);
        let points = 1 + digit(&mut digits, PLAIN);
        let mut visible = 1;
        while digit(&mut digits, runnable) == 0 && visible < LONGEST {
            visible += 1;
        }
        Slice { thread, points, visible }
    }

    fn choose(&mut self, kind: ChoiceKind, _thread: ThreadId, _index: u64, n: u32) -> u32 {
        self.dice.choose(kind, n)
    }

    fn end(&mut self, _: Ended) {}
}

/// The next digit, in base `n`, of a random fraction of 2^64.
fn digit(fraction: &mut u64, n: u64) -> u64 {
    let product = u128::from(*fraction) * u128::from(n);
    *fraction = product as u64;
    (product >> 64) as u64
}

/// Any runnable thread other than `left`, all equally likely; the current one if there is none.
pub(super) fn any_runnable(
    consult: &Consult<'_>,
    dice: &mut Dice,
    left: Option<ThreadId>,
) -> ThreadId {
    let left = left.filter(|&t| consult.runnable.contains(t));
    match consult.runnable.count() - usize::from(left.is_some()) {
        0 => consult.current,
        n => nth_runnable(consult, dice.below(n as u64), left),
    }
}

/// The `n`th runnable thread other than `left`; the current one if there are not as many.
fn nth_runnable(consult: &Consult<'_>, n: u64, left: Option<ThreadId>) -> ThreadId {
    consult.runnable.nth(n as usize, left).unwrap_or(consult.current)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Recorder;
    use crate::scheduler::fake::Fake;

    #[test]
    fn of_two_threads_each_goes_on_at_about_half_of_the_points() {
        let mut scheduler = Random::new(5);
        let mut switches = 0;
        for execution in 0..20 {
            scheduler.begin(execution);
            let mut recorder = Recorder { scheduler: &mut scheduler, sink: &mut |_| {} };
            let trace = Fake::new(&[1000, 1000]).run(&mut recorder);
            switches += trace[..1000].windows(2).filter(|w| w[0] != w[1]).count();
        }
        // Half of the points, and a little more as one point in seven yields.
        assert!((10_000..13_000).contains(&switches), "{switches}");
    }
}
