//! The collector: it marks what is reachable beside the running program, then frees the rest.
//!
//! A block is white until it is *shaded*: then it is grey until its pointers have been followed,
//! and black after. The stack of a goroutine is scanned once: it is grey before and black after,
//! and never scanned again. What a black stack loads later is safe because whoever overwrites the
//! place it was loaded from has to shade it: the write barrier. Where Go gathers shaded pointers in
//! a buffer for each processor, they count as grey at once here, so that marking ends when no stack
//! and no block is grey.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::Ordering::Acquire;

use mapcheck::model::{Engine, Lock, Ptr, note};
use mapcheck::mutant::Mutant;
use mapcheck::oracle::Class;
use tracing::{debug, trace};

use super::{Phase, Runtime, State};

/// Roots of the stack that are out of date.
pub static F28: Mutant = Mutant {
    id: "F28",
    name: "iterator-root-inaccurate",
    what: "every second collection takes what an abandoned frame held for roots",
    classes: &[Class::PrematureReclamation],
    exposure: "abandon a range, remove an element, collect, collect",
};

/// The target of what it tells.
const TOLD: &str = "go::collector";

/// Which blocks are not white.
#[derive(Default)]
pub(super) struct Marking {
    /// The grey and the black ones.
    reached: BTreeSet<Ptr>,
    grey: Vec<Ptr>,
    /// The grey block that is being scanned, and the words of it that are left.
    scanned: Option<(Ptr, Range<usize>)>,
}

impl Marking {
    /// For a new block, which holds no pointers yet.
    pub fn blacken(&mut self, block: Ptr) {
        self.reached.insert(block);
    }

    #[cfg(test)]
    pub fn reached(&self) -> &BTreeSet<Ptr> {
        &self.reached
    }

    /// A pointer word to follow, if a block is grey. `choice` picks the block where one has to be
    /// begun.
    fn next_word<E: Engine>(&mut self, runtime: &Runtime<E>, choice: usize) -> Option<Ptr> {
        loop {
            if let Some((block, words)) = &mut self.scanned
                && let Some(word) = words.next()
            {
                return Some(block.at(word));
            }
            if self.grey.is_empty() {
                self.scanned = None;
                return None;
            }
            let block = self.grey.swap_remove(choice % self.grey.len());
            let layout = runtime.heap.layout(block).unwrap_or_default();
            self.scanned = Some((block, layout.pointers()));
        }
    }
}

/// A collection under way. Dropped before its end, it is gone on with by the next one.
pub struct Cycle<'a, E: Engine> {
    runtime: &'a Runtime<E>,
    /// Whether it is this thread that collects, and the collection is not over.
    own: bool,
}

impl<E: Engine> Runtime<E> {
    /// A whole collection on the calling thread, beside the program; none if another thread is
    /// collecting.
    pub fn collect(&self) {
        let mut cycle = self.begin_cycle();
        while cycle.step() {}
    }

    /// A collection, to be made step by step. It has no steps if another thread is collecting.
    pub fn begin_cycle(&self) -> Cycle<'_, E> {
        let own = self.step(|state| !std::mem::replace(&mut state.collecting, true));
        Cycle { runtime: self, own }
    }

    /// Within a step: makes a block grey, if it is white.
    pub(super) fn shade(&self, state: &mut State, ptr: Ptr) {
        let block = ptr.base();
        if block.is_null() || !state.marking.reached.insert(block) {
            return;
        }
        if !self.heap.is_live(block) {
            let message = format!("the collector found a pointer to {ptr:?}, which had been freed");
            self.heap.fail(Class::PrematureReclamation, &message, ptr);
        }
        note::<E>(|| trace!(target: TOLD, "{block:?} is reached"));
        state.marking.grey.push(block);
    }

    fn begin_marking(&self, state: &mut State) {
        state.phase = Phase::Mark;
        state.cycles += 1;
        state.marking = Marking::default();
        note::<E>(
            || debug!(target: TOLD, "collection {} begins to mark: write barriers are on", state.cycles),
        );
        state.goroutines.values_mut().for_each(|goroutine| goroutine.black = false);
        for global in state.globals.clone() {
            self.shade(state, global);
        }
        self.repeat_barriers(state);
    }

    /// Stores that were announced while barriers were off come while they are on.
    fn repeat_barriers(&self, state: &mut State) {
        let announced: Vec<_> =
            state.goroutines.values().flat_map(|goroutine| goroutine.bulk.clone()).collect();
        for bulk in announced {
            for place in [Some(bulk.to), bulk.from].into_iter().flatten() {
                for word in (0..bulk.words).filter_map(|i| self.heap.peek(place.at(i))) {
                    self.shade(state, Ptr::from_word(word));
                }
            }
        }
    }

    /// Scans a stack or follows a pointer, in an order that `choice` picks; if there is neither,
    /// marking is over.
    fn mark(&self, choice: u64) {
        let word = self.state(|state| {
            let stack = state.goroutines.iter().find(|(_, g)| !g.black).map(|(number, _)| *number);
            if stack.is_none() || choice & 1 == 1 {
                let word = state.marking.next_word(self, (choice >> 1) as usize);
                if word.is_some() {
                    return word;
                }
            }
            match stack {
                Some(goroutine) => self.scan_stack(state, goroutine),
                None => self.end_marking(state),
            }
            None
        });
        if let Some(at) = word {
            let ptr = Ptr::from_word(self.heap.load(at, Acquire));
            self.state(|state| self.shade(state, ptr));
        }
    }

    fn scan_stack(&self, state: &mut State, goroutine: u64) {
        let Some(scanned) = state.goroutines.get_mut(&goroutine) else { return };
        scanned.black = true;
        let mut roots: Vec<Ptr> = scanned.roots().collect();
        if F28.on() && state.cycles.is_multiple_of(2) {
            roots.extend(&scanned.left);
        }
        note::<E>(
            || debug!(target: TOLD, "scans the stack of goroutine {goroutine}: it holds {roots:?}"),
        );
        roots.into_iter().for_each(|root| self.shade(state, root));
    }

    /// No stack and no block is grey, so no goroutine can ever reach a white block again.
    fn end_marking(&self, state: &mut State) {
        state.phase = Phase::Sweep;
        let white =
            |block: &Ptr| self.heap.is_live(*block) && !state.marking.reached.contains(block);
        state.unswept = self.heap.blocks().filter(white).collect();
        note::<E>(|| {
            let (reached, white) = (state.marking.reached.len(), &state.unswept);
            debug!(target: TOLD, "has marked: {reached} blocks are reached, and not {white:?}");
        });
    }

    /// Frees a white block; if there is none, the collection is over.
    fn sweep(&self) {
        let white = self.state(|state| {
            let white = state.unswept.pop();
            if white.is_none() {
                state.phase = Phase::Off;
            }
            white
        });
        if let Some(block) = white {
            note::<E>(|| debug!(target: TOLD, "frees {block:?}: marking has not reached it"));
            self.heap.free(block);
        }
    }
}

impl<E: Engine> Cycle<'_, E> {
    /// A bit of work: one stack, one pointer, one free, or the change to the next phase. Whether
    /// there is more to do.
    pub fn step(&mut self) -> bool {
        self.step_choosing(E::random())
    }

    /// As [`Cycle::step`], but `choice` picks what is marked next: if it is even, the stacks come
    /// before the heap, and half of it picks the grey block. Outside executions `step` chooses 0.
    pub fn step_choosing(&mut self, choice: u64) -> bool {
        if !self.own {
            return false;
        }
        E::point();
        self.runtime.world.with(|| {
            match self.runtime.state(|state| state.phase) {
                Phase::Off => self.runtime.state(|state| self.runtime.begin_marking(state)),
                Phase::Mark => self.runtime.mark(choice),
                Phase::Sweep => self.runtime.sweep(),
            }
            self.own = self.runtime.state(|state| {
                state.collecting = state.phase != Phase::Off;
                state.collecting
            });
            self.own
        })
    }
}

impl<E: Engine> Drop for Cycle<'_, E> {
    fn drop(&mut self) {
        if self.own && !std::thread::panicking() {
            self.runtime.step(|state| state.collecting = false);
        }
    }
}
