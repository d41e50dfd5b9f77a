//! Write barriers: what a goroutine does for the collector when it changes a pointer.

use std::sync::atomic::Ordering::{Acquire, Release};

use mapcheck::model::{Engine, Lock, Ptr, note};
use tracing::debug;

use super::{Phase, Runtime};

/// The target of what it tells.
const TOLD: &str = "go::barrier";

impl<E: Engine> Runtime<E> {
    /// Stores a pointer, with Go's barrier: while marking, it shades what is overwritten, and what
    /// is stored if the stack of the goroutine has not been scanned yet.
    ///
    /// The first half keeps alive what a scanned stack may have loaded from here; the second what
    /// an unscanned stack may forget before it is scanned.
    #[track_caller]
    pub fn write_pointer(&self, at: Ptr, new: Ptr) {
        self.world.with(|| {
            if self.state(|state| state.phase) == Phase::Mark {
                let old = Ptr::from_word(self.heap.load(at, Acquire));
                note::<E>(|| debug!(target: TOLD, "shades {old:?}, which is overwritten at {at:?}"));
                self.state(|state| {
                    self.shade(state, old);
                    if !state.running().black {
                        note::<E>(|| debug!(target: TOLD, "shades {new:?}, which an unscanned stack stores"));
                        self.shade(state, new);
                    }
                });
            }
            self.store(at, new);
        });
    }

    /// Stores a pointer where Go needs no barrier, or where a mutant forgets it.
    #[track_caller]
    pub fn write_pointer_without_barrier(&self, at: Ptr, new: Ptr) {
        self.world.with(|| {
            note::<E>(|| self.tell_of_no_barrier(at));
            self.store(at, new);
        });
    }

    /// Announces that pointers will be copied from `from` to `to`, or cleared at `to` where `from`
    /// is nothing: while marking, shades all that is overwritten and all that is stored. Makes no
    /// store; [`Runtime::copy`] and [`Runtime::clear`] make them too.
    ///
    /// Should marking begin before the stores have come, it is done again then.
    pub fn bulk_barrier(&self, to: Ptr, from: Option<Ptr>, words: usize) {
        self.world.with(|| {
            self.shade_bulk(to, from, words);
            self.state(|state| state.running().announce(to, from, words));
        });
    }

    /// Copies pointers, with the bulk barrier.
    pub fn copy(&self, to: Ptr, from: Ptr, words: usize) {
        self.world.with(|| {
            self.shade_bulk(to, Some(from), words);
            for i in 0..words {
                let word = self.heap.load(from.at(i), Acquire);
                self.heap.store(to.at(i), word, Release);
            }
        });
    }

    /// Clears pointers, with the bulk barrier.
    pub fn clear(&self, to: Ptr, words: usize) {
        self.world.with(|| {
            self.shade_bulk(to, None, words);
            (0..words).for_each(|i| self.heap.store(to.at(i), 0, Release));
        });
    }

    /// Tells what is overwritten and not shaded.
    fn tell_of_no_barrier(&self, at: Ptr) {
        if self.state(|state| state.phase) == Phase::Mark {
            let old = Ptr::from_word(self.heap.peek(at).unwrap_or_default());
            debug!(target: TOLD, "no barrier: {old:?} is overwritten at {at:?} and not shaded");
        }
    }

    /// Within a step.
    fn shade_bulk(&self, to: Ptr, from: Option<Ptr>, words: usize) {
        if self.state(|state| state.phase) != Phase::Mark {
            return;
        }
        for at in (0..words).flat_map(|i| [Some(to.at(i)), from.map(|from| from.at(i))]).flatten() {
            let ptr = Ptr::from_word(self.heap.load(at, Acquire));
            self.state(|state| self.shade(state, ptr));
        }
    }

    /// Within a step.
    #[track_caller]
    fn store(&self, at: Ptr, new: Ptr) {
        self.heap.store(at, new.to_word(), Release);
        self.state(|state| state.running().fresh = Ptr::NULL);
    }
}
