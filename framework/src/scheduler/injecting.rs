//! Injecting faults, around any scheduler.

use mapcheck_machine::{ChoiceKind, Choices, Consult, Slice, ThreadId};

use super::{Coverage, Dice, Ended, Scheduler};

/// Choices of a kind that the first execution is taken to have.
const FIRST_COUNT: u64 = 40;

/// Bits of the longest stretch after which a thread is made to stall.
const STALL_BITS: u64 = 11;

/// When a kind of fault is injected in the execution under way.
#[derive(Clone, Copy, Debug)]
enum Plan {
    Never,
    /// At this choice of its kind, counted from 0 over all threads.
    Once(u64),
    /// At one choice of so many.
    Often(u64),
}

/// Draws in each execution, for each kind of fault that is switched on, whether it is injected, and where: most often
/// at one choice, all equally likely; faults that a program must bear again and again, also at many.
///
/// How many choices there are is learnt from the executions of the batch so far. [`ChoiceKind::Reuse`] is left to the
/// scheduler within.
pub struct Injecting {
    inner: Box<dyn Scheduler>,
    kinds: Vec<ChoiceKind>,
    seed: u64,
    dice: Dice,
    plans: [Plan; ChoiceKind::ALL.len()],
    /// Choices of this execution.
    asked: [u64; ChoiceKind::ALL.len()],
    /// The most there were in one; 0 before the first.
    most: [u64; ChoiceKind::ALL.len()],
}

/// Whether code that is right may try again until it does not happen: then it must not happen each time.
fn is_tried_again(kind: ChoiceKind) -> bool {
    matches!(kind, ChoiceKind::WeakCas | ChoiceKind::Wake)
}

/// Whether it may happen again and again.
fn is_frequent(kind: ChoiceKind) -> bool {
    use ChoiceKind::*;
    matches!(kind, Alignment | WeakCas | Wake | Force | Delay)
}

impl Injecting {
    /// Threads are switched as by `inner`; where these faults are injected depends on the seed too.
    pub fn new(inner: Box<dyn Scheduler>, faults: Choices, seed: u64) -> Injecting {
        let injected = |k: &ChoiceKind| *k != ChoiceKind::Reuse && faults.has(*k);
        Injecting {
            inner,
            kinds: ChoiceKind::ALL.into_iter().filter(injected).collect(),
            seed,
            dice: Dice::new(seed, 0),
            plans: [Plan::Never; ChoiceKind::ALL.len()],
            asked: [0; ChoiceKind::ALL.len()],
            most: [0; ChoiceKind::ALL.len()],
        }
    }

    /// One in eight executions has no fault of a kind, or, where there are several kinds, one in two.
    fn plan(&mut self, kind: ChoiceKind) -> Plan {
        let often = if self.kinds.len() > 1 { 4 } else { 1 };
        if self.dice.below(8) < often {
            return Plan::Never;
        }
        if is_frequent(kind) && self.dice.below(2) == 0 {
            let often = self.dice.below(6);
            return Plan::Often(if is_tried_again(kind) { 2 << often } else { 1 << often });
        }
        let most = match self.most[kind as usize] {
            0 => FIRST_COUNT,
            n => n,
        };
        Plan::Once(self.dice.below(most))
    }
}

impl Scheduler for Injecting {
    fn begin(&mut self, execution: u64) {
        self.dice = Dice::new(self.seed.rotate_left(32) ^ 0xfa17, execution);
        self.asked = [0; ChoiceKind::ALL.len()];
        for kind in self.kinds.clone() {
            self.plans[kind as usize] = self.plan(kind);
        }
        self.inner.begin(execution);
    }

    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        self.inner.schedule(consult)
    }

    fn choose(&mut self, kind: ChoiceKind, thread: ThreadId, index: u64, n: u32) -> u32 {
        if !self.kinds.contains(&kind) {
            return self.inner.choose(kind, thread, index, n);
        }
        let number = self.asked[kind as usize];
        self.asked[kind as usize] += 1;
        let injected = match self.plans[kind as usize] {
            Plan::Never => false,
            Plan::Once(at) => at == number,
            Plan::Often(of) => self.dice.below(of) == 0,
        };
        match kind {
            _ if !injected => 0,
            // Short stretches are as likely as long ones.
            ChoiceKind::Stall => {
                let most = 1 << (1 + self.dice.below(STALL_BITS));
                1 + self.dice.below(most.min(u64::from(n) - 1)) as u32
            }
            _ => 1 + self.dice.below(u64::from(n) - 1) as u32,
        }
    }

    fn granules(&self) -> &[usize] {
        self.inner.granules()
    }

    fn end(&mut self, ended: Ended) {
        for (most, asked) in self.most.iter_mut().zip(self.asked) {
            *most = (*most).max(asked);
        }
        self.inner.end(ended);
    }

    fn learnt(&self) -> Vec<u64> {
        [&self.most[..], &self.inner.learnt()].concat()
    }

    fn recall(&mut self, learnt: &[u64]) {
        let Some((most, inner)) = learnt.split_first_chunk() else { return };
        self.most = *most;
        self.inner.recall(inner);
    }

    fn coverage(&self) -> Option<Coverage> {
        self.inner.coverage()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::by_name;

    fn injecting(kinds: &[ChoiceKind]) -> Injecting {
        let faults = kinds.iter().fold(Choices::NONE, |all, kind| all.with(*kind));
        Injecting::new(by_name("random", 3).unwrap(), faults, 3)
    }

    /// The choices of so many executions, each of which asks 30 times.
    fn chosen(scheduler: &mut Injecting, kind: ChoiceKind, executions: u64) -> Vec<Vec<u32>> {
        let mut execution = |i| {
            scheduler.begin(i);
            let all = (0..30).map(|index| scheduler.choose(kind, 1, index, 4)).collect();
            scheduler.end(Ended::default());
            all
        };
        (0..executions).map(&mut execution).collect()
    }

    #[test]
    fn a_panic_is_injected_once_at_most_and_everywhere_sooner_or_later() {
        let all = chosen(&mut injecting(&[ChoiceKind::Panic]), ChoiceKind::Panic, 1000);
        let places = |e: &Vec<u32>| (0..30).filter(|i| e[*i] > 0).collect::<Vec<_>>();
        assert!(all.iter().all(|e| places(e).len() <= 1));
        assert!((0..30).all(|i| all.iter().any(|e| places(e) == [i])));
        assert!(all.iter().any(|e| places(e).is_empty()));
    }

    #[test]
    fn what_must_be_borne_again_and_again_is_injected_often_too() {
        let all = chosen(&mut injecting(&[ChoiceKind::Force]), ChoiceKind::Force, 200);
        let times = |e: &Vec<u32>| e.iter().filter(|c| **c > 0).count();
        assert!([0, 1, 15, 30].iter().all(|n| all.iter().any(|e| times(e).abs_diff(*n) < 3)));
    }

    #[test]
    fn what_is_tried_until_it_does_not_happen_never_happens_each_time() {
        for kind in [ChoiceKind::Wake, ChoiceKind::WeakCas] {
            let all = chosen(&mut injecting(&[kind]), kind, 500);
            let times = |e: &Vec<u32>| e.iter().filter(|c| **c > 0).count();
            assert!(all.iter().any(|e| times(e) > 10) && all.iter().all(|e| times(e) < 28));
        }
    }

    #[test]
    fn other_choices_are_those_of_the_scheduler_within() {
        let (mut alone, mut around) =
            (by_name("random", 3).unwrap(), injecting(&[ChoiceKind::Panic]));
        alone.begin(4);
        around.begin(4);
        for i in 0..20 {
            around.choose(ChoiceKind::Panic, 0, i, 2);
            let draw = |s: &mut dyn Scheduler| s.choose(ChoiceKind::Data, 0, i, 100);
            assert_eq!(draw(&mut *alone), draw(&mut around));
        }
    }

    #[test]
    fn what_was_learnt_goes_on() {
        let mut first = injecting(&[ChoiceKind::Panic]);
        chosen(&mut first, ChoiceKind::Panic, 1);
        let mut second = injecting(&[ChoiceKind::Panic]);
        second.recall(&first.learnt());
        assert_eq!(second.most[ChoiceKind::Panic as usize], 30);
    }
}
