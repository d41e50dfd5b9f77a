//! The stacks of goroutines: roots of the collector.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Acquire;

use mapcheck::Value;
use mapcheck::model::{Engine, Layout, Lock, Ptr};

use super::{Runtime, State};

/// A goroutine, as the runtime sees it.
#[derive(Default)]
pub(super) struct Goroutine {
    /// Whether the collection under way has scanned its stack.
    pub black: bool,
    /// Its last allocation, if it has made no other step since: in a register.
    pub fresh: Ptr,
    /// The words of its frames, by their number.
    pub frames: BTreeMap<u64, Vec<Ptr>>,
    /// What the frame that it left last held. Stack memory keeps its contents, but they are no
    /// roots.
    pub left: Vec<Ptr>,
    /// Bulk barriers whose stores may still come.
    pub bulk: Vec<Bulk>,
}

/// Words that a goroutine has announced to overwrite.
#[derive(Clone, Copy)]
pub(super) struct Bulk {
    pub to: Ptr,
    pub from: Option<Ptr>,
    pub words: usize,
    /// The newest frame at that time.
    frame: Option<u64>,
}

impl Goroutine {
    /// All that its stack and its registers point to.
    pub fn roots(&self) -> impl Iterator<Item = Ptr> {
        self.frames.values().flatten().copied().chain([self.fresh])
    }

    /// Notes a bulk barrier.
    pub fn announce(&mut self, to: Ptr, from: Option<Ptr>, words: usize) {
        let frame = self.frames.keys().next_back().copied();
        self.bulk.push(Bulk { to, from, words, frame });
    }

    /// The stores that a bulk barrier announced lie in the frames that were open then: they have
    /// come.
    fn leave(&mut self, frame: u64) {
        let left = self.frames.remove(&frame).unwrap_or_default();
        if !left.is_empty() {
            self.left = left;
        }
        self.fresh = Ptr::NULL;
        self.bulk.retain(|bulk| bulk.frame.is_some_and(|newest| newest < frame));
    }
}

/// A frame on the stack of the goroutine that made it: what it holds is a root until it is dropped.
pub struct Frame<'a, E: Engine> {
    runtime: &'a Runtime<E>,
    goroutine: u64,
    number: u64,
}

impl<E: Engine> Runtime<E> {
    /// An empty frame on the stack of the goroutine that runs.
    pub fn frame(&self) -> Frame<'_, E> {
        self.step(|state| {
            state.frames += 1;
            let number = state.frames;
            state.running().frames.insert(number, Vec::new());
            Frame { runtime: self, goroutine: state.thread, number }
        })
    }
}

impl<'a, E: Engine> Frame<'a, E> {
    /// The runtime it belongs to.
    pub fn runtime(&self) -> &'a Runtime<E> {
        self.runtime
    }

    /// Keeps a pointer, in a new slot.
    pub fn keep(&self, ptr: Ptr) -> usize {
        self.runtime.world.with(|| self.push(ptr))
    }

    /// Loads a pointer and keeps it, in one step: the new slot, and the pointer.
    #[track_caller]
    pub fn load(&self, at: Ptr) -> (usize, Ptr) {
        self.runtime.world.with(|| {
            let ptr = Ptr::from_word(self.runtime.heap.load(at, Acquire));
            (self.push(ptr), ptr)
        })
    }

    /// A new block, all zero, that is kept.
    pub fn allocate(&self, layout: Layout) -> Ptr {
        self.runtime.world.with(|| {
            let block = self.runtime.adopt(self.runtime.heap.allocate(layout));
            self.push(block);
            block
        })
    }

    /// A new block for a value, that is kept.
    pub fn allocate_value(&self, value: Value) -> Ptr {
        self.runtime.world.with(|| {
            let block = self.runtime.adopt(self.runtime.heap.allocate_value(value));
            self.push(block);
            block
        })
    }

    /// Replaces what a slot holds.
    ///
    /// # Panics
    /// If there is no such slot.
    pub fn set(&self, slot: usize, ptr: Ptr) {
        self.runtime.world.with(|| self.put(slot, ptr));
    }

    /// Loads a pointer into a slot that there is, in one step.
    ///
    /// # Panics
    /// If there is no such slot.
    pub fn reload(&self, slot: usize, at: Ptr) -> Ptr {
        self.runtime.world.with(|| {
            let ptr = Ptr::from_word(self.runtime.heap.load(at, Acquire));
            self.put(slot, ptr);
            ptr
        })
    }

    /// What a slot holds.
    ///
    /// # Panics
    /// If there is no such slot.
    pub fn get(&self, slot: usize) -> Ptr {
        self.runtime.state(|state| self.words(state)[slot])
    }

    fn push(&self, ptr: Ptr) -> usize {
        let slot = self.runtime.state(|state| {
            let words = self.words(state);
            words.push(Ptr::NULL);
            words.len() - 1
        });
        self.put(slot, ptr);
        slot
    }

    fn put(&self, slot: usize, ptr: Ptr) {
        self.runtime.state(|state| {
            self.words(state)[slot] = ptr;
            state.running().fresh = Ptr::NULL;
        });
    }

    fn words<'s>(&self, state: &'s mut State) -> &'s mut Vec<Ptr> {
        let goroutine = state.goroutines.entry(self.goroutine).or_default();
        goroutine.frames.entry(self.number).or_default()
    }
}

impl<E: Engine> Drop for Frame<'_, E> {
    fn drop(&mut self) {
        // An engine that unwinds has given the execution up.
        if std::thread::panicking() {
            return;
        }
        self.runtime.step(|state| {
            if let Some(goroutine) = state.goroutines.get_mut(&self.goroutine) {
                goroutine.leave(self.number);
            }
        });
    }
}
