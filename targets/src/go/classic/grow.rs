//! Growth: a larger array, or one of the same size with shorter chains, that writes fill bucket by
//! bucket.

use mapcheck::model::{Engine, Ptr};

use super::call::Call;
use super::layout::{Bmap, SLOTS, extra, flags, hmap, top};
use super::mutants::{E1, E2, E3, E4, F1, F1C, F15, F16, F16B, F18, F18B, F22, F23B, F25};

/// How far one write may move the mark over buckets that are done already.
const MARK_STEPS: u64 = 1024;

/// Where the entries of an old bucket go: the end of a new chain.
#[derive(Clone, Copy)]
struct Destination {
    b: Bmap,
    i: usize,
}

/// Whether `count` entries are too many for `2^b` buckets: more than 6.5 in each, and more than one
/// bucket holds.
fn over_load_factor(count: u64, b: u64) -> bool {
    count > SLOTS as u64 && count > 13 * ((1 << b) / 2)
}

/// Whether there are about as many overflow buckets as buckets: chains grew long, and then lost
/// their entries.
fn too_many_overflow_buckets(noverflow: u64, b: u64) -> bool {
    !E3.on() && noverflow >= 1 << b.min(15)
}

impl<E: Engine> Call<'_, E> {
    /// Whether one more entry is to start a growth.
    pub fn must_grow(&self) -> bool {
        let b = self.get(hmap::B);
        over_load_factor(self.get(hmap::COUNT) + 1, b)
            || too_many_overflow_buckets(self.get(hmap::NOVERFLOW), b)
    }

    /// Starts a growth. Nothing moves yet.
    pub fn hash_grow(&self) {
        let (mut b, mut now) = (self.get(hmap::B), self.get(hmap::FLAGS));
        if over_load_factor(self.get(hmap::COUNT) + 1, b) {
            b += 1;
        } else {
            now |= flags::SAME_SIZE_GROW;
        }
        let oldbuckets = self.load(hmap::BUCKETS);
        let (buckets, next_overflow) = self.make_bucket_array(b);
        self.set(hmap::B, b);
        self.set(hmap::FLAGS, iterators_grow_old(now));
        self.keep_oldbuckets(oldbuckets);
        self.store(hmap::BUCKETS, buckets);
        self.set(hmap::NEVACUATE, 0);
        self.set(hmap::NOVERFLOW, 0);
        self.hand_over_overflow(next_overflow);
    }

    fn keep_oldbuckets(&self, oldbuckets: Ptr) {
        let runtime = &self.map.runtime;
        match E4.on() {
            true => {
                runtime.write_pointer_without_barrier(self.map.h.at(hmap::OLDBUCKETS), oldbuckets)
            }
            false => self.store(hmap::OLDBUCKETS, oldbuckets),
        }
    }

    /// The recorded overflow buckets are now those of the old array; the new one brings its own
    /// preallocated ones.
    fn hand_over_overflow(&self, next_overflow: Ptr) {
        let extra = self.load(hmap::EXTRA);
        if !extra.is_null() {
            let overflow = self.load_from(extra.at(extra::OVERFLOW));
            if !overflow.is_null() {
                if !F23B.on() {
                    self.store_extra(extra, extra::OLDOVERFLOW, overflow);
                }
                self.store_extra(extra, extra::OVERFLOW, Ptr::NULL);
            }
        }
        if !next_overflow.is_null() {
            self.store_extra(self.need_extra(), extra::NEXT_OVERFLOW, next_overflow);
        }
    }

    /// What each write does for the growth: evacuates the old bucket that it is about to use, and
    /// one more.
    pub fn grow_work(&self, bucket: u64) {
        if !F15.on() {
            self.evacuate(bucket & (self.noldbuckets() - 1));
        }
        if self.growing() {
            self.evacuate(self.get(hmap::NEVACUATE));
        }
    }

    /// Moves the entries of an old bucket into the new array.
    fn evacuate(&self, oldbucket: u64) {
        let newbit = self.noldbuckets();
        let b = self.bucket(self.load(hmap::OLDBUCKETS), oldbucket);
        if !self.evacuated(b) {
            self.evacuate_chain(b, oldbucket, newbit);
            // An iterator may still be on its way through the old bucket. If not, the collector
            // need not follow it.
            if (!self.has(flags::OLD_ITERATOR) || F1.on()) && self.map.shape.pointers {
                self.clear_data(b);
            }
        }
        if oldbucket == self.get(hmap::NEVACUATE) {
            self.advance_evacuation_mark(newbit);
        }
    }

    fn evacuate_chain(&self, head: Bmap, oldbucket: u64, newbit: u64) {
        let buckets = self.load(hmap::BUCKETS);
        let larger = !self.has(flags::SAME_SIZE_GROW);
        let x = Destination { b: self.bucket(buckets, oldbucket), i: 0 };
        let y = Destination { b: self.bucket(buckets, oldbucket + newbit), i: 0 };
        let mut to = [x, y];
        let mut chain = Some(head);
        while let Some(b) = chain {
            for i in 0..SLOTS {
                self.evacuate_cell(b, i, &mut to, if larger { newbit } else { 0 });
            }
            chain = if F18B.on() { None } else { self.overflow(b) };
        }
    }

    /// Moves one entry to the first half of the new array (X) or to the second (Y): its hash has
    /// one more bit now.
    fn evacuate_cell(&self, b: Bmap, i: usize, to: &mut [Destination; 2], newbit: u64) {
        let is = self.tophash(b, i);
        if top::is_empty(is) {
            return self.set_tophash(b, i, top::EVACUATED_EMPTY);
        }
        let key_id = self.key_id(self.word(self.key_at(b, i)));
        let y = self.hash(key_id) & newbit != 0;
        if !F18.on() {
            self.set_tophash(b, i, if y { top::EVACUATED_Y } else { top::EVACUATED_X });
        }
        let to = &mut to[usize::from(y)];
        if to.i == SLOTS {
            *to = Destination { b: self.new_overflow(to.b), i: 0 };
        }
        self.set_tophash(to.b, to.i, is);
        self.copy(self.key_at(to.b, to.i), self.key_at(b, i));
        self.copy(self.elem_at(to.b, to.i), self.elem_at(b, i));
        to.i += 1;
    }

    fn copy(&self, to: Ptr, from: Ptr) {
        if self.map.shape.pointers && !without_barrier(E1.on()) {
            return self.map.runtime.copy(to, from, 1);
        }
        self.heap().write(to, self.heap().read(from));
    }

    /// Clears keys, elems and overflow of an evacuated bucket. The tophashes tell where its entries
    /// went: they stay.
    fn clear_data(&self, b: Bmap) {
        let (at, words) = self.map.shape.data(self.heap(), b);
        if !without_barrier(E2.on()) {
            return self.map.runtime.clear(at, words);
        }
        for i in 0..words {
            self.heap().write(at.at(i), 0);
        }
    }

    /// Counts the buckets that are done, and ends the growth with the last of them.
    fn advance_evacuation_mark(&self, newbit: u64) {
        let mut mark = self.get(hmap::NEVACUATE) + 1;
        let stop = newbit.min(mark + MARK_STEPS);
        let oldbuckets = self.load(hmap::OLDBUCKETS);
        while mark != stop && self.evacuated(self.bucket(oldbuckets, mark)) {
            mark += 1;
        }
        self.set(hmap::NEVACUATE, mark);
        if F16B.on() && mark + 1 == newbit {
            self.heap().free(oldbuckets);
        }
        if mark == newbit || (F16.on() && mark + 1 >= newbit) {
            self.end_growth();
        }
    }

    fn end_growth(&self) {
        self.store(hmap::OLDBUCKETS, Ptr::NULL);
        let extra = self.load(hmap::EXTRA);
        if !extra.is_null() {
            self.store_extra(extra, extra::OLDOVERFLOW, Ptr::NULL);
        }
        if !F22.on() {
            self.set(hmap::FLAGS, self.get(hmap::FLAGS) & !flags::SAME_SIZE_GROW);
        }
    }
}

/// Whether a copy or a clear of the evacuation goes without the bulk barrier. Forgetting one of the
/// two is harmless: what an old bucket held is recorded when it is copied, or else when it is
/// cleared.
fn without_barrier(half: bool) -> bool {
    F25.on() || half
}

/// The flags after a growth began: who iterates over the array iterates over the old array now.
fn iterators_grow_old(now: u64) -> u64 {
    let kept = now & !(flags::ITERATOR | flags::OLD_ITERATOR);
    let iterated = now & flags::ITERATOR != 0 && !F1C.on();
    if iterated { kept | flags::OLD_ITERATOR } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_grows_when_its_buckets_hold_six_and_a_half_entries_on_average() {
        let first = |b| (1..).find(|&count| over_load_factor(count, b));
        let counts: Vec<_> = (0..7).map(first).collect();
        assert_eq!(counts, [9, 14, 27, 53, 105, 209, 417].map(Some));
    }

    #[test]
    fn there_are_too_many_overflow_buckets_when_there_are_as_many_as_buckets() {
        assert!(too_many_overflow_buckets(16, 4) && !too_many_overflow_buckets(15, 4));
        assert!(too_many_overflow_buckets(1 << 15, 20));
    }
}
