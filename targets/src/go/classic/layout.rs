//! Where the fields of the map's structures lie in modelled memory.
//!
//! Modelled blocks keep words of one kind together, so an array of buckets whose keys and elems are
//! pointers is all its tophashes and then all its pointers. A [`Bmap`] hides that: it is the
//! address of a bucket's first tophash.

use mapcheck::model::{Engine, Heap, Layout, Ptr};

/// Cells of a bucket.
pub(super) const SLOTS: usize = 8;
/// Words of a bucket beside its tophashes: keys, elems, and the overflow pointer, which comes last.
const FIELDS: usize = 2 * SLOTS + 1;

/// The fields of an `hmap`, the map's header.
pub(super) mod hmap {
    use super::Layout;

    /// Live entries.
    pub const COUNT: usize = 0;
    /// See [`super::flags`].
    pub const FLAGS: usize = 1;
    /// The logarithm of the number of buckets.
    pub const B: usize = 2;
    /// Overflow buckets, to tell when there are too many of them.
    pub const NOVERFLOW: usize = 3;
    /// The seed of the hash.
    pub const HASH0: usize = 4;
    /// How far the evacuation has come: all old buckets before this one are done.
    pub const NEVACUATE: usize = 5;
    /// The array of buckets.
    pub const BUCKETS: usize = 6;
    /// While the map grows, the array before; else nil.
    pub const OLDBUCKETS: usize = 7;
    /// What few maps need, see [`super::extra`]; nil until then.
    pub const EXTRA: usize = 8;
    pub const LAYOUT: Layout = Layout { cells: 6, atomics: 0, pointers: 3 };
}

/// The bits of `hmap.flags`.
pub(super) mod flags {
    /// There may be an iterator over `buckets`. Nothing tells when it is gone.
    pub const ITERATOR: u64 = 1;
    /// There may be an iterator over `oldbuckets`.
    pub const OLD_ITERATOR: u64 = 2;
    /// Somebody writes.
    pub const HASH_WRITING: u64 = 4;
    /// The map grows into an array of the same size.
    pub const SAME_SIZE_GROW: u64 = 8;
}

/// The fields of the `extra` block.
pub(super) mod extra {
    use super::Layout;

    /// A slice of the overflow buckets of `buckets`, which keeps them alive where buckets hold no
    /// pointers.
    pub const OVERFLOW: usize = 0;
    /// The same for `oldbuckets`.
    pub const OLDOVERFLOW: usize = 1;
    /// The next preallocated overflow bucket; nil when there are no more.
    pub const NEXT_OVERFLOW: usize = 2;
    pub const LAYOUT: Layout = Layout { cells: 0, atomics: 0, pointers: 3 };
}

/// The header of a growing slice of pointers. Who holds the header sees what is appended later.
pub(super) mod slice {
    use super::Layout;

    /// Elements in use.
    pub const LEN: usize = 0;
    /// The array of elements; nil when there is none.
    pub const ARRAY: usize = 1;
    pub const LAYOUT: Layout = Layout { cells: 1, atomics: 0, pointers: 1 };
}

/// What a cell's tophash says when it is not the top byte of a hash.
pub(super) mod top {
    /// This cell is empty, and so is all after it, overflow buckets included.
    pub const EMPTY_REST: u64 = 0;
    /// This cell is empty.
    pub const EMPTY_ONE: u64 = 1;
    /// The entry went to the first half of the larger array.
    pub const EVACUATED_X: u64 = 2;
    /// The entry went to the second half.
    pub const EVACUATED_Y: u64 = 3;
    /// The cell was empty when its bucket was evacuated.
    pub const EVACUATED_EMPTY: u64 = 4;
    /// The least tophash of a live entry.
    pub const MIN_TOP_HASH: u64 = 5;

    /// The tophash of a hash.
    pub fn of(hash: u64) -> u64 {
        let top = hash >> 56;
        if top < MIN_TOP_HASH { top + MIN_TOP_HASH } else { top }
    }

    /// Whether the cell is empty, in a bucket that was not evacuated.
    pub fn is_empty(top: u64) -> bool {
        top <= EMPTY_ONE
    }

    /// Whether the cell's entry now lives in the newer array.
    pub fn is_moved(top: u64) -> bool {
        top == EVACUATED_X || top == EVACUATED_Y
    }
}

/// A bucket: the address of its first tophash. Interior pointers keep the whole array alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Bmap(pub Ptr);

/// How buckets are laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Whether keys, elems and overflow are pointers to the collector. All of them are, or none.
    pub pointers: bool,
}

impl Shape {
    fn bucket(self) -> Layout {
        match self.pointers {
            true => Layout { cells: SLOTS, atomics: 0, pointers: FIELDS },
            false => Layout { cells: SLOTS + FIELDS, atomics: 0, pointers: 0 },
        }
    }

    /// An array of `n` buckets.
    pub fn array(self, n: usize) -> Layout {
        self.bucket().times(n)
    }

    fn len<E: Engine>(self, heap: &Heap<E>, array: Ptr) -> usize {
        heap.layout(array.base()).map_or(0, |layout| layout.cells / self.bucket().cells)
    }

    /// Bucket `index` of an array; beyond its end, an address outside of the block.
    pub fn nth<E: Engine>(self, heap: &Heap<E>, array: Ptr, index: u64) -> Bmap {
        let (index, len) = (index as usize, self.len(heap, array));
        let beyond = if index < len { 0 } else { self.array(len).words() };
        Bmap(array.at(index * self.bucket().cells + beyond))
    }

    /// The bucket after this one in its array.
    pub fn after(self, b: Bmap) -> Bmap {
        Bmap(b.0.at(self.bucket().cells))
    }

    /// The address of a tophash.
    pub fn tophash(self, b: Bmap, i: usize) -> Ptr {
        b.0.at(i)
    }

    /// The address of a key.
    pub fn key<E: Engine>(self, heap: &Heap<E>, b: Bmap, i: usize) -> Ptr {
        self.field(heap, b, i)
    }

    /// The address of an elem.
    pub fn elem<E: Engine>(self, heap: &Heap<E>, b: Bmap, i: usize) -> Ptr {
        self.field(heap, b, SLOTS + i)
    }

    /// The address of the overflow pointer.
    pub fn overflow<E: Engine>(self, heap: &Heap<E>, b: Bmap) -> Ptr {
        self.field(heap, b, 2 * SLOTS)
    }

    /// The keys, elems and the overflow pointer of a bucket: where they begin, and how many words
    /// they are.
    pub fn data<E: Engine>(self, heap: &Heap<E>, b: Bmap) -> (Ptr, usize) {
        (self.field(heap, b, 0), FIELDS)
    }

    fn field<E: Engine>(self, heap: &Heap<E>, b: Bmap, word: usize) -> Ptr {
        if !self.pointers {
            return b.0.at(SLOTS + word);
        }
        let index = b.0.offset() / SLOTS;
        b.0.base().at(self.len(heap, b.0) * SLOTS + index * FIELDS + word)
    }
}

#[cfg(test)]
mod tests {
    use mapcheck::model::Native;

    use super::*;

    #[test]
    fn no_two_fields_of_an_array_share_a_word_and_none_is_wasted() {
        for pointers in [false, true] {
            let (heap, shape) = (Heap::<Native>::new(), Shape { pointers });
            let array = heap.allocate(shape.array(3));
            let mut offsets: Vec<usize> = Vec::new();
            for b in (0..3).map(|n| shape.nth(&heap, array, n)) {
                offsets.extend((0..SLOTS).map(|i| shape.tophash(b, i).offset()));
                offsets.extend((0..SLOTS).map(|i| shape.key(&heap, b, i).offset()));
                offsets.extend((0..SLOTS).map(|i| shape.elem(&heap, b, i).offset()));
                offsets.push(shape.overflow(&heap, b).offset());
            }
            offsets.sort_unstable();
            assert_eq!(offsets, (0..shape.array(3).words()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_bucket_beyond_the_array_lies_outside_of_the_block() {
        for pointers in [false, true] {
            let (heap, shape) = (Heap::<Native>::new(), Shape { pointers });
            let array = heap.allocate(shape.array(2));
            let b = shape.nth(&heap, array, 2);
            let words = shape.array(2).words();
            assert!(shape.tophash(b, 0).offset() >= words);
            assert!(shape.key(&heap, b, 0).offset() >= words);
        }
    }

    #[test]
    fn a_tophash_is_never_one_of_the_states() {
        assert!((0..=255u64).all(|byte| top::of(byte << 56) >= top::MIN_TOP_HASH));
        assert_eq!((top::of(0), top::of(9 << 56)), (5, 9));
    }
}
