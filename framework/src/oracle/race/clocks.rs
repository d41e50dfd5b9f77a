//! Vector clocks, and epochs: single clocks of single threads.

pub(super) type Clock = u32;

/// Threads and clocks of a thread that can be told apart; an execution that has more is judged no further.
pub(super) const THREADS: usize = 1 << 8;
pub(super) const CLOCKS: Clock = (1 << 24) - 1;
/// Threads whose clocks are at hand; few executions have more.
const FEW: usize = 8;

/// A clock of a thread: `thread << 24 | clock`.
pub(super) type Epoch = u32;

/// Comes before all.
pub(super) const NOBODY: Epoch = 0;
/// Comes before nothing.
pub(super) const SEVERAL: Epoch = Epoch::MAX;

pub(super) fn epoch(thread: usize, clock: Clock) -> Epoch {
    (thread as u32) << 24 | clock
}

pub(super) fn thread_of(epoch: Epoch) -> usize {
    (epoch >> 24) as usize
}

/// What each thread had done when something happened: a clock a thread, 0 where there is none.
#[derive(Clone, Debug, Default)]
pub(super) struct Clocks {
    few: [Clock; FEW],
    /// Those of the other threads.
    more: Vec<Clock>,
}

impl Clocks {
    #[inline]
    pub(super) fn of(&self, thread: usize) -> Clock {
        match self.few.get(thread) {
            Some(clock) => *clock,
            None => self.more.get(thread - FEW).copied().unwrap_or(0),
        }
    }

    pub(super) fn set(&mut self, thread: usize, clock: Clock) {
        if let Some(own) = self.few.get_mut(thread) {
            *own = clock;
            return;
        }
        let index = thread - FEW;
        self.make_room(index + 1);
        self.more[index] = clock;
    }

    #[inline]
    pub(super) fn join(&mut self, other: &Clocks) {
        for (mine, other) in self.few.iter_mut().zip(other.few) {
            *mine = (*mine).max(other);
        }
        if !other.more.is_empty() {
            self.make_room(other.more.len());
            for (mine, other) in self.more.iter_mut().zip(&other.more) {
                *mine = (*mine).max(*other);
            }
        }
    }

    #[cold]
    fn make_room(&mut self, threads: usize) {
        self.more.resize(self.more.len().max(threads), 0);
    }

    #[inline]
    pub(super) fn copy(&mut self, other: &Clocks) {
        self.few = other.few;
        if !self.more.is_empty() || !other.more.is_empty() {
            self.more.clone_from(&other.more);
        }
    }

    pub(super) fn clear(&mut self) {
        self.few = [0; FEW];
        self.more.clear();
    }

    /// Whether what happened in this epoch comes before.
    #[inline]
    pub(super) fn cover(&self, epoch: Epoch) -> bool {
        epoch & CLOCKS <= self.of(thread_of(epoch))
    }
}
