//! `clear(m)`.

use mapcheck::model::{Engine, Ptr};

use super::call::Call;
use super::layout::{SLOTS, extra, flags, hmap, top};
use super::mutants::{F20, F21};
use crate::go::Fatal;

impl<E: Engine> Call<'_, E> {
    /// Removes all entries.
    ///
    /// Go 1.21 to 1.23 go on with the same array, preallocated overflow buckets included. Then an
    /// iterator that is in one of these walks on in whichever chain takes the bucket next, and
    /// yields the entries of that chain twice. So that the model keeps the language's promise, it
    /// takes a new array; the mutant F20 is Go's behaviour.
    pub fn mapclear(&self) -> Result<(), Fatal> {
        if self.get(hmap::COUNT) == 0 {
            return Ok(());
        }
        self.begin_write()?;
        self.end_iterations();
        self.set(hmap::FLAGS, self.get(hmap::FLAGS) & !flags::SAME_SIZE_GROW);
        self.store(hmap::OLDBUCKETS, Ptr::NULL);
        self.set(hmap::NEVACUATE, 0);
        self.set(hmap::NOVERFLOW, 0);
        self.set(hmap::COUNT, 0);
        self.set(hmap::HASH0, self.map.random_seed());
        let b = self.get(hmap::B);
        let (buckets, next_overflow) =
            if F20.on() { self.recycled(b) } else { self.make_bucket_array(b) };
        self.store(hmap::BUCKETS, buckets);
        self.reset_extra(next_overflow);
        self.end_write()
    }

    /// Makes all buckets empty to the iterators that are on their way through them.
    fn end_iterations(&self) {
        self.mark_buckets_empty(self.load(hmap::BUCKETS), self.bucket_mask() + 1);
        let oldbuckets = self.load(hmap::OLDBUCKETS);
        if !oldbuckets.is_null() && !F21.on() {
            self.mark_buckets_empty(oldbuckets, self.noldbuckets());
        }
    }

    fn mark_buckets_empty(&self, array: Ptr, n: u64) {
        for bucket in 0..n {
            let mut chain = Some(self.bucket(array, bucket));
            while let Some(b) = chain {
                (0..SLOTS).for_each(|i| self.set_tophash(b, i, top::EMPTY_REST));
                chain = self.overflow(b);
            }
        }
    }

    /// Wipes the array for the mutant, and makes its overflow buckets preallocated again.
    fn recycled(&self, b: u64) -> (Ptr, Ptr) {
        let array = self.load(hmap::BUCKETS);
        let layout = self.heap().layout(array).unwrap_or_default();
        let pointers = layout.pointers();
        self.map.runtime.clear(array.at(pointers.start), pointers.len());
        (0..layout.cells).for_each(|i| self.heap().write(array.at(i), 0));
        (array, self.prepare_spare(array, b))
    }

    fn reset_extra(&self, next_overflow: Ptr) {
        let extra = self.load(hmap::EXTRA);
        if extra.is_null() {
            return;
        }
        self.store_extra(extra, extra::OVERFLOW, Ptr::NULL);
        self.store_extra(extra, extra::OLDOVERFLOW, Ptr::NULL);
        self.store_extra(extra, extra::NEXT_OVERFLOW, next_overflow);
    }
}
