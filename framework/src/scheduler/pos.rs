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
/// thread gets a fresh priority, and so do those that raced with it. So the orders of racing events are sampled, however
/// many steps of no concern lie between them: only accesses to what is shared are events, the steps after one belong
/// to it. A thread that yields falls below all others until an event races with what it waits for.
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
        Slice { thread, points: UNBOUNDED }
    }
}
