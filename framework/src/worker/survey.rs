//! Where an execution goes, step by step: what shrinking and explaining a finding need to know of it.

use std::collections::HashMap;

use mapcheck_machine::{Event, Kind, Observer, Reason, Stack, ThreadId};

use super::recording::State;
use super::watch::{self, Outcome};
use super::{Child, Code, Recording, Script, Setting};
use crate::decision::{Decisions, Replayer};
use crate::oracle;
use crate::report::{self, Place};
use crate::repro::Repro;
use crate::text::{self, Writer};

/// A schedule point that a thread reached. What it is about to do is done when it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub thread: ThreadId,
    pub label: u32,
    /// Whether another thread went on from here though this one could have.
    pub preempted: bool,
}

/// The schedule points of an execution that was replayed, in order: the first is step 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    pub steps: Vec<Step>,
    /// For each thread, the indices into `steps` of its own.
    locals: Vec<Vec<usize>>,
    /// What was asked for, in the order asked.
    pub places: Vec<Doing>,
}

/// What a thread was about to do at a schedule point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Doing {
    /// Read, wrote, freed, …
    pub verb: String,
    /// The line of the map's code; empty where there is none.
    pub site: String,
    /// The operation; empty between operations.
    pub operation: String,
}

impl Survey {
    pub(crate) fn new(steps: Vec<Step>, places: Vec<Doing>) -> Survey {
        let mut locals: Vec<Vec<usize>> = Vec::new();
        for (i, step) in steps.iter().enumerate() {
            let thread = step.thread as usize;
            if locals.len() <= thread {
                locals.resize(thread + 1, Vec::new());
            }
            locals[thread].push(i);
        }
        Survey { steps, locals, places }
    }

    /// The steps of a thread, the first of which is its local step 1.
    fn of(&self, thread: ThreadId) -> &[usize] {
        self.locals.get(thread as usize).map_or(&[], |own| own)
    }

    /// How many schedule points a thread reached.
    pub(crate) fn length(&self, thread: ThreadId) -> u64 {
        self.of(thread).len() as u64
    }

    /// A thread's step by its local number, from 1.
    pub(crate) fn local(&self, thread: ThreadId, local_step: u64) -> Option<Step> {
        self.global(thread, local_step).map(|at| self.steps[at as usize - 1])
    }

    /// Its number among the steps of all threads, from 1.
    pub(crate) fn global(&self, thread: ThreadId, local_step: u64) -> Option<u64> {
        let index = usize::try_from(local_step.checked_sub(1)?).ok()?;
        self.of(thread).get(index).map(|at| *at as u64 + 1)
    }

    /// The first and the last local step of a thread's run that begins after this step of all threads.
    pub(crate) fn run(&self, thread: ThreadId, after: u64) -> Option<(u64, u64)> {
        let rest = self.steps.get(after as usize..)?;
        let length = rest.iter().take_while(|step| step.thread == thread).count() as u64;
        let before = self.of(thread).partition_point(|at| *at < after as usize) as u64;
        (length > 0).then_some((before + 1, before + length))
    }

    /// The step whose access was made after this many steps were decided: that of the thread that comes next.
    pub(crate) fn made_after(&self, step: u64) -> Option<u64> {
        let next = self.steps.get(step as usize)?.thread;
        let own = self.of(next);
        let before = own.partition_point(|at| *at < step as usize);
        before.checked_sub(1).map(|i| own[i] as u64 + 1)
    }

    /// The local steps at which an operation begins that this one is in, and the next.
    pub(crate) fn operation(&self, thread: ThreadId, local_step: u64) -> Option<(u64, u64)> {
        let label = self.local(thread, local_step)?.label;
        let same = |local: &u64| self.local(thread, *local).is_some_and(|s| s.label == label);
        let start = (1..local_step).rev().take_while(same).last().unwrap_or(local_step);
        let length = (local_step..).take_while(same).count() as u64;
        Some((start, local_step + length))
    }
}

/// A replay in a process of its own, and what was about to happen at these steps of all threads. `None` if nothing is
/// found, or if the execution is too long.
pub(crate) fn survey(code: Code<'_>, repro: &Repro, at: &[u64]) -> Result<Option<Survey>, String> {
    let script = Script::Survey(&repro.decisions, at);
    let (outcome, recording) = watch::run(Setting::of(code, repro), &script)?;
    let words = recording.kept().unwrap_or_default();
    if words.is_empty() || matches!(outcome, Outcome::Finished) {
        return Ok(None);
    }
    let steps = words.into_iter().map(Step::unpack).collect();
    // A process that died could not tell.
    let places = match outcome {
        Outcome::Found(found) => Doing::read_all(&found.report).unwrap_or_default(),
        _ => Vec::new(),
    };
    Ok(Some(Survey::new(steps, places)))
}

const PREEMPTED: u64 = 1 << 63;

impl Step {
    fn pack(self) -> u64 {
        let preempted = if self.preempted { PREEMPTED } else { 0 };
        preempted | u64::from(self.thread) << 32 | u64::from(self.label)
    }

    fn unpack(word: u64) -> Step {
        Step {
            thread: (word >> 32) as u32 & 0x7fff_ffff,
            label: word as u32,
            preempted: word & PREEMPTED > 0,
        }
    }
}

impl Doing {
    fn write_all(all: &[Doing]) -> String {
        let column = |of: fn(&Doing) -> &String| all.iter().map(of).cloned().collect::<Vec<_>>();
        let mut to = Writer::default();
        to.texts("verbs", &column(|d| &d.verb));
        to.texts("sites", &column(|d| &d.site));
        to.texts("operations", &column(|d| &d.operation));
        to.0
    }

    fn read_all(text: &str) -> Result<Vec<Doing>, String> {
        text::parse(text, |from| {
            let (verbs, sites) = (from.texts("verbs")?, from.texts("sites")?);
            let rows = verbs.into_iter().zip(sites).zip(from.texts("operations")?);
            Ok(rows.map(|((verb, site), operation)| Doing { verb, site, operation }).collect())
        })
    }
}

/// Keeps the steps, and the stacks of some.
struct Surveyor<'a> {
    recording: &'a Recording,
    at: &'a [u64],
    /// The last step, which is kept when it is known how it went on.
    last: Option<Step>,
    seen: HashMap<u64, (Kind, u32, Stack)>,
}

impl Surveyor<'_> {
    fn keep_last(&mut self) {
        if let Some(step) = self.last.take() {
            self.recording.keep(step.pack());
        }
    }
}

impl Observer for Surveyor<'_> {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Step { at, access } => {
                self.keep_last();
                self.last = Some(Step { thread: at.thread, label: at.label, preempted: false });
                if self.at.contains(&at.step) {
                    self.seen.insert(at.step, (access.kind, at.label, Stack::capture()));
                }
            }
            Event::Switch { reason: Reason::Point, .. } => {
                if let Some(step) = &mut self.last {
                    step.preempted = true;
                }
            }
            _ => {}
        }
    }
}

impl Child<'_> {
    /// Replays for a survey. What is told as the finding's report is what was asked for.
    pub(super) fn survey(&self, decisions: &Decisions, at: &[u64]) {
        self.recording.begin(0);
        self.watch(0, 0);
        let (recording, seen) = (self.recording, HashMap::new());
        let mut surveyor = Surveyor { recording, at, last: None, seen };
        let mut decider = Replayer::new(decisions);
        let random = self.setting.random;
        let (done, _) = self.execute(&mut decider, &mut surveyor, random, true);
        surveyor.keep_last();
        self.count(&done);
        if done.found.is_none() {
            return self.recording.enter(State::Finished);
        }
        let doing = |step: &u64| surveyor.seen.get(step).map(|seen| self.doing(seen));
        let all: Vec<Doing> = at.iter().map(|step| doing(step).unwrap_or_default()).collect();
        let mut finding = report::died("surveyed", self.setting.scenario);
        finding.report = Doing::write_all(&all);
        self.recording.publish(&finding);
    }

    fn doing(&self, (kind, label, stack): &(Kind, u32, Stack)) -> Doing {
        let places = report::places(stack);
        let home = self.setting.code.home;
        let site = report::site_of(&places, home).map_or("", |place: &Place| &place.site);
        let operation = self.setting.scenario.operation(*label).filter(|_| *label > 0);
        let verb = match kind {
            Kind::None => "",
            Kind::Sync => "synchronised",
            Kind::Fence => "fenced",
            kind => oracle::verb_of(*kind),
        };
        Doing {
            verb: verb.to_owned(),
            site: site.to_owned(),
            operation: operation.map_or_else(String::new, |o| o.text),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A survey of these threads and labels, in order.
    pub(crate) fn surveyed(steps: &[(ThreadId, u32)]) -> Survey {
        let step = |&(thread, label): &(ThreadId, u32)| Step { thread, label, preempted: false };
        Survey::new(steps.iter().map(step).collect(), Vec::new())
    }

    #[test]
    fn a_step_crosses_the_border_between_processes_as_a_word() {
        for preempted in [false, true] {
            let step = Step { thread: 1023, label: u32::MAX, preempted };
            assert_eq!(Step::unpack(step.pack()), step);
        }
        let all = [Doing { verb: "read".into(), site: "a:1".into(), operation: "get 3".into() }];
        assert_eq!(Doing::read_all(&Doing::write_all(&all)).unwrap(), all);
    }

    #[test]
    fn steps_are_counted_by_thread_and_operation() {
        let survey = surveyed(&[(0, 1), (1, 2), (1, 2), (2, 4), (1, 3), (1, 3), (2, 4)]);
        assert_eq!((survey.length(1), survey.length(2), survey.length(7)), (4, 2, 0));
        assert_eq!(
            (survey.global(1, 3), survey.global(1, 5), survey.global(1, 0)),
            (Some(5), None, None)
        );
        assert_eq!((survey.run(1, 4), survey.run(1, 3)), (Some((3, 4)), None));
        assert_eq!(survey.operation(1, 4), Some((3, 5)));
        assert_eq!(survey.operation(1, 1), Some((1, 3)));
        // After three steps thread 2 is next to be asked, so it made what it was about to do: nothing so far.
        assert_eq!(survey.made_after(3), None);
        assert_eq!(survey.made_after(4), Some(3));
        assert_eq!(survey.made_after(6), Some(4));
    }
}
