//! Schedulers: who picks the thread that goes on.
//!
//! A scheduler knows nothing of maps. It is asked at schedule points, grants slices, and draws the other choices. The
//! choices of an execution are a function of the seed, the number of the execution and what was learnt from earlier
//! executions of the same batch, so a batch replays from its start.

pub(crate) mod after;
mod bounded;
mod changes;
mod each_fault;
mod exhaustive;
mod guided;
mod injecting;
mod near;
mod pct;
mod planned;
mod portfolio;
mod pos;
mod profile;
mod random;
mod round_robin;
mod surw;
mod suspending;
mod turns;
mod uniform;
mod walk;

use mapcheck_machine::{ChoiceKind, Consult, Slice, ThreadId};

use crate::pcg::Pcg;

use guided::Guided;
use portfolio::portfolio;
use pos::Pos;
use surw::Surw;

pub(crate) use after::After;
pub use bounded::Bounded;
pub use each_fault::EachFault;
pub use exhaustive::{Coverage, Exhaustive, Limit};
pub use injecting::Injecting;
pub(crate) use near::{Anchor, Near};
pub use pct::Pct;
pub(crate) use planned::{Planned, Switch};
pub use random::Random;
pub use round_robin::RoundRobin;
pub use suspending::Suspending;

/// Schedule points of a slice that ends only when the machine has a reason to ask.
pub const UNBOUNDED: u64 = 1 << 40;

/// Picks the next thread. A batch of executions shares one scheduler.
pub trait Scheduler {
    /// Starts the `execution`th execution of the seed.
    fn begin(&mut self, execution: u64);
    /// Who goes on, and for how many schedule points.
    fn schedule(&mut self, consult: &Consult<'_>) -> Slice;
    /// One of `0..n`; `n` is at least 1.
    fn choose(&mut self, kind: ChoiceKind, thread: ThreadId, index: u64, n: u32) -> u32;
    /// Granules at whose accesses it is asked too, see [`mapcheck_machine::Decider::granules`].
    fn granules(&self) -> &[usize] {
        &[]
    }
    /// Whether it is asked too when a thread begins another operation.
    fn asks_at_labels(&self) -> bool {
        false
    }
    /// Ends the execution.
    fn end(&mut self, ended: Ended);
    /// What it has learnt, for a scheduler of the same name that goes on with the same scenario in another process.
    fn learnt(&self) -> Vec<u64> {
        Vec::new()
    }
    /// Takes over what another has learnt, before its first execution. What cannot be read is as good as nothing.
    fn recall(&mut self, _learnt: &[u64]) {}
    /// What it has covered, if it is one that knows what there is to cover.
    fn coverage(&self) -> Option<Coverage> {
        None
    }
}

/// What became of an execution, as a scheduler may learn from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Schedule points of all threads.
    pub steps: u64,
    /// Threads that existed.
    pub threads: u32,
    /// Communication between threads that the batch had not seen before, in pairs of sites; `None` where nobody looked.
    pub news: Option<u64>,
}

/// The schedulers there are: name, and what it does in a sentence.
pub const NAMES: &[(&str, &str)] = &[
    (
        "random",
        "random walk: at each point but plain accesses any runnable thread goes on, all equally likely",
    ),
    (
        "pct",
        "probabilistic concurrency testing: random priorities, lowered at one to three random steps",
    ),
    (
        "pos",
        "partial order sampling: random priorities, drawn anew for accesses that race with the one just made",
    ),
    (
        "surw",
        "selectively uniform random walk: all orders of some accesses to shared memory, equally likely",
    ),
    (
        "round-robin",
        "threads in turn, the same in every run: turns of 1 to 89 steps, another length each execution",
    ),
    (
        "portfolio",
        "pct, pos, surw and others in turn, sharing what they learn; those that show more get more turns",
    ),
    (
        "exhaustive",
        "all schedules up to equivalence; with a bound, those with at most so many preemptions",
    ),
    (
        "exhaustive-delays",
        "all schedules in which at most as many times as the bound says a thread is passed over",
    ),
    (
        "each-fault",
        "one fault an execution, at every point in turn; threads run one after the other",
    ),
];

/// What a scheduler of this name is to cover, if it is one that knows when it is done. Without a bound, all there is.
pub fn limit(name: &str, bound: Option<u64>) -> Option<Limit> {
    match (name, bound) {
        ("exhaustive" | "exhaustive-delays", None) => Some(Limit::Unbounded),
        ("each-fault", _) => Some(Limit::EachFault),
        ("exhaustive", Some(bound)) => Some(Limit::Preemptions(bound)),
        ("exhaustive-delays", Some(bound)) => Some(Limit::Delays(bound)),
        _ => None,
    }
}

/// The scheduler with a name of [`NAMES`], or `None`.
///
/// ```
/// assert!(mapcheck::scheduler::by_name("pct", 1).is_some());
/// ```
pub fn by_name(name: &str, seed: u64) -> Option<Box<dyn Scheduler>> {
    match name {
        "random" => Some(Box::new(Random::new(seed))),
        "pct" => Some(Box::new(Pct::new(seed))),
        "round-robin" => Some(Box::new(RoundRobin::new(seed))),
        "pos" => Some(Box::new(Guided::new(seed, vec![Box::new(Pos::default())]))),
        "surw" => Some(Box::new(Guided::new(seed, vec![Box::new(Surw::default())]))),
        "portfolio" => Some(Box::new(portfolio(seed))),
        name => Some(covering(limit(name, None)?)),
    }
}

/// The scheduler that covers this and knows when it is done.
pub(crate) fn covering(limit: Limit) -> Box<dyn Scheduler> {
    match limit {
        Limit::EachFault => Box::new(EachFault::default()),
        limit => Box::new(Exhaustive::new(limit)),
    }
}

/// The randomness of one execution.
#[derive(Debug)]
pub(crate) struct Dice(Pcg);

impl Dice {
    pub(crate) fn new(seed: u64, execution: u64) -> Dice {
        let low = splitmix(splitmix(seed) ^ execution);
        Dice(Pcg::new(u128::from(splitmix(low)) << 64 | u128::from(low)))
    }

    /// One of `0..n`, all equally likely up to a bias of n in 2^64.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    fn next(&mut self) -> u64 {
        self.0.next()
    }

    /// Reuse is injected half of the time; data is uniform; no thread is suspended, see [`Suspending`], and no other
    /// fault injected, see [`Injecting`].
    fn choose(&mut self, kind: ChoiceKind, n: u32) -> u32 {
        match kind {
            ChoiceKind::Reuse if n < 2 || self.next() >> 63 == 0 => 0,
            ChoiceKind::Reuse => 1 + self.below(u64::from(n) - 1) as u32,
            ChoiceKind::Data => self.below(u64::from(n)) as u32,
            _ => 0,
        }
    }
}

/// Steele, Lea and Flood's SplitMix64 output function: neighbouring inputs give unrelated outputs.
pub(crate) fn splitmix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

#[cfg(test)]
pub(crate) mod fake;

#[cfg(test)]
mod tests {
    use super::fake::Fake;
    use super::*;
    use crate::decision::Recorder;

    fn run(name: &str, seed: u64, execution: u64) -> Vec<ThreadId> {
        let mut scheduler = by_name(name, seed).unwrap();
        scheduler.begin(execution);
        Fake::new(&[50, 50, 50])
            .run(&mut Recorder { scheduler: &mut *scheduler, sink: &mut |_| {} })
    }

    #[test]
    fn an_execution_depends_on_seed_and_number_only() {
        for (name, _) in NAMES {
            assert_eq!(run(name, 3, 4), run(name, 3, 4));
            if limit(name, None).is_some() {
                // Nothing is random there.
                continue;
            }
            assert_ne!(run(name, 3, 4), run(name, 4, 3));
            assert!((0..9).any(|i| run(name, 3, i) != run(name, 3, i + 1)));
        }
        assert!(by_name("fair", 0).is_none());
    }

    #[test]
    fn reuse_is_drawn_half_of_the_time_and_data_covers_its_range() {
        let mut dice = Dice::new(1, 1);
        let reused = (0..1000).filter(|_| dice.choose(ChoiceKind::Reuse, 2) == 1).count();
        assert!((400..600).contains(&reused), "{reused}");
        let mut seen = [false; 5];
        (0..200).for_each(|_| seen[dice.choose(ChoiceKind::Data, 5) as usize] = true);
        assert_eq!(seen, [true; 5]);
        assert_eq!(dice.choose(ChoiceKind::Reuse, 1), 0);
    }
}
