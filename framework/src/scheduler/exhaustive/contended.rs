//! The memory that threads contend for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::op::{Op, Threads, only};

/// Memory is told apart in units of so many bytes.
const UNIT: usize = 8;

/// Units that two threads have touched in one execution, at least one of them to write.
#[derive(Debug, Default)]
pub(super) struct Contended {
    units: BTreeSet<usize>,
    /// Who has read and who has written a unit in the execution under way.
    touched: BTreeMap<usize, (Threads, Threads)>,
    /// Blocks freed in the execution under way, and by whom.
    freed: Vec<(Range<usize>, usize)>,
    /// Whether units were added since this was last set to false.
    pub grew: bool,
}

fn units(op: &Op) -> Range<usize> {
    let bytes = op.bytes();
    bytes.start / UNIT..bytes.end.div_ceil(UNIT)
}

impl Contended {
    /// Starts an execution.
    pub(super) fn begin(&mut self) {
        self.touched.clear();
        self.freed.clear();
    }

    /// Whether the order of this step and the steps of other threads may matter, as far as is known. Calls of operations
    /// count: what returned before them is what they must see. Returns do not, since to move one to before a call
    /// of another thread only adds to what that must see.
    pub(super) fn by(&self, op: &Op) -> bool {
        op.invokes || op.starts() || self.units.range(units(op)).next().is_some()
    }

    /// Learns from a step.
    pub(super) fn note(&mut self, thread: usize, op: &Op) {
        let units = units(op);
        if op.access.kind == mapcheck_machine::Kind::Free {
            return self.free(thread, units);
        }
        for unit in units {
            let after_free = self.freed.iter().any(|(r, by)| r.contains(&unit) && *by != thread);
            let (read, wrote) = self.touched.entry(unit).or_default();
            *(if op.writes() { &mut *wrote } else { &mut *read }) |= only(thread);
            if after_free || *wrote != 0 && (*read | *wrote).count_ones() > 1 {
                self.grew |= self.units.insert(unit);
            }
        }
    }

    /// As [`Contended::note`] for what may be a large block, of which only those units matter that somebody touches.
    fn free(&mut self, thread: usize, units: Range<usize>) {
        for (unit, (read, wrote)) in self.touched.range_mut(units.clone()) {
            *wrote |= only(thread);
            if (*read | *wrote).count_ones() > 1 {
                self.grew |= self.units.insert(*unit);
            }
        }
        self.freed.push((units, thread));
    }

    pub(super) fn pack(&self, words: &mut Vec<u64>) {
        words.extend(self.units.iter().map(|u| *u as u64));
    }

    pub(super) fn unpack(words: &[u64]) -> Contended {
        Contended { units: words.iter().map(|u| *u as usize).collect(), ..Contended::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.units.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapcheck_machine::{Access, Kind, Order};

    fn op(kind: Kind, addr: usize, size: usize) -> Op {
        Op { access: Access { kind, addr, size, order: Order::Relaxed }, ..Op::NONE }
    }

    #[test]
    fn memory_is_contended_once_two_threads_touch_it_and_one_writes() {
        let mut contended = Contended::default();
        contended.note(0, &op(Kind::Read, 64, 8));
        contended.note(1, &op(Kind::Read, 64, 8));
        contended.note(1, &op(Kind::Write, 72, 8));
        assert!(!contended.grew);
        contended.note(1, &op(Kind::Write, 64, 8));
        assert!(contended.grew && contended.by(&op(Kind::AtomicLoad, 64, 8)));
        assert!(!contended.by(&op(Kind::AtomicLoad, 72, 8)));
        contended.begin();
        contended.note(0, &op(Kind::Read, 72, 8));
        assert!(!contended.by(&op(Kind::Read, 72, 8)) && contended.by(&op(Kind::Free, 32, 100)));
    }

    #[test]
    fn a_free_contends_with_what_other_threads_touch_before_and_after_it() {
        for after in [false, true] {
            let mut contended = Contended::default();
            let (read, free) = (op(Kind::Read, 104, 1), op(Kind::Free, 64, 100));
            for free_now in [after, !after] {
                let (thread, op) = if free_now { (0, &free) } else { (1, &read) };
                contended.note(thread, op);
            }
            assert!(contended.by(&read) && contended.by(&free) && contended.len() == 1);
        }
    }
}
