//! Batches: executions of a scenario in a row, in one process, under one scheduler.

use std::fmt;
use std::str::FromStr;

use crate::repro::History;
use mapcheck_machine::Choices;

use crate::fault::{self, Fault};
use crate::scheduler::{self, Bounded, Injecting, Scheduler, Suspending, splitmix};

/// Of so many executions one is looked at for what it shows: that costs as much as running it once more.
pub(crate) const LOOK: u64 = 4;

/// A batch of executions under a scheduler, which learns within the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub scheduler: String,
    pub seed: u64,
    pub bound: Option<u64>,
    /// Whether all threads but one are suspended at some point.
    pub suspend: bool,
    pub first: u64,
    pub count: u64,
    /// Whether each execution gets randomness of its own, see [`random_of`], or all of them the setting's.
    pub vary: bool,
    /// Whether to record the last execution in full, and none of the others.
    pub record_last: bool,
    /// Every so many'th execution is looked at for what it shows; 0 for none.
    pub look: u64,
    /// What batches of the same scenario have learnt before.
    pub learnt: Learnt,
}

/// What the batches of a scenario hand on, from one to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learnt {
    /// What the scheduler has learnt, see [`Scheduler::learnt`].
    pub scheduler: Vec<u64>,
    /// What executions have shown, see [`crate::coverage`].
    pub features: Vec<u64>,
}

impl Learnt {
    /// Whether there is nothing to hand on.
    pub fn is_empty(&self) -> bool {
        self.scheduler.is_empty() && self.features.is_empty()
    }
}

/// Numbers as text: in hexadecimal, with spaces between them.
pub(crate) struct Words<'a>(pub &'a [u64]);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, word) in self.0.iter().enumerate() {
            write!(f, "{}{word:x}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// Reads such text.
///
/// The error is a fragment that goes on after the name of what was read.
pub(crate) fn words(text: &str) -> Result<Vec<u64>, &'static str> {
    let word = |w| u64::from_str_radix(w, 16).map_err(|_| "has a word that is no number");
    text.split_whitespace().map(word).collect()
}

impl fmt::Display for Learnt {
    /// Numbers in hexadecimal, with a bar between the two lists.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} | {}", Words(&self.scheduler), Words(&self.features))
    }
}

impl FromStr for Learnt {
    type Err = &'static str;

    /// Fails with a fragment that goes on after the name of what was read.
    fn from_str(text: &str) -> Result<Learnt, &'static str> {
        let (scheduler, features) = text.split_once('|').ok_or("has no bar between its lists")?;
        Ok(Learnt { scheduler: words(scheduler)?, features: words(features)? })
    }
}

/// Seed of the randomness of an execution of a batch that varies it.
pub(crate) fn random_of(base: u64, execution: u64) -> u64 {
    splitmix(base ^ splitmix(execution))
}

impl Batch {
    /// Seed of the randomness of one of its executions.
    pub(crate) fn random(&self, execution: u64) -> u64 {
        if self.vary { random_of(self.seed, execution) } else { self.seed }
    }

    /// What a repro's history tells of.
    pub(super) fn of(history: &History, record_last: bool) -> Batch {
        Batch {
            scheduler: history.scheduler.clone(),
            seed: history.seed,
            bound: history.bound,
            suspend: history.suspend,
            first: history.first,
            count: history.executions,
            vary: scheduler::limit(&history.scheduler, None).is_none(),
            record_last,
            look: LOOK,
            learnt: history.learnt.clone(),
        }
    }
}

/// The scheduler that a batch is explored with.
pub(super) fn scheduler_of(batch: &Batch, faults: &[Fault]) -> Box<dyn Scheduler> {
    if let Some(limit) = scheduler::limit(&batch.scheduler, batch.bound) {
        let mut covering = scheduler::covering(limit);
        covering.recall(&batch.learnt.scheduler);
        return covering;
    }
    let scheduler = scheduler::by_name(&batch.scheduler, batch.seed);
    let mut scheduler = scheduler.expect("settings and repros name only schedulers there are");
    if let Some(bound) = batch.bound {
        scheduler = Box::new(Bounded::new(scheduler, bound));
    }
    if batch.suspend {
        scheduler = Box::new(Suspending::new(scheduler, batch.seed));
    }
    let choices = fault::choices(faults);
    if choices != Choices::NONE {
        scheduler = Box::new(Injecting::new(scheduler, choices, batch.seed));
    }
    scheduler.recall(&batch.learnt.scheduler);
    scheduler
}

/// Takes over what a history has learnt, as its batch does when it begins.
pub(crate) fn recall(history: &History, faults: &[Fault]) {
    drop(scheduler_of(&Batch::of(history, false), faults));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_what_was_learnt_round_trips() {
        for learnt in [
            Learnt::default(),
            Learnt { scheduler: vec![0, u64::MAX], features: vec![7, 0xffff] },
            Learnt { scheduler: Vec::new(), features: vec![1] },
        ] {
            assert_eq!(learnt.to_string().parse(), Ok(learnt));
        }
        assert!("1 2".parse::<Learnt>().is_err() && "1|x".parse::<Learnt>().is_err());
    }
}
