//! Records what a scheduler decides.

use mapcheck_machine::{ChoiceKind, Consult, Decider, Slice, ThreadId};

use super::{Decision, DecisionKind};
use crate::scheduler::Scheduler;

/// A decider that asks a scheduler and passes on, packed, every answer that is not the default.
pub struct Recorder<'a> {
    /// Who decides.
    pub scheduler: &'a mut dyn Scheduler,
    /// Receives each decision, see [`Decision::pack`], before it takes effect.
    pub sink: &'a mut dyn FnMut(u64),
}

impl Decider for Recorder<'_> {
    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        let slice = self.scheduler.schedule(consult);
        if slice.thread != consult.default_thread() {
            let decision = Decision {
                kind: DecisionKind::Schedule,
                thread: consult.current,
                index: consult.local_step,
                choice: slice.thread,
            };
            (self.sink)(decision.pack());
        }
        slice
    }

    fn choose(&mut self, kind: ChoiceKind, thread: ThreadId, index: u64, n: u32) -> u32 {
        let choice = self.scheduler.choose(kind, thread, index, n);
        if choice != 0 {
            let kind = DecisionKind::Choice(kind);
            (self.sink)(Decision { kind, thread, index, choice }.pack());
        }
        choice
    }

    fn granules(&self) -> &[usize] {
        self.scheduler.granules()
    }

    fn asks_at_labels(&self) -> bool {
        self.scheduler.asks_at_labels()
    }
}
