//! The search in words: what a process hands on to the next.

use super::contended::Contended;
use super::tree::Tree;
use super::{Exhaustive, Limit};

/// Words before the units and the nodes.
const HEAD: usize = 8;

impl Exhaustive {
    pub(super) fn pack(&self) -> Vec<u64> {
        let flags = [self.cut, self.contended.grew, self.complete, self.diverged, self.crowded];
        let flags = flags.iter().fold(0, |word, flag| word << 1 | u64::from(*flag));
        let mut words = vec![
            of(self.limit),
            self.bound,
            flags,
            self.executions,
            self.in_round,
            self.redundant,
            self.unseen,
            self.contended.len() as u64,
        ];
        self.contended.pack(&mut words);
        self.tree.pack(&mut words);
        words
    }
}

/// The limit in a word.
fn of(limit: Limit) -> u64 {
    match limit {
        Limit::Unbounded | Limit::EachFault => 0,
        Limit::Preemptions(most) => most << 2 | 1,
        Limit::Delays(most) => most << 2 | 2,
    }
}

/// The search that was packed, if it is one with this limit.
pub(super) fn unpack(limit: Limit, words: &[u64]) -> Option<Exhaustive> {
    let (head, rest) = words.split_first_chunk::<HEAD>()?;
    let [packed, bound, flags, executions, in_round, redundant, unseen, units] = *head;
    let (units, nodes) = rest.split_at_checked(units as usize)?;
    let flag = |i: u32| flags >> i & 1 == 1;
    let mut contended = Contended::unpack(units);
    contended.grew = flag(3);
    let search = Exhaustive {
        bound,
        tree: Tree::unpack(nodes),
        contended,
        cut: flag(4),
        executions,
        in_round,
        redundant,
        unseen,
        complete: flag(2),
        diverged: flag(1),
        crowded: flag(0),
        ..Exhaustive::new(limit)
    };
    (packed == of(limit)).then_some(search)
}
