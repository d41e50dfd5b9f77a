//! Which batches a campaign consists of, in which order. Nothing here depends on time or on how
//! fast workers are, so the same seed explores the same executions.

use crate::engine::Engine;
use crate::settings::Settings;
use crate::worker::Batch;

/// Executions of a scenario in its first batches; later ones are as large as the last. Small at
/// first, so that every scenario has its turn before one of them has many.
const SIZES: [u64; 4] = [20, 80, 400, 1000];
/// The same for an engine that begins its search anew with each batch: as many again, ten times over.
const DEEPER: u64 = 10;

/// A batch of executions of one scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// Its place in the order of the campaign.
    pub order: u64,
    /// Index of the scenario.
    pub scenario: usize,
    pub batch: Batch,
}

impl Job {
    /// The executions after `done`, as a job of its own; `None` if there are none.
    pub(crate) fn rest_after(&self, done: u64) -> Option<Job> {
        let end = self.batch.first + self.batch.count;
        let first = done + 1;
        let batch = Batch { first, count: end.saturating_sub(first), ..self.batch.clone() };
        (batch.count > 0).then(|| Job { batch, ..self.clone() })
    }
}

/// The jobs of a campaign, one after the other.
pub(crate) struct Queue {
    template: Batch,
    /// Whether a batch begins the search anew, and so must go deeper than the one before.
    deepens: bool,
    scenarios: u64,
    goal: u64,
    shard: (u64, u64),
    order: u64,
    /// Executions handed out so far, by all shards.
    executions: u64,
    /// Jobs whose worker could not finish them.
    rest: Vec<Job>,
    /// Scenarios that get no more jobs.
    given_up: Vec<usize>,
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
            vary: true,
            record_last: false,
        };
        let (scenarios, goal) = (scenarios as u64, settings.goal());
        let shard = settings.shard;
        let (rest, given_up) = (Vec::new(), Vec::new());
        let deepens = settings.engine == Engine::Loom;
        Queue { template, deepens, scenarios, goal, shard, order: 0, executions: 0, rest, given_up }
    }

    /// Takes back what is left of a job.
    pub(crate) fn take_back(&mut self, job: Job) {
        if !self.given_up.contains(&job.scenario) {
            self.rest.push(job);
        }
    }

    /// Hands out no more jobs of a scenario, nor what is left of one.
    pub(crate) fn give_up(&mut self, scenario: usize) {
        self.given_up.push(scenario);
        self.rest.retain(|job| job.scenario != scenario);
    }

    /// The next job; `None` when the goal is reached.
    pub(crate) fn next(&mut self) -> Option<Job> {
        if let Some(job) = self.rest.pop() {
            return Some(job);
        }
        if self.given_up.len() as u64 >= self.scenarios {
            return None;
        }
        loop {
            let job = self.fresh()?;
            let mine = job.order % self.shard.1 == self.shard.0 - 1;
            if mine && !self.given_up.contains(&job.scenario) {
                return Some(job);
            }
        }
    }

    fn fresh(&mut self) -> Option<Job> {
        if self.scenarios == 0 || self.executions >= self.goal {
            return None;
        }
        let round = self.order / self.scenarios;
        let size = match self.deepens {
            true => SIZES[0].saturating_mul(DEEPER.saturating_pow(round as u32)),
            false => SIZES[round.min(SIZES.len() as u64 - 1) as usize],
        };
        let size = size.min((self.goal / self.scenarios).max(1));
        let (first, count) = (self.executions, size.min(self.goal - self.executions));
        let batch = Batch { first, count, ..self.template.clone() };
        let scenario = (self.order % self.scenarios) as usize;
        let job = Job { order: self.order, scenario, batch };
        self.order += 1;
        self.executions += count;
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(settings: &Settings, scenarios: usize) -> Vec<Job> {
        let mut queue = Queue::new(settings, scenarios);
        std::iter::from_fn(|| queue.next()).collect()
    }

    #[test]
    fn the_jobs_cover_every_execution_once_and_every_scenario_early() {
        let jobs = all(&Settings::default().executions(10_007), 7);
        let mut next = 0;
        for job in &jobs {
            assert_eq!(job.batch.first, next);
            next += job.batch.count;
        }
        assert_eq!(next, 10_007);
        let early: Vec<usize> = jobs[..7].iter().map(|j| j.scenario).collect();
        assert_eq!(early, [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn shards_share_the_jobs_out() {
        let settings = Settings::default().executions(5000);
        let shard = |i| all(&Settings { shard: (i, 3), ..settings.clone() }, 4);
        let mut jobs: Vec<Job> = (1..=3).flat_map(shard).collect();
        jobs.sort_by_key(|j| j.order);
        assert_eq!(jobs, all(&settings, 4));
    }

    #[test]
    fn a_few_executions_still_reach_every_scenario() {
        let jobs = all(&Settings::default().executions(10), 10);
        assert!(jobs.iter().all(|j| j.batch.count == 1) && jobs.len() == 10);
    }

    #[test]
    fn an_engine_that_begins_anew_gets_larger_batches_each_time() {
        let settings = Settings { engine: Engine::Loom, ..Settings::default() };
        let counts: Vec<u64> =
            all(&settings.executions(1_000_000), 2).iter().map(|j| j.batch.count).collect();
        assert_eq!(counts[..6], [20, 20, 200, 200, 2000, 2000]);
    }

    #[test]
    fn a_scenario_that_is_given_up_gets_no_more_jobs() {
        let mut queue = Queue::new(&Settings::default().executions(5000), 3);
        queue.give_up(1);
        assert!(std::iter::from_fn(|| queue.next()).all(|job| job.scenario != 1));
        let mut queue = Queue::new(&Settings::default(), 1);
        queue.give_up(0);
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn what_is_left_of_a_job_comes_next() {
        let mut queue = Queue::new(&Settings::default().executions(1000), 2);
        let job = queue.next().unwrap();
        let rest = job.rest_after(job.batch.first + 9).unwrap();
        assert_eq!(rest.batch.count, job.batch.count - 10);
        queue.take_back(rest.clone());
        assert_eq!(queue.next(), Some(rest));
        assert_eq!(job.rest_after(job.batch.first + job.batch.count - 1), None);
    }
}
