//! What a step does, as far as the steps of other threads may depend on it.

use std::ops::Range;

use mapcheck_machine::{Access, Kind};

/// Threads of an execution that can be told apart, at most.
pub(super) const MOST_THREADS: usize = 16;

/// A set of threads, a bit each.
pub(super) type Threads = u16;

/// The set of this thread alone.
pub(super) const fn only(thread: usize) -> Threads {
    1 << thread
}

/// The threads of a set, in ascending order.
pub(super) fn members(set: Threads) -> impl Iterator<Item = usize> {
    (0..MOST_THREADS).filter(move |&t| set & only(t) != 0)
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Op {
    /// The access that it makes; of kind `None` where it is resumed from a wait or a yield.
    pub access: Access,
    /// Whether an operation is called in it.
    pub invokes: bool,
    /// Whether an operation returns in it, or its thread ends.
    pub responds: bool,
}

impl Op {
    /// A step that depends on nothing.
    pub(super) const NONE: Op = Op { access: Access::NONE, invokes: false, responds: false };

    /// The bytes that it touches. The address that an allocation will return is not known before it, and whoever else
    /// touches it has learnt of it from the thread that allocated: so an allocation touches nothing.
    pub(super) fn bytes(&self) -> Range<usize> {
        let Access { kind, addr, size, .. } = self.access;
        let touches = !matches!(kind, Kind::None | Kind::Fence | Kind::Alloc) && addr != 0;
        addr..if touches { addr + size } else { addr }
    }

    /// Whether the bytes may differ afterwards. A compare-exchange counts as one that succeeds, and a futex call as a
    /// write of the word: it changes who waits there.
    pub(super) fn writes(&self) -> bool {
        use Kind::*;
        matches!(self.access.kind, Write | AtomicStore | AtomicRmw | Free | Sync)
    }

    /// Whether it starts a thread or asks for the end of one. Threads are numbered as they are started.
    pub(super) fn starts(&self) -> bool {
        self.access.kind == Kind::Sync && self.access.addr == 0
    }

    /// Whether it is of no consequence to any other thread.
    pub(super) fn is_local(&self) -> bool {
        !self.invokes && !self.starts() && self.bytes().is_empty()
    }

    /// Whether the order of the two, which are steps of different threads, may matter.
    pub(super) fn conflicts(&self, other: &Op) -> bool {
        let (mine, its) = (self.bytes(), other.bytes());
        let overlap = mine.start.max(its.start) < mine.end.min(its.end);
        overlap && (self.writes() || other.writes()) || self.in_calls_with(other)
    }

    /// The part of it that is not about memory.
    fn in_calls_with(&self, other: &Op) -> bool {
        let begins = |op: &Op| op.invokes || op.starts();
        self.starts() && other.starts()
            || begins(self) && other.responds
            || self.responds && begins(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapcheck_machine::Order;

    fn op(kind: Kind, addr: usize, size: usize) -> Op {
        Op { access: Access { kind, addr, size, order: Order::Relaxed }, ..Op::NONE }
    }

    #[test]
    fn two_steps_conflict_where_bytes_overlap_and_one_of_them_writes() {
        let (read, store) = (op(Kind::AtomicLoad, 64, 8), op(Kind::AtomicStore, 64, 8));
        assert!(read.conflicts(&store) && store.conflicts(&read) && store.conflicts(&store));
        assert!(!read.conflicts(&read));
        assert!(!op(Kind::Write, 71, 1).conflicts(&op(Kind::Write, 72, 1)));
        assert!(op(Kind::Write, 71, 1).conflicts(&read));
        assert!(op(Kind::Free, 32, 64).conflicts(&op(Kind::Read, 95, 1)));
        assert!(!op(Kind::Free, 32, 64).conflicts(&op(Kind::Read, 96, 1)));
        assert!(op(Kind::Sync, 64, 4).conflicts(&read));
        assert!(!op(Kind::Fence, 0, 0).conflicts(&op(Kind::Fence, 0, 0)));
        assert!(!op(Kind::Alloc, 0, 64).conflicts(&op(Kind::Alloc, 0, 64)));
    }

    #[test]
    fn a_call_conflicts_with_the_return_of_another_and_a_start_with_a_start() {
        let call = Op { invokes: true, ..Op::NONE };
        let end = Op { responds: true, ..Op::NONE };
        assert!(call.conflicts(&end) && end.conflicts(&call));
        assert!(!call.conflicts(&call) && !end.conflicts(&end));
        assert!(op(Kind::Sync, 0, 0).conflicts(&op(Kind::Sync, 0, 0)));
        assert!(op(Kind::Sync, 0, 0).conflicts(&end) && end.conflicts(&op(Kind::Sync, 0, 0)));
        assert!(!op(Kind::Sync, 0, 0).conflicts(&op(Kind::Sync, 64, 4)));
    }
}
