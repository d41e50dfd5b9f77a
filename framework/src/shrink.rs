//! Shrinks a finding: fewer threads, fewer operations, fewer keys, fewer decisions.
//!
//! A smaller candidate counts if a fresh process finds the same class at the same site. Operations
//! shift the steps that decisions name, so a candidate scenario is not only replayed but searched
//! anew for a while. Decisions are then minimised by delta debugging (Zeller and Hildebrandt,
//! *Simplifying and Isolating Failure-Inducing Input*, TSE 2002).

use std::time::{Duration, Instant};

use crate::decision::{Decision, DecisionKind, Decisions};
use crate::oracle::Class;
use crate::report::Finding;
use crate::repro::Repro;
use crate::scenario::{Op, Scenario};
use crate::worker::watch::{self, Outcome};
use crate::worker::{Batch, Code, Learnt, Script, Setting};

/// Wall time for one finding.
const TIME: Duration = Duration::from_secs(12);
/// Executions in which a candidate scenario is searched for the finding.
const SEARCH: u64 = 150;

/// The smallest repro found for `finding` within the time; `repro` itself if there is none, or if
/// it has a history.
///
/// The error is a sentence about a failure of mapcheck or of the system.
pub(crate) fn shrink(code: Code<'_>, repro: &Repro, finding: &Finding) -> Result<Repro, String> {
    if repro.history.is_some() {
        return Ok(repro.clone());
    }
    let mut shrinker = Shrinker { code, finding, best: repro.clone(), end: Instant::now() + TIME };
    shrinker.scenario()?;
    shrinker.decisions()?;
    Ok(shrinker.best)
}

struct Shrinker<'a> {
    code: Code<'a>,
    finding: &'a Finding,
    best: Repro,
    end: Instant,
}

impl Shrinker<'_> {
    fn out_of_time(&self) -> bool {
        Instant::now() > self.end || mapcheck_machine::interrupted()
    }

    fn setting<'b>(&'b self, scenario: &'b Scenario) -> Setting<'b> {
        Setting { scenario, ..Setting::of(self.code, &self.best) }
    }

    /// Takes over smaller scenarios until none is left that works.
    fn scenario(&mut self) -> Result<(), String> {
        let mut at = 0;
        loop {
            let candidates = smaller(&self.best.scenario);
            let Some(candidate) = candidates.get(at) else { return Ok(()) };
            if self.out_of_time() {
                return Ok(());
            }
            // What did not work at this place is unlikely to work now: go on, not back.
            if !self.take(candidate)? {
                at += 1;
            }
        }
    }

    /// Tries a smaller scenario: with the decisions there are, then with others.
    fn take(&mut self, candidate: &Candidate) -> Result<bool, String> {
        let decisions = candidate.adapt(&self.best.decisions);
        let found = match self.fails(&candidate.scenario, &decisions)? {
            true => Some(decisions),
            false => self.search(&candidate.scenario)?,
        };
        let Some(decisions) = found else { return Ok(false) };
        self.best.scenario = candidate.scenario.clone();
        self.best.decisions = decisions;
        Ok(true)
    }

    fn fails(&self, scenario: &Scenario, decisions: &Decisions) -> Result<bool, String> {
        // Where it was allocated is known of nothing else that leaks.
        let record = self.finding.class == Class::Leak && !self.finding.site.is_empty();
        let script = Script::Replay(decisions, record);
        let (outcome, _) = watch::run(self.setting(scenario), &script)?;
        Ok(self.is_it(&outcome))
    }

    fn is_it(&self, outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Found(found) if found.same_as(self.finding))
    }

    /// Decisions under which another scenario fails the same way, if a short search meets any.
    fn search(&self, scenario: &Scenario) -> Result<Option<Decisions>, String> {
        let batch = Batch {
            scheduler: "pct".to_owned(),
            seed: self.best.random,
            bound: None,
            suspend: self.best.decisions.0.iter().any(|d| d.kind == DecisionKind::Suspend),
            first: 0,
            count: SEARCH,
            vary: false,
            record_last: false,
            look: 0,
            learnt: Learnt::default(),
        };
        let (outcome, recording) = watch::run_batch(self.setting(scenario), &batch)?;
        let decisions = self.is_it(&outcome).then(|| recording.decisions()).flatten();
        // In the batch others went before; alone it may be another story.
        match decisions {
            Some(d) if self.fails(scenario, &d)? => Ok(Some(d)),
            _ => Ok(None),
        }
    }

    /// Leaves out decisions, in halves, quarters, and so on down to single ones.
    fn decisions(&mut self) -> Result<(), String> {
        let mut chunk = self.best.decisions.0.len().max(1);
        loop {
            let removed = self.leave_out(chunk)?;
            match chunk {
                _ if self.out_of_time() => return Ok(()),
                1 if !removed => return Ok(()),
                1 => {}
                _ => chunk = chunk.div_ceil(2),
            }
        }
    }

    /// Tries to leave out each run of `chunk` decisions; true if one could be.
    fn leave_out(&mut self, chunk: usize) -> Result<bool, String> {
        let mut removed = false;
        // From the end, where decisions of other threads' last steps matter least.
        let mut end = self.best.decisions.0.len();
        while end > 0 && !self.out_of_time() {
            let start = end.saturating_sub(chunk);
            let mut fewer = self.best.decisions.clone();
            fewer.0.drain(start..end);
            if self.fails(&self.best.scenario, &fewer)? {
                self.best.decisions = fewer;
                removed = true;
            }
            end = start.min(self.best.decisions.0.len());
        }
        Ok(removed)
    }
}

/// A smaller scenario, and the thread that it lacks.
struct Candidate {
    scenario: Scenario,
    without: Option<usize>,
}

impl Candidate {
    /// The decisions as they read without the thread.
    fn adapt(&self, decisions: &Decisions) -> Decisions {
        let Some(gone) = self.without.map(|t| t as u32 + 1) else { return decisions.clone() };
        let shift = |t: u32| if t > gone { t - 1 } else { t };
        let adapted = decisions.0.iter().filter(|d| d.thread != gone).map(|d| Decision {
            thread: shift(d.thread),
            choice: if d.kind == DecisionKind::Schedule { shift(d.choice) } else { d.choice },
            ..*d
        });
        Decisions(adapted.collect())
    }
}

/// Scenarios that are one step smaller, the most promising first.
fn smaller(of: &Scenario) -> Vec<Candidate> {
    let mut all = Vec::new();
    for t in 0..of.threads.len() {
        let mut scenario = of.clone();
        scenario.threads.remove(t);
        all.push(Candidate { scenario, without: Some(t) });
    }
    let mut push = |scenario| all.push(Candidate { scenario, without: None });
    for t in 0..of.threads.len() {
        for ops in fewer(&of.threads[t]) {
            let mut scenario = of.clone();
            scenario.threads[t] = ops;
            push(scenario);
        }
    }
    fewer(&of.setup).into_iter().for_each(|setup| push(Scenario { setup, ..of.clone() }));
    let teardowns = fewer(&of.teardown).into_iter();
    teardowns.for_each(|teardown| push(Scenario { teardown, ..of.clone() }));
    all
}

/// Lists that lack one operation, or in which one has fewer keys.
fn fewer(ops: &[Op]) -> Vec<Vec<Op>> {
    let mut lists = Vec::new();
    for i in (0..ops.len()).rev() {
        let mut list = ops.to_vec();
        list.remove(i);
        lists.push(list);
    }
    for i in 0..ops.len() {
        for op in ops[i].smaller() {
            let mut list = ops.to_vec();
            list[i] = op;
            lists.push(list);
        }
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ops(text: &str) -> Vec<Op> {
        text.split(", ").map(|op| op.parse().unwrap()).collect()
    }

    #[test]
    fn every_candidate_is_smaller_and_the_list_ends() {
        let mut scenario = Scenario {
            setup: ops("insert 0..8"),
            threads: vec![ops("iterate hold remove-current 2, reclaim"), ops("remove 0..4")],
            ..Scenario::default()
        };
        let size = |s: &Scenario| -> usize {
            let all = s.setup.iter().chain(s.threads.iter().flatten()).chain(&s.teardown);
            s.threads.len() + all.map(|op| 1 + op.to_string().len() + op.keys()).sum::<usize>()
        };
        while let Some(candidate) = smaller(&scenario).pop() {
            for c in smaller(&scenario) {
                assert!(size(&c.scenario) < size(&scenario), "{:?}", c.scenario);
            }
            scenario = candidate.scenario;
        }
        assert_eq!(scenario.operations(), 0);
    }

    #[test]
    fn decisions_of_a_thread_that_is_left_out_go_with_it() {
        let scenario = Scenario::default();
        let candidate = Candidate { scenario, without: Some(0) };
        let adapted = candidate.adapt(&"0@3>2 1@4>2 2@5>3 data:2@0=2".parse().unwrap());
        assert_eq!(adapted.to_string(), "0@3>1 1@5>2 data:1@0=2");
    }
}
