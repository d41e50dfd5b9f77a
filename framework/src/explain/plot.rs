//! Which accesses of an execution made its finding: what is to be told, and where it lies on the tape.

use std::collections::{BTreeMap, BTreeSet};

use mapcheck_machine::{Fact, Found, Kind, Stack, Stamp};

use super::flow::{Arrival, At, Flow, same_operation};
use crate::oracle;
use crate::worker::tape::Held;

/// What somebody looked at before they freed or took away memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// The access that looked.
    pub at: At,
    /// The word, as it was found.
    pub word: Held,
    /// Who had written it last.
    pub writer: Option<At>,
    /// Whether the user of the block wrote to it after that, and before the use: too late.
    pub later: Option<At>,
}

/// A write that took a pointer away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub at: At,
    /// The word, as it was before.
    pub word: Held,
}

/// How a block was retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retirement {
    /// A store put it where it was kept until it was freed.
    Stored(At),
    /// The map said so: this many'th on the tape.
    Said(usize),
}

/// How a block came to an end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    /// When and by whom it was freed.
    pub freed: Option<Stamp>,
    /// How the pointer came to whom freed it.
    pub brought: Option<Arrival>,
    /// How it was retired, each time.
    pub retired: Vec<Retirement>,
    /// The write after which it could no longer be reached on the way on which its user had reached it.
    pub unlinked: Option<Cut>,
    /// The last write that took away another pointer to it, or to what held one.
    pub lost: Option<Cut>,
    /// What was looked at before.
    pub looks: Vec<Look>,
}

/// A word that an operation read, another thread changed, and the operation read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clash {
    pub read: At,
    pub changed: At,
    pub again: At,
    /// The word, as it was read again.
    pub word: Held,
}

/// Who used the block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct User {
    pub at: Stamp,
    /// The number of accesses before the use.
    pub before: At,
}

/// The accesses that made a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plot {
    /// The block that it is about, by its number on the tape.
    pub block: Option<usize>,
    pub user: User,
    /// How its user came to it, and to where it was found: from the block upwards.
    pub path: Vec<Arrival>,
    /// How it ended.
    pub end: End,
    /// The word that held nothing where a pointer was expected, as it was found, and by which access.
    pub nothing: Option<(At, Held)>,
    /// The other access of a data race that is about no freed block.
    pub raced: Option<At>,
    /// What another thread changed between two looks of an operation that went wrong.
    pub clash: Option<Clash>,
    /// What the user had looked at last, where nobody had freed the block.
    pub looked: Vec<Look>,
}

/// Addresses up to which a pointer is taken for a null pointer to something of some size.
const NEAR_NULL: usize = 4096;
/// Looks that are considered at most.
const LOOKS: usize = 4;

/// Reads the plot of a finding off the tape. `stack` tells where the finding was made.
pub(super) fn plot(flow: &Flow<'_>, found: &Found, stack: &Stack) -> Plot {
    let block = oracle::block_of(&found.fact).and_then(|b| flow.tape.block_at(b.addr));
    let (user, freed) = parts(flow, found, block);
    let mut plot = Plot { block, user, ..Plot::default() };
    if let (Fact::Race { earlier, .. }, None) = (&found.fact, freed) {
        let at = flow.before(earlier.step);
        plot.raced = (at < user.before).then_some(at);
    }
    match (block, &found.fact) {
        (Some(block), Fact::Leaked { .. }) => plot.end.lost = lost(flow, block, &[], user.before),
        (Some(block), fact) => {
            plot.path = path(flow, block, user, fact, stack);
            if let Some(freed) = freed {
                plot.end = end_of(flow, block, freed, &plot.path, user);
            }
        }
        (None, Fact::Signal { signal: 7 | 11, addr: 0..NEAR_NULL }) => nothing(flow, &mut plot),
        (None, Fact::Told { class: "crash", .. }) => nothing(flow, &mut plot),
        (None, Fact::Told { .. }) => plot.clash = clash(flow, user),
        _ => {}
    }
    if let [_, .., Retirement::Said(last)] = plot.end.retired[..] {
        // Of what it had seen, which others had left, one thing was not so.
        let (_, again, _) = &flow.tape.retired[last];
        let others = |look: &Look| {
            let loads = flow.moment(look.at).touch.access.kind != Kind::AtomicRmw;
            let own = |at: At| same_operation(&flow.stamp(at), again);
            look.writer.is_some_and(|at| loads && !own(at))
        };
        let before = flow.before(again.step);
        plot.looked = looks(flow, *again, (0, before), block, None, others);
    }
    let decides = matches!(
        found.fact,
        Fact::BadAccess { .. }
            | Fact::Signal { .. }
            | Fact::InvalidFree { .. }
            | Fact::Told { block: Some(_), .. }
    );
    if decides && freed.is_none() && plot.nothing.is_none() {
        let written = |look: &Look| look.writer.is_some();
        plot.looked = looks(flow, user.at, (0, user.before), plot.block, None, written);
        // What it had left itself it knew.
        let own =
            |look: &Look| look.writer.is_none_or(|at| same_operation(&flow.stamp(at), &user.at));
        let torn = matches!(found.fact, Fact::Told { class: "torn-value", .. });
        if torn && !plot.looked.iter().all(own) {
            plot.looked.retain(|look| !own(look));
        }
    }
    plot
}

/// How the user came to the block.
fn path(flow: &Flow<'_>, block: usize, user: User, fact: &Fact, stack: &Stack) -> Vec<Arrival> {
    let none = Stack::default();
    let freed = oracle::block_of(fact).map_or(&none, |block| &block.free_stack);
    let used = match fact {
        Fact::Race { .. } => flow.tape.stacks.get(&user.at.step).unwrap_or(&none),
        _ => stack,
    };
    let first = flow.nearest((user.at.thread, user.before), block, [used, freed]);
    first.map_or_else(Vec::new, |first| flow.path(first, block))
}

/// The steps of which the stacks are wanted to find out how the user came to the block.
pub(super) fn candidates(flow: &Flow<'_>, plot: &Plot) -> Vec<u64> {
    let User { at, before } = plot.user;
    let loads = plot.block.map(|block| flow.loads(at.thread, before, block)).unwrap_or_default();
    let steps = loads.into_iter().map(|(load, _)| flow.moment(load).touch.step);
    steps.chain([at.step]).collect()
}

/// Who used the block, and who freed it before or at the same time.
fn parts(flow: &Flow<'_>, found: &Found, block: Option<usize>) -> (User, Option<Stamp>) {
    let tape_free = block.and_then(|block| flow.tape.blocks[block].free);
    let last = User { at: found.at, before: flow.tape.moments.len() };
    let Fact::Race { access, earlier, .. } = &found.fact else { return (last, tape_free) };
    let before = flow.before(earlier.step);
    let label = flow.tape.moments.get(before).map_or(0, |moment| moment.touch.label);
    let at = Stamp { thread: earlier.thread, label, step: earlier.step };
    match (access.kind, earlier.kind) {
        (Kind::Free, _) => (User { at, before }, Some(found.at)),
        (_, Kind::Free) => (last, tape_free),
        _ => (last, None),
    }
}

/// How a block came to its end, which somebody had reached on this path.
fn end_of(flow: &Flow<'_>, block: usize, freed: Stamp, path: &[Arrival], user: User) -> End {
    let before = flow.before(freed.step + 1);
    let mut end = End { freed: Some(freed), ..End::default() };
    for Arrival { load, word, .. } in path {
        if let Some(at) = flow.overwritten(word, *load, before) {
            end.unlinked = Some(Cut { at, word: *word });
            break;
        }
    }
    if end.unlinked.is_none() {
        end.lost = lost(flow, block, path, before);
    }
    let cut = end.unlinked.as_ref().map(|cut| cut.at);
    let since = cut.or(path.first().map(|arrival| arrival.load)).unwrap_or_default();
    let mut hops = flow.hops(freed.thread, before, block);
    end.retired = retirements(flow, block, &hops, since);
    end.brought = match end.retired[..] {
        [Retirement::Stored(at)] => hops.into_iter().find(|hop| hop.store == Some(at)),
        _ => hops.pop(),
    };
    end.looks = decided(flow, block, (freed, since, before), user, &end.retired);
    end
}

/// What whoever freed a block had looked at since it was unlinked: above all what its user wrote, early or late.
fn decided(
    flow: &Flow<'_>,
    block: usize,
    (freed, since, before): (Stamp, At, At),
    user: User,
    retired: &[Retirement],
) -> Vec<Look> {
    let look = |after: At, counts: &dyn Fn(&Look) -> bool| {
        // Who frees what it uses itself announces nothing to itself.
        let user = (freed.thread != user.at.thread).then_some(user);
        looks(flow, freed, (after, before), Some(block), user, counts)
    };
    let by = |look: &Look| look.writer.map(|at| flow.moment(at).touch.thread);
    let apart = freed.thread != user.at.thread;
    let mut all = Vec::new();
    if apart {
        all = look(since, &|look| look.later.is_some() || by(look) == Some(user.at.thread));
    }
    if all.is_empty() {
        let retired = retired.iter().map(|retirement| match retirement {
            Retirement::Stored(at) => *at,
            Retirement::Said(nth) => flow.before(flow.tape.retired[*nth].1.step),
        });
        let since = retired.max().unwrap_or(since).max(since);
        all = look(since, &|look| {
            let operation = look.writer.is_some_and(|at| flow.moment(at).touch.label > 0);
            operation && flow.moment(look.at).touch.access.kind == Kind::AtomicLoad
        });
    }
    // What came too late tells most.
    all.sort_by_key(|look| (look.later.is_none(), std::cmp::Reverse(look.at)));
    all
}

/// How the block was retired, each time: as the map has said, or else by the store that put it where it was kept after
/// it was unlinked.
fn retirements(flow: &Flow<'_>, block: usize, hops: &[Arrival], since: At) -> Vec<Retirement> {
    let said = flow.tape.retired.iter().enumerate().filter(|(_, (of, ..))| *of == block);
    let said: Vec<Retirement> = said.map(|(nth, _)| Retirement::Said(nth)).collect();
    if !said.is_empty() {
        return said;
    }
    let stores = hops.iter().rev().filter_map(|hop| hop.store);
    stores.into_iter().find(|store| *store > since).map(Retirement::Stored).into_iter().collect()
}

/// The last words that a thread looked at in a stretch of the execution, of those that count: each once, the latest
/// first.
fn looks(
    flow: &Flow<'_>,
    who: Stamp,
    (after, before): (At, At),
    block: Option<usize>,
    user: Option<User>,
    counts: impl Fn(&Look) -> bool,
) -> Vec<Look> {
    let mut last: BTreeMap<usize, Look> = BTreeMap::new();
    for at in after..before {
        let moment = flow.moment(at);
        let touch = &moment.touch;
        let reads = matches!(touch.access.kind, Kind::Read | Kind::AtomicLoad | Kind::AtomicRmw);
        if touch.thread != who.thread || !reads {
            continue;
        }
        let Some(word) = flow.tape.found(moment).first().copied() else { continue };
        let of = flow.tape.block_at(word.addr);
        if (of.is_some() && of == block) || !flow.tape.is_map_s(word.addr) {
            continue;
        }
        let later = user.and_then(|user| {
            let own = |at: &At| flow.moment(*at).touch.thread == user.at.thread;
            flow.writes(word.addr, at, user.before).find(own)
        });
        let look = Look { at, word, writer: flow.writer(word.addr, at), later };
        // A word that leads somewhere is no state, unless it is to say who is there.
        if (word.to.is_none() || later.is_some()) && counts(&look) {
            last.insert(word.addr, look);
        }
    }
    let mut all: Vec<Look> = last.into_values().collect();
    all.sort_by_key(|look| std::cmp::Reverse(look.at));
    all.truncate(LOOKS);
    all
}

/// The last word that the user found empty although it had held a pointer, and how it came to that word.
fn nothing(flow: &Flow<'_>, plot: &mut Plot) {
    let User { at: who, before } = plot.user;
    let all = flow.tape.moments[..before].iter().enumerate().rev();
    let mut own = all.filter(|(_, moment)| moment.touch.thread == who.thread);
    let empty = own.find_map(|(at, moment)| {
        let reads = matches!(moment.touch.access.kind, Kind::Read | Kind::AtomicLoad);
        let word = flow.tape.found(moment).iter().find(|held| reads && held.value == 0)?;
        Some((at, *word, emptied(flow, word.addr, at)?))
    });
    let Some((at, word, cut)) = empty else { return };
    plot.nothing = Some((at, word));
    plot.block = flow.tape.block_at(word.addr);
    if let Some(block) = plot.block {
        let entry = flow.loads(who.thread, at, block).last().copied();
        let first = entry.map(|(at, word)| flow.arrival_by(at, word));
        plot.path = first.map_or_else(Vec::new, |first| flow.path(first, block));
    }
    plot.end.unlinked = Some(Cut { at: cut, word });
    plot.end.looks =
        looks(flow, flow.stamp(cut), (0, cut), plot.block, None, |look| look.writer.is_some());
}

/// The last write to a word before an access, if there was a pointer in it before that.
fn emptied(flow: &Flow<'_>, addr: usize, before: At) -> Option<At> {
    let cut = flow.writer(addr, before)?;
    let last = flow.writer(addr, cut)?;
    flow.left(last, addr).is_some_and(|left| left.to.is_some()).then_some(cut)
}

/// The last word that changed between two reads of the operation: of those that lead somewhere, if there is one.
fn clash(flow: &Flow<'_>, user: User) -> Option<Clash> {
    let mut reads: BTreeMap<usize, At> = BTreeMap::new();
    let (mut any, mut leads) = (None, None);
    for at in 0..user.before {
        let moment = flow.moment(at);
        let touch = &moment.touch;
        let own = same_operation(&flow.stamp(at), &user.at);
        // What it updates as well is a lock, or a count.
        if !own || !matches!(touch.access.kind, Kind::Read | Kind::AtomicLoad) {
            continue;
        }
        for word in flow.tape.found(moment) {
            let Some(read) = reads.insert(word.addr, at) else { continue };
            let others = |at: &At| flow.moment(*at).touch.thread != user.at.thread;
            let Some(changed) = flow.writes(word.addr, read, at).filter(others).last() else {
                continue;
            };
            let clash = Clash { read, changed, again: at, word: *word };
            let slot = if word.to.is_some() { &mut leads } else { &mut any };
            *slot = Some(clash);
        }
    }
    leads.or(any)
}

/// Blocks between a pointer that was taken away and the block that could be reached by it.
const BETWEEN: usize = 2;

/// The last write before an access that took away a pointer to the block, or to another by which it could be reached,
/// and that is not on this path.
fn lost(flow: &Flow<'_>, block: usize, path: &[Arrival], before: At) -> Option<Cut> {
    let tape = flow.tape;
    let links: BTreeSet<usize> = path.iter().map(|arrival| arrival.word.addr).collect();
    let on_path: BTreeSet<usize> = links.iter().filter_map(|addr| tape.block_at(*addr)).collect();
    let mut reach = BTreeSet::from([block]);
    for _ in 0..BETWEEN {
        let near = reach.clone();
        let left = tape.moments[..before].iter().flat_map(|moment| tape.left(moment));
        let holds = left.filter(|held| held.to.is_some_and(|to| near.contains(&to.0)));
        let holders = holds.filter_map(|held| tape.block_at(held.addr));
        reach.extend(holders.filter(|holder| !on_path.contains(holder)));
    }
    (0..before).rev().find_map(|at| {
        let moment = flow.moment(at);
        let still = |word: &Held| flow.left(at, word.addr).is_some_and(|left| left.to == word.to);
        let pointed = |held: &&Held| {
            !links.contains(&held.addr) && held.to.is_some_and(|to| reach.contains(&to.0))
        };
        let word = tape.found(moment).iter().filter(|_| tape.writes(moment)).find(pointed)?;
        (!still(word)).then_some(Cut { at, word: *word })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::tape::tests::{Made, made};
    use mapcheck_machine::{Access, Block, Order};

    /// A read of the block that begins there, which had been freed.
    fn bad_read(made: &Made, addr: usize, at: Stamp) -> Found {
        let block = made.block(addr);
        let access = Access { kind: Kind::Read, addr, size: 8, order: Order::Relaxed };
        let block =
            Block { addr, size: 64, free: block.free, alloc: block.alloc, ..Block::default() };
        Found { fact: Fact::BadAccess { access, block: Some(block) }, at, stack: Stack::default() }
    }

    /// Root allocates a map (100) and a node (200) and links it; 1 loads it, 2 unlinks, looks, frees; 1 uses it.
    fn reader_and_remover(announces: bool) -> Made {
        let mut made = made();
        made.alloc(0, 100).alloc(0, 200).store(0, 100, 200).load(1, 100, 200);
        if announces {
            made.store(1, 900, 7);
        }
        made.swap(2, 100, 200, 0).load(2, 900, if announces { 7 } else { 0 });
        made.retire(2, 200).free(2, 200);
        made
    }

    #[test]
    fn who_loaded_unlinked_retired_and_freed_a_block_is_read_off_the_tape() {
        let made = reader_and_remover(true);
        let flow = Flow::new(&made.tape);
        let found = bad_read(&made, 200, made.now(1));
        let plot = plot(&flow, &found, &Stack::default());
        let by = |at: At| (flow.moment(at).touch.thread, flow.moment(at).touch.step);
        assert_eq!(plot.path.len(), 1);
        assert_eq!((by(plot.path[0].load), plot.path[0].store.map(by)), ((1, 4), Some((0, 3))));
        assert_eq!(plot.end.unlinked.as_ref().map(|cut| by(cut.at)), Some((2, 6)));
        assert_eq!(plot.end.retired, [Retirement::Said(0)]);
        assert_eq!(plot.end.freed.map(|freed| freed.thread), Some(2));
        let looks = &plot.end.looks;
        assert_eq!((looks.len(), looks[0].word.value, looks[0].later), (1, 7, None));
        assert_eq!(looks[0].writer.map(by), Some((1, 5)));
    }

    #[test]
    fn a_guard_that_is_announced_after_the_look_came_too_late() {
        let mut made = reader_and_remover(false);
        made.store(1, 900, 7);
        let flow = Flow::new(&made.tape);
        let plot = plot(&flow, &bad_read(&made, 200, made.now(1)), &Stack::default());
        let look = &plot.end.looks[0];
        assert_eq!((look.word.value, look.writer), (0, None));
        assert_eq!(look.later.map(|at| flow.moment(at).touch.thread), Some(1));
    }

    #[test]
    fn a_block_that_is_still_linked_when_it_is_freed_has_lost_its_other_pointers() {
        let mut made = made();
        made.alloc(0, 100).alloc(0, 200).alloc(0, 300);
        // A list of the collector's, 300, has it too, until that is given up.
        made.store(0, 100, 200).store(0, 300, 200).store(0, 900, 300).store(1, 900, 0);
        made.free(1, 200).load(2, 100, 200);
        let flow = Flow::new(&made.tape);
        let plot = plot(&flow, &bad_read(&made, 200, made.now(2)), &Stack::default());
        assert_eq!(plot.end.unlinked, None);
        let lost = plot.end.lost.expect("the list was given up");
        assert_eq!((flow.moment(lost.at).touch.thread, lost.word.addr), (1, 900));
    }

    #[test]
    fn a_null_pointer_leads_to_whoever_stored_it_over_a_pointer() {
        let mut made = made();
        made.alloc(0, 100).alloc(0, 200).store(0, 100, 200).store(2, 100, 0);
        made.load(1, 100, 0).load(1, 108, 0);
        let flow = Flow::new(&made.tape);
        let at = made.now(1);
        let fact = Fact::Signal { signal: 11, addr: 8 };
        let plot = plot(&flow, &Found { fact, at, stack: Stack::default() }, &Stack::default());
        let (_, word) = plot.nothing.expect("it found null");
        // Not the word that was null from the start, though that was read later.
        assert_eq!(word.addr, 100);
        let cut = plot.end.unlinked.expect("somebody stored it");
        assert_eq!(flow.moment(cut.at).touch.thread, 2);
    }

    #[test]
    fn what_another_thread_changed_between_two_reads_is_a_clash() {
        let mut made = made();
        made.alloc(0, 100).alloc(0, 200).alloc(0, 300).store(0, 100, 200).load(1, 100, 200);
        made.store(2, 100, 300).load(1, 100, 300);
        let flow = Flow::new(&made.tape);
        let user = User { at: made.now(1), before: made.tape.moments.len() };
        let clash = clash(&flow, user).expect("the word changed");
        assert_eq!((clash.read, clash.changed, clash.again), (1, 2, 3));
        let alone = User { at: made.now(2), before: made.tape.moments.len() };
        assert_eq!(super::clash(&flow, alone), None);
    }
}
