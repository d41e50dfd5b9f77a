//! Go's runtime, as far as maps meet it: an allocator whose blocks a concurrent collector frees,
//! stacks, write barriers.
//!
//! A map roots what it holds in a [`Frame`] and changes pointers through the [write
//! barrier](Runtime::write_pointer). What Go's compiler guarantees by stopping goroutines at safe
//! points only, this runtime guarantees by *steps*: nothing of the collector comes into one. A
//! [rooted load](Frame::load), an [allocation](Frame::allocate), a [store](Runtime::write_pointer)
//! with its barrier and a [copy](Runtime::copy) are a step each. So is each bit of work of the
//! collector. Words that hold no pointers need no step: go straight to the [heap](Runtime::heap).
//!
//! Between steps a local variable is no root, as a register that the compiler holds dead is none.
//! Two such gaps are closed, for code that is written as Go's: what was just
//! [allocated](Runtime::allocate) stays until the goroutine's next step, and a [bulk
//! barrier](Runtime::bulk_barrier) covers the stores after it until the frame is left.

mod barrier;
mod collector;
mod stack;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use mapcheck::Value;
use mapcheck::model::{Engine, Heap, Layout, Lock, Ptr};

use self::collector::Marking;
use self::stack::Goroutine;

pub use self::collector::{Cycle, F28};
pub use self::stack::Frame;

/// The runtime of a Go program.
pub struct Runtime<E: Engine> {
    heap: Heap<E>,
    /// Held for a step. It is the engine's, so that engines which explore the order of locks see
    /// what steps depend on.
    world: E::Lock,
    /// Locked within steps, never over an access to the heap.
    state: Mutex<State>,
}

/// What the runtime knows, in memory that is not the program's.
#[derive(Default)]
struct State {
    phase: Phase,
    /// Collections begun.
    cycles: u64,
    /// Whether a thread is collecting.
    collecting: bool,
    marking: Marking,
    /// Blocks that marking did not reach.
    unswept: Vec<Ptr>,
    globals: Vec<Ptr>,
    goroutines: BTreeMap<u64, Goroutine>,
    /// Frames made.
    frames: u64,
    /// The thread that looks.
    thread: u64,
}

/// What the collector is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Off,
    /// Finding what is reachable. Write barriers are on.
    Mark,
    /// Freeing what is not.
    Sweep,
}

impl<E: Engine> Default for Runtime<E> {
    fn default() -> Runtime<E> {
        Runtime::new()
    }
}

impl<E: Engine> Runtime<E> {
    /// A program with an empty heap.
    pub fn new() -> Runtime<E> {
        Runtime { heap: Heap::new(), world: E::Lock::new(), state: Mutex::default() }
    }

    /// Its heap.
    pub fn heap(&self) -> &Heap<E> {
        &self.heap
    }

    /// A new block, all zero. Until it is in a frame or in memory, it is safe only up to the
    /// goroutine's next step; see [`Frame::allocate`].
    pub fn allocate(&self, layout: Layout) -> Ptr {
        self.world.with(|| self.adopt(self.heap.allocate(layout)))
    }

    /// A new block for a value: its id and the complement of it. See [`Runtime::allocate`] and
    /// [`Frame::allocate_value`].
    pub fn allocate_value(&self, value: Value) -> Ptr {
        self.world.with(|| self.adopt(self.heap.allocate_value(value)))
    }

    /// Within a step: makes a new block known to the collector.
    fn adopt(&self, block: Ptr) -> Ptr {
        self.state(|state| {
            if state.phase == Phase::Mark {
                state.marking.blacken(block);
            }
            state.running().fresh = block;
        });
        block
    }

    /// Makes a block a root of its own. A block that is a root twice has to be removed twice.
    pub fn add_global(&self, root: Ptr) {
        self.step(|state| {
            if state.phase == Phase::Mark {
                self.shade(state, root);
            }
            state.globals.push(root.base());
        });
    }

    /// Takes back [`Runtime::add_global`].
    pub fn remove_global(&self, root: Ptr) {
        self.step(|state| {
            if let Some(place) = state.globals.iter().position(|global| *global == root.base()) {
                state.globals.swap_remove(place);
            }
        });
    }

    /// A step that touches no memory of the program.
    fn step<R>(&self, look: impl FnOnce(&mut State) -> R) -> R {
        self.world.with(|| self.state(look))
    }

    /// Looks at what the runtime knows, which is nothing that the program does.
    fn state<R>(&self, look: impl FnOnce(&mut State) -> R) -> R {
        let thread = E::thread();
        E::quietly(|| {
            // A panic that poisoned it has been reported.
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.thread = thread;
            look(&mut state)
        })
    }
}

impl State {
    /// The goroutine that runs. One that begins while marking is under way has nothing on its
    /// stack: it begins black.
    fn running(&mut self) -> &mut Goroutine {
        let black = self.phase == Phase::Mark;
        self.goroutines
            .entry(self.thread)
            .or_insert_with(|| Goroutine { black, ..Goroutine::default() })
    }
}
