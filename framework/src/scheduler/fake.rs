//! A machine for unit tests: threads that only pass schedule points, or make accesses that are none.

use mapcheck_machine::{
    Access, Consult, Decider, GRANULE, Kind, Order, Reason, ThreadId, ThreadView,
};

/// A step that a thread has taken, or is about to.
pub(crate) type Step = (ThreadId, Access);

/// Threads that each take some steps.
pub(crate) struct Fake {
    /// What each thread does at each of its schedule points but the last, at which it ends.
    programs: Vec<Vec<Access>>,
    /// Whether every seventh point is a yield.
    yields: bool,
    /// Points that each thread has reached.
    local: Vec<usize>,
    steps: Vec<Step>,
}

/// An access of a word's size.
pub(crate) fn access(kind: Kind, addr: usize) -> Access {
    Access { kind, addr, size: 8, order: Order::SeqCst }
}

/// So many accesses to memory that no other thread of this index touches.
pub(crate) fn local(thread: usize, n: usize) -> Vec<Access> {
    vec![access(Kind::Write, 0x1_0000 * (thread + 1)); n]
}

impl Fake {
    /// Threads that pass so many points each; every seventh is a yield.
    pub(crate) fn new(lengths: &[u64]) -> Fake {
        let program = |&n: &u64| vec![Access::NONE; n as usize - 1];
        Fake::with(lengths.iter().map(program).collect(), true)
    }

    /// Threads 1, 2 and so on that make these accesses. Thread 0 has started them and does nothing more.
    pub(crate) fn of(programs: &[Vec<Access>]) -> Fake {
        Fake::with([&[vec![]], programs].concat(), false)
    }

    fn with(programs: Vec<Vec<Access>>, yields: bool) -> Fake {
        Fake { local: vec![0; programs.len()], programs, yields, steps: Vec::new() }
    }

    /// Runs to the end; the trace names the thread of each schedule point.
    pub(crate) fn run(mut self, decider: &mut dyn Decider) -> Vec<ThreadId> {
        self.go(decider)
    }

    /// As [`Fake::run`]; tells the steps in the order in which they were taken.
    pub(crate) fn steps(mut self, decider: &mut dyn Decider) -> Vec<Step> {
        self.go(decider);
        self.steps
    }

    fn go(&mut self, decider: &mut dyn Decider) -> Vec<ThreadId> {
        let (mut current, mut left, mut visible, mut trace) = (0, 1, u64::MAX, Vec::new());
        let granules = decider.granules().to_vec();
        loop {
            trace.push(current as ThreadId);
            if let Some(access) = self.pending(current) {
                self.steps.push((current as ThreadId, access));
            }
            self.local[current] += 1;
            left -= 1;
            let threads: Vec<ThreadView> = (0..self.programs.len()).map(|t| self.view(t)).collect();
            let reason = self.reason(current);
            let several = threads.iter().filter(|t| t.runnable).count() > 1;
            let granule = threads[current].pending.addr / GRANULE;
            let awaited = several && granules.contains(&granule);
            visible -= u64::from(threads[current].pending.is_visible());
            let spent = left == 0 || visible == 0;
            if reason == Reason::Point && !spent && !awaited {
                continue;
            }
            if threads.iter().all(|t| !t.runnable) {
                return trace;
            }
            let (local_step, step) = (self.local[current] as u64, trace.len() as u64);
            let consult = Consult {
                current: current as ThreadId,
                local_step,
                step,
                reason,
                spent,
                threads: &threads,
                runnable: &mapcheck_machine::Runnable::of(&threads),
            };
            let slice = decider.schedule(&consult);
            assert!(threads[slice.thread as usize].runnable && slice.points > 0);
            (current, left, visible) = (slice.thread as usize, slice.points, slice.visible);
        }
    }

    /// What a thread does when it goes on, if it stands at a point.
    fn pending(&self, thread: usize) -> Option<Access> {
        let reached = self.local[thread].checked_sub(1)?;
        self.programs[thread].get(reached).copied()
    }

    fn view(&self, thread: usize) -> ThreadView {
        let runnable = self.local[thread] <= self.programs[thread].len();
        let pending = self.pending(thread).unwrap_or(Access::NONE);
        ThreadView { runnable, pending, ..ThreadView::NEW }
    }

    fn reason(&self, thread: usize) -> Reason {
        match self.local[thread] {
            n if n > self.programs[thread].len() => Reason::Blocked,
            n if self.yields && n % 7 == 0 => Reason::Yield,
            _ => Reason::Point,
        }
    }
}
