//! Schedulers that know what the threads of a scenario share, and are asked where they touch it.

use mapcheck_machine::{ChoiceKind, Consult, Reason, Slice, ThreadId};

use super::changes::{At, Changes};
use super::profile::{Peek, Profile, Profiler};
use super::turns::Turns;
use super::{Dice, Ended, Scheduler, UNBOUNDED};

/// First of the words that are learnt: it tells them from those of other schedulers.
const MAGIC: u64 = 0x6d61_7063_0001;
/// Executions after which no more profiles are made.
const LAST_PROFILE: u64 = 5000;

/// A way of scheduling that knows a profile. It is asked only while several threads can run.
pub(super) trait Policy {
    /// Begins an execution.
    fn begin(&mut self, dice: &mut Dice, profile: &Profile);
    /// Who goes on. It is asked at each access to the granules of [`Policy::granules`] too. `contended` is the number of
    /// schedule points so far that were passed while several threads could run.
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
    /// Makes the executions of which nothing is known.
    fallback: Changes,
    /// Executions that ended, of this scenario.
    executions: u64,
    /// In a profiling execution.
    profiler: Option<Profiler>,
    /// The global step up to which the policy need not be asked, in a profiling execution.
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
            fallback: Changes::new(At::Points, 3),
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

    /// Whether the slice that the policy granted goes on, in an execution that is asked at every point.
    fn goes_on(&self, consult: &Consult<'_>, runnable: usize) -> bool {
        let current = &consult.threads[consult.current as usize];
        let granules = self.granules();
        consult.reason == Reason::Point
            && current.runnable
            && runnable == self.runnable
            && consult.step < self.until
            && granules.binary_search(&(current.pending.addr / super::profile::GRANULE)).is_err()
    }

    fn choose_thread(&mut self, consult: &Consult<'_>, runnable: usize) -> Slice {
        if runnable == 1 {
            return Slice { thread: only_runnable(consult), points: UNBOUNDED };
        }
        let policy = policy(&mut self.policies, &mut self.fallback, self.turn);
        policy.schedule(consult, self.contended, &mut self.dice)
    }

    fn profiled(&mut self, consult: &Consult<'_>, runnable: usize) -> Slice {
        let slice = if self.goes_on(consult, runnable) {
            Slice { thread: consult.current, points: self.until - consult.step }
        } else {
            self.choose_thread(consult, runnable)
        };
        self.until = consult.step.saturating_add(slice.points);
        let alone = consult.threads.len() == 1 || (runnable == 1 && slice.thread == 0);
        if let (false, Some(profiler)) = (alone, &mut self.profiler) {
            profiler.step(slice.thread, &consult.threads[slice.thread as usize].pending);
            return Slice { points: 1, ..slice };
        }
        slice
    }
}

impl Scheduler for Guided {
    fn begin(&mut self, execution: u64) {
        self.dice = Dice::new(self.seed, execution);
        (self.until, self.runnable, self.asked, self.contended) = (0, 0, 0, 0);
        self.profiler = self.profiles().then(|| Profiler::new(self.peek));
        let knows = !self.profile.shared().is_empty();
        self.turn = knows.then(|| self.turns.next(execution));
        policy(&mut self.policies, &mut self.fallback, self.turn)
            .begin(&mut self.dice, &self.profile);
    }

    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        self.advance(consult.step);
        let runnable = consult.threads.iter().filter(|t| t.runnable).count();
        let slice = match self.profiler {
            Some(_) => self.profiled(consult, runnable),
            None => self.choose_thread(consult, runnable),
        };
        self.runnable = runnable;
        slice
    }

    fn choose(&mut self, kind: ChoiceKind, _thread: ThreadId, _index: u64, n: u32) -> u32 {
        self.dice.choose(kind, n)
    }

    fn granules(&self) -> &[usize] {
        match self.turn {
            Some(turn) => self.policies[turn].granules(&self.profile),
            None => self.fallback.granules(&self.profile),
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
    fallback: &'a mut Changes,
    turn: Option<usize>,
) -> &'a mut dyn Policy {
    match turn {
        Some(turn) => &mut *policies[turn],
        None => fallback,
    }
}

/// The thread that can run, where only one can.
fn only_runnable(consult: &Consult<'_>) -> ThreadId {
    let only = consult.threads.iter().position(|t| t.runnable);
    only.map_or(consult.current, |t| t as ThreadId)
}
