//! Partial order sampling.

use mapcheck_machine::{Access, Consult, Reason, Slice, ThreadId};

use super::guided::Policy;
use super::profile::{Profile, races};
use super::{Dice, UNBOUNDED};

/// Drawn priorities have this bit; those of threads that yielded lie below it.
const DRAWN: u64 = 1 << 63;

/// The scheduler of Yuan, Yang and Gu, *Partial Order Aware Concurrency Sampling*, CAV 2018.
///
/// Each thread's pending event has a random priority, and the highest runs. When an event has run, the next of its
/// thread gets a fresh priority, and so do those that raced with it. So the orders of racing events are sampled,
/// however many steps of no concern lie between them: only accesses to what is shared are events, the steps after one
/// belong to it. A thread that yields falls below all others until an event races with what it waits for.
#[derive(Debug, Default)]
pub(super) struct Pos {
    /// By thread.
    priorities: Vec<u64>,
    /// The priority of the thread that yielded last; the next gets one less.
    lowest: u64,
    /// The event that ran last, and its thread.
    running: Option<(ThreadId, Access)>,
}

impl Pos {
    /// The event that ran last has run: who raced with it is drawn anew, and its thread's next event too.
    fn redraw(&mut self, consult: &Consult<'_>, dice: &mut Dice) {
        while self.priorities.len() < consult.threads.len() {
            self.priorities.push(dice.next() | DRAWN);
        }
        let Some((thread, access)) = self.running.take() else { return };
        for (other, view) in (0..).zip(consult.threads) {
            if other == thread || races(&access, &view.pending) {
                self.priorities[other as usize] = dice.next() | DRAWN;
            }
        }
    }
}

impl Policy for Pos {
    fn begin(&mut self, _: &mut Dice, _: &Profile) {
        self.priorities.clear();
        self.lowest = DRAWN;
        self.running = None;
    }

    fn schedule(&mut self, consult: &Consult<'_>, _: u64, dice: &mut Dice) -> Slice {
        self.redraw(consult, dice);
        if consult.reason == Reason::Yield {
            self.lowest -= 1;
            self.priorities[consult.current as usize] = self.lowest;
        }
        let runnable = (0..).zip(consult.threads).filter(|(_, view)| view.runnable);
        let highest = runnable.max_by_key(|&(thread, _)| self.priorities[thread as usize]);
        let (thread, view) = highest.expect("it is asked only while threads can run");
        self.running = Some((thread, view.pending));
        Slice::new(thread, UNBOUNDED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Recorder;
    use crate::scheduler::fake::{Fake, access, local};
    use crate::scheduler::guided::Guided;
    use crate::scheduler::{Ended, Scheduler};
    use mapcheck_machine::Kind;

    const SHARED: usize = 0x100;

    /// Of `executions` executions, those in which thread 1 is the first at the shared word.
    fn first(programs: &[Vec<Access>], executions: u64) -> u64 {
        let mut pos = Guided::new(1, vec![Box::new(Pos::default())]);
        let mut first = 0;
        for execution in 0..executions {
            pos.begin(execution);
            let mut recorder = Recorder { scheduler: &mut pos, sink: &mut |_| {} };
            let steps = Fake::of(programs).steps(&mut recorder);
            let winner = steps.iter().find(|(_, a)| a.addr == SHARED);
            first += u64::from(winner.is_some_and(|&(thread, _)| thread == 1));
            pos.end(Ended { steps: steps.len() as u64, threads: 3, news: None });
        }
        first
    }

    #[test]
    fn both_orders_of_a_race_are_as_likely_however_many_local_steps_come_before() {
        let race = || vec![access(Kind::AtomicRmw, SHARED)];
        for (a, b) in [(0, 0), (0, 60), (60, 0), (7, 30)] {
            let programs = [[local(1, a), race()].concat(), [local(2, b), race()].concat()];
            let first = first(&programs, 1000);
            // Four standard deviations.
            assert!((436..=564).contains(&first), "{a} and {b} local steps: {first}");
        }
    }

    #[test]
    fn two_reads_do_not_race_and_a_write_races_with_either() {
        let view = |kind| access(kind, SHARED);
        assert!(!races(&view(Kind::AtomicLoad), &view(Kind::Read)));
        assert!(races(&view(Kind::AtomicLoad), &view(Kind::Write)));
        assert!(races(&view(Kind::Free), &view(Kind::Read)));
        assert!(!races(&view(Kind::Write), &access(Kind::Write, SHARED + 8)));
        assert!(!races(&Access::NONE, &access(Kind::Write, 0)));
    }
}
