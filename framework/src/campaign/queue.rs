//! Which batches a campaign consists of, in which order. Nothing here depends on time or on how
//! fast workers are, so the same seed explores the same executions.
//!
//! The batches of a scenario form *chains*: each goes on from what the one before has learnt. In a *round* every chain
//! gets one batch, and a round is planned when the one before has come to its end. Batches are small at first, so that
//! each scenario has its turn before one of them has many: what some scenario shows at once, any schedule of it shows
//! (Arcuri, Iqbal and Briand, *Random Testing: Theoretical Results and Practical Implications*, TSE 2012, on spreading
//! effort evenly where nothing is known). Later rounds give more to scenarios that still show something new.

use std::collections::{BTreeSet, HashSet};

use crate::engine::Engine;
use crate::settings::Settings;
use crate::worker::{Batch, LOOK, Learnt};

/// Executions of a batch, at most.
const LARGEST: u64 = 1000;
/// From this round on a chain whose last batch showed nothing new gets less.
const SETTLED: u32 = 3;
/// So much less.
const LESS: u64 = 4;
/// Chains there are at least, so that there is work for several workers or shards where there are few scenarios.
const CHAINS: usize = 16;
/// Bits of the number of an execution within its chain.
const CHAIN: u32 = 32;
/// The same for an engine that begins its search anew with each batch: as many again, ten times over.
const FIRST: u64 = 20;
const DEEPER: u64 = 10;

/// A batch of executions of one scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// Its place in the order of the campaign.
    pub order: u64,
    /// Index of the scenario.
    pub scenario: usize,
    /// Executions planned before it.
    pub before: u64,
    pub batch: Batch,
    chain: usize,
}

impl Job {
    /// The executions after `done`, as a job of its own; `None` if there are none.
    pub(crate) fn rest_after(&self, done: u64) -> Option<Job> {
        let end = self.batch.first + self.batch.count;
        let first = done + 1;
        let (count, before) = (end.saturating_sub(first), self.number_of(first));
        let batch = Batch { first, count, ..self.batch.clone() };
        (count > 0).then(|| Job { batch, before, ..self.clone() })
    }

    /// The number of an execution of it in the campaign, from 0.
    pub(crate) fn number_of(&self, execution: u64) -> u64 {
        self.before + execution.saturating_sub(self.batch.first)
    }
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Job(Box<Job>),
    /// Nothing until the jobs that are under way have come to their end.
    Wait,
    /// The goal is reached.
    End,
}

/// The batches of a scenario that go on from each other.
#[derive(Debug, Default)]
struct Chain {
    /// Executions planned so far.
    planned: u64,
    learnt: Learnt,
    /// Whether the last batch showed anything new.
    news: bool,
    /// Whether it gets no more jobs, or is another shard's.
    given_up: bool,
}

/// The jobs of a campaign, one after the other.
pub(crate) struct Queue {
    template: Batch,
    /// Whether a batch begins the search anew, and so must go deeper than the one before.
    deepens: bool,
    /// Whether all of a scenario is to be explored, so that none gets less than it needs.
    exhausts: bool,
    /// Executions of every batch, if they are not to grow.
    batch: Option<u64>,
    scenarios: usize,
    goal: u64,
    /// Chain `i` is of scenario `i` modulo the number of scenarios.
    chains: Vec<Chain>,
    round: u32,
    /// The next chain of this round.
    next: usize,
    /// Jobs of this round that have not come to their end.
    open: usize,
    order: u64,
    /// Executions planned so far.
    executions: u64,
    /// Features that were shown by no chain before, in this round.
    news: u64,
    seen: HashSet<u64>,
    /// Scenarios of this shard.
    mine: usize,
    /// Jobs whose worker could not finish them.
    rest: Vec<Job>,
}

impl Queue {
    pub(crate) fn new(settings: &Settings, scenarios: usize) -> Queue {
        let template = Batch {
            scheduler: settings.scheduler.clone(),
            seed: settings.seed,
            bound: settings.bound,
            suspend: settings.obstruction_freedom,
            first: 0,
            count: 0,
            vary: settings.limit().is_none(),
            record_last: false,
            look: LOOK,
            learnt: Learnt::default(),
        };
        let deepens = settings.engine == Engine::Loom;
        let alone = settings.engine != Engine::Native || settings.limit().is_some();
        let times = if alone { 1 } else { CHAINS.div_ceil(scenarios.max(1)) };
        let (shard, shards) = settings.shard;
        let mine = |i: usize| i as u64 % shards == shard - 1;
        let chains = (0..scenarios * times).map(|i| Chain {
            news: true,
            given_up: !mine(i),
            ..Chain::default()
        });
        Queue {
            template,
            deepens,
            exhausts: settings.limit().is_some(),
            batch: settings.batch,
            scenarios,
            goal: share(settings.goal(), settings.shard),
            chains: chains.collect(),
            round: 0,
            next: 0,
            open: 0,
            order: 0,
            executions: 0,
            news: 0,
            seen: HashSet::new(),
            mine: (0..scenarios)
                .filter(|i| (*i..scenarios * times).step_by(scenarios).any(mine))
                .count(),
            rest: Vec::new(),
        }
    }

    /// Takes in what a job has learnt so far.
    pub(crate) fn learn(&mut self, job: &Job, learnt: &Learnt) {
        let chain = &mut self.chains[job.chain];
        // A worker that died does not tell.
        if !learnt.scheduler.is_empty() {
            chain.learnt.scheduler.clone_from(&learnt.scheduler);
        }
        self.news += learnt.features.iter().filter(|f| self.seen.insert(**f)).count() as u64;
        let before = chain.learnt.features.len();
        chain.learnt.features.extend_from_slice(&learnt.features);
        chain.learnt.features.sort_unstable();
        chain.learnt.features.dedup();
        chain.news |= chain.learnt.features.len() > before;
    }

    /// A job has come to its end: all of it, or the execution `last`, after which the rest is still to be made.
    pub(crate) fn done(&mut self, job: &Job, last: Option<u64>) {
        let chain = &self.chains[job.chain];
        match last.and_then(|last| job.rest_after(last)) {
            Some(mut rest) if !chain.given_up => {
                rest.batch.learnt = chain.learnt.clone();
                self.rest.push(rest);
            }
            _ => self.open -= 1,
        }
    }

    /// Takes back a job that was not begun.
    pub(crate) fn take_back(&mut self, job: Job) {
        if self.chains[job.chain].given_up {
            self.open -= 1;
        } else {
            self.rest.push(job);
        }
    }

    /// The place in the order of the earliest job that was taken back.
    pub(crate) fn earliest_rest(&self) -> Option<u64> {
        self.rest.iter().map(|job| job.order).min()
    }

    /// Hands out no more jobs of a scenario, nor what is left of one.
    pub(crate) fn give_up(&mut self, scenario: usize) {
        let scenarios = self.scenarios;
        let of_it = self.chains.iter_mut().enumerate().filter(|(i, _)| i % scenarios == scenario);
        of_it.for_each(|(_, chain)| chain.given_up = true);
        let before = self.rest.len();
        self.rest.retain(|job| job.scenario != scenario);
        self.open -= before - self.rest.len();
    }

    /// How many scenarios this shard explores some part of.
    pub(crate) fn of_this_shard(&self) -> usize {
        self.mine
    }

    /// How many rounds have come to their end.
    pub(crate) fn rounds(&self) -> u32 {
        self.round
    }

    /// What the chains of a scenario have shown. One that is given up counts for nothing: how far its last jobs came
    /// until then is a matter of time.
    pub(crate) fn shown_by(&self, scenario: usize) -> BTreeSet<u64> {
        let chains = self.chains.iter().skip(scenario).step_by(self.scenarios);
        chains
            .filter(|chain| !chain.given_up)
            .flat_map(|chain| &chain.learnt.features)
            .copied()
            .collect()
    }

    /// How many features were shown for the first time in the round under way.
    pub(crate) fn news(&self) -> u64 {
        self.news
    }

    /// The next job.
    pub(crate) fn next(&mut self) -> Next {
        if let Some(i) = (0..self.rest.len()).min_by_key(|&i| self.rest[i].order) {
            return Next::Job(Box::new(self.rest.swap_remove(i)));
        }
        while self.executions < self.goal && self.chains.iter().any(|chain| !chain.given_up) {
            if self.next == self.chains.len() {
                if self.open > 0 {
                    return Next::Wait;
                }
                (self.round, self.next, self.news) = (self.round + 1, 0, 0);
            }
            let chain = self.next;
            self.next += 1;
            if !self.chains[chain].given_up {
                return Next::Job(Box::new(self.plan(chain)));
            }
        }
        if self.open > 0 { Next::Wait } else { Next::End }
    }

    /// The next batch of a chain.
    fn plan(&mut self, index: usize) -> Job {
        let size = self.size(index).min(self.goal - self.executions);
        let chain = &mut self.chains[index];
        let first = (index as u64) << CHAIN | chain.planned;
        let batch =
            Batch { first, count: size, learnt: chain.learnt.clone(), ..self.template.clone() };
        let scenario = index % self.scenarios;
        let job = Job { order: self.order, scenario, before: self.executions, batch, chain: index };
        chain.planned += size;
        chain.news = false;
        self.order += 1;
        self.executions += size;
        self.open += 1;
        job
    }

    /// Executions of a chain's batch in this round.
    fn size(&self, chain: usize) -> u64 {
        if let Some(batch) = self.batch {
            return batch;
        }
        let chains = self.chains.iter().filter(|c| !c.given_up).count() as u64;
        let even = (self.goal / chains.max(1)).max(1);
        let size = match self.deepens {
            true => FIRST.saturating_mul(DEEPER.saturating_pow(self.round)),
            false => LARGEST.min(1 << self.round.min(u64::BITS - 1)),
        };
        let settled =
            !self.deepens && !self.exhausts && self.round >= SETTLED && !self.chains[chain].news;
        (if settled { size / LESS } else { size }).min(even)
    }
}

/// A shard's part of a number that is shared out.
fn share(of: u64, (shard, shards): (u64, u64)) -> u64 {
    let up_to = |i: u64| (u128::from(of) * u128::from(i) / u128::from(shards)) as u64;
    if of == u64::MAX { of } else { up_to(shard) - up_to(shard - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a queue whose jobs show something new if `news` says so.
    fn all(settings: &Settings, scenarios: usize, news: impl Fn(&Job) -> bool) -> Vec<Job> {
        let (mut queue, mut jobs, mut open) =
            (Queue::new(settings, scenarios), Vec::new(), Vec::new());
        loop {
            match queue.next() {
                Next::Job(job) => open.push(*job),
                Next::End => return jobs,
                Next::Wait => {
                    for job in open.drain(..) {
                        let features = if news(&job) { vec![job.batch.first] } else { Vec::new() };
                        queue.learn(&job, &Learnt { features, ..Learnt::default() });
                        queue.done(&job, None);
                        jobs.push(job);
                    }
                }
            }
        }
    }

    #[test]
    fn every_execution_is_planned_once_and_every_scenario_early() {
        let jobs = all(&Settings::default().executions(10_007), 20, |_| true);
        assert_eq!(jobs.iter().map(|j| j.batch.count).sum::<u64>(), 10_007);
        let early: Vec<usize> = jobs[..20].iter().map(|j| j.scenario).collect();
        assert_eq!(early, (0..20).collect::<Vec<usize>>());
        let mut next = [0; 20];
        let mut before = 0;
        for job in &jobs {
            assert_eq!(job.batch.first, (job.scenario as u64) << CHAIN | next[job.scenario]);
            assert_eq!(job.before, before);
            next[job.scenario] += job.batch.count;
            before += job.batch.count;
        }
    }

    #[test]
    fn few_scenarios_still_give_work_to_several_workers() {
        let jobs = all(&Settings::default().executions(1000), 1, |_| true);
        let firsts: std::collections::BTreeSet<u64> = jobs.iter().map(|j| j.batch.first).collect();
        assert_eq!(firsts.len(), jobs.len());
        assert!(jobs[..CHAINS].iter().all(|j| j.batch.count == 1));
    }

    #[test]
    fn shards_share_the_chains_out() {
        let settings = Settings::default().executions(6000);
        let shard = |i| all(&Settings { shard: (i, 3), ..settings.clone() }, 30, |_| true);
        let shards: Vec<Vec<Job>> = (1..=3).map(shard).collect();
        let executions = |jobs: &[Job]| jobs.iter().map(|j| j.batch.count).sum::<u64>();
        assert!(shards.iter().all(|jobs| executions(jobs) == 2000));
        let mut chains: Vec<usize> = shards.iter().flatten().map(|j| j.chain).collect();
        chains.sort_unstable();
        chains.dedup();
        assert_eq!(chains, (0..30).collect::<Vec<usize>>());
        // Each chain is explored as it would be by one run.
        let whole = all(&settings, 30, |_| true);
        for job in shards.iter().flatten().filter(|j| j.batch.first % (1 << CHAIN) < 64) {
            assert!(whole.iter().any(|j| j.batch == job.batch), "{job:?}");
        }
    }

    #[test]
    fn a_few_executions_still_reach_every_scenario() {
        let jobs = all(&Settings::default().executions(20), 20, |_| true);
        assert!(jobs.iter().all(|j| j.batch.count == 1) && jobs.len() == 20);
    }

    #[test]
    fn what_shows_nothing_new_gets_less_in_later_rounds() {
        let settings = Settings::default().executions(20_000);
        let jobs = all(&settings, 20, |job| job.scenario == 7);
        let of = |scenario| {
            jobs.iter().filter(|j| j.scenario == scenario).map(|j| j.batch.count).sum::<u64>()
        };
        assert!(of(7) > 2 * of(8) && of(8) > 20, "{} {}", of(7), of(8));
    }

    #[test]
    fn batches_of_a_given_size_stay_as_they_are() {
        let settings = Settings { batch: Some(26), ..Settings::default().executions(1000) };
        let jobs = all(&settings, 20, |_| false);
        let (last, others) = jobs.split_last().unwrap();
        assert!(others.iter().all(|job| job.batch.count == 26) && last.batch.count == 12);
        assert_eq!(jobs.iter().map(|job| job.batch.count).sum::<u64>(), 1000);
        assert_eq!((jobs[0].scenario, jobs[20].scenario, jobs[20].batch.first), (0, 0, 26));
    }

    #[test]
    fn a_chain_goes_on_from_what_it_has_learnt() {
        let mut queue = Queue::new(&Settings::default().executions(5000), 20);
        let Next::Job(first) = queue.next() else { panic!("nothing") };
        queue.learn(&first, &Learnt { scheduler: vec![5], features: vec![6] });
        queue.done(&first, None);
        let later = loop {
            match queue.next() {
                Next::Job(job) if job.chain == first.chain => break job,
                Next::Job(job) => queue.done(&job, None),
                _ => panic!("no second round"),
            }
        };
        assert_eq!(later.batch.learnt, Learnt { scheduler: vec![5], features: vec![6] });
    }

    #[test]
    fn what_a_scenario_has_shown_is_what_all_its_chains_have() {
        let mut queue = Queue::new(&Settings::default().executions(5000), 2);
        for feature in [7, 8, 9, 7] {
            let Next::Job(job) = queue.next() else { panic!("nothing") };
            queue.learn(&job, &Learnt { features: vec![feature], ..Learnt::default() });
        }
        let shown = |scenario| queue.shown_by(scenario).into_iter().collect::<Vec<u64>>();
        assert_eq!((shown(0), shown(1)), (vec![7, 9], vec![7, 8]));
        queue.give_up(0);
        let shown = |scenario| queue.shown_by(scenario).into_iter().collect::<Vec<u64>>();
        assert_eq!((shown(0), shown(1)), (vec![], vec![7, 8]));
    }

    #[test]
    fn an_engine_that_begins_anew_gets_larger_batches_each_time() {
        let settings = Settings { engine: Engine::Loom, ..Settings::default() };
        let jobs = all(&settings.executions(1_000_000), 2, |_| true);
        let counts: Vec<u64> = jobs.iter().map(|j| j.batch.count).collect();
        assert_eq!(counts[..6], [20, 20, 200, 200, 2000, 2000]);
    }

    #[test]
    fn a_scenario_that_is_given_up_gets_no_more_jobs() {
        let mut queue = Queue::new(&Settings::default().executions(500), 3);
        queue.give_up(1);
        let mut seen = Vec::new();
        while let Next::Job(job) = queue.next() {
            seen.push(job.scenario);
            queue.done(&job, None);
        }
        assert!(!seen.contains(&1) && seen.contains(&2));
        assert_eq!(queue.next(), Next::End);
    }

    #[test]
    fn what_is_left_of_a_job_comes_next() {
        let mut queue = Queue::new(&Settings::default().executions(1000), 30);
        let job = loop {
            match queue.next() {
                Next::Job(job) if job.batch.count == 4 => break job,
                Next::Job(job) => queue.done(&job, None),
                _ => panic!("no batch of four"),
            }
        };
        queue.done(&job, Some(job.batch.first));
        let Next::Job(rest) = queue.next() else { panic!("no rest") };
        assert_eq!((rest.batch.first, rest.batch.count), (job.batch.first + 1, 3));
        assert_eq!(rest.before, job.before + 1);
        assert_eq!(job.rest_after(job.batch.first + 3), None);
    }
}
