//! Every fault point in turn.

use mapcheck_machine::{ChoiceKind, Consult, Slice, ThreadId};

use super::exhaustive::Limit;
use super::{Coverage, Ended, Scheduler, UNBOUNDED};

/// Injects one fault in each execution, at every fault point in turn: the first execution has none, the next has the
/// first alternative of the first point, and so on, until all have had theirs. Threads run one after the other.
///
/// An execution is the same as the first up to its fault, so none is left out. Of how long a thread may go on before it
/// stalls, powers of two are tried.
#[derive(Debug, Default)]
pub struct EachFault {
    /// Executions made.
    executions: u64,
    /// Alternatives that this execution has passed.
    passed: u64,
    /// Whether it has had its fault.
    injected: bool,
    complete: bool,
}

/// How many alternatives of a choice are tried.
fn alternatives(kind: ChoiceKind, n: u32) -> u64 {
    match kind {
        ChoiceKind::Stall => u64::from(n.ilog2()),
        _ => u64::from(n) - 1,
    }
}

impl Scheduler for EachFault {
    fn begin(&mut self, _: u64) {
        (self.passed, self.injected) = (0, self.executions == 0);
    }

    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        Slice::new(consult.default_thread(), UNBOUNDED)
    }

    fn choose(&mut self, kind: ChoiceKind, _: ThreadId, _: u64, n: u32) -> u32 {
        if kind.is_no_fault() || n < 2 {
            return 0;
        }
        let (from, count) = (self.passed, alternatives(kind, n));
        self.passed += count;
        // The first execution has none, the second alternative 0.
        let Some(nth) = self.executions.checked_sub(1 + from).filter(|nth| *nth < count) else {
            return 0;
        };
        self.injected = true;
        match kind {
            ChoiceKind::Stall => 1 << nth,
            _ => 1 + nth as u32,
        }
    }

    fn end(&mut self, _: Ended) {
        self.complete = !self.injected;
        self.executions += 1;
    }

    fn learnt(&self) -> Vec<u64> {
        vec![self.executions, self.complete.into()]
    }

    fn recall(&mut self, learnt: &[u64]) {
        if let [executions, complete] = *learnt {
            (self.executions, self.complete) = (executions, complete == 1);
        }
    }

    fn coverage(&self) -> Option<Coverage> {
        let mut coverage = Coverage::of(Limit::EachFault, self.executions);
        coverage.complete = self.complete;
        Some(coverage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an execution chooses that asks twice whether to panic and once which of three things to do.
    fn execution(scheduler: &mut EachFault) -> [u32; 3] {
        scheduler.begin(0);
        let chosen = [(ChoiceKind::Panic, 2), (ChoiceKind::Panic, 2), (ChoiceKind::Force, 4)]
            .map(|(kind, n)| scheduler.choose(kind, 1, 0, n));
        scheduler.end(Ended::default());
        chosen
    }

    #[test]
    fn every_alternative_of_every_point_has_an_execution_of_its_own() {
        let mut scheduler = EachFault::default();
        let all: Vec<[u32; 3]> = (0..6).map(|_| execution(&mut scheduler)).collect();
        assert_eq!(all[..3], [[0, 0, 0], [1, 0, 0], [0, 1, 0]]);
        assert_eq!(all[3..], [[0, 0, 1], [0, 0, 2], [0, 0, 3]]);
        assert!(!scheduler.coverage().unwrap().is_over());
        // That there is no more is known when an execution has none left.
        assert_eq!(execution(&mut scheduler), [0; 3]);
        assert!(scheduler.coverage().unwrap().is_over());
    }

    #[test]
    fn another_process_goes_on_where_one_has_stopped() {
        let mut first = EachFault::default();
        execution(&mut first);
        execution(&mut first);
        let mut second = EachFault::default();
        second.recall(&first.learnt());
        assert_eq!(execution(&mut second), [0, 1, 0]);
    }
}
