//! What a finding needs of the order of steps, and from where on it can no longer be avoided.
//!
//! For each switch that is left when a finding is shrunk, the switch is moved to earlier and to later steps of the
//! thread that is left, while all others stay, until the failure is gone: the two steps just outside that window must
//! come before and after the switch. Then the other thread is sent back ever earlier: the last step that it has to make
//! first is the third end. Each bound has been tried on both of its sides, in a process of its own. Failing schedules
//! are compared with passing ones that differ in one place as by Choi and Zeller (*Isolating Failure-Inducing Thread
//! Schedules*, ISSTA 2002).
//!
//! The *inflection point*, a notion of the debugger lotto of the dice project, is the step after which every
//! continuation fails. Here it is every one of [`CONTINUATIONS`] that were tried.

use crate::decision::{Decision, DecisionKind, Decisions};
use crate::oracle::Class;
use crate::report::{Finding, Inflection, Order, Switch};
use crate::repro::Repro;
use crate::worker::Code;
use crate::worker::survey::{self, Doing, Survey};
use crate::worker::trial::{self, Cost, How, Trial};

/// Continuations that are tried after a step: the default, and in equal parts priorities at random and a random walk.
const CONTINUATIONS: u64 = 51;
/// As many are tried first.
const FEW: u64 = 7;
/// Steps of an execution that is explained, at most: each costs as many in every continuation.
const STEPS: usize = 100_000;
/// Decisions of an execution that is explained, at most.
const DECISIONS: usize = 16;

/// Explains a finding that replays alone, in its repro. Of one with a history, a livelock, or one that is too long,
/// nothing is told.
pub(crate) fn explain(code: Code<'_>, repro: &mut Repro, finding: &Finding) -> Result<(), String> {
    (repro.order, repro.inflection) = (Vec::new(), String::new());
    if let Some(order) = order_of(code, repro, finding)? {
        (repro.order, repro.inflection) = (order.sentences(), order.inflection());
    }
    Ok(())
}

fn order_of(code: Code<'_>, repro: &Repro, finding: &Finding) -> Result<Option<Order>, String> {
    // What does not end costs its whole length each time that it fails.
    let endless = finding.class == Class::Livelock;
    if endless || repro.history.is_some() || repro.decisions.0.len() > DECISIONS {
        return Ok(None);
    }
    let survey = survey::survey(code, repro, &[])?;
    let Some(survey) = survey.filter(|s| s.steps.len() <= STEPS) else { return Ok(None) };
    let explainer = Explainer { code, repro, finding, survey };
    let mut bounds = Vec::new();
    for i in 0..repro.decisions.0.len() {
        bounds.extend(explainer.bounds(i)?);
    }
    let inflection = explainer.inflection()?;
    explainer.told(&bounds, inflection).map(Some)
}

struct Explainer<'a> {
    code: Code<'a>,
    repro: &'a Repro,
    finding: &'a Finding,
    survey: Survey,
}

/// Between which steps of a thread another has to go on.
struct Bounds {
    decision: Decision,
    preempts: bool,
    /// Local steps of the thread that is left: it has made the first, and not the second.
    made: Option<u64>,
    not_yet: Option<u64>,
    /// The local step that the other has to make before this thread goes on.
    back: Option<u64>,
}

impl Explainer<'_> {
    /// Whether the execution fails the same way with other decisions.
    fn fails(&self, decisions: Vec<Decision>) -> Result<bool, String> {
        let record = self.finding.class == Class::Leak;
        let how = How::Replay(Decisions(decisions), record);
        self.finds(how, &|found| found.same_as(self.finding))
    }

    fn finds(&self, how: How, wanted: &dyn Fn(&Finding) -> bool) -> Result<bool, String> {
        let Repro { scenario, faults, random, .. } = self.repro.clone();
        let trial = Trial { scenario, faults, random, how };
        let hit = trial::first(self.code, self.repro, &[trial], wanted, &mut Cost::default())?;
        Ok(hit.is_some())
    }

    /// The decisions with one of them moved to another step.
    fn moved(&self, i: usize, index: u64) -> Vec<Decision> {
        let mut all = self.repro.decisions.0.clone();
        all[i].index = index;
        all
    }

    /// The window of a switch; `None` for a decision that is none.
    fn bounds(&self, i: usize) -> Result<Option<Bounds>, String> {
        let decision = self.repro.decisions.0[i];
        let step = self.survey.local(decision.thread, decision.index);
        let Some(step) = step.filter(|_| decision.kind == DecisionKind::Schedule) else {
            return Ok(None);
        };
        let mut bounds =
            Bounds { decision, preempts: step.preempted, made: None, not_yet: None, back: None };
        if !step.preempted {
            return Ok(Some(bounds));
        }
        let fails = |index| self.fails(self.moved(i, index));
        let (least, most) = self.reach(&decision);
        let first = furthest(decision.index, least, &fails)?;
        // Where it fails at the first step that there is, nothing has to come before.
        bounds.made = first.filter(|first| *first > 1).map(|first| first - 1);
        bounds.not_yet = furthest(decision.index, most, &fails)?;
        bounds.back = self.back(&decision)?;
        Ok(Some(bounds))
    }

    /// How far a switch can be moved before it meets another of the same thread. Beyond the thread's end it is as good
    /// as left out.
    fn reach(&self, decision: &Decision) -> (u64, u64) {
        let all = self.repro.decisions.0.iter();
        let same = all.filter(|d| d.kind == DecisionKind::Schedule && d.thread == decision.thread);
        let indices: Vec<u64> = same.map(|d| d.index).collect();
        let before = indices.iter().filter(|i| **i < decision.index).max();
        let after = indices.iter().filter(|i| **i > decision.index).min();
        (before.map_or(1, |i| i + 1), after.map_or(decision.index + (1 << 20), |i| i - 1))
    }

    /// The local step that the thread which goes on has to make before it may be sent back; `None` if none has, or if
    /// another decision says when it is left.
    fn back(&self, decision: &Decision) -> Result<Option<u64>, String> {
        let (from, to) = (decision.thread, decision.choice);
        let Some(at) = self.survey.global(from, decision.index) else { return Ok(None) };
        let Some((first, last)) = self.survey.run(to, at) else { return Ok(None) };
        let all = &self.repro.decisions.0;
        let decided = |index| {
            let same = |d: &&Decision| d.kind == DecisionKind::Schedule && d.thread == to;
            all.iter().filter(same).any(|d| d.index == index)
        };
        if (first..=last).any(decided) {
            return Ok(None);
        }
        let fails = |index| {
            let kind = DecisionKind::Schedule;
            let back = Decision { kind, thread: to, index, choice: from };
            self.fails([&all[..], &[back]].concat())
        };
        if !fails(last)? {
            return Ok(Some(last));
        }
        Ok(furthest(last, first, &fails)?.map(|least| least - 1))
    }

    /// The first number of steps after which each continuation that was tried fails, taking for granted that what
    /// cannot be avoided after a step cannot be avoided after the next; `None` if one passes even after the last.
    fn inflection(&self) -> Result<Option<u64>, String> {
        let last = self.survey.steps.len() as u64;
        // A failure costs a process: a few find the step, all of them confirm it, or find a later one.
        let step = match self.unavoidable(0, FEW)? {
            true => 0,
            false => self.earliest(0, last, FEW)?,
        };
        if self.unavoidable(step, CONTINUATIONS)? {
            return Ok(Some(step));
        }
        if step == last {
            return Ok(None);
        }
        let step = self.earliest(step, last, CONTINUATIONS)?;
        let known = step < last || self.unavoidable(last, CONTINUATIONS)?;
        Ok(known.then_some(step))
    }

    /// The first step after `passes` from where so many continuations fail, if those after `last` do.
    fn earliest(&self, mut passes: u64, mut last: u64, continuations: u64) -> Result<u64, String> {
        while last - passes > 1 {
            let middle = passes + (last - passes) / 2;
            match self.unavoidable(middle, continuations)? {
                true => last = middle,
                false => passes = middle,
            }
        }
        Ok(last)
    }

    fn unavoidable(&self, steps: u64, continuations: u64) -> Result<bool, String> {
        for nth in 0..continuations {
            let how = How::Continue { prefix: self.repro.decisions.clone(), steps, nth };
            if !self.finds(how, &|found| found.class == self.finding.class)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Names the steps by their places.
    fn told(&self, bounds: &[Bounds], inflection: Option<u64>) -> Result<Order, String> {
        let mut at = Vec::new();
        for Bounds { decision, made, back, .. } in bounds {
            let global = |thread, local: Option<u64>| {
                local.and_then(|local| self.survey.global(thread, local)).unwrap_or(0)
            };
            at.extend([global(decision.thread, *made), global(decision.choice, *back)]);
        }
        let last_made = inflection.and_then(|step| self.survey.made_after(step));
        at.push(last_made.unwrap_or(0));
        let places = survey::survey(self.code, self.repro, &at)?.map(|s| s.places);
        let place = |i: usize| {
            let doing = places.as_ref().and_then(|all| all.get(i)).cloned();
            doing.filter(|_| at[i] > 0)
        };
        let mut switches = Vec::new();
        for (i, bounds) in bounds.iter().enumerate() {
            switches.push(Switch {
                from: bounds.decision.thread,
                to: bounds.decision.choice,
                preempts: bounds.preempts,
                made: place(2 * i),
                not_yet: self.pending(bounds)?,
                back: place(2 * i + 1),
            });
        }
        let inflection = inflection.map(|step| Inflection {
            step,
            of: self.survey.steps.len() as u64,
            continuations: CONTINUATIONS,
            thread: last_made.map_or(0, |at| self.survey.steps[at as usize - 1].thread),
            made: place(at.len() - 1),
        });
        Ok(Order { switches, inflection })
    }

    /// What the thread that is left is about to do where it can be left last.
    fn pending(&self, bounds: &Bounds) -> Result<Option<Doing>, String> {
        let Some(last) = bounds.not_yet else { return Ok(None) };
        let at = self.repro.decisions.0.iter().position(|d| *d == bounds.decision);
        let decisions = Decisions(self.moved(at.unwrap_or(0), last));
        let repro = Repro { decisions, ..self.repro.clone() };
        let Some(survey) = survey::survey(self.code, &repro, &[])? else { return Ok(None) };
        let Some(step) = survey.global(bounds.decision.thread, last) else { return Ok(None) };
        let survey = survey::survey(self.code, &repro, &[step])?;
        Ok(survey.and_then(|s| s.places.into_iter().next()))
    }
}

/// The last number, on the way from one at which something holds to a limit, before one at which it does not; `None`
/// if it holds at the limit. The strides are doubled, and then halved: what lies between is not tried.
fn furthest(
    from: u64,
    limit: u64,
    holds: &dyn Fn(u64) -> Result<bool, String>,
) -> Result<Option<u64>, String> {
    let distance = from.abs_diff(limit);
    let at = |stride: u64| if limit < from { from - stride } else { from + stride };
    let (mut good, mut bad) = (0, 1);
    while bad < distance && holds(at(bad))? {
        (good, bad) = (bad, 2 * bad);
    }
    if bad >= distance {
        if distance == 0 || holds(limit)? {
            return Ok(None);
        }
        bad = distance;
    }
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if holds(at(middle))? { good = middle } else { bad = middle }
    }
    Ok(Some(at(good)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn the_edge_of_a_window_is_found_on_either_side_in_few_tries() {
        let tries = Cell::new(0);
        let holds = |n: u64| {
            tries.set(tries.get() + 1);
            Ok((40..=97).contains(&n))
        };
        assert_eq!(furthest(60, 1, &holds), Ok(Some(40)));
        assert_eq!(furthest(60, 1 << 20, &holds), Ok(Some(97)));
        assert_eq!(furthest(40, 1, &holds), Ok(Some(40)));
        assert!(tries.get() < 25, "{}", tries.get());
    }

    #[test]
    fn a_window_that_reaches_the_limit_has_no_edge() {
        let always = |_| Ok(true);
        assert_eq!(furthest(60, 1, &always), Ok(None));
        assert_eq!(furthest(60, 60, &always), Ok(None));
        assert_eq!(furthest(60, 61, &|_| Ok(false)), Ok(Some(60)));
    }
}
