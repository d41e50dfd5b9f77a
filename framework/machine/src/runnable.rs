//! The set of threads that can take a step: asked for at every switch, so a bit a thread.

use crate::api::{ThreadId, ThreadView};

const BITS: usize = u64::BITS as usize;
/// Decisions have room for the numbers of so many threads.
const MOST: usize = 1 << 10;

/// The threads of an execution that can take a step.
///
/// ```
/// use mapcheck_machine::{Runnable, ThreadView};
/// let waits = ThreadView { runnable: false, ..ThreadView::NEW };
/// let runnable = Runnable::of(&[ThreadView::NEW, waits, ThreadView::NEW]);
/// assert_eq!(runnable.count(), 2);
/// assert_eq!(runnable.nth(1, None), Some(2));
/// assert_eq!(runnable.nth(0, Some(0)), Some(2));
/// assert_eq!(runnable.next_from(1), Some(2));
/// assert!(!runnable.contains(1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runnable {
    words: [u64; MOST / BITS],
    /// Words that have been used.
    used: usize,
    count: usize,
}

impl Runnable {
    pub(crate) const NONE: Runnable = Runnable { words: [0; MOST / BITS], used: 0, count: 0 };

    /// Those of these threads that can take a step.
    ///
    /// # Panics
    /// When there are more than 1024 threads.
    pub fn of(threads: &[ThreadView]) -> Runnable {
        let mut set = Runnable::NONE;
        threads.iter().enumerate().for_each(|(thread, view)| set.set(thread, view.runnable));
        set
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether a thread is one of them.
    pub fn contains(&self, thread: ThreadId) -> bool {
        let thread = thread as usize;
        self.words.get(thread / BITS).is_some_and(|word| word >> (thread % BITS) & 1 == 1)
    }

    /// The `n`th of them, from 0 on, in the order of their numbers, not counting `left`.
    pub fn nth(&self, n: usize, left: Option<ThreadId>) -> Option<ThreadId> {
        let mut n = n;
        for (i, &word) in self.words[..self.used].iter().enumerate() {
            let mut rest = match left {
                Some(t) if t as usize / BITS == i => word & !(1 << (t as usize % BITS)),
                _ => word,
            };
            let here = rest.count_ones() as usize;
            if n < here {
                (0..n).for_each(|_| rest &= rest - 1);
                return Some((i * BITS) as ThreadId + rest.trailing_zeros());
            }
            n -= here;
        }
        None
    }

    /// The first of them whose number is not below this.
    pub fn next_from(&self, thread: ThreadId) -> Option<ThreadId> {
        let (first, bit) = (thread as usize / BITS, thread as usize % BITS);
        let words = self.words[..self.used].get(first..)?;
        let mut mask = u64::MAX << bit;
        for (i, word) in words.iter().enumerate() {
            let rest = word & mask;
            if rest != 0 {
                return Some(((first + i) * BITS) as ThreadId + rest.trailing_zeros());
            }
            mask = u64::MAX;
        }
        None
    }

    /// There are none.
    pub(crate) fn clear(&mut self) {
        *self = Runnable::NONE;
    }

    /// Makes a thread one of them, or not.
    ///
    /// # Panics
    /// When its number is above 1023.
    pub(crate) fn set(&mut self, thread: usize, runnable: bool) {
        assert!(thread < MOST, "an execution has at most {MOST} threads");
        self.used = self.used.max(thread / BITS + 1);
        let (word, bit) = (&mut self.words[thread / BITS], 1 << (thread % BITS));
        self.count -= usize::from(*word & bit != 0);
        self.count += usize::from(runnable);
        *word = if runnable { *word | bit } else { *word & !bit };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_threads_is_what_a_list_of_them_would_be() {
        let runs = |t: usize| t % 3 != 1 && t != 64 && t != 66;
        let mut set = Runnable::NONE;
        (0..150).for_each(|t| set.set(t, true));
        (0..150).for_each(|t| set.set(t, runs(t)));
        let list: Vec<ThreadId> = (0..150).filter(|&t| runs(t)).map(|t| t as ThreadId).collect();
        assert_eq!(set.count(), list.len());
        for left in [None, Some(0), Some(2), Some(65), Some(149)] {
            let kept: Vec<_> = list.iter().copied().filter(|t| Some(*t) != left).collect();
            let found: Vec<_> = (0..200).map_while(|n| set.nth(n, left)).collect();
            assert_eq!(found, kept);
        }
        for from in 0..200 {
            assert_eq!(set.next_from(from), list.iter().copied().find(|t| *t >= from));
            assert_eq!(set.contains(from), list.contains(&from));
        }
    }
}
