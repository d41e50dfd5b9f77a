//! Pointers into modelled memory, and what a block is made of.

use std::fmt;

/// What a block is made of: words, in this order, all zero at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Words that only one thread at a time is to change. An engine need not explore who reads them when.
    pub cells: usize,
    /// Words that threads share, with memory orders.
    pub atomics: usize,
    /// Words that threads share and that hold a [`Ptr`]: what a garbage collector follows.
    pub pointers: usize,
}

impl Layout {
    /// Words in all.
    pub fn words(self) -> usize {
        self.cells + self.atomics + self.pointers
    }

    /// `n` times this layout. The kinds are kept together: all cells, then all atomics, then all pointers.
    #[must_use]
    pub fn times(self, n: usize) -> Layout {
        Layout { cells: self.cells * n, atomics: self.atomics * n, pointers: self.pointers * n }
    }

    /// Whether the word with this offset is shared by threads.
    pub fn is_shared(self, offset: usize) -> bool {
        offset >= self.cells
    }

    /// The offsets of the words that hold pointers.
    pub fn pointers(self) -> std::ops::Range<usize> {
        self.cells + self.atomics..self.words()
    }
}

/// The address of a word of modelled memory: a block, and an offset in words. Fits a word, see [`Ptr::to_word`].
///
/// Its upper four bits are always zero, so that a model may keep a tag there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Ptr(u64);

/// Bits of the offset.
const OFFSET: u32 = 24;
/// Bits of a pointer.
const BITS: u32 = 60;

impl Ptr {
    /// Points nowhere; an access through it is a crash.
    pub const NULL: Ptr = Ptr(0);

    pub(super) fn of_block(index: usize) -> Ptr {
        Ptr((index as u64 + 1) << OFFSET)
    }

    /// Index of the block; `None` for pointers next to null.
    pub(super) fn block(self) -> Option<usize> {
        (self.0 >> OFFSET).checked_sub(1).map(|index| index as usize)
    }

    /// Words from the start of the block.
    pub fn offset(self) -> usize {
        (self.0 & ((1 << OFFSET) - 1)) as usize
    }

    /// The start of the block that it points into.
    #[must_use]
    pub fn base(self) -> Ptr {
        Ptr(self.0 >> OFFSET << OFFSET)
    }

    /// The word so many words on.
    #[must_use]
    pub fn at(self, words: usize) -> Ptr {
        Ptr(self.0 + words as u64)
    }

    /// Whether it is [`Ptr::NULL`].
    pub fn is_null(self) -> bool {
        self.0 == 0
    }

    /// What stands for it in modelled memory.
    pub fn to_word(self) -> u64 {
        self.0
    }

    /// The pointer that a word stands for. The upper four bits are ignored.
    pub fn from_word(word: u64) -> Ptr {
        Ptr(word & ((1 << BITS) - 1))
    }
}

impl fmt::Debug for Ptr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.block() {
            None => write!(f, "null+{}", self.0),
            Some(block) => write!(f, "block {block}+{}", self.offset()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_survives_a_word_with_a_tag() {
        let ptr = Ptr::of_block(77).at(5);
        assert_eq!(Ptr::from_word(ptr.to_word() | 0xf << 60), ptr);
        assert_eq!((ptr.block(), ptr.offset(), ptr.base()), (Some(77), 5, Ptr::of_block(77)));
        assert!(Ptr::from_word(0).is_null() && Ptr::NULL.at(3).block().is_none());
    }

    #[test]
    fn a_layout_keeps_its_kinds_together() {
        let layout = Layout { cells: 2, atomics: 1, pointers: 3 }.times(2);
        assert_eq!((layout.words(), layout.pointers()), (12, 6..12));
        assert!(!layout.is_shared(3) && layout.is_shared(4));
    }
}
