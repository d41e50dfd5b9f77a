//! Lists whose elements are used again.

use std::ops::{Index, IndexMut};

/// Elements that have memory of their own, which those of the next execution use again.
#[derive(Debug)]
pub(crate) struct Reused<T> {
    /// The first `used` of them count, the others wait.
    all: Vec<T>,
    used: usize,
}

impl<T> Default for Reused<T> {
    fn default() -> Reused<T> {
        Reused { all: Vec::new(), used: 0 }
    }
}

impl<T> Reused<T> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// All of them wait to be used again.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        &self.all[..self.used]
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.all[..self.used]
    }
}

impl<T: Default> Reused<T> {
    /// One more, the last. It may be one that was used before: the caller makes it what it is to be.
    pub(crate) fn add(&mut self) -> &mut T {
        if self.used == self.all.len() {
            self.all.push(T::default());
        }
        self.used += 1;
        &mut self.all[self.used - 1]
    }
}

impl<T> Index<usize> for Reused<T> {
    type Output = T;

    #[inline]
    fn index(&self, at: usize) -> &T {
        &self.all[at]
    }
}

impl<T> IndexMut<usize> for Reused<T> {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.all[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cleared_is_used_again_with_its_memory() {
        let mut lists = Reused::<Vec<u32>>::default();
        lists.add().push(1);
        lists.add().push(2);
        assert_eq!((lists.len(), &lists[1]), (2, &vec![2]));
        lists.clear();
        assert!(lists.as_slice().is_empty());
        let again = lists.add();
        assert_eq!(*again, [1]);
        again.clear();
        lists.as_mut_slice()[0].push(3);
        assert_eq!(lists.as_slice(), [[3]]);
    }
}
