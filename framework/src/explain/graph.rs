//! The memory around a block, at every step: which blocks there are, and which of their words point where, from when
//! until when.

use std::collections::{BTreeMap, BTreeSet};

use super::flow::Flow;
use super::plot::Plot;
use crate::worker::tape::Held;

/// Blocks that are shown at most.
const BLOCKS: usize = 32;
/// Pointers that are shown at most.
const POINTERS: usize = 1_000;

/// A word that pointed to a block for some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    /// The block that holds the word; else its address, outside the heap.
    pub holder: Result<usize, usize>,
    /// Bytes into the holder.
    pub offset: usize,
    /// The block pointed to, and bytes into it.
    pub to: (usize, usize),
    pub since: u64,
    /// The step at which it pointed there no longer.
    pub until: Option<u64>,
    pub by: u32,
}

/// What is shown of the memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Graph {
    pub blocks: Vec<usize>,
    pub pointers: Vec<Pointer>,
}

/// The memory around the block of a plot.
pub(super) fn graph(flow: &Flow<'_>, plot: &Plot) -> Graph {
    let Some(block) = plot.block else { return Graph::default() };
    let all = pointers(flow);
    let shown = shown(flow, plot, block, &all);
    let both = |pointer: &Pointer| {
        let holder = pointer.holder.is_ok_and(|holder| shown.contains(&holder));
        let root = pointer.holder.is_err() && pointer.to.0 != block;
        (holder || root || pointer.to.0 == block) && shown.contains(&pointer.to.0)
    };
    let mut pointers: Vec<Pointer> = all.into_iter().filter(both).collect();
    pointers.truncate(POINTERS);
    Graph { blocks: shown.into_iter().collect(), pointers }
}

/// The block, those on the way to it, and, as far as there is room, those that pointed to them or to which they did.
fn shown(flow: &Flow<'_>, plot: &Plot, block: usize, all: &[Pointer]) -> BTreeSet<usize> {
    let mut shown = BTreeSet::from([block]);
    let words = plot.path.iter().map(|arrival| arrival.word.addr);
    let cuts = plot.end.unlinked.iter().chain(&plot.end.lost).map(|cut| cut.word.addr);
    let kept = plot.end.brought.iter().map(|arrival| arrival.word.addr);
    shown.extend(words.chain(cuts).chain(kept).filter_map(|addr| flow.tape.block_at(addr)));
    let holders = |of: &BTreeSet<usize>| -> Vec<usize> {
        let to = all.iter().filter(|pointer| of.contains(&pointer.to.0));
        to.filter_map(|pointer| pointer.holder.ok()).collect()
    };
    let targets = |of: &BTreeSet<usize>| -> Vec<usize> {
        let from = all.iter().filter(|pointer| pointer.holder.is_ok_and(|h| of.contains(&h)));
        from.map(|pointer| pointer.to.0).collect()
    };
    for near in [holders(&BTreeSet::from([block])), holders(&shown), targets(&shown)] {
        for other in near {
            if shown.len() < BLOCKS {
                shown.insert(other);
            }
        }
    }
    shown
}

/// Every word that pointed to a block, in the order of when it began to.
fn pointers(flow: &Flow<'_>) -> Vec<Pointer> {
    let mut all: Vec<Pointer> = Vec::new();
    // The words that point somewhere now, and where that stands.
    let mut now: BTreeMap<usize, usize> = BTreeMap::new();
    for moment in &flow.tape.moments {
        let (step, by) = (moment.touch.step, moment.touch.thread);
        let written = flow.tape.writes(moment);
        let (found, left) = (flow.tape.found(moment), flow.tape.left(moment));
        let words: &[Held] = if written { left } else { found };
        // A word that held a pointer, and is written without being kept, holds none.
        for word in found.iter().filter(|word| written && !left.iter().any(|l| l.addr == word.addr))
        {
            if let Some(at) = now.remove(&word.addr) {
                all[at].until = Some(step);
            }
        }
        for word in words {
            let known = now.get(&word.addr).map(|at| all[*at].to);
            if known == word.to {
                continue;
            }
            if let Some(at) = now.remove(&word.addr) {
                all[at].until = Some(step);
            }
            let Some(to) = word.to else { continue };
            let holder = flow.tape.block_at(word.addr).ok_or(word.addr);
            let offset = holder.map_or(0, |block| word.addr - flow.tape.blocks[block].addr);
            now.insert(word.addr, all.len());
            all.push(Pointer { holder, offset, to, since: step, until: None, by });
        }
    }
    for pointer in &mut all {
        let freed = pointer.holder.ok().and_then(|holder| flow.tape.blocks[holder].free);
        let freed = freed.map(|freed| freed.step);
        pointer.until = [pointer.until, freed].into_iter().flatten().min();
    }
    all.retain(|pointer| pointer.until.is_none_or(|until| until > pointer.since));
    all
}
