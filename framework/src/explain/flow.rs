//! Where a pointer came from: the loads and stores by which it reached a thread, read backwards from its use.
//!
//! A thread has a pointer because it allocated the block, or because its last access before that found the pointer in a
//! word. What the word held there was stored by somebody, who had it in turn. This is dynamic backward slicing (Agrawal
//! and Horgan, *Dynamic Program Slicing*, PLDI 1990) for one value, in which only accesses to memory are known: what
//! happens in registers between a load and a use is taken for granted.

use std::collections::HashMap;

use mapcheck_machine::{Kind, Stack, Stamp};

use crate::worker::tape::{Held, Moment, Tape};

/// Words that a path goes through at most.
const FAR: usize = 8;
/// Loads that are considered at most.
const LOADS: usize = 32;

/// An index into [`Tape::moments`].
pub(super) type At = usize;

/// How a pointer reached a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// The access that found it.
    pub load: At,
    /// The word that it was found in.
    pub word: Held,
    /// The access that had put it there; `None` if nothing that was seen did.
    pub store: Option<At>,
}

/// The accesses of an execution, by word.
pub(super) struct Flow<'a> {
    pub tape: &'a Tape,
    /// The writes to each word, in order.
    writes: HashMap<usize, Vec<At>>,
}

/// Whether an access tells its thread what it found.
fn is_load(moment: &Moment) -> bool {
    matches!(moment.touch.access.kind, Kind::Read | Kind::AtomicLoad | Kind::AtomicRmw)
}

impl<'a> Flow<'a> {
    pub(super) fn new(tape: &'a Tape) -> Flow<'a> {
        let mut writes: HashMap<usize, Vec<At>> = HashMap::new();
        for (at, moment) in tape.moments.iter().enumerate() {
            let words = tape.left(moment).iter().chain(tape.found(moment)).map(|held| held.addr);
            let written = tape.writes(moment);
            for addr in words.filter(|_| written) {
                let all = writes.entry(addr).or_default();
                if all.last() != Some(&at) {
                    all.push(at);
                }
            }
        }
        Flow { tape, writes }
    }

    /// How many accesses come before a step.
    pub(super) fn before(&self, step: u64) -> At {
        self.tape.moments.partition_point(|moment| moment.touch.step < step)
    }

    pub(super) fn moment(&self, at: At) -> &Moment {
        &self.tape.moments[at]
    }

    /// Who made an access, when, and during what.
    pub(super) fn stamp(&self, at: At) -> Stamp {
        let touch = &self.moment(at).touch;
        Stamp { thread: touch.thread, label: touch.label, step: touch.step }
    }

    /// The word at this address as an access left it, if it wrote to it and left a pointer or a number there.
    pub(super) fn left(&self, at: At, addr: usize) -> Option<Held> {
        let moment = self.moment(at);
        self.tape.left(moment).iter().find(|held| held.addr == addr).copied()
    }

    /// The last write to a word before an access.
    pub(super) fn writer(&self, addr: usize, before: At) -> Option<At> {
        let all = self.writes.get(&addr)?;
        all[..all.partition_point(|at| *at < before)].last().copied()
    }

    /// The writes to a word after an access and before another.
    pub(super) fn writes(&self, addr: usize, after: At, before: At) -> impl Iterator<Item = At> {
        let all = self.writes.get(&addr).map_or(&[][..], |all| all);
        all.iter().copied().filter(move |at| (after + 1..before).contains(at))
    }

    /// The accesses of a thread before another that found a pointer to the block, in the operation in which it did so
    /// last: the latest first.
    pub(super) fn loads(&self, thread: u32, before: At, block: usize) -> Vec<(At, Held)> {
        let all = self.tape.moments[..before].iter().enumerate().rev();
        let mut label = None;
        let mut loads = Vec::new();
        for (at, moment) in all.filter(|(_, m)| m.touch.thread == thread && is_load(m)) {
            if label.is_some_and(|label| label != moment.touch.label) || loads.len() == LOADS {
                break;
            }
            let points = |held: &&Held| held.to.is_some_and(|to| to.0 == block);
            if let Some(held) = self.tape.found(moment).iter().find(points) {
                label = Some(moment.touch.label);
                loads.push((at, *held));
            }
        }
        loads
    }

    /// How a thread came to have a pointer to the block before an access: the load that brought it from where another
    /// thread, or an earlier operation, had put it. `None` if it loaded none.
    pub(super) fn arrival(&self, thread: u32, before: At, block: usize) -> Option<Arrival> {
        self.hops(thread, before, block).pop()
    }

    /// The same with the loads after it, the latest first: what a thread has put somewhere itself, in the same
    /// operation, it had before.
    pub(super) fn hops(&self, thread: u32, before: At, block: usize) -> Vec<Arrival> {
        let mut hops = Vec::new();
        let mut load = self.loads(thread, before, block).first().copied();
        while let Some((at, word)) = load {
            let arrival = self.arrival_by(at, word);
            let store = arrival.store.filter(|store| self.same_operation(*store, at));
            hops.push(arrival);
            load = store.and_then(|store| self.loads(thread, store, block).first().copied());
        }
        hops
    }

    /// Whether two accesses were made by the same thread in the same operation.
    fn same_operation(&self, a: At, b: At) -> bool {
        same_operation(&self.stamp(a), &self.stamp(b))
    }

    /// How a pointer reached the thread that loaded it there.
    pub(super) fn arrival_by(&self, load: At, word: Held) -> Arrival {
        Arrival { load, word, store: self.writer(word.addr, load) }
    }

    /// As [`Flow::arrival`], by the load that is nearest to the use. The function that made it has not returned when
    /// the pointer is used, or has returned it to one that has not: so of the loads whose stacks are known it is the
    /// one that has most callers in common with the use, and not more with the free.
    pub(super) fn nearest(
        &self,
        (thread, before): (u32, At),
        block: usize,
        [used, freed]: [&Stack; 2],
    ) -> Option<Arrival> {
        let [used, freed] = [used, freed].map(callers);
        let near = |(at, word): (At, Held)| {
            let stack = callers(self.tape.stacks.get(&self.moment(at).touch.step)?);
            let [with_use, with_free] = [&used, &freed].map(|other| in_common(&stack, other));
            let own =
                self.writer(word.addr, at).is_some_and(|store| self.same_operation(store, at));
            (with_free <= with_use && !own).then_some((with_use, at, word))
        };
        let all = self.loads(thread, before, block).into_iter().filter_map(near);
        let best = all.max_by_key(|(common, at, _)| (*common, *at));
        let arrival = best.map(|(_, at, word)| self.arrival_by(at, word));
        arrival.or_else(|| self.arrival(thread, before, block))
    }

    /// From how the pointer to a block reached a thread upwards: how it came to the word in which it found that, to the
    /// word in which it found the pointer to this one, and so on.
    pub(super) fn path(&self, first: Arrival, block: usize) -> Vec<Arrival> {
        let thread = self.moment(first.load).touch.thread;
        let (mut path, mut blocks) = (vec![first], vec![block]);
        while path.len() < FAR {
            let Arrival { load, word, .. } = path[path.len() - 1];
            let holder = self.tape.block_at(word.addr);
            let Some(holder) = holder.filter(|holder| !blocks.contains(holder)) else { break };
            blocks.push(holder);
            let Some(arrival) = self.arrival(thread, load, holder) else { break };
            path.push(arrival);
        }
        path
    }

    /// The first write after an access, and before another, after which the word no longer points to the block that it
    /// pointed to.
    pub(super) fn overwritten(&self, word: &Held, after: At, before: At) -> Option<At> {
        let still = |at: At| {
            let left = self.left(at, word.addr).and_then(|held| held.to);
            left.map(|to| to.0) == word.to.map(|to| to.0)
        };
        self.writes(word.addr, after, before).find(|at| !still(*at))
    }
}

/// Whether two points are of the same thread in the same operation.
pub(super) fn same_operation(a: &Stamp, b: &Stamp) -> bool {
    (a.thread, a.label) == (b.thread, b.label)
}

/// The functions of a stack with their lines, the outermost first.
pub(super) fn callers(stack: &Stack) -> Vec<(String, u32)> {
    stack.frames().into_iter().rev().map(|frame| (frame.function, frame.line)).collect()
}

/// How many callers two stacks have in common, counted twice; and once the function in which they part, which is the
/// same invocation too, at another line.
pub(super) fn in_common(a: &[(String, u32)], b: &[(String, u32)]) -> usize {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let parting = a.get(same).zip(b.get(same)).is_some_and(|(a, b)| a.0 == b.0);
    2 * same + usize::from(parting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::tape::tests::made;

    #[test]
    fn a_pointer_is_followed_back_through_the_thread_s_own_copies() {
        let mut made = made();
        made.alloc(0, 0x1000).alloc(0, 0x2000).alloc(1, 0x3000);
        made.store(0, 0x1000, 0x2000).load(1, 0x1000, 0x2000);
        // It keeps it in its own memory, and loads it from there.
        made.store(1, 0x3000, 0x2000).load(1, 0x3000, 0x2000);
        let flow = Flow::new(&made.tape);
        let end = made.tape.moments.len();
        let hops: Vec<_> = flow.hops(1, end, 1).iter().map(|hop| (hop.load, hop.store)).collect();
        assert_eq!(hops, [(3, Some(2)), (1, Some(0))]);
        let arrival = flow.arrival(1, end, 1).unwrap();
        assert_eq!((arrival.load, arrival.store, arrival.word.addr), (1, Some(0), 0x1000));
        assert_eq!(flow.arrival(2, end, 1), None);
    }

    #[test]
    fn a_path_leads_from_the_block_up_to_where_the_thread_came_in() {
        let mut made = made();
        made.alloc(0, 0x1000).alloc(0, 0x2000);
        made.store(0, 0x8000, 0x1000).store(0, 0x1008, 0x2000);
        made.load(1, 0x8000, 0x1000).load(1, 0x1008, 0x2000);
        let flow = Flow::new(&made.tape);
        let first = flow.arrival(1, made.tape.moments.len(), 1).unwrap();
        let path: Vec<usize> = flow.path(first, 1).iter().map(|step| step.word.addr).collect();
        assert_eq!(path, [0x1008, 0x8000]);
    }

    #[test]
    fn the_overwriting_write_is_the_first_that_leaves_another_pointer() {
        let mut made = made();
        made.alloc(0, 0x1000).alloc(0, 0x2000);
        made.store(0, 0x1000, 0x2000).load(1, 0x1000, 0x2000);
        // The same pointer, with a tag, is no other.
        made.store(2, 0x1000, 0x2001).store(2, 0x1000, 0).store(2, 0x1000, 0x2000);
        let flow = Flow::new(&made.tape);
        let arrival = flow.arrival(1, 2, 1).unwrap();
        assert_eq!(flow.overwritten(&arrival.word, arrival.load, 5), Some(3));
        assert_eq!(flow.overwritten(&arrival.word, arrival.load, 3), None);
    }
}
