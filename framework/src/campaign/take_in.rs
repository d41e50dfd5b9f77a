//! What workers did, and what the journal says that earlier ones did, becomes a part of the campaign.

use super::journal::Ended;
use super::queue::Job;
use super::{Campaign, Candidate, Running, Totals};
use crate::scheduler::{self, splitmix};
use crate::worker::BatchResult;
use crate::worker::watch::{self, Outcome, Watched};

impl Campaign<'_> {
    /// Looks at every worker and takes in what the ended ones did.
    pub(super) fn collect(&mut self) -> Result<(), String> {
        for i in (0..self.running.len()).rev() {
            let at = self.running[i].at();
            let Running { jobs, worker } = &mut self.running[i];
            let scenario = &self.subject.scenarios[jobs[at].scenario];
            if let Some(outcome) = worker.poll(scenario)? {
                let ended = self.running.swap_remove(i);
                self.take_in_worker(ended, outcome);
            }
        }
        Ok(())
    }

    /// Takes in all that a worker has come to.
    fn take_in_worker(&mut self, ended: Running, outcome: Outcome) {
        let at = ended.at();
        let Running { mut jobs, worker } = ended;
        let others = jobs.split_off(at + 1);
        let mut last = Some(outcome);
        for (i, (job, result)) in jobs.into_iter().zip(worker.recording.results()).enumerate() {
            let outcome = if i == at { last.take() } else { None };
            self.take_in_job(job, &worker, result, outcome);
        }
        others.into_iter().for_each(|job| self.queue.take_back(job));
    }

    /// Takes in a job: with an outcome the last that the worker has come to, without one finished before that.
    fn take_in_job(
        &mut self,
        job: Job,
        worker: &Watched,
        result: BatchResult,
        outcome: Option<Outcome>,
    ) {
        let scenario = &self.subject.scenarios[job.scenario];
        let last = outcome.is_some();
        let mut outcome = outcome.unwrap_or(Outcome::Finished);
        if outcome == Outcome::Killed {
            let at = (job.order, job.batch.first);
            self.killed.push(at);
            if self.killed.iter().filter(|k| **k == at).count() < watch::KILLS as usize {
                return self.queue.take_back(job);
            }
            outcome = Outcome::Found(watch::killed(scenario));
        }
        let ended = Ended::of(&job, worker, result, last, outcome);
        let used = self.used();
        self.note(|journal| journal.note_job(&job, &scenario.name, &ended, used));
        self.take_in(job, ended);
    }

    /// Takes in a job that has come to its end, in this process or in an earlier one.
    pub(super) fn take_in(&mut self, job: Job, ended: Ended) {
        self.done.totals.add(ended.totals);
        self.queue.learn(&job, &ended.learnt);
        self.explored(job.scenario, ended.totals, &ended.interleavings);
        let covers = self.covers(&job, &ended);
        match ended.outcome {
            Outcome::Finished => {
                self.take_in_limits(&job, &ended, covers);
                self.queue.done(&job, None);
            }
            Outcome::Spent => self.queue.done(&job, Some(ended.execution)),
            Outcome::Found(finding) => {
                let Ended { execution, decisions, .. } = ended;
                self.found_in.insert(job.scenario);
                self.candidates.push(Candidate { job, execution, finding, decisions });
            }
            // No journal has that.
            Outcome::Killed => {}
        }
    }

    /// Counts executions of a scenario.
    pub(super) fn explored(&mut self, scenario: usize, totals: Totals, interleavings: &[u64]) {
        let of_this = splitmix(scenario as u64);
        let numbers = interleavings.iter().map(|number| of_this ^ number);
        let family = &self.subject.scenarios[scenario].family;
        self.families.executed((family, scenario), totals, numbers);
    }

    /// What of a scenario has been covered; whether that is all, of whatever knows when it is done.
    fn covers(&mut self, job: &Job, ended: &Ended) -> bool {
        let Some(limit) = self.settings.limit() else { return ended.exhausted };
        if ended.learnt.scheduler.is_empty() {
            return false;
        }
        let mut search = scheduler::covering(limit);
        search.recall(&ended.learnt.scheduler);
        let Some(coverage) = search.coverage() else { return false };
        let name = &self.subject.scenarios[job.scenario].name;
        self.done.covered.insert(name.clone(), coverage);
        coverage.holds()
    }

    /// Takes in that there is no more to explore, and what an engine other than the machine says besides.
    fn take_in_limits(&mut self, job: &Job, ended: &Ended, covers: bool) {
        let said = &ended.said;
        if ended.exhausted || !said.is_empty() {
            self.queue.give_up(job.scenario);
        }
        if ended.exhausted && covers {
            self.done.exhausted += 1;
            self.families.exhausted(&self.subject.scenarios[job.scenario].family);
        }
        if !said.is_empty() && !self.done.notes.contains(said) {
            self.console.warn(said);
            self.done.notes.push(said.clone());
        }
    }
}
