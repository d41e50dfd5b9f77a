//! What workers did, and what the journal says that earlier ones did, becomes a part of the campaign.

use super::journal::Ended;
use super::queue::Job;
use super::{Campaign, Candidate, Running};
use crate::scheduler::splitmix;
use crate::worker::watch::{self, Outcome};

impl Campaign<'_> {
    /// Looks at every worker and takes in what the ended ones did.
    pub(super) fn collect(&mut self) -> Result<(), String> {
        for i in (0..self.running.len()).rev() {
            let Running { jobs, worker } = &mut self.running[i];
            let at = worker.recording.batch().min(jobs.len() - 1);
            let scenario = &self.subject.scenarios[jobs[at].scenario];
            if let Some(outcome) = worker.poll(scenario)? {
                let ended = self.running.swap_remove(i);
                self.take_in_worker(ended, outcome);
            }
        }
        Ok(())
    }

    fn take_in_worker(&mut self, ended: Running, mut outcome: Outcome) {
        let at = ended.at();
        let Running { jobs, worker } = ended;
        if outcome == Outcome::Killed {
            let last = (jobs[at].order, jobs[at].batch.first);
            self.killed.push(last);
            if self.killed.iter().filter(|k| **k == last).count() < watch::KILLS as usize {
                // All of it is done again: what of its sums came from which job is not known.
                return jobs.into_iter().for_each(|job| self.queue.take_back(job));
            }
            outcome = Outcome::Found(watch::killed(&self.subject.scenarios[jobs[at].scenario]));
        }
        let (mut done, mut others) = (jobs, Vec::new());
        others.extend(done.drain(at + 1..));
        let ended = Ended::of(&done, &worker, outcome);
        let done: Vec<(Job, Ended)> = done.into_iter().zip(ended).collect();
        let (scenarios, used) = (&self.subject.scenarios, self.used());
        self.note(|journal| journal.note_jobs(&done, scenarios, used));
        done.into_iter().for_each(|(job, ended)| self.take_in(job, ended));
        others.into_iter().for_each(|job| self.queue.take_back(job));
    }

    /// Takes in a job that has come to its end, in this process or in an earlier one.
    pub(super) fn take_in(&mut self, job: Job, ended: Ended) {
        self.done.totals.add(ended.totals);
        let scenario = splitmix(job.scenario as u64);
        self.interleavings.extend(ended.interleavings.iter().map(|number| scenario ^ number));
        self.queue.learn(&job, ended.learnt);
        match ended.outcome {
            Outcome::Finished | Outcome::Killed => {
                if self.subject.foreign.is_some() {
                    self.take_in_limits(&job, ended.exhausted, ended.said);
                }
                self.queue.done(&job, None);
            }
            Outcome::Spent => self.queue.done(&job, Some(ended.execution)),
            Outcome::Found(finding) => {
                let (execution, decisions) = (ended.execution, ended.decisions);
                self.candidates.push(Candidate { job, execution, finding, decisions });
            }
        }
    }

    /// Takes in what an engine other than the machine says besides: that there is no more to explore.
    fn take_in_limits(&mut self, job: &Job, exhausted: bool, said: String) {
        if exhausted || !said.is_empty() {
            self.queue.give_up(job.scenario);
        }
        if exhausted {
            self.done.exhausted += 1;
        }
        if !said.is_empty() && !self.done.notes.contains(&said) {
            self.console.warn(&said);
            self.done.notes.push(said);
        }
    }
}
