//! Schedulers that know what the threads of a scenario share, and are asked where they touch it.

use mapcheck_machine::{ChoiceKind, Consult, Reason, Slice, ThreadId};

use super::changes::{At, Changes};
use super::profile::{Peek, Profile, Profiler};
use super::turns::Turns;
use super::uniform::Uniform;
use super::{Dice, Ended, Scheduler, UNBOUNDED, splitmix};

/// First of the words that are learnt: it tells them from those of other schedulers.
const MAGIC: u64 = 0x6d61_7063_0001;
/// Executions after which no more profiles are made.
const LAST_PROFILE: u64 = 5000;

/// A way of scheduling that knows a profile. It is asked only while several threads can run.
pub(super) trait Policy {
    /// Begins an execution.
    fn begin(&mut self, dice: &mut Dice, profile: &Profile);
    /// Who goes on. It is asked at each access to the granules of [`Policy::granules`] too. `contended` is how many
    /// schedule points were passed so far while several threads could run.
    fn schedule(&mut self, consult: &Consult<'_>, contended: u64, dice: &mut Dice) -> Slice;
    /// The granules that matter to it in this execution, ascending.
    fn granules<'a>(&'a self, profile: &'a Profile) -> &'a [usize] {
        profile.granules()
    }
}

/// Some policies around one profile: each execution is given to one of them. The first, and then fewer and fewer, are
/// *profiling*: every schedule point is looked at.
pub(super) struct Guided {
    seed: u64,
    dice: Dice,
    peek: Peek,
    profile: Profile,
    policies: Vec<Box<dyn Policy>>,
    turns: Turns,
    /// Whose turn it is; nobody's where nothing is known to be shared.
    turn: Option<usize>,
    /// Make the executions of which nothing is known, one or the other.
    unknowing: (Uniform, Changes),
    /// Which of the two makes this one.
    walks: bool,
    /// Executions that ended, of this scenario.
    executions: u64,
    /// In a profiling execution.
    profiler: Option<Profiler>,
    /// The global step up to which the policy need not be asked, but for granules.
    until: u64,
    /// Threads that could run when it was last asked.
    runnable: usize,
    /// The global step of the last consult, and steps with several threads before it.
    asked: u64,
    contended: u64,
}

impl Guided {
    /// A scheduler that has learnt nothing; batches of the same seed and first execution are the same.
    pub fn new(seed: u64, policies: Vec<Box<dyn Policy>>) -> Guided {
        Guided {
            seed,
            dice: Dice::new(seed, 0),
            peek: mapcheck_machine::peek,
            profile: Profile::default(),
            turns: Turns::new(policies.len()),
            policies,
            turn: None,
            walks: false,
            unknowing: (Uniform::default(), Changes::new(At::Points, 3)),
            executions: 0,
            profiler: None,
            until: 0,
            runnable: 0,
            asked: 0,
            contended: 0,
        }
    }

    /// Whether every point of the next execution is looked at: the 1st, 3rd, 7th, 15th and so on.
    fn profiles(&self) -> bool {
        self.executions < LAST_PROFILE && (self.executions + 2).is_power_of_two()
    }

    fn advance(&mut self, step: u64) {
        if self.runnable > 1 {
            self.contended += step.saturating_sub(self.asked);
        }
        self.asked = step;
    }

    /// Whether the slice that the policy granted goes on: this is a point at which nobody wanted to be asked.
    fn goes_on(&self, consult: &Consult<'_>, runnable: usize) -> bool {
        let current = &consult.threads[consult.current as usize];
        let granules = self.granules();
        consult.reason == Reason::Point
            && current.runnable
            && runnable == self.runnable
            && consult.step < self.until
            && granules.binary_search(&(current.pending.addr / super::profile::GRANULE)).is_err()
    }

    /// The policy's choice.
    fn asked(&mut self, consult: &Consult<'_>, runnable: usize) -> Slice {
        if self.goes_on(consult, runnable) {
            return Slice::new(consult.current, self.until - consult.step);
        }
        if runnable == 1 {
            return Slice::new(only_runnable(consult), UNBOUNDED);
        }
        let policy = policy(&mut self.policies, &mut self.unknowing, self.turn, self.walks);
        policy.schedule(consult, self.contended, &mut self.dice)
    }

    /// Whether the step that a thread takes next belongs to the part of the execution that may be concurrent: not
    /// what the root does while it is alone.
    fn is_profiled(consult: &Consult<'_>, runnable: usize, thread: ThreadId) -> bool {
        consult.threads.len() > 1 && (runnable > 1 || thread != 0)
    }
}

impl Scheduler for Guided {
    fn begin(&mut self, execution: u64) {
        self.dice = Dice::new(self.seed, execution);
        (self.until, self.runnable, self.asked, self.contended) = (0, 0, 0, 0);
        self.profiler = self.profiles().then(|| Profiler::new(self.peek));
        let knows = !self.profile.shared().is_empty();
        self.turn = knows.then(|| self.turns.next(execution));
        // The first execution of one scenario in two is a walk, of the other one it is not: a mistake that shows in one
        // of them shows in its like.
        self.walks = splitmix(execution) & 1 == 0;
        policy(&mut self.policies, &mut self.unknowing, self.turn, self.walks)
            .begin(&mut self.dice, &self.profile);
    }

    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        self.advance(consult.step);
        let runnable = consult.threads.iter().filter(|t| t.runnable).count();
        let mut slice = self.asked(consult, runnable);
        self.until = consult.step.saturating_add(slice.points);
        if let Some(profiler) = &mut self.profiler
            && Guided::is_profiled(consult, runnable, slice.thread)
        {
            profiler.step(slice.thread, &consult.threads[slice.thread as usize].pending);
            slice.points = 1;
        }
        self.runnable = runnable;
        slice
    }

    fn choose(&mut self, kind: ChoiceKind, _thread: ThreadId, _index: u64, n: u32) -> u32 {
        self.dice.choose(kind, n)
    }

    fn granules(&self) -> &[usize] {
        match self.turn {
            Some(turn) => self.policies[turn].granules(&self.profile),
            None => self.unknowing.1.granules(&self.profile),
        }
    }

    fn end(&mut self, ended: Ended) {
        self.advance(ended.steps);
        self.executions += 1;
        if let Some(turn) = self.turn {
            self.turns.took(turn, ended.news);
        }
        self.profile.length = self.profile.length.max(self.contended);
        if let Some(profiler) = self.profiler.take() {
            profiler.end(&mut self.profile);
        }
    }

    fn learnt(&self) -> Vec<u64> {
        [vec![MAGIC, self.executions], self.turns.words(), self.profile.words()].concat()
    }

    fn recall(&mut self, learnt: &[u64]) {
        let [MAGIC, executions, rest @ ..] = learnt else { return };
        let Some((turns, rest)) = rest.split_at_checked(self.turns.words().len()) else { return };
        let (Some(turns), Some(profile)) = (Turns::of(turns), Profile::of(rest)) else { return };
        (self.executions, self.turns, self.profile) = (*executions, turns, profile);
    }
}

/// Whose turn it is.
fn policy<'a>(
    policies: &'a mut [Box<dyn Policy>],
    (first, later): &'a mut (Uniform, Changes),
    turn: Option<usize>,
    walks: bool,
) -> &'a mut dyn Policy {
    match turn {
        Some(turn) => &mut *policies[turn],
        None if walks => first,
        None => later,
    }
}

/// The thread that can run, where only one can.
fn only_runnable(consult: &Consult<'_>) -> ThreadId {
    let only = consult.threads.iter().position(|t| t.runnable);
    only.map_or(consult.current, |t| t as ThreadId)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{Decision, Decisions, Recorder, Replayer};
    use crate::scheduler::by_name;
    use crate::scheduler::fake::{Fake, Step, access, local};
    use mapcheck_machine::{Access, Kind};

    fn programs() -> [Vec<Access>; 3] {
        [1, 2, 3].map(|thread| {
            let shared = [0x100, 0x108, 0x100].map(|addr| access(Kind::AtomicRmw, addr));
            [local(thread, 5), shared.to_vec(), local(thread, 9), shared.to_vec()].concat()
        })
    }

    fn run(scheduler: &mut dyn Scheduler, execution: u64) -> Vec<Step> {
        scheduler.begin(execution);
        let mut recorder = Recorder { scheduler: &mut *scheduler, sink: &mut |_| {} };
        let steps = Fake::of(&programs()).steps(&mut recorder);
        let news = Some(execution % 3);
        scheduler.end(Ended { steps: steps.len() as u64, threads: 4, news });
        steps
    }

    #[test]
    fn what_one_batch_has_learnt_the_next_goes_on_with() {
        for name in ["pos", "surw", "portfolio"] {
            let mut one = by_name(name, 9).unwrap();
            (0..50).for_each(|execution| drop(run(&mut *one, execution)));
            let mut other = by_name(name, 9).unwrap();
            other.recall(&one.learnt());
            assert_eq!(other.learnt(), one.learnt());
            assert!((50..100).all(|i| run(&mut *one, i) == run(&mut *other, i)), "{name}");
            assert!(one.learnt().len() <= 4096);
        }
    }

    #[test]
    fn words_that_nobody_has_learnt_are_as_good_as_nothing() {
        let mut learned = by_name("portfolio", 9).unwrap();
        (0..9).for_each(|execution| drop(run(&mut *learned, execution)));
        let words = learned.learnt();
        let mut damaged = vec![vec![], vec![0; 40], vec![MAGIC], words[..words.len() - 1].to_vec()];
        for place in [0, 3, words.len() - 4] {
            let mut words = words.clone();
            words[place] = u64::MAX;
            damaged.push(words);
        }
        for words in damaged {
            let (mut one, mut other) =
                (by_name("portfolio", 9).unwrap(), by_name("portfolio", 9).unwrap());
            other.recall(&words);
            assert!((0..20).all(|i| run(&mut *one, i) == run(&mut *other, i)), "{words:?}");
        }
    }

    #[test]
    fn a_profiling_execution_has_the_schedule_that_it_would_have_had() {
        let mut looks = by_name("portfolio", 4).unwrap();
        (0..6).for_each(|execution| drop(run(&mut *looks, execution)));
        // The 7th execution is one, the 8th is none.
        let words = looks.learnt();
        let mut later = [words[0], 7].to_vec();
        later.extend(&words[2..]);
        let mut does_not = by_name("portfolio", 4).unwrap();
        does_not.recall(&later);
        for execution in 100..120 {
            let mut looks = by_name("portfolio", 4).unwrap();
            looks.recall(&words);
            does_not.recall(&later);
            assert_eq!(run(&mut *looks, execution), run(&mut *does_not, execution));
        }
    }

    #[test]
    fn replays_reproduce_what_was_asked_for_at_granules() {
        for name in ["pos", "surw", "portfolio"] {
            let mut scheduler = by_name(name, 5).unwrap();
            (0..10).for_each(|execution| drop(run(&mut *scheduler, execution)));
            for execution in 10..60 {
                scheduler.begin(execution);
                let mut decisions = Vec::new();
                let mut sink = |word| decisions.push(Decision::unpack(word).unwrap());
                let mut recorder = Recorder { scheduler: &mut *scheduler, sink: &mut sink };
                let steps = Fake::of(&programs()).steps(&mut recorder);
                scheduler.end(Ended { steps: steps.len() as u64, threads: 4, news: None });
                let mut replayer = Replayer::new(&Decisions(decisions));
                assert_eq!(Fake::of(&programs()).steps(&mut replayer), steps, "{name} {execution}");
                assert_eq!(replayer.unused(), 0);
            }
        }
    }

    #[test]
    fn a_single_thread_is_asked_about_once() {
        let mut portfolio = by_name("portfolio", 4).unwrap();
        portfolio.begin(0);
        let threads = [mapcheck_machine::ThreadView::NEW];
        let reason = Reason::Point;
        let consult = Consult {
            current: 0,
            local_step: 1,
            step: 1,
            reason,
            spent: true,
            threads: &threads,
            runnable: &mapcheck_machine::Runnable::of(&threads),
        };
        assert_eq!(portfolio.schedule(&consult), Slice::new(0, UNBOUNDED));
    }
}
