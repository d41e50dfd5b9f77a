//! Shrinks a finding: fewer threads, operations and keys, fewer faults, fewer and simpler decisions.
//!
//! A smaller candidate counts if a fresh process finds the same class at the same site. Scenario and decisions are
//! shrunk in turn until nothing gets smaller: what is left is a fixed point, and shrinking it again changes nothing.
//!
//! Operations shift the steps that decisions name, so a candidate scenario is replayed, then searched: near the
//! switches there were, told by operation and how far into it, and with priorities at random. Decisions are left out by
//! delta debugging (Zeller and Hildebrandt, *Simplifying and Isolating Failure-Inducing Input*, TSE 2002), which also
//! isolates schedules (Choi and Zeller, *Isolating Failure-Inducing Thread Schedules*, ISSTA 2002); then switches go in
//! pairs, and move to where an operation begins.
//!
//! What it may cost is counted in executions and schedule points, not in time, so that a finding always shrinks to the
//! same repro.

mod decisions;
mod draft;
mod scenario;

use std::time::Duration;

use mapcheck_machine as machine;

use crate::decision::{Decision, DecisionKind, Decisions};
use crate::oracle::Class;
use crate::report::Finding;
use crate::repro::Repro;
use crate::scenario::Scenario;
use crate::worker::Code;
use crate::worker::survey::{self, Survey};
use crate::worker::trial::{self, Cost, Hit, How, Trial};
use draft::{Candidate, Draft};

/// Executions for one finding.
const EXECUTIONS: u64 = 60_000;
/// Schedule points for one finding.
const POINTS: u64 = 400_000_000;
/// CPU time for one finding: a net below the other two, since what it cuts off depends on the machine's speed.
const TIME: Duration = Duration::from_secs(20);
/// Executions near the known one in which a candidate scenario is searched for the finding.
const NEAR: u64 = 50;
/// Executions with random priorities in which it is searched after that.
const FAR: u64 = 100;
/// Decisions beyond which nothing but leaving some of them out is tried.
const MANY: usize = 20_000;
/// Candidates between looks at the budget.
const TOGETHER: usize = 8;

/// Trials in groups. Each is made when it is asked for: of many decisions there are more candidates than memory holds.
type Groups = Box<dyn Iterator<Item = Vec<Trial>>>;
/// Proposes trials.
type Propose<'p, S> = &'p dyn Fn(&mut S) -> Result<Groups, String>;

/// A finding made small.
pub(crate) struct Shrunk {
    pub repro: Repro,
    /// What the reader must know of how it was made.
    pub notes: Vec<String>,
    pub cost: Cost,
}

/// The smallest repro found for `finding` within the budget; `repro` itself if there is none, or if it has a history.
///
/// The error is a sentence about a failure of mapcheck or of the system.
pub(crate) fn shrink(code: Code<'_>, repro: &Repro, finding: &Finding) -> Result<Shrunk, String> {
    let mut shrinker = Shrinker::new(code, repro, finding);
    if repro.history.is_none() {
        shrinker.until_nothing_is_smaller()?;
    }
    let notes = shrinker.cut.map(str::to_owned).into_iter().collect();
    Ok(Shrunk { repro: shrinker.best, notes, cost: shrinker.cost })
}

struct Shrinker<'a> {
    code: Code<'a>,
    finding: &'a Finding,
    best: Repro,
    /// The steps of the best, if they are known.
    survey: Option<Survey>,
    cost: Cost,
    end: Duration,
    /// Why it ended before nothing got smaller any more.
    cut: Option<&'static str>,
}

impl Shrinker<'_> {
    fn new<'a>(code: Code<'a>, repro: &Repro, finding: &'a Finding) -> Shrinker<'a> {
        Shrinker {
            code,
            finding,
            best: repro.clone(),
            survey: None,
            cost: Cost::default(),
            end: machine::cpu_time() + TIME,
            cut: None,
        }
    }

    fn until_nothing_is_smaller(&mut self) -> Result<(), String> {
        loop {
            let before = self.best.clone();
            self.decisions()?;
            if self.best.decisions.0.len() > MANY {
                self.cut.get_or_insert("it has too many decisions to be shrunk any further");
                return Ok(());
            }
            self.scenario()?;
            self.fields()?;
            self.decisions()?;
            self.simpler_decisions()?;
            self.other_order()?;
            if self.best == before || self.is_spent() {
                return Ok(());
            }
        }
    }

    /// Whether the budget is used up.
    fn is_spent(&mut self) -> bool {
        if self.cost.executions > EXECUTIONS || self.cost.points > POINTS {
            self.cut
                .get_or_insert("shrinking ended with its budget: the repro may get smaller still");
        } else if machine::interrupted() {
            self.cut.get_or_insert("shrinking was interrupted: the repro may get smaller still");
        } else if machine::cpu_time() > self.end {
            self.cut.get_or_insert(
                "shrinking ended after 20 s of CPU time: on a faster machine the repro may be another",
            );
        }
        self.cut.is_some()
    }

    fn take(&mut self, better: Repro) {
        self.best = better;
        self.survey = None;
    }

    /// Takes over what `trials` make of the best while any of them works. `trials` is told how many candidates, of
    /// those that were there before the last success, did not work: they are unlikely to work now, so it goes on, not
    /// back. True if anything was taken over.
    fn improve(&mut self, trials: Propose<'_, Self>) -> Result<bool, String> {
        let (mut at, mut improved) = (0, false);
        let mut candidates = trials(self)?;
        loop {
            let next: Vec<Vec<Trial>> = candidates.by_ref().take(TOGETHER).collect();
            if next.is_empty() || self.is_spent() {
                return Ok(improved);
            }
            match self.first(&next)? {
                None => at += next.len(),
                Some((tried, better)) => {
                    self.take(better);
                    improved = true;
                    at += tried;
                    candidates = Box::new(trials(self)?.skip(at));
                }
            }
        }
    }

    /// The first candidate that fails the same way in a process of its own, and how many come before it.
    fn first(&mut self, candidates: &[Vec<Trial>]) -> Result<Option<(usize, Repro)>, String> {
        let trials: Vec<Trial> = candidates.concat();
        let of: Vec<usize> =
            candidates.iter().zip(0..).flat_map(|(c, i)| vec![i; c.len()]).collect();
        let mut from = 0;
        while let Some(hit) = self.hit(&trials[from..])? {
            let trial = &trials[from + hit.trial];
            let better = Repro {
                scenario: trial.scenario.clone(),
                faults: trial.faults.clone(),
                random: trial.random,
                decisions: hit.decisions,
                ..self.best.clone()
            };
            if hit.fresh || self.fails(&better)? {
                return Ok(Some((of[from + hit.trial], better)));
            }
            // After others it failed; alone it does not.
            from += hit.trial + 1;
        }
        Ok(None)
    }

    fn hit(&mut self, trials: &[Trial]) -> Result<Option<Hit>, String> {
        let finding = self.finding;
        let wanted = |found: &Finding| found.same_as(finding);
        trial::first(self.code, &self.best, trials, &wanted, &mut self.cost)
    }

    fn fails(&mut self, repro: &Repro) -> Result<bool, String> {
        let trial = self.replay(repro.scenario.clone(), repro.decisions.clone());
        let trial = Trial { faults: repro.faults.clone(), random: repro.random, ..trial };
        Ok(self.hit(&[trial])?.is_some())
    }

    fn trial(&self, scenario: Scenario, how: How) -> Trial {
        Trial { scenario, faults: self.best.faults.clone(), random: self.best.random, how }
    }

    fn replay(&self, scenario: Scenario, decisions: Decisions) -> Trial {
        self.trial(scenario, How::Replay(decisions, self.records()))
    }

    /// A scenario with each of these.
    fn replays(
        &self,
        scenario: Scenario,
        all: impl Iterator<Item = Decisions> + 'static,
    ) -> Groups {
        let (plain, record) = (self.replay(scenario, Decisions::default()), self.records());
        Box::new(all.map(move |d| vec![Trial { how: How::Replay(d, record), ..plain.clone() }]))
    }

    /// Whether replays are recorded in full: where it was allocated is known of nothing else that leaks.
    fn records(&self) -> bool {
        self.finding.class == Class::Leak && !self.finding.site.is_empty()
    }

    /// The steps of the best; empty if it is too long to look at each.
    fn surveyed(&mut self) -> Result<&Survey, String> {
        let survey = match self.survey.take() {
            Some(survey) => survey,
            None => survey::survey(self.code, &self.best, &[])?.unwrap_or_default(),
        };
        Ok(self.survey.insert(survey))
    }

    /// Smaller scenarios: with the decisions there are, then with others.
    fn scenario(&mut self) -> Result<bool, String> {
        self.improve(&|s| {
            let candidates = scenario::smaller(&s.best.scenario);
            s.surveyed()?;
            let all: Vec<_> = candidates.into_iter().map(|c| s.trials_of(c)).collect();
            Ok(Box::new(all.into_iter()))
        })
    }

    fn trials_of(&self, candidate: Candidate) -> Vec<Trial> {
        let Repro { decisions, random, .. } = &self.best;
        let adapted = candidate.adapt(decisions);
        let anchors = self.survey.as_ref().map(|s| decisions::anchors(decisions, s, &candidate));
        let others = decisions::others(&adapted);
        let anchors = anchors.unwrap_or_default();
        let search = How::Search { anchors, others, near: NEAR, far: FAR, seed: *random };
        let search = self.trial(candidate.scenario.clone(), search);
        vec![self.replay(candidate.scenario, adapted), search]
    }

    /// Fewer faults, and the plainest seed of what the code under test draws.
    fn fields(&mut self) -> Result<bool, String> {
        self.improve(&|s| {
            let Repro { faults, random, scenario, decisions, .. } = &s.best;
            let plain = s.replay(scenario.clone(), decisions.clone());
            let mut all = Vec::new();
            let mut push = |faults: Vec<_>, random| {
                all.push(vec![Trial { faults, random, ..plain.clone() }]);
            };
            if faults.len() > 1 {
                push(Vec::new(), *random);
            }
            for without in 0..faults.len() {
                let mut fewer = faults.clone();
                fewer.remove(without);
                push(fewer, *random);
            }
            if *random > 0 {
                push(faults.clone(), 0);
            }
            Ok(Box::new(all.into_iter()))
        })
    }

    /// Leaves out decisions, in halves, quarters, and so on down to single ones.
    fn decisions(&mut self) -> Result<(), String> {
        let mut chunk = self.best.decisions.0.len().max(1);
        loop {
            // From the end, where decisions of other threads' last steps matter least.
            let removed = self.improve(&|s| Ok(s.without(chunk)))?;
            match chunk {
                _ if self.is_spent() => return Ok(()),
                1 if !removed => return Ok(()),
                1 => {}
                _ => chunk = chunk.div_ceil(2),
            }
        }
    }

    /// The best without each run of `chunk` decisions, from the end.
    fn without(&self, chunk: usize) -> Groups {
        let Repro { scenario, decisions, .. } = self.best.clone();
        let ends = (1..=decisions.0.len()).rev().step_by(chunk);
        let without = move |end: usize| {
            let mut fewer = decisions.clone();
            fewer.0.drain(end.saturating_sub(chunk)..end);
            fewer
        };
        self.replays(scenario, ends.map(without))
    }

    fn simpler_decisions(&mut self) -> Result<bool, String> {
        self.improve(&|s| {
            let Repro { scenario, decisions, .. } = s.best.clone();
            let simpler = decisions::simpler(decisions, s.surveyed()?);
            Ok(s.replays(scenario, simpler))
        })
    }

    /// Threads in another order, where that makes a decision unnecessary: of threads that wait for their turn, the one
    /// with the lowest number goes first without any.
    fn other_order(&mut self) -> Result<bool, String> {
        self.improve(&|s| {
            let Repro { scenario, decisions, .. } = s.best.clone();
            let trials = |candidate: Candidate| {
                let adapted = candidate.adapt(&decisions);
                s.replays(candidate.scenario, without_one_switch(adapted))
            };
            let all: Vec<Groups> = swapped(&scenario).into_iter().map(trials).collect();
            // Threads that do the same change places without the scenario, as those do that a closure starts.
            let renamed = s.replays(scenario, renamed(decisions).flat_map(without_one_switch));
            Ok(Box::new(all.into_iter().flatten().chain(renamed)))
        })
    }
}

/// The decisions with each pair of the threads in them, other than the root, swapped.
fn renamed(decisions: Decisions) -> impl Iterator<Item = Decisions> {
    let is_switch = |d: &&Decision| d.kind == DecisionKind::Schedule;
    let switches = decisions.0.iter().filter(is_switch);
    let last = switches.map(|d| d.thread.max(d.choice)).max().unwrap_or(0);
    let pairs = (2..=last).flat_map(|b| (1..b).map(move |a| (a, b)));
    let swapped = move |(a, b)| {
        let other = move |t| match t {
            t if t == a => b,
            t if t == b => a,
            t => t,
        };
        let rename = |d: &Decision| Decision {
            thread: other(d.thread),
            choice: if d.kind == DecisionKind::Schedule { other(d.choice) } else { d.choice },
            ..*d
        };
        Decisions(decisions.0.iter().map(rename).collect())
    };
    pairs.map(swapped)
}

/// The scenario with each pair of its threads swapped.
fn swapped(of: &Scenario) -> Vec<Candidate> {
    let n = of.threads.len();
    let pairs = (1..n).flat_map(|b| (0..b).map(move |a| (a, b)));
    let swap = |(a, b)| {
        let mut draft = Draft::of(of);
        draft.threads.swap(a, b);
        draft.candidate(of)
    };
    pairs.map(swap).collect()
}

/// The decisions without each that is a switch.
fn without_one_switch(decisions: Decisions) -> impl Iterator<Item = Decisions> {
    let is_switch = |d: &Decision| d.kind == DecisionKind::Schedule;
    let all = 0..decisions.0.len();
    let switches: Vec<usize> = all.filter(|i| is_switch(&decisions.0[*i])).collect();
    switches.into_iter().map(move |i| {
        let mut fewer = decisions.clone();
        fewer.0.remove(i);
        fewer
    })
}

#[cfg(test)]
pub(crate) mod testing {
    use crate::scenario::{Op, Scenario};

    pub(crate) fn ops(text: &str) -> Vec<Op> {
        text.split(", ").map(|op| op.parse().unwrap()).collect()
    }

    /// A setup, an iterator, a remover.
    pub(crate) fn scenario() -> Scenario {
        Scenario {
            name: "n".into(),
            setup: ops("insert 0..8, get 12 remove"),
            threads: vec![
                ops("iterate hold remove-current 2, reclaim, reserve 9, len"),
                ops("remove 0..4, iterate churn 3..5 at 3"),
            ],
            teardown: ops("iterate hold refill 20..22 at 3"),
            ..Scenario::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_a_closure_swap_their_numbers() {
        let all = renamed("0@29>2 2@12>1 data:1@0=2".parse().unwrap());
        let texts: Vec<String> = all.map(|d| d.to_string()).collect();
        assert_eq!(texts, ["0@29>1 1@12>2 data:2@0=2"]);
        assert_eq!(renamed("0@29>3".parse().unwrap()).count(), 3);
    }

    #[test]
    fn a_swap_of_two_threads_swaps_them_in_the_decisions_and_saves_one() {
        let scenario = testing::scenario();
        let candidates = swapped(&scenario);
        assert_eq!(candidates.len(), 1);
        assert_eq!(candidates[0].scenario.threads[0], scenario.threads[1]);
        assert_eq!(scenario::size(&candidates[0].scenario), scenario::size(&scenario));
        let adapted = candidates[0].adapt(&"0@3>2 2@4>1 reuse:1@0.0=1".parse().unwrap());
        let fewer: Vec<String> = without_one_switch(adapted).map(|d| d.to_string()).collect();
        assert_eq!(fewer, ["1@4>2 reuse:2@0.0=1", "0@3>1 reuse:2@0.0=1"]);
    }
}
