//! The random walk, as a policy.

use mapcheck_machine::{Consult, Kind, Reason, Slice};

use super::guided::Policy;
use super::profile::Profile;
use super::random::any_runnable;
use super::{Dice, UNBOUNDED};

/// At each access to what threads share any of them goes on, all equally likely; where nothing is known to be shared,
/// at each schedule point. Most mistakes that need no exact schedule show in the first such executions.
#[derive(Debug, Default)]
pub(super) struct Uniform {
    /// Whether it is asked where it matters.
    knows: bool,
}

impl Policy for Uniform {
    fn begin(&mut self, _: &mut Dice, profile: &Profile) {
        self.knows = !profile.granules().is_empty();
    }

    fn schedule(&mut self, consult: &Consult<'_>, _contended: u64, dice: &mut Dice) -> Slice {
        let current = &consult.threads[consult.current as usize];
        let touches = !matches!(current.pending.kind, Kind::None | Kind::Alloc | Kind::Fence);
        if consult.reason == Reason::Point && current.runnable && !touches {
            // Before a step that concerns nobody else, another is as good as after it.
            return Slice::new(consult.current, 1);
        }
        let left = (consult.reason == Reason::Yield).then_some(consult.current);
        let thread = any_runnable(consult, dice, left);
        Slice::new(thread, if self.knows { UNBOUNDED } else { 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Recorder;
    use crate::scheduler::fake::{Fake, access};
    use crate::scheduler::guided::Guided;
    use crate::scheduler::{Ended, Scheduler as _};
    use mapcheck_machine::ThreadId;

    #[test]
    fn where_nothing_is_known_every_point_may_be_a_switch() {
        let mut scheduler = Guided::new(1, vec![Box::new(Uniform::default())]);
        let mut shares = Vec::new();
        for execution in 0..20 {
            scheduler.begin(execution);
            let mut recorder = Recorder { scheduler: &mut scheduler, sink: &mut |_| {} };
            let own = [0x100, 0x200].map(|addr| vec![access(Kind::Write, addr); 60]);
            let steps = Fake::of(&own).steps(&mut recorder);
            let trace: Vec<ThreadId> = steps.iter().map(|step| step.0).collect();
            let switches = trace.windows(2).filter(|w| w[0] != w[1]).count();
            shares.push(100 * switches / trace.len());
            scheduler.end(Ended { steps: trace.len() as u64, threads: 2, news: None });
        }
        // Some are walks, and some have few switches.
        assert!(shares.iter().any(|s| *s > 30) && shares.iter().any(|s| *s < 25), "{shares:?}");
    }
}
